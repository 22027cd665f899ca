"""painda stats: what a running server does, in a terminal, as lines, as JSON."""
import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile

import pytest

from painda import BINARY, PATIENCE, Server, WebSocket, frame, painda
from terminal import Terminal

pytestmark = pytest.mark.asan

APP = """
local painda = require "painda"
local server = painda.PPServer { port = 0 }
painda.PPServer { port = 0 }
server:on("connection", function(client)
    client:join("lobby")
    client:on("ping", function(payload) client:emit("pong", payload) end)
end)
"""


@pytest.fixture
def home():
    with tempfile.TemporaryDirectory(prefix="pp-") as folder:
        yield {**os.environ, "PAINDA_CONTROL_DIR": folder}


@pytest.fixture
def server(home):
    with Server(APP, env=home) as server:
        yield server


@pytest.fixture
def player(server):
    with WebSocket(server) as ws:
        for _ in range(3):
            ws.send(frame("ping", "x"))
            ws.receive_frame("pong")
        yield ws


@contextlib.contextmanager
def looking(home, *args):
    """`painda stats` that goes on, with its output in a pipe."""
    process = subprocess.Popen(
        [BINARY, "stats", "--interval", "100", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=home
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE)


def test_as_json(home, server, player):
    stats = json.loads(painda("stats", "--json", env=home).stdout)
    assert stats["pid"] == server.pid
    assert stats["application"] == str(server.app)
    assert stats["memory"] > 1e6 and stats["luaMemory"] > 1e5 and stats["cpu"] > 0
    assert [one["port"] for one in stats["servers"]] == sorted(one["port"] for one in stats["servers"])
    mine = next(one for one in stats["servers"] if one["port"] == server.port)
    assert (mine["clients"], mine["messagesReceived"], mine["rooms"]) == (1, 3, 1)
    assert len(stats["servers"]) == 2


def test_once(home, server, player):
    text = painda("stats", "--once", env=home).stdout
    assert f"process {server.pid}" in text
    assert re.search(rf"port {server.port}, up \d+ s\n  clients +1\n  rooms +1\n", text), text
    assert re.search(r"messages in +3\n", text)
    assert "\x1b" not in text and "malformed" not in text


def test_a_line_for_each_look_where_there_is_no_terminal(home, server, player):
    with looking(home) as process:
        lines = [process.stdout.readline() for _ in range(3)]
        assert all(re.match(r"generation=1 clients=1 rooms=1 in=\d+/s .*memory=[\d.]+MiB\n", line) for line in lines)
        process.stdout.close()  # nobody reads any more: it ends
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == ""


def test_json_lines(home, server):
    with looking(home, "--json") as process:
        assert [json.loads(process.stdout.readline())["pid"] for _ in range(3)] == [server.pid] * 3
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(PATIENCE) == 0


def test_in_a_terminal(home, server, player):
    with Terminal("stats", "--interval", 200, env=home) as terminal:
        terminal.expect("per second")
        terminal.expect("messages in")
        player.send(frame("ping", "x"))
        terminal.expect("4 ")
        terminal.interrupt()
        assert terminal.wait() == 0


def test_it_ends_with_the_server(home):
    server = Server(APP, env=home)
    server.start()
    with looking(home) as process:
        process.stdout.readline()
        server.stop()
        process.stdout.read()
        assert process.wait(PATIENCE) == 1
        assert process.stderr.read() == "painda: the server has ended\n"


@pytest.mark.slow
def test_a_server_that_stands_still_says_nothing(home):
    server = Server(APP, env=home)
    server.start()
    try:
        os.kill(server.pid, signal.SIGSTOP)
        result = painda("stats", "--json", env=home)
        assert result.returncode == 1
        assert "does not answer" in result.stderr
    finally:
        server.kill()
