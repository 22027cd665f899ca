"""The command line as a person meets it: what is said, where, and the exit status (0 well, 1 failure, 2 usage)."""
import json
import re
import signal
import time

import pytest

from painda import Server, WebSocket, frame, free_port, painda

pytestmark = pytest.mark.asan

HELLO = """
local painda = require "painda"
local server = painda.PPServer { port = 3000 }
server:on("connection", function(client) client:emit("hello", {}) end)
"""


def assert_error(result, status, *words):
    """One clear line on stderr, nothing on stdout, the exit status."""
    assert result.returncode == status, result
    assert result.stdout == "", result
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("painda: "), lines[0]
    for word in words:
        assert str(word) in lines[0], lines[0]


@pytest.fixture
def lua(tmp_path):
    """Writes Lua source into a file of its own and returns the path."""

    def write(source, name="app.lua"):
        path = tmp_path / name
        path.write_text(source)
        return path

    return write


def test_version():
    result = painda("version")
    assert result.returncode == 0
    assert re.fullmatch(r"painda \d+\.\d+\.\d+\b.*\n", result.stdout), result.stdout
    assert result.stderr == ""


def test_version_as_an_option():
    assert painda("--version").stdout == painda("version").stdout


@pytest.mark.parametrize("words", [("help",), ("--help",), ("-h",)])
def test_help_names_the_commands(words):
    result = painda(*words)
    assert result.returncode == 0
    assert result.stderr == ""
    for command in ("run", "check", "test", "version", "help"):
        assert re.search(rf"^\s+(painda )?{command}\b", result.stdout, re.M), result.stdout


@pytest.mark.parametrize("command", ["run", "check", "test"])
def test_each_command_has_help(command):
    results = [painda(command, "--help"), painda("help", command)]
    for result in results:
        assert result.returncode == 0, result
        assert f"painda {command}" in result.stdout
    assert results[0].stdout == results[1].stdout


def test_no_command_is_a_usage_error():
    result = painda()
    assert result.returncode == 2
    assert result.stdout == ""
    assert "run" in result.stderr


@pytest.mark.parametrize("typo, meant", [("rnu", "run"), ("chekc", "check"), ("verson", "version")])
def test_an_unknown_command_suggests_the_nearest(typo, meant):
    assert_error(painda(typo), 2, typo, meant)


def test_an_unknown_option_suggests_the_nearest(lua):
    assert_error(painda("run", lua(HELLO), "--prot", "3000"), 2, "--prot", "--port")


@pytest.mark.parametrize("value", [[], ["abc"], ["70000"], ["-1"], [""], ["80x"]])
def test_a_port_must_be_a_port(lua, value):
    assert_error(painda("run", lua(HELLO), "--port", *value), 2, "port")


@pytest.mark.parametrize("option, value", [("--log-level", "loud"), ("--log-format", "xml")])
def test_an_option_with_a_wrong_value_names_both(lua, option, value):
    assert_error(painda("run", lua(HELLO), option, value), 2, option.strip("-").replace("-", " ").split()[0], value)


def test_run_needs_a_file():
    assert_error(painda("run"), 2)


def test_run_takes_one_file(lua):
    assert_error(painda("run", lua(HELLO), "another.lua"), 2, "another.lua")


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_missing_file(command, tmp_path):
    assert_error(painda(command, tmp_path / "nothing.lua"), 1, "nothing.lua", "No such file")


def test_a_directory_is_not_an_application(tmp_path):
    assert_error(painda("run", tmp_path), 1, tmp_path)


def test_a_syntax_error_names_file_and_line(lua):
    assert_error(painda("run", lua("local a = 1\nlocal = 2\n")), 1, "app.lua:2")


def test_a_binary_chunk_is_refused(tmp_path):
    path = tmp_path / "app.lua"
    path.write_bytes(b"\x1bLJ\x02\x00garbage")
    assert_error(painda("run", path), 1, "app.lua")


def test_an_error_while_loading_names_file_and_line(lua):
    result = painda("run", lua('local answer = 42\nerror("nothing works")\n'))
    assert result.returncode == 1
    assert re.search(r"app\.lua:2: nothing works", result.stderr), result.stderr


def test_a_port_in_use(lua):
    with Server(HELLO) as first:
        result = painda("run", lua(HELLO), "--port", first.port)
        assert result.returncode == 1
        assert re.search(rf"^painda: .*{first.port}.*in use", result.stderr, re.M), result.stderr
        assert "traceback" not in result.stderr.lower()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(number):
    server = Server(HELLO)
    server.start()
    assert server.stop(number) == 0, server.log


def test_a_second_signal_ends_what_the_first_waits_for():
    endless = """
    local painda = require "painda"
    local server = painda.PPServer { port = 3000 }
    server:on("connection", function(client)
        client:on("work", function()
            client:emit("begun")
            painda.sleep(3600000)
        end)
    end)
    """
    server = Server(endless, "--shutdown-timeout", 3600000)
    server.start()
    try:
        with WebSocket(server) as ws:
            ws.send(frame("work"))
            ws.receive_frame("begun")
            server.send_signal(signal.SIGTERM)
            ws.receive_frame("__pp_shutdown")
            server.send_signal(signal.SIGTERM)
            server.wait()
    finally:
        server.kill()


def test_the_port_option_wins_over_the_application():
    port = free_port()
    with Server(HELLO, port=port) as server:
        assert server.port == port


def test_logs_as_json():
    with Server(HELLO, "--log-format", "json", listens=False) as server:
        server.wait_for(r"listening")
        entries = [json.loads(line) for line in server.log.splitlines()]
    assert all({"time", "level", "msg"} <= entry.keys() for entry in entries), entries


def test_log_level_silences():
    with Server(HELLO, "--log-level", "error", listens=False, port=free_port()) as server:
        server.wait_to_accept()
    assert server.log == ""


def test_an_application_that_is_not_loaded_in_time_is_given_up_at_the_start_too(tmp_path):
    app = tmp_path / "app.lua"
    app.write_text('local painda = require "painda"\npainda.PPServer { port = 0 }\n\npainda.sleep(1e9)\n')
    result = painda("run", app, "--load-timeout", "100")
    assert result.returncode == 1
    last = result.stderr.rstrip().splitlines()[-1]
    assert re.fullmatch(r"painda: it was not loaded within 100 ms, and waits at \S*app\.lua:4", last), result.stderr


def test_a_missing_module_is_named_once_and_at_its_line(tmp_path):
    (tmp_path / "greeting.lua").write_text("return 1\n")
    app = tmp_path / "app.lua"
    app.write_text('local painda = require "painda"\nrequire "greting"\n')
    result = painda("run", app)
    assert result.returncode == 1
    lines = result.stderr.rstrip().splitlines()
    assert re.fullmatch(r"painda: \S*app\.lua:2: module 'greting' not found, did you mean \"greeting\"\?", lines[-1])
    assert result.stderr.count("no file") == 3, result.stderr


def test_a_nul_byte_is_named(tmp_path):
    app = tmp_path / "app.lua"
    app.write_bytes(b"local a = 1\nlocal b\n\0 = 3\n")
    for command in ("run", "check"):
        result = painda(command, app)
        assert result.returncode == 1
        assert "app.lua:3: unexpected symbol: there is a NUL byte in line 3" in result.stdout + result.stderr


@pytest.mark.parametrize("source", ["error('no')\n", "x = = 1\n", "require 'nowhere'\n"])
def test_an_application_that_cannot_be_loaded_says_so_in_json(tmp_path, source):
    app = tmp_path / "app.lua"
    app.write_text(source)
    result = painda("run", app, "--log-format", "json")
    assert result.returncode == 1
    entries = [json.loads(line) for line in result.stderr.splitlines()]
    assert entries[-1]["level"] == "error" and "app.lua:1:" in entries[-1]["msg"]


def test_an_application_that_opens_nothing_is_warned_of():
    with Server("local painda = require 'painda'\n", listens=False, port=None) as server:
        server.wait_for("warn .*has opened no server, and no timer or task of it waits")
    for source in ("painda.every(1000, print)", "painda.spawn(painda.sleep, 1e6)", "painda.PPServer { port = 0 }"):
        with Server(f"local painda = require 'painda'\n{source}\n", "--log-level", "debug", listens=False, port=None) as server:
            server.wait_for("control socket")
            time.sleep(0.2)
        assert "has opened no server" not in server.log
