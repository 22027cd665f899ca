"""What the service manager hears (sd_notify): a datagram socket stands in for it."""
import os
import signal
import socket
import time

import pytest

from painda import PATIENCE, Server, WebSocket, eventually, frame

pytestmark = pytest.mark.usefixtures("real_crashes")
APP = """
local painda = require "painda"
local server = painda.PPServer { port = 0, handlerTimeout = 0 }
server:on("spin", function()
    while true do end
end)
print("environment", os.getenv "NOTIFY_SOCKET", os.getenv "WATCHDOG_USEC")
"""


class Manager:
    """Listens where NOTIFY_SOCKET says; `name` begins with @ for an abstract address."""

    def __init__(self, name):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        self.sock.settimeout(PATIENCE)
        self.env = {"NOTIFY_SOCKET": name}

    def hear(self, skip="WATCHDOG"):
        """The next message that is not `skip`, as a dictionary."""
        while True:
            lines = self.sock.recv(4096).decode().splitlines()
            said = dict(line.split("=", 1) for line in lines)
            if skip not in said:
                return said

    def hears(self):
        """Everything that has come by now."""
        self.sock.setblocking(False)
        count = 0
        try:
            while True:
                self.sock.recv(4096)
                count += 1
        except BlockingIOError:
            self.sock.settimeout(PATIENCE)
            return count


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    manager = Manager(str(tmp_path / "notify") if request.param == "path" else f"@painda-test-{tmp_path}"[:100])
    yield manager
    manager.sock.close()


@pytest.fixture(params=[[], ["--no-supervisor"]], ids=["supervised", "alone"])
def how(request):
    return request.param


def test_it_is_told_of_the_start_reloads_and_the_end(manager, how):
    with Server(APP, *how, env=manager.env) as server:
        assert manager.hear()["READY"] == "1"
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        server.send_signal(signal.SIGHUP)
        reloading = manager.hear()
        assert reloading["RELOADING"] == "1"
        assert before <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert manager.hear()["READY"] == "1"
    assert manager.hear()["STOPPING"] == "1"


def test_a_reload_that_fails_is_over_too(manager, how):
    with Server(APP, *how, env=manager.env) as server:
        manager.hear()
        server.app.write_text("local = 1\n")
        server.send_signal(signal.SIGHUP)
        assert "RELOADING" in manager.hear()
        assert "READY" in manager.hear()


def test_it_reads_which_generation_serves(manager):
    with Server(APP, env=manager.env) as server:
        assert manager.hear()["STATUS"] == "serving generation 1"
        server.send_signal(signal.SIGHUP)
        manager.hear()
        assert manager.hear()["STATUS"] == "serving generation 2"


def test_a_worker_that_is_started_again_is_ready_again(manager):
    with Server(APP, env=manager.env) as server:
        manager.hear()
        os.kill(server.pid, signal.SIGSEGV)
        assert "READY" in manager.hear()


def test_the_application_can_not_speak_for_it(manager, how):
    with Server(APP, *how, env={**manager.env, "WATCHDOG_USEC": "10000000"}) as server:
        server.wait_for(r"environment\tnil\tnil")


def test_the_watchdog_is_fed_while_the_loop_turns_and_no_longer(manager, how):
    env = {**manager.env, "WATCHDOG_USEC": "200000"}
    server = Server(APP, *how, "--hard-timeout", 0, env=env)
    server.start()
    try:
        for _ in range(5):
            assert manager.hear(skip="READY") == {"WATCHDOG": "1"}
        with WebSocket(server) as ws:
            ws.send(frame("spin"))
        eventually(lambda: manager.hears() == 0 and not time.sleep(0.5) and manager.hears() == 0, "silence")
    finally:
        server.kill()


def test_a_watchdog_of_another_process_is_not_fed(manager, how):
    with Server(APP, *how, env={**manager.env, "WATCHDOG_USEC": "40000", "WATCHDOG_PID": "1"}) as server:
        manager.hear()
        WebSocket(server).close()
        time.sleep(0.3)
        assert manager.hears() == 0


@pytest.mark.parametrize("name", ["", "relative", "/" + "x" * 200, "/nowhere/notify"])
def test_a_manager_that_is_not_there_harms_nothing(name):
    with Server(APP, env={"NOTIFY_SOCKET": name}) as server:
        WebSocket(server).close()
