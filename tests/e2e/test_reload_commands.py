"""New code by `painda reload`, and the old again by `painda rollback`."""
import time

import pytest

from lab import Asker
from painda import Server, WebSocket, painda
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
