"""What --watch sees: saves of every kind, by whatever way a file is loaded, and when it loads nothing."""
import os
import re
import shutil
import tempfile
import time

import pytest

from lab import Asker
from painda import ROOT, Server, WebSocket, eventually, painda
from reloading import app, becomes  # noqa: F401, a fixture

pytestmark = pytest.mark.asan


def test_fifty_saves_a_second_end_in_one_or_two_reloads_of_the_last(app):
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        ask = Asker(ws)
        begun = time.monotonic()
        for version in range(2, 52):
            app.path.write_text(app.source(version))
            time.sleep(max(0, begun + (version - 1) * 0.02 - time.monotonic()))
        took = time.monotonic() - begun
        becomes(ask, 51)
        time.sleep(0.3)
        stats = ask("stats")
        assert 1 <= stats["reloads"] + stats["reloadsFailed"] <= 1 + took, "one a second at most, and one of the last"


def test_a_file_that_is_being_written_is_not_loaded(app):
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        ask = Asker(ws)
        text = app.source(2)
        with open(app.path, "w") as file:  # empty from here on
            server.wait_for("reload failed.*the file is empty")
            assert ask("version") == 1
            file.write(text)
        becomes(ask, 2)


def test_a_deleted_file_changes_nothing_until_it_is_back(app):
    app.save("return 1\n", "level.lua")
    app.write(1, extra='local level = require "level"')
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        ask = Asker(ws)
        (app.folder / "level.lua").unlink()
        app.path.unlink()
        time.sleep(0.3)
        assert ask("version") == 1
        app.write(2, extra='local level = require "level"')
        server.wait_for("reload failed.*level")
        assert ask("version") == 1
        app.save("return 1\n", "level.lua")
        becomes(ask, 2)


def test_a_folder_may_be_replaced(app):
    (app.folder / "lib").mkdir()
    app.save("return 1\n", "lib/level.lua")
    app.write(1, extra='local level = require "lib.level"\nserver:on("level", function(_, _, ack) ack(nil, level) end)')
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        ask = Asker(ws)
        for level in (2, 3, 4):
            shutil.rmtree(app.folder / "lib")
            time.sleep(0.2 if level == 3 else 0)
            (app.folder / "lib").mkdir()
            app.save(f"return {level}\n", "lib/level.lua")
            eventually(lambda: ask("level") == level, f"level {level}")
        app.save("return 5\n", "lib/level.lua")
        eventually(lambda: ask("level") == 5, "a save in the new folder")


LEVEL = 'server:on("level", function(_, _, ack) ack(nil, %s) end)'


@pytest.mark.parametrize(
    "loads",
    ['dofile("%s/extra/level.lua")', 'loadfile("%s/extra/level.lua")()', 'require "extra.level"'],
    ids=["dofile", "loadfile", "require"],
)
@pytest.mark.parametrize("when", ["at once", "later"])
def test_whatever_is_loaded_is_watched(app, loads, when):
    (app.folder / "extra").mkdir()
    app.save("return 1\n", "extra/level.lua")
    load = loads % app.folder if "%" in loads else loads
    extra = f"local level = {load}\n" + LEVEL % "level" if when == "at once" else LEVEL % load
    app.write(1, extra=extra)
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        ask = Asker(ws)
        assert ask("level") == 1
        app.save("return 2\n", "extra/level.lua")
        eventually(lambda: ask("level") == 2, "level 2")
        eventually(lambda: ask("stats")["reloads"] == 1, "a reload")


def test_a_link_to_elsewhere_is_followed(app, tmp_path_factory):
    real = tmp_path_factory.mktemp("elsewhere") / "real.lua"
    app.path.rename(real)
    app.path.symlink_to(real)
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        real.write_text(app.source(2))
        becomes(Asker(ws), 2)


@pytest.mark.parametrize("chain", [False, True], ids=["a link", "a link to a link"])
def test_a_folder_that_is_a_link_may_be_made_to_lead_elsewhere(app, chain):
    for version in (1, 2, 3):
        (app.folder / f"r{version}").mkdir()
        app.save(f"return {version}\n", f"r{version}/level.lua")
        app.save(app.source(0, extra=LEVEL % 'require "level"'), f"r{version}/app.lua")

    def lead(version):
        fresh = app.folder / "fresh"
        fresh.symlink_to(f"r{version}")
        fresh.rename(app.folder / ("stage" if chain else "current"))

    lead(1)
    if chain:
        (app.folder / "current").symlink_to(app.folder / "stage")
    for path, cwd in ((app.folder / "current/app.lua", ROOT), ("current/app.lua", app.folder)):
        with Server(path, "--watch", cwd=cwd) as server, WebSocket(server) as ws:
            ask = Asker(ws)
            assert ask("level") == 1
            for version in (2, 3):
                lead(version)
                eventually(lambda: ask("level") == version, f"release {version}")
        lead(1)


def test_the_command_finds_a_server_by_the_link_that_it_was_started_through(app):
    for release in ("r1", "r2"):
        (app.folder / release).mkdir()
        app.save(app.source(1 if release == "r1" else 2), release + "/app.lua")
    link = app.folder / "current"
    link.symlink_to("r1")
    env = {**os.environ, "PAINDA_CONTROL_DIR": tempfile.mkdtemp(prefix="pp-")}
    with Server(link / "app.lua", env=env) as server, WebSocket(server) as ws:
        (app.folder / "fresh").symlink_to("r2")
        (app.folder / "fresh").rename(link)
        done = painda("reload", link / "app.lua", env=env)
        assert done.returncode == 0, done.stderr
        assert Asker(ws)("version") == 2
    shutil.rmtree(env["PAINDA_CONTROL_DIR"])


def test_a_loop_at_load_time_is_ended_and_shown(app):
    app.write(1, options="handlerTimeout = 100")
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        ask = Asker(ws)
        app.write(2, extra="local n = 0\nwhile true do n = n + 1 end")
        server.wait_for("reload failed.*the handler ran for more than 100 ms")
        assert ask("version") == 1
        app.write(3)
        becomes(ask, 3)


def test_what_is_saved_while_it_starts_is_loaded_too(app):
    app.write(1, extra=f'local out = io.open("{app.path}", "w")\nout:write([==[{app.source(2)}]==])\nout:close()')
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        becomes(Asker(ws), 2)


def test_a_loop_is_shown_where_it_is(app):
    """Also where code between it and the reload catches errors: a module's is caught by require, migrate's by the room."""
    loop = "local n = 0\nlocal function deep()\n  while true do\n    n = n + 1\n  end\nend\n"
    room = 'server:room("r", { n = 1 })'
    again = f'{loop}\nserver:room("r", painda.schema {{ n = "uint8" }}, {{ migrate = function() deep() end }})'
    app.write(1, options="handlerTimeout = 100", extra=room)
    with Server(app.path, "--watch") as server:
        app.save(loop + "deep()\n", "level.lua")
        app.write(2, options="handlerTimeout = 100", extra='require "level"')
        server.wait_for(r"reload failed, the old code goes on: [^ ]*level.lua:[345]: the handler ran for more than 100 ms")
        app.write(3, options="handlerTimeout = 100", extra=again)
        server.wait_for(r"reload failed, the old code goes on: [^ ]*app.lua:(8|9|10): the handler ran for more than 100 ms")


def test_a_failure_is_shown_with_file_line_and_traceback(app):
    app.save("local function inner()\n  error 'on purpose'\nend\ninner()\n", "level.lua")
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        app.write(2, extra='require "level"')
        line = server.wait_for("reload failed, the old code goes on: .*level.lua:2: on purpose")
        eventually(lambda: re.search(r"level.lua:4: in main chunk", server.log), "the traceback")
        assert line and Asker(ws)("version") == 1


def test_a_version_that_waits_for_ever_is_given_up(app):
    with Server(app.path, "--watch", "--load-timeout", "200") as server, WebSocket(server) as ws:
        ask = Asker(ws)
        app.write(2, extra="painda.sleep(1e9)")
        server.wait_for("reload failed.*not loaded within 200 ms")
        assert ask("version") == 1
        app.write(3)
        becomes(ask, 3)
