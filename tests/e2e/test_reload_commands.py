"""New code by `painda reload`, and the old again by `painda rollback`."""
import signal
import socket
import time

import pytest

from lab import Asker
from painda import Server, WebSocket, frame, free_port, painda
from reloading import app, becomes, hang_up  # noqa: F401, a fixture

pytestmark = pytest.mark.asan


def test_the_command_says_what_came_of_it(app):
    with Server(app.path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        pid = ("--pid", str(server.process.pid))
        app.write(2)
        done = painda("reload", *pid)
        assert (done.returncode, done.stdout) == (0, "reloaded: generation 2 serves\n"), done.stderr
        assert ask("version") == 2
        app.save("broken (\n")
        done = painda("reload", *pid)
        assert done.returncode == 1 and "app.lua:2:" in done.stderr, done.stderr
        assert ask("version") == 2


def test_rollback_returns_to_the_versions_before(app):
    (app.folder / "level.lua").write_text('return "first"\n')
    extra = 'server:on("level", function(_, _, ack) ack(nil, require "level") end)'
    app.write(1, extra='require "level"\n' + extra)
    with Server(app.path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        pid = ("--pid", str(server.process.pid))
        assert "there is no version before this one" in painda("rollback", *pid).stderr
        for version in (2, 3):
            app.save(f'return "level {version}"\n', "level.lua")
            app.write(version, extra='require "level"\n' + extra)
            assert hang_up(server)
        assert (ask("version"), ask("level")) == (3, "level 3")
        assert painda("rollback", *pid).stdout == "rolled back: generation 4 serves\n"
        assert (ask("version"), ask("level")) == (2, "level 2")
        server.wait_for("rolled back .*generation=4")
        assert painda("rollback", *pid).stdout == "rolled back: generation 5 serves\n"
        assert (ask("version"), ask("level")) == (1, "first")
        assert painda("rollback", *pid).returncode == 1
        assert hang_up(server), "the files are as they were"
        assert (ask("version"), ask("level")) == (3, "level 3")
        stats = ask("stats")
        assert (stats["reloads"], stats["rollbacks"], stats["reloadsFailed"]) == (3, 2, 0)


def test_rollback_does_not_go_back_to_the_same(app):
    with Server(app.path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        pid = ("--pid", str(server.process.pid))
        assert hang_up(server)
        assert "there is no version before this one" in painda("rollback", *pid).stderr
        app.write(2)
        for _ in range(10):
            assert hang_up(server)
        assert painda("rollback", *pid).returncode == 0
        assert ask("version") == 1
        assert "there is no version before this one" in painda("rollback", *pid).stderr


def test_a_rollback_stays_until_a_file_changes(app):
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        ask = Asker(ws)
        app.write(2)
        becomes(ask, 2)
        assert painda("rollback", "--pid", str(server.process.pid)).returncode == 0
        assert ask("version") == 1
        app.write(2)
        time.sleep(0.4)
        assert ask("version") == 1, "the file is as it was"
        app.write(3)
        becomes(ask, 3)


def test_a_command_waits_for_the_reload_that_is_under_way(app):
    with Server(app.path) as server, WebSocket(server) as ws:
        app.write(2, extra="painda.sleep(300)")
        server.send_signal(signal.SIGHUP)
        time.sleep(0.1)
        done = painda("reload", "--pid", str(server.process.pid))
        assert done.stdout == "reloaded: generation 3 serves\n", done.stderr
        assert Asker(ws)("version") == 2
        server.wait_for("reloaded generation=2")


def test_a_version_that_is_being_loaded_when_the_end_comes_never_serves(app):
    with Server(app.path) as server, WebSocket(server) as ws:
        ws.send(frame("sleep", 600, ack_id=1))
        app.write(2, extra="painda.sleep(300)")
        server.send_signal(signal.SIGHUP)
        time.sleep(0.1)
        server.send_signal(signal.SIGTERM)
        server.wait_for("reload failed.*the process is shutting down")
        assert ws.receive_frame("__pp_shutdown")
        assert ws.receive_frame("__pp_ack").payload["args"] == [1]
        assert ws.expect_close()[0] == 1001
        ws.send_close(1001)
        assert server.wait() == 0
        assert "connection\t2" not in server.log


def test_servers_come_and_go_with_the_versions(app):
    ports = [free_port(), free_port()]
    extra = 'painda.PPServer {{ port = {} }}:on("who", function(_, _, ack) ack(nil, VERSION) end)'
    with Server(app.path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        for version in range(2, 8):
            app.write(version, extra=extra.format(ports[version % 2]))
            assert hang_up(server)
            with WebSocket(server, address=("127.0.0.1", ports[version % 2])) as other:
                assert Asker(other)("who") == version
            assert ask("version") == version
        assert ask("visits") == 7


def test_a_port_that_is_taken_leaves_all_as_it_was(app):
    with Server(app.path) as server, WebSocket(server) as ws, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        app.write(2, extra=f'painda.PPServer {{ port = {taken.getsockname()[1]}, host = "127.0.0.1" }}')
        assert not hang_up(server)
        assert Asker(ws)("version") == 1


def test_errors_of_old_code_are_logged_with_its_generation(app):
    app.write(1, extra='server:on("late", function() painda.sleep(200) error "from the old" end)')
    with Server(app.path) as server, WebSocket(server) as ws:
        ws.send(frame("late"))
        time.sleep(0.05)
        app.write(2)
        assert hang_up(server)
        line = server.wait_for(r".*from the old.*").group(0)
        assert "generation=1" in line, line


def test_a_signal_that_comes_while_it_starts_is_not_lost(app):
    app.write(1, extra='print "begins"\npainda.sleep(300)')
    with Server(app.path, listens=False) as server:
        server.wait_for("^begins")
        app.write(2)
        server.send_signal(signal.SIGHUP)
        server.wait_for("reloaded generation=2")
        server.port = int(server.wait_for(r"listening.*port=(\d+)").group(1))
        with WebSocket(server) as ws:
            assert Asker(ws)("version") == 2
