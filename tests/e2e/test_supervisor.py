"""`painda run` keeps a small parent: what it does when the worker crashes, hangs or ends, and what goes on meanwhile."""
import os
import re
import signal
import socket
import time

import pytest

from painda import PATIENCE, Closed, Server, WebSocket, eventually, frame, painda, processes_of_session, worker_of

pytestmark = pytest.mark.usefixtures("real_crashes")
APP = """
local painda = require "painda"
local ffi = require "ffi"
ffi.cdef "int raise(int); int getpid(void);"
local server = painda.PPServer { port = 0, handlerTimeout = 0 }
server:on("pid", function(_, _, ack) ack(nil, tonumber(ffi.C.getpid())) end)
server:on("crash", function(_, number) ffi.C.raise(number) end)
server:on("spin", function()
    print "spins"
    while true do end
end)
server:on("exit", function(_, code) os.exit(code) end)
server:on("shut", function() server:close() end)
"""


def ask(ws, type, payload=None):
    ws.send(frame(type, payload, ack_id=1))
    return ws.receive_frame("__pp_ack").payload["args"][0]


def serving_pid(server):
    """Who answers: it may take several connections, since those of a worker go with it."""
    while True:
        try:
            with WebSocket(server) as ws:
                return ask(ws, "pid")
        except Closed:
            pass


def wait_until_loaded(server):
    """A port is open before the application has loaded; a handshake is answered only after that."""
    WebSocket(server).close()


def tell(server, type, payload=None):
    with WebSocket(server) as ws:
        ws.send(frame(type, payload))


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGBUS])
def test_a_worker_that_is_killed_is_followed_by_another_on_the_same_port(number):
    with Server(APP) as server:
        first = serving_pid(server)
        assert first == server.pid
        assert open(f"/proc/{first}/comm").read() == "painda-worker\n"
        os.kill(first, number)
        second = serving_pid(server)  # not refused, whenever it comes
        assert second != first and second == worker_of(server.process.pid)
        crash = server.wait_for(r"error the worker crashed.*").group(0)
        assert f"signal={signal.Signals(number).name}" in crash and f"pid={first}" in crash
        assert "generation=1" in crash
        assert ("memory has run out" in crash) == (number == signal.SIGKILL)
        server.wait_for("the application serves again")


def test_a_crash_names_the_handler_and_the_message_type():
    with Server(APP) as server:
        tell(server, "crash", int(signal.SIGSEGV))
        crash = server.wait_for(r"error the worker crashed.*").group(0)
        assert "handler=message type=crash" in crash
        serving_pid(server)


def test_a_crash_outside_of_lua_blames_no_handler():
    with Server(APP) as server:
        serving_pid(server)
        os.kill(server.pid, signal.SIGSEGV)
        crash = server.wait_for(r"error the worker crashed.*").group(0)
        assert "handler=none" in crash and "type=" not in crash


def test_an_endless_compiled_loop_is_ended_and_named():
    with Server(APP, "--hard-timeout", 300) as server:
        first = serving_pid(server)
        tell(server, "spin")
        assert serving_pid(server) != first
        hang = server.wait_for(r"error the worker hung.*").group(0)
        line = APP.splitlines().index('server:on("spin", function()') + 1
        assert "handler=message type=spin" in hang
        assert f"app.lua:{line} " in hang and "generation=1" in hang and "300 ms" in hang


WAITS_AND_SPINS = """
local painda = require "painda"
local server = painda.PPServer { port = 0, handlerTimeout = 0 }
server:useMessage(function(client, msg, next)
    painda.sleep(1)
    next()
end)
server:on("waits and spins", function()
    painda.sleep(1)
    painda.sleep(100)
    while true do end
end)
server:on("meanwhile", function(_, _, ack) ack(nil, true) end)
"""


def test_a_handler_that_hangs_after_it_has_waited_is_named_by_its_own_message():
    with Server(WAITS_AND_SPINS, "--hard-timeout", 300) as server, WebSocket(server) as ws:
        ws.send(frame("waits and spins"))
        assert ask(ws, "meanwhile") is True
        hang = server.wait_for(r"error the worker hung.*").group(0)
        assert 'handler=message type="waits and spins"' in hang


def test_the_soft_limit_comes_first_and_the_hard_one_where_it_can_not_reach():
    both = """
    local painda = require "painda"
    local server = painda.PPServer { port = 0, handlerTimeout = 100 }
    local function interpreted()
        while true do pcall(string.rep, "x", 2) end
    end
    jit.off(interpreted)
    server:on("pid", function(_, _, ack) ack(nil, tonumber(require("ffi").C.getpid())) end)
    server:on("interpreted", interpreted)
    server:on("compiled", function()
        while true do end
    end)
    require("ffi").cdef "int getpid(void);"
    """
    with Server(both, "--hard-timeout", 2000) as server:
        pid = serving_pid(server)
        with WebSocket(server) as ws:
            ws.send(frame("interpreted", ack_id=2))
            assert "handlerTimeout" in ws.receive_frame("__pp_ack").payload["error"]["message"]
            assert ask(ws, "pid") == pid  # the connection lives, and all else
            assert "worker hung" not in server.log
            ws.send(frame("compiled"))
            assert "handler=message type=compiled" in server.wait_for("error the worker hung.*").group(0)
        assert serving_pid(server) != pid


def test_a_long_type_is_named_by_its_beginning():
    with Server(APP.replace('"spin"', '"' + "spinning" * 8 + '"'), "--hard-timeout", 300) as server:
        tell(server, "spinning" * 8)
        assert "type=" + ("spinning" * 8)[:31] + " " in server.wait_for(r"error the worker hung.*").group(0)
        serving_pid(server)


def test_a_message_that_a_client_of_the_runtime_gets_is_named_too():
    client = """
    local painda = require "painda"
    local server = painda.PPServer { port = 0, handlerTimeout = 0 }
    server:on("connection", function(connected) connected:emit("go") end)
    server:on("started", function() end)
    painda.after(1, function()
        local client = painda.PPClient { url = "ws://127.0.0.1:" .. server.port }
        client:on("go", function()
            while true do end
        end)
    end)
    """
    with Server(client, "--hard-timeout", 300) as server:
        assert "handler=message type=go" in server.wait_for(r"error the worker hung.*").group(0)


def test_a_stopped_worker_is_no_hanging_one():
    with Server(APP, "--hard-timeout", 500) as server:
        pid = serving_pid(server)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(2)
        os.kill(pid, signal.SIGCONT)
        assert serving_pid(server) == pid


SLOW_TO_START = """
local painda = require "painda"
local marker = os.getenv "MARKER"
local file = io.open(marker, "r")
if file then -- this is not the first worker
    file:close()
    os.execute "sleep 0.3"
end
io.open(marker, "w"):close()
painda.PPServer { port = 0 }
"""


def test_who_connects_while_the_worker_restarts_waits_and_is_served(tmp_path):
    with Server(SLOW_TO_START, env={"MARKER": str(tmp_path / "marker")}) as server:
        wait_until_loaded(server)
        os.kill(server.pid, signal.SIGKILL)
        sockets = []
        while not re.search("serves again", server.log):
            sockets.append(socket.create_connection(("127.0.0.1", server.port), PATIENCE))  # raises where refused
            time.sleep(0.01)
        assert len(sockets) > 3
        for sock in sockets:
            sock.settimeout(PATIENCE)
            sock.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert all(sock.recv(100).startswith(b"HTTP/1.1 426") for sock in sockets)


MANY = """
local painda = require "painda"
local path = os.getenv "SOCKET_PATH"
for i, options in ipairs { { port = 0 }, { port = 0 }, { host = "unix:" .. path }, { port = 0, host = "127.0.0.1" } } do
    options.maxConnectionsPerIp = i
    painda.PPServer(options):on("which", function(_, _, ack) ack(nil, i) end)
end
"""


def which(server, port):
    with WebSocket(address=("127.0.0.1", port)) as ws:
        return ask(ws, "which")


def test_each_of_several_sockets_goes_to_the_server_that_had_it(tmp_path):
    path = tmp_path / "app.sock"
    with Server(MANY, port=None, env={"SOCKET_PATH": str(path)}) as server:
        server.wait_for("host=unix:")
        ports = eventually(lambda: (found := re.findall(r"port=(\d+)", server.log)) and len(found) == 4 and found)
        ports = [int(port) for port in ports if port != "0"]
        assert which(server, ports[0]) == 1
        inode = path.stat().st_ino
        for _ in range(3):
            before = server.mark()
            os.kill(server.pid, signal.SIGKILL)
            server.wait_for("serves again", after=before)
            assert [which(server, port) for port in ports] == [1, 2, 4]
            assert path.stat().st_ino == inode
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(path))
                sock.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                assert sock.recv(100).startswith(b"HTTP/1.1 426")
        assert len(os.listdir(f"/proc/{server.process.pid}/fd")) < 16
    assert not path.exists()


def test_a_closed_port_is_closed_at_once():
    with Server(APP) as server:
        with WebSocket(server) as ws:
            ws.send(frame("shut"))
            ws.read_to_end()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", server.port), PATIENCE)


def test_a_port_that_was_closed_can_be_opened_again():
    again = """
    local painda = require "painda"
    local server = painda.PPServer { port = 0 }
    painda.after(1, function()
        for i = 1, 20 do
            local port = server.port
            server:close()
            server = painda.PPServer { port = port }
            assert(server.port == port)
        end
        print("port=" .. server.port .. " was opened again")
    end)
    """
    with Server(again) as server:
        server.wait_for("was opened again")


@pytest.mark.parametrize("source, code, words", [
    ("local = 1\n", 1, r"painda: .*app.lua:1: .*expected near"),
    ("\nerror 'no database'\n", 1, r"painda: .*no database"),
    ("\nos.exit(7)\n", 7, None),
    ("\nos.exit(0)\n", 0, None),
])
def test_an_end_of_its_own_is_passed_on(source, code, words):
    server = Server(source, listens=False)
    server.start()
    assert server.wait() == code
    assert "crashed" not in server.log
    if words:
        assert len(re.findall(words, server.log)) == 1, server.log


def test_a_file_that_is_not_there_and_a_wrong_option():
    assert painda("run", "/nowhere/app.lua").returncode == 1
    wrong = painda("run", "/nowhere/app.lua", "--hard-timout", "5")
    assert wrong.returncode == 2 and "did you mean --hard-timeout?" in wrong.stderr
    wrong = painda("run", __file__, "--hard-timeout", "soon")
    assert wrong.returncode == 2 and "soon" in wrong.stderr


@pytest.mark.parametrize("code", [0, 3])
def test_an_application_that_exits_while_serving_has_ended(code):
    server = Server(APP)
    server.start()
    tell(server, "exit", code)
    assert server.wait() == code


def test_a_crash_before_the_application_was_ever_loaded_is_passed_on():
    server = Server("local ffi = require 'ffi'\nffi.cdef 'int raise(int);'\nffi.C.raise(11)\n", listens=False)
    server.start()
    assert server.wait() == 128 + signal.SIGSEGV
    assert "error the worker crashed" in server.log


def test_an_endless_loop_while_loading_is_ended():
    server = Server("local x = 0\nwhile true do x = x + 1 end\n", "--hard-timeout", 100, "--load-timeout", 100, listens=False)
    server.start()
    assert server.wait() == 128 + signal.SIGABRT
    assert "the worker hung" in server.log


CRASHING = """
local painda = require "painda"
local ffi = require "ffi"
ffi.cdef "int raise(int);"
painda.PPServer { port = 0 }
painda.after(1, function() ffi.C.raise(11) end)
"""


def test_crashes_in_a_row_make_it_wait_longer_and_a_signal_ends_that():
    with Server(CRASHING) as server:
        server.wait_for(r"crashed 5 times in a row: the next one starts in 800 ms")
        waits = [int(ms) for ms in re.findall(r"the next one starts in (\d+) ms", server.log)]
        assert waits[:4] == [100, 200, 400, 800]


def test_a_signal_to_the_whole_group_is_one_signal():
    server = Server(APP)
    server.start()
    with WebSocket(server):
        os.killpg(server.process.pid, signal.SIGTERM)
        assert server.wait() == 0
    assert len(re.findall("shutting down", server.log)) == 1


def test_a_second_signal_to_the_whole_group_ends_it_at_once():
    waits = """
    local painda = require "painda"
    local server = painda.PPServer { port = 0 }
    server:on("work", function(client)
        client:emit("begun")
        painda.sleep(3600000)
    end)
    """
    server = Server(waits, "--shutdown-timeout", 3600000)
    server.start()
    try:
        with WebSocket(server) as ws:
            ws.send(frame("work"))
            ws.receive_frame("begun")
            os.killpg(server.process.pid, signal.SIGINT)
            ws.receive_frame("__pp_shutdown")
            os.killpg(server.process.pid, signal.SIGINT)
            assert server.wait() == 1
    finally:
        server.kill()


def test_a_second_signal_ends_a_worker_that_hangs():
    server = Server(APP, "--hard-timeout", 0)
    server.start()
    tell(server, "spin")
    server.wait_for("^spins")
    server.send_signal(signal.SIGTERM)
    server.send_signal(signal.SIGINT)
    assert server.wait() == 128 + signal.SIGKILL


def test_the_hangup_signal_reaches_the_worker():
    with Server(APP) as server:
        server.send_signal(signal.SIGHUP)
        server.wait_for("reloaded generation=2")
        os.kill(serving_pid(server), signal.SIGSEGV)
        assert "generation=2" in server.wait_for("worker crashed.*").group(0)
        server.wait_for("serves again")


def test_signals_while_it_starts_are_kept_for_later(tmp_path):
    with Server(SLOW_TO_START, env={"MARKER": str(tmp_path / "marker")}) as server:
        wait_until_loaded(server)
        old = server.pid
        os.kill(old, signal.SIGKILL)
        eventually(lambda: server.pid not in (old, server.process.pid), "another worker")
        server.send_signal(signal.SIGHUP)
        server.wait_for("reloaded generation=2")


def test_no_worker_outlives_its_supervisor():
    server = Server(APP)
    server.start()
    tell(server, "spin")  # a worker that could not end by itself
    server.wait_for("^spins")
    try:
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(PATIENCE)
        eventually(lambda: not processes_of_session(server.process.pid), "the worker's end")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), PATIENCE)
    finally:
        server.kill()


def test_without_a_supervisor_there_is_one_process():
    with Server(APP, "--no-supervisor") as server:
        assert serving_pid(server) == server.process.pid
        assert worker_of(server.process.pid) is None


def test_the_processes_of_an_application_know_nothing_of_the_supervisor():
    app = """
    local painda = require "painda"
    painda.PPServer { port = 0 }
    os.execute 'echo "found $(env | grep -c PAINDA_WORKER) $(ls -l /proc/self/fd | grep -c socket)"'
    """
    with Server(app) as server:
        assert server.wait_for(r"^found (.*)$").group(1) == "0 0"


def test_clients_of_the_runtime_come_back():
    with Server(APP) as server:
        client = f"""
        local painda = require "painda"
        local client = painda.PPClient {{ url = "ws://127.0.0.1:{server.port}", reconnectDelay = 10 }}
        client:on("open", function() print("open", client:request("pid")) end)
        """
        with Server(client, port=None, listens=False) as peer:
            first = int(peer.wait_for(r"open\t(\d+)").group(1))
            os.kill(first, signal.SIGSEGV)
            eventually(lambda: len(re.findall(r"open\t\d+", peer.log)) == 2, "the client's return")
            assert int(re.findall(r"open\t(\d+)", peer.log)[1]) == server.pid != first


def test_the_control_socket_is_the_next_workers(tmp_path):
    path = tmp_path / "control.sock"
    with Server(APP, "--control", path) as server:
        for _ in range(2):
            first = serving_pid(server)
            os.kill(first, signal.SIGKILL)
            assert serving_pid(server) != first
            assert painda("reload", "--control", path).returncode == 0


def test_the_log_format_is_the_workers():
    with Server(APP, "--log-format", "json", listens=False) as server:
        server.port = int(server.wait_for(r'"listening".*"port":"(\d+)"').group(1))
        wait_until_loaded(server)
        os.kill(server.pid, signal.SIGSEGV)
        server.wait_for(r'^\{.*"msg":"the worker crashed".*"signal":"SIGSEGV"')
        server.wait_for('"the application serves again"')
