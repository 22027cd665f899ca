"""New code in a running server, by SIGHUP and by --watch: nobody is disconnected, nothing is lost, and what is broken changes
nothing."""
import os
import re
import signal
import struct
import threading
import time

import pytest

from lab import LEAN, Asker
from painda import SCHEMA, Closed, Server, WebSocket, eventually, frame, free_port, painda, raw_frame
from reloading import app, becomes, hang_up  # noqa: F401, a fixture

pytestmark = pytest.mark.asan

# --- by signal


def test_new_code_serves_the_connections_that_are_there(app):
    with Server(app.path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        assert (ask("version"), ask("server-version"), ask("visits")) == (1, 1, 1)
        ask("tag", "kept")
        app.write(2)
        assert hang_up(server)
        assert (ask("version"), ask("server-version"), ask("visits"), ask("tagged")) == (2, 2, 2, "kept")
        assert ask("stats")["connections"] == 1
        assert ask("stats")["generation"] == 2
        server.wait_for(r"connection\s2\s\S+\strue")
        with WebSocket(server) as fresh:
            assert Asker(fresh)("visits") == 1
            server.wait_for(r"connection\s2\s\S+\snil")


def test_the_listeners_of_old_code_are_gone(app):
    with Server(app.path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        for version in range(2, 12):
            app.write(version)
            assert hang_up(server)
            ws.send(frame("count", version))
            assert ws.receive_frame("counted").payload == [version, version]
            assert ask("visits") == version
        ws.send(frame("count", "once"))
        ws.send(frame("count", "twice"))
        assert [ws.receive_frame("counted").payload[0] for _ in range(2)] == ["once", "twice"]
    assert server.log.count("disconnect\t") == 1


@pytest.mark.parametrize(
    "broken, says",
    [
        ("local = 1\n", "unexpected symbol|expected"),
        ('error "does not start"\n', "does not start"),
        ('require "painda".PPServer { port = 3000, maxPaylod = 5 }\n', "maxPayload"),
        ('require "no.such.module"\n', "no.such.module"),
        ('local s = require "painda".PPServer { port = 3000 }\ns:on("version", 5)\n', "takes a function"),
        ('require "painda".sleep(1)\nerror "after waiting"\n', "after waiting"),
        ("", None),
    ],
)
def test_broken_code_changes_nothing(app, broken, says):
    with Server(app.path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        assert ask("version") == 1
        if says is None:
            app.path.unlink()
            says = "No such file"
        else:
            app.save(broken)
        mark = server.mark()
        assert not hang_up(server)
        assert re.search(says, "\n".join(server.log.splitlines()[mark:]))
        assert (ask("version"), ask("visits"), ask("server-version")) == (1, 1, 1)
        assert ask("stats")["generation"] == 1
        with WebSocket(server) as fresh:
            assert Asker(fresh)("version") == 1
        app.write(2)
        assert hang_up(server)
        assert (ask("version"), ask("visits")) == (2, 2)


def test_what_a_broken_version_registered_before_it_failed_is_undone(app):
    with Server(app.path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        extra_port = free_port()
        app.write(2, extra=f"""
            local other = painda.PPServer {{ port = {extra_port} }}
            painda.every(10, function() print "timer of the broken version" end)
            server:on("count", function(client) client:emit("counted", "from the broken version") end)
        """)
        app.save(app.path.read_text() + '\nerror "at the end"\n')
        assert not hang_up(server)
        ws.send(frame("count", 1))
        assert ws.receive_frame("counted").payload == [1, 1]
        assert ask("version") == 1
        with pytest.raises(OSError):
            WebSocket(server, address=("127.0.0.1", extra_port))
        time.sleep(0.1)
        assert "timer of the broken version" not in server.log


def test_timers_of_old_code_stop_and_those_of_the_new_run(app):
    every = 'painda.every(5, function() print("tick", VERSION) end)\npainda.after(600000, print)'
    app.write(1, extra=every)
    with Server(app.path) as server:
        server.wait_for(r"^tick\s1")
        app.write(2, extra=every)
        assert hang_up(server)
        mark = server.mark()
        server.wait_for(r"^tick\s2", after=mark)
        eventually(lambda: server.log.count("tick\t2") > 10)
        after = server.log.splitlines()[mark:]
        assert "tick\t1" not in after


def test_handlers_in_flight_finish_on_the_code_they_began_with(app):
    with Server(app.path) as server, WebSocket(server) as ws:
        ws.send(frame("sleep", 400, ack_id=1))
        ws.send(frame("ask", None, ack_id=2))
        question = ws.receive_frame("question").envelope
        assert question["payload"] == 1
        app.write(2)
        assert hang_up(server)
        assert Asker(ws)("version") == 2
        ws.send(frame("__pp_ack", {"ackId": question["__ackId"], "args": ["answer"]}))
        assert ws.receive_frame("__pp_ack").payload == {"ackId": 2, "args": [["answer", 1]]}
        assert ws.receive_frame("__pp_ack").payload == {"ackId": 1, "args": [1]}


def test_modules_are_loaded_again(app):
    app.save("return { version = 1 }\n", "settings.lua")
    (app.folder / "game").mkdir()
    app.save('return { name = "first", settings = require "settings" }\n', "game/init.lua")
    extra = """
    local game = require "game"
    server:on("module", function(_, _, ack) ack(nil, { game.name, game.settings.version, require("settings").version }) end)
    """
    app.write(1, extra=extra)
    with Server(app.path, cwd="/") as server, WebSocket(server) as ws:
        ask = Asker(ws)
        assert ask("module") == ["first", 1, 1]
        app.save("return { version = 2 }\n", "settings.lua")
        app.save('return { name = "second", settings = require "settings" }\n', "game/init.lua")
        assert hang_up(server)
        assert ask("module") == ["second", 2, 2]
        app.save("syntax error here\n", "settings.lua")
        assert not hang_up(server)
        assert ask("module") == ["second", 2, 2]


def test_options_take_effect(app):
    app.write(1, options="maxPayload = 100000")
    with Server(app.path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        assert ask("tag", "x" * 5000) is True
        app.write(2, options='maxPayload = 1000, mode = "voice", compression = "none", maxTags = 1')
        assert hang_up(server)
        assert ask("version") == 2
        ws.send(frame("count", "y" * 900))
        assert ws.receive_frame("counted").mode == 3
        ws.send(frame("tag", "x" * 5000))
        assert ws.expect_close()[0] == 1009


def test_a_schema_registry_may_change(app):
    options = 'registry = painda.PPSchemaRegistry():register("p", painda.structSerializer(5, { { name = "x", type = "%s" } }))'
    extra = 'server:on("p", function(client, p) client:emit("p", p) end)'
    app.write(1, options=options % "uint8", extra=extra)
    with Server(app.path) as server, WebSocket(server) as ws:
        ws.send(raw_frame(b"\x07", flags=SCHEMA, type_id=5))
        assert ws.receive_frame().body == b"\x07"
        for version, (kind, packing) in enumerate([("uint16", ">H"), ("float32", ">f"), ("uint32", ">I")], 2):
            app.write(version, options=options % kind, extra=extra)
            assert hang_up(server)
            ws.send(raw_frame(struct.pack(packing, 7), flags=SCHEMA, type_id=5))
            assert ws.receive_frame().body == struct.pack(packing, 7)
        app.write(9, extra=extra)
        assert hang_up(server)
        ws.send(raw_frame(b"\x07", flags=SCHEMA, type_id=5))
        assert ws.receive_frame("__pp_error").payload["code"] == "SCHEMA_ERROR"


def test_a_server_that_is_gone_from_the_code_is_closed(app):
    port = free_port()
    app.write(1, extra=f'painda.PPServer {{ port = {port} }}:on("who", function(_, _, ack) ack(nil, 2) end)')
    with Server(app.path) as server, WebSocket(server) as ws:
        with WebSocket(server, address=("127.0.0.1", port)) as other:
            assert Asker(other)("who") == 2
            app.write(2)
            assert hang_up(server)
            assert other.receive_frame().type == "__pp_shutdown"
            assert other.expect_close()[0] == 1001
            other.send_close(1001)
        eventually(lambda: refused(port), "the port closed")
        app.write(3, extra=f'painda.PPServer {{ port = {port} }}:on("who", function(_, _, ack) ack(nil, 3) end)')
        assert hang_up(server)
        with WebSocket(server, address=("127.0.0.1", port)) as other:
            assert Asker(other)("who") == 3
        assert Asker(ws)("version") == 3


def refused(port):
    try:
        WebSocket(address=("127.0.0.1", port)).close()
        return False
    except (OSError, AssertionError, Closed):
        return True


def test_state_by_name_stays(app):
    extra = """
    local state = painda.state("counter", function() return { n = 0 } end)
    state.n = state.n + 1
    server:on("state", function(_, _, ack) ack(nil, state.n) end)
    """
    app.write(1, extra=extra)
    with Server(app.path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        for n in range(1, 4):
            assert ask("state") == n
            app.write(n + 1, extra=extra)
            assert hang_up(server)


def test_globals_of_one_generation_are_not_seen_by_the_next(app):
    app.write(1, extra="leaked = (leaked or 0) + 1\nserver:on('leaked', function(_, _, ack) ack(nil, leaked) end)")
    with Server(app.path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        for _ in range(3):
            assert ask("leaked") == 1
            assert hang_up(server)


def test_a_connection_handler_that_fails_for_a_client_harms_no_other(app):
    with Server(app.path) as server, WebSocket(server) as one, WebSocket(server) as two:
        first = Asker(one)
        first("tag", "fails")
        Asker(two)("tag", "works")
        app.write(2, extra='server:on("connection", function(client) if client:getTag "t" == "fails" then error "fails" end end)')
        assert hang_up(server)
        assert (Asker(two)("version"), first("version")) == (2, 2)


# --- under load


def test_no_message_is_lost_or_handled_twice(app):
    with Server(app.path) as server, WebSocket(server) as ws:
        got, failures, count = [], [], 30_000

        def read():
            try:
                while len(got) < count:
                    got.append(ws.receive_frame("counted").payload)
            except BaseException as error:  # told by the test's own thread
                failures.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        version = 1
        for n in range(0, count, 1000):
            for i in range(n, n + 1000):
                ws.send(frame("count", i))
                if i % 1500 == 0:
                    version += 1
                    app.write(version)
                    server.send_signal(signal.SIGHUP)
        thread.join(30)
        assert not failures, failures
        assert [n for n, _ in got] == list(range(count))
        versions = [v for _, v in got]
        assert versions == sorted(versions), "the swap is at one moment"
        assert len(set(versions)) > 2


def test_a_hundred_reloads_leave_memory_as_it_was(app):
    with Server(app.path, env=LEAN) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        extra = 'local ballast = ("x"):rep(1000000)\nserver:on("b", function(_, _, ack) ack(nil, #ballast) end)'

        def reloads(first, count):
            for version in range(first, first + count):
                app.write(version, extra=extra)
                assert hang_up(server)
                assert ask("version") == version

        reloads(2, 20)
        before = server.rss()
        reloads(22, 100)
        eventually(lambda: ask("b") and server.rss() - before < 16 << 20, "100 generations of 1 MB are collected")


def test_generations_that_nothing_holds_are_not_counted(app):
    with Server(app.path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        for _ in range(30):
            assert hang_up(server)
        alive = 31
        for _ in range(10):  # few questions: what they leave would have the collector run sooner or later
            time.sleep(0.2)
            alive = ask("stats")["generationsAlive"] if alive > 1 else 1
        assert alive == 1


def test_a_signal_storm(app):
    with Server(app.path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        for version in range(2, 60):
            app.write(version)
            server.send_signal(signal.SIGHUP)
        assert hang_up(server)
        becomes(ask, 59)
        assert ask("stats")["connections"] == 1


def test_a_reload_in_the_middle_of_the_end(app):
    with Server(app.path) as server, WebSocket(server) as ws:
        ws.send(frame("sleep", 500, ack_id=1))
        Asker(ws)("version")  # the handler before it sleeps
        server.send_signal(signal.SIGTERM)
        assert ws.receive_frame("__pp_shutdown")
        app.write(2)
        server.send_signal(signal.SIGHUP)
        assert ws.receive_frame("__pp_ack").payload["args"] == [1]
        assert ws.expect_close()[0] == 1001
        ws.send_close(1001)
        assert server.wait() == 0


# --- while the new code is compiled


def long_source(app, version, **more):
    """Takes a while to compile, and next to nothing to run."""
    return app.source(version, **more) + "local function f(a, b) return { a, b, a + b * 2, name = a } end\n" * 180 + (
        "do local function g(a, b) for i = a, b do print(i, a .. b, { i, a, b }) end return g end end\n" * 25_000
    )


def save_and_signal(app, server, text):
    app.save(text)
    server.send_signal(signal.SIGHUP)


def test_the_old_code_answers_while_the_new_is_compiled(app):
    with Server(app.path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        save_and_signal(app, server, long_source(app, 2))
        answers = 0
        while ask("version") == 1:
            answers += 1
        assert answers > 0, "compiling keeps nobody waiting"
        assert ask("visits") == 2


def test_what_does_not_compile_is_said_word_for_word_as_at_a_start(app):
    broken = long_source(app, 2) + "local x = = 1\n"
    with Server(app.path) as server, WebSocket(server) as ws:
        app.save(broken)
        mark = server.mark()
        assert not hang_up(server)
        told = "\n".join(server.log.splitlines()[mark:])
        at_start = painda("run", app.path).stderr.strip().removeprefix("painda: ")
        assert at_start.endswith(f":{broken.count(chr(10))}: unexpected symbol near '='")
        assert f"reload failed, the old code goes on: {at_start} generation=1" in told
        assert Asker(ws)("version") == 1


def test_a_shutdown_while_the_new_code_is_compiled(app):
    with Server(app.path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        save_and_signal(app, server, long_source(app, 2))
        assert ask("version") == 1
        server.send_signal(signal.SIGTERM)
        assert ws.receive_frame("__pp_shutdown")
        assert ws.expect_close()[0] == 1001
        ws.send_close(1001)
        assert server.wait() == 0
    assert "reloaded" not in server.log


def test_an_end_at_once_while_the_new_code_is_compiled(app):
    app.write(1, extra='server:on("exit", function() require("painda.core.runtime").stop(0) end)')
    with Server(app.path) as server, WebSocket(server) as ws:
        save_and_signal(app, server, long_source(app, 2))
        assert Asker(ws)("version") == 1
        ws.send(frame("exit"))
        assert server.wait() == 0


def test_saves_and_signals_while_the_new_code_is_compiled(app):
    with Server(app.path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        for version in range(2, 9):
            save_and_signal(app, server, long_source(app, version))
            assert ask("version") <= version
        app.write(9)
        server.send_signal(signal.SIGHUP)
        becomes(ask, 9)
        assert ask("stats")["connections"] == 1


def test_a_module_and_the_main_file_change_together(app):
    extra = 'local part = require "part"\nserver:on("both", function(_, _, ack) ack(nil, { VERSION, part }) end)'
    app.save("return 1\n", "part.lua")
    app.write(1, extra=extra)
    with Server(app.path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        for version in range(2, 6):
            app.save(f"return {version}\n", "part.lua")
            app.save(long_source(app, version, extra=extra))
            server.send_signal(signal.SIGHUP)
            seen = []
            while not seen or seen[-1] != [version, version]:
                seen.append(ask("both"))
            assert [version - 1, version] not in seen and [version, version - 1] not in seen


# --- by watching


def test_a_saved_file_is_loaded(app):
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        ask = Asker(ws)
        for version in range(2, 6):
            app.write(version)
            becomes(ask, version)
        assert ask("visits") == 5


@pytest.mark.parametrize("how", ["in place", "in pieces", "removed and written", "through a symbolic link"])
def test_whatever_way_an_editor_saves(app, how):
    if how == "through a symbolic link":
        real = app.folder / "real.lua"
        app.path.rename(real)
        app.path.symlink_to(real)
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        ask = Asker(ws)
        for version in (2, 3):
            text = app.source(version)
            if how == "in place":
                app.path.write_text(text)
            elif how == "in pieces":
                with open(app.path, "w") as file:
                    for at in range(0, len(text), 100):
                        file.write(text[at : at + 100])
                        file.flush()
                        time.sleep(0.002)
            elif how == "removed and written":
                app.path.unlink()
                time.sleep(0.1)
                app.path.write_text(text)
            else:
                (app.folder / "real.lua").write_text(text)
            becomes(ask, version)


def test_a_broken_save_is_told_once_and_the_next_good_one_is_loaded(app):
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        ask = Asker(ws)
        app.save("this is not Lua\n")
        server.wait_for("reload failed.*app.lua:1")
        assert ask("version") == 1
        (app.folder / "unrelated.txt").write_text("nothing to load\n")
        app.write(2)
        becomes(ask, 2)
        assert server.log.count("reload failed") == 1


def test_modules_are_watched_too(app):
    (app.folder / "lib").mkdir()
    app.save("return 1\n", "lib/level.lua")
    app.write(1, extra='local level = require "lib.level"\nserver:on("level", function(_, _, ack) ack(nil, level) end)')
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        ask = Asker(ws)
        assert ask("level") == 1
        app.save("return 2\n", "lib/level.lua")
        eventually(lambda: ask("level") == 2)
        app.save("return (\n", "lib/level.lua")
        server.wait_for("reload failed")
        assert ask("level") == 2
        app.save("return 3\n", "lib/level.lua")
        eventually(lambda: ask("level") == 3)


def test_a_module_that_was_missing_is_loaded_once_it_is_there(app):
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        ask = Asker(ws)
        app.write(2, extra='server:on("late", function(_, _, ack) ack(nil, require "late") end)\nrequire "late"')
        server.wait_for("reload failed.*late")
        assert ask("version") == 1
        app.save('return "here"\n', "late.lua")
        becomes(ask, 2)
        assert ask("late") == "here"


def test_a_file_saved_without_a_change_loads_nothing(app):
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        ask = Asker(ws)
        app.write(1)
        os.utime(app.path)
        app.save("return 1", "not-loaded.lua")
        time.sleep(0.5)
        assert ask("visits") == 1
        app.write(2)
        becomes(ask, 2)
        assert ask("stats")["generation"] == 2


def test_a_storm_of_saves_ends_with_the_last(app):
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        ask = Asker(ws)
        for version in range(2, 100):
            if version % 3:
                app.write(version)
            else:
                app.save("broken (\n")
        app.write(100)
        becomes(ask, 100)
        assert ask("stats")["generation"] < 50, "a storm is not a reload a save"


def test_other_files_that_change_all_the_time_do_not_keep_it_from_loading(app):
    with Server(app.path, "--watch") as server, WebSocket(server) as ws:
        stop = threading.Event()

        def log():
            with open(app.folder / "app.log", "w") as file:
                while not stop.is_set():
                    file.write("a line\n")
                    file.flush()
                    time.sleep(0.005)

        thread = threading.Thread(target=log)
        thread.start()
        try:
            app.write(2)
            becomes(Asker(ws), 2)
        finally:
            stop.set()
            thread.join()


def test_without_watch_nothing_is_loaded_by_itself(app):
    with Server(app.path) as server, WebSocket(server) as ws:
        app.write(2)
        time.sleep(0.5)
        assert Asker(ws)("version") == 1
