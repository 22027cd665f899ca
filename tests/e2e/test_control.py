"""The control socket: who may use it, how a tool finds the server that is meant, and what comes over it."""
import json
import os
import re
import signal
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from painda import PATIENCE, Server, eventually, painda

pytestmark = pytest.mark.asan

APP = """
local painda = require "painda"
painda.PPServer { port = 0 }
"""


@pytest.fixture
def home():
    """A folder for sockets of this test's own, as environment. A socket's path is short."""
    with tempfile.TemporaryDirectory(prefix="pp-") as folder:
        yield {**os.environ, "PAINDA_CONTROL_DIR": folder + "/painda"}


def sockets(home):
    folder = home["PAINDA_CONTROL_DIR"]
    return sorted(os.path.join(folder, name) for name in os.listdir(folder)) if os.path.isdir(folder) else []


def socket_of(server, home):
    return eventually(lambda: [path for path in sockets(home) if path.endswith(f"-{server.pid}.sock")], "the socket")[0]


class Line:
    """A peer of the socket that speaks its JSON by hand."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")

    def send(self, message):
        self.socket.sendall(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n")

    def receive(self):
        line = self.file.readline()
        return json.loads(line) if line else None

    def ask(self, command, **request):
        self.send({"id": 7, "command": command, **request})
        return self.receive()


def test_only_the_owner_reaches_it(home):
    with Server(APP, env=home) as server:
        path = socket_of(server, home)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700


def test_it_goes_with_the_server(home):
    with Server(APP, env=home) as server:
        socket_of(server, home)
    assert sockets(home) == []


def test_what_a_dead_server_left_is_removed(home):
    server = Server(APP, env=home)
    server.start()
    socket_of(server, home)
    server.kill()
    assert len(sockets(home)) == 1
    result = painda("stats", env=home)
    assert result.returncode == 1
    assert "no server" in result.stderr
    assert sockets(home) == []


def test_a_start_removes_it_too(home):
    server = Server(APP, env=home)
    server.start()
    left = socket_of(server, home)
    server.kill()
    with Server(APP, env=home) as server:
        own = socket_of(server, home)
        assert sockets(home) == [own] != [left]


@pytest.fixture
def runtime_dir(home):
    """The same, as a session's XDG_RUNTIME_DIR."""
    env = {key: value for key, value in home.items() if key != "PAINDA_CONTROL_DIR"}
    return {**env, "XDG_RUNTIME_DIR": os.path.dirname(home["PAINDA_CONTROL_DIR"])}


def test_the_folder_is_made_in_the_sessions(home, runtime_dir):
    with Server(APP, env=runtime_dir) as server:
        path = socket_of(server, home)
        assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
        assert painda("stats", "--pid", server.pid, "--json", env=runtime_dir).returncode == 0


def test_a_folder_that_others_may_enter_is_not_trusted(home, runtime_dir):
    folder = Path(home["PAINDA_CONTROL_DIR"])
    folder.mkdir()
    folder.chmod(0o755)
    with Server(APP, env=runtime_dir) as server:
        assert sockets(home) == []
        assert painda("stats", "--pid", server.pid, "--json", env=runtime_dir).returncode == 0  # it is in /tmp then
    with Server(APP, env=home) as server:
        server.wait_for("no control socket.*can be entered by others")


def test_a_runtime_folder_that_others_may_enter_is_not_trusted(home, runtime_dir):
    Path(runtime_dir["XDG_RUNTIME_DIR"]).chmod(0o777)
    with Server(APP, env=runtime_dir) as server:
        assert painda("stats", "--pid", server.pid, "--json", env=runtime_dir).returncode == 0
        assert sockets(home) == []


def test_a_path_of_ones_own(home):
    path = Path(home["PAINDA_CONTROL_DIR"]).parent / "here.sock"
    with Server(APP, "--control", path, env=home):
        assert sockets(home) == []
        eventually(path.exists, "the socket")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert painda("stats", "--control", path, "--json", env=home).returncode == 0
    assert not path.exists()


@pytest.mark.parametrize("path", ["nowhere/here.sock", "x" * 120])
def test_a_path_that_cannot_be_is_an_error(path, tmp_path, home):
    result = painda("run", write(tmp_path), "--control", tmp_path / path, env=home)
    assert result.returncode == 1
    assert "--control" in result.stderr and path in result.stderr


def test_a_file_that_is_no_socket_is_left_alone(tmp_path, home):
    data = tmp_path / "data.json"
    data.write_text("{}")
    result = painda("run", write(tmp_path), "--control", data, env=home)
    assert result.returncode == 1
    assert f"--control: cannot open {data}: it is there and is no socket" in result.stderr
    assert data.read_text() == "{}"
    assert sorted(os.listdir(tmp_path)) == ["app.lua", "data.json"]


def test_the_socket_of_a_server_that_runs_is_left_to_it(tmp_path, home):
    path = Path(home["PAINDA_CONTROL_DIR"]).parent / "here.sock"
    with Server(APP, "--control", path, env=home) as first:
        result = painda("run", write(tmp_path), "--control", path, env=home)
        assert result.returncode == 1
        assert "another server listens there" in result.stderr
        assert Line(str(path)).ask("info")["result"]["pid"] == first.pid
    assert not path.exists()


def test_a_socket_that_is_dead_is_replaced(home):
    path = Path(home["PAINDA_CONTROL_DIR"]).parent / "here.sock"
    server = Server(APP, "--control", path, env=home)
    server.start()
    server.kill()
    assert path.is_socket()
    with Server(APP, "--control", path, env=home) as server:
        assert Line(str(path)).ask("info")["result"]["pid"] == server.pid


def write(tmp_path, name="app.lua"):
    (tmp_path / name).write_text(APP)
    return tmp_path / name


def test_none_where_it_is_off(home):
    with Server(APP, "--control", "off", env=home):
        result = painda("stats", env=home)
    assert result.returncode == 1
    assert re.match(r"painda: no server of this user is running", result.stderr)


def test_the_server_is_found_by_process_by_parent_and_by_application(home, tmp_path):
    one, two = write(tmp_path, "one.lua"), write(tmp_path, "two.lua")
    with Server(one, env=home) as first, Server(two, env=home) as second:
        several = painda("stats", env=home)
        assert several.returncode == 1
        for text in (f"--pid {first.process.pid}", f"--pid {second.process.pid}", str(one), str(two), str(first.port)):
            assert text in several.stderr, several.stderr
        for chosen in (["--pid", first.pid], ["--pid", first.process.pid], [one]):
            result = painda("stats", "--json", *chosen, env=home)
            assert json.loads(result.stdout)["pid"] == first.pid, result
        missing = painda("stats", tmp_path / "three.lua", env=home)
        assert missing.returncode == 1
        assert "three.lua" in missing.stderr and str(one) in missing.stderr


def test_a_worker_that_follows_another_is_found(home):
    with Server(APP, env=home) as server:
        assert painda("stats", "--once", env=home).returncode == 0  # it is there, and whole
        first = server.pid
        os.kill(first, signal.SIGKILL)
        server.wait_for("serves again")
        stats = json.loads(painda("stats", "--json", "--pid", server.process.pid, env=home).stdout)
        assert stats["pid"] == server.pid != first
        assert sockets(home) == [socket_of(server, home)]


@pytest.mark.parametrize("pid", ["0", "x", "-4", "99999999999"])
def test_a_process_is_a_number(pid, home):
    result = painda("stats", "--pid", pid, env=home)
    assert result.returncode == 2
    assert "--pid" in result.stderr


def test_what_is_no_command_is_said(home):
    with Server(APP, env=home) as server:
        line = Line(socket_of(server, home))
        assert line.ask("info")["result"]["pid"] == server.pid
        assert line.ask("inof") == {"id": 7, "error": 'this server has no command "inof", did you mean "info"?'}
        line.send(b"nonsense\n")
        assert "JSON" in line.receive()["error"]
        assert line.receive() is None
        for garbage in (b"null\n", b"[]\n", b'{"command":4}\n', b"\0\xff\n"):
            line = Line(socket_of(server, home))
            line.send(garbage)
            assert "error" in line.receive()
            assert line.receive() is None


def test_a_request_without_end_is_cut_off(home):
    with Server(APP, env=home) as server:
        line = Line(socket_of(server, home))
        try:
            for _ in range(64):
                line.send(b"x" * 65536)
        except OSError:
            pass
        else:
            with pytest.raises((ConnectionError, AssertionError)):
                while line.receive() is not None:
                    pass
                raise AssertionError
        assert Line(socket_of(server, home)).ask("info")["id"] == 7


def test_several_requests_come_in_pieces_and_together(home):
    with Server(APP, env=home) as server:
        line = Line(socket_of(server, home))
        one = b'{"id":1,"command":"info"}\n'
        line.send(one[:9])
        line.send(one[9:] + one + one[:5])
        assert [line.receive()["id"], line.receive()["id"]] == [1, 1]
        line.send(one[5:])
        assert line.receive()["id"] == 1


def test_no_more_than_sixteen_at_once(home):
    with Server(APP, env=home) as server:
        path = socket_of(server, home)
        lines = [Line(path) for _ in range(16)]
        assert all(line.ask("info")["id"] == 7 for line in lines)
        assert Line(path).receive() is None
        lines.pop().socket.close()

        def has_room():
            try:
                return Line(path).ask("info")
            except OSError:
                return None

        eventually(has_room, "room for another")


def test_it_serves_while_it_drains_no_longer_than_needed(home):
    server = Server(APP, env=home)
    server.start()
    line = Line(socket_of(server, home))
    assert line.ask("info")["id"] == 7
    assert server.stop(signal.SIGTERM) == 0
    assert line.receive() is None
    assert sockets(home) == []
