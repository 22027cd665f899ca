"""painda console: Lua in a running server, from a terminal and from a pipe."""
import os
import re
import stat
import subprocess
import tempfile

import pytest

from painda import BINARY, PATIENCE, Server, WebSocket, eventually, frame, painda
from terminal import Terminal

pytestmark = pytest.mark.asan

APP = """
local painda = require "painda"
local server = painda.PPServer { port = 0, handlerTimeout = 300 }
score = 41
server:room("arena", { phase = "on", players = { ann = { x = 1 } } })
server:on("connection", function(client)
    client:join("lobby")
    client:on("ping", function(payload) client:emit("pong", payload) end)
end)
"""


@pytest.fixture
def home():
    """Folders for the socket and the history of this test alone."""
    with tempfile.TemporaryDirectory(prefix="pp-") as folder:
        yield {**os.environ, "PAINDA_CONTROL_DIR": folder + "/c", "XDG_STATE_HOME": folder, "LC_ALL": "C.UTF-8"}


@pytest.fixture
def server(home):
    with Server(APP, env=home) as server:
        yield server


def feed(home, text, *args):
    """The result of `painda console` with `text` on its standard input."""
    return subprocess.run(
        [BINARY, "console", *args], input=text, capture_output=True, text=True, timeout=PATIENCE, env=home
    )


def ask(home, code):
    result = feed(home, code + "\n")
    assert (result.returncode, result.stderr) == (0, ""), result
    return result.stdout


@pytest.mark.parametrize(
    "code, shown",
    [
        ("1 + 1", "2\n"),
        ("'a', nil, 3", '"a"\nnil\n3\n'),
        ("local x = 4", ""),
        ("x = 4\nx * 2", "8\n"),
        ("7\n_ + 1", "7\n8\n"),
        ("score + 1", "42\n"),
        ("app.score", "41\n"),
        ("for i = 1, 2 do\n  print('n', i)\nend", "n\t1\nn\t2\n"),
        ("[[a\nb]]", '"a\\nb"\n'),
        ("painda.sleep(1)\n'slept'", '"slept"\n'),
        ("painda.null, painda.array {}", "null\n{}\n"),
        ('{ 1, 2, x = { 3 }, ["a b"] = true, ["end"] = 1 }', '{ 1, 2, ["a b"] = true, ["end"] = 1, x = { 3 } }\n'),
        ("", ""),
        ("-- nothing", ""),
    ],
)
def test_what_is_typed_is_run_and_shown(home, server, code, shown):
    assert ask(home, code) == shown


def test_rooms_and_clients(home, server):
    with WebSocket(server) as ws:
        ws.send(frame("ping"))
        ws.receive_frame("pong")
        assert ask(home, "rooms()") == "{ arena = { clients = 0, typed = true }, lobby = { clients = 1 } }\n"
        assert ask(home, "room('arena').state") == '{ phase = "on", players = { ann = { x = 1 } } }\n'
        assert ask(home, "#room('lobby').clients, room('nowhere')") == "1\nnil\n"
        assert re.fullmatch(r"\{ <client [\w-]+ from 127.0.0.1 in lobby> \}\n", ask(home, "clients()"))
        assert ask(home, "client(clients()[1].id:sub(1, 5)) == clients()[1]") == "true\n"
        assert ask(home, "stats().servers[1].clients, #servers(), server.port") == f"1\n1\n{server.port}\n"
        ask(home, "room('arena'):update(function(state) state.phase = 'over' end)")
        assert ask(home, "room('arena').state.phase") == '"over"\n'
        ask(home, "clients()[1]:emit('hello', { from = 'console' })")
        assert ws.receive_frame("hello").payload == {"from": "console"}


def test_help_names_what_there_is(home, server):
    text = ask(home, "help()")
    for name in ("clients()", "rooms()", "room(", "stats()"):
        assert name in text
    assert "\\n" not in text and text.count("\n") > 5
    assert "<" not in text
    assert painda("console", "--eval", "help()", env=home).stdout == text


@pytest.mark.parametrize(
    "code, shown",
    [
        ("painda.after(1e6, print)", "<timer>"),
        ("server:on('x', print)", "<the server on port {port}>"),
        ("server:to('lobby')", "<Target>"),
        ("room('arena'):update(function(state) state.phase = 'x' end)", '<.*"arena".*>'),
        ("clients()[1]", r"<client \S+ from 127\.0\.0\.1 in lobby>"),
        ("{ server }", "{{ <the server on port {port}> }}"),
    ],
)
def test_objects_of_the_api_are_a_line(home, server, code, shown):
    with WebSocket(server) as ws:
        ws.send(frame("ping"))
        ws.receive_frame("pong")
        assert re.fullmatch(shown.format(port=server.port), ask(home, code).rstrip("\n"))


def test_errors_come_with_their_traceback(home, server):
    result = feed(home, "local function deep() error('too deep') end\nlocal function f()\n  nope.x = 1\nend f()\n2\n")
    assert result.returncode == 1
    assert result.stdout == "2\n"
    assert "attempt to index global 'nope'" in result.stderr
    assert re.search(r"stack traceback:\n.*console: in function 'f'", result.stderr), result.stderr
    assert "painda/con" not in result.stderr


@pytest.mark.parametrize(
    "code, said",
    [
        ("local = 3", "near '='"),
        ("for i = 1,", "<eof>"),
        ("error({ code = 7 })", "{ code = 7 }"),
        ("error(painda.Error('gone', 'ROOM_ERROR'))", "gone"),
        ("error('plain', 0)", "plain"),
        ("error 'at its line'", "console:1: at its line\n"),
        ("painda.after('soon', print)", "console:1: painda.after takes"),
        ("client(4)", "beginning of a client's id"),
        ("coroutine.yield(1)", "coroutine.yield"),
        ("setmetatable({}, {__tostring = function() error 'x' end})", None),
    ],
)
def test_what_goes_wrong_is_said(home, server, code, said):
    result = feed(home, code + "\n'on'\n")
    assert result.stdout.endswith('"on"\n') or "<eof>" in result.stderr
    assert (said or "") in result.stderr + result.stdout, result
    assert result.returncode == (1 if said else 0)


@pytest.mark.parametrize("loop", ["while true do end", "repeat pcall(string.rep, 'x', 10) until false",
                                  "while true do pcall(function() while true do end end) end"])
def test_an_endless_loop_is_stopped(home, server, loop):
    result = feed(home, f"{loop}\n'on'\n")
    assert result.stdout == '"on"\n'
    assert "handlerTimeout" in result.stderr
    with WebSocket(server) as ws:
        ws.send(frame("ping"))
        ws.receive_frame("pong")


@pytest.mark.slow
def test_it_is_stopped_without_a_server_too(home):
    app = "local painda = require 'painda'\npainda.every(1000, function() end)\n"
    with Server(app, env=home, listens=False, port=None):
        eventually(lambda: feed(home, "1").returncode == 0, "the console")
        assert "handlerTimeout" in feed(home, "while true do end\n").stderr


def test_each_command_is_logged(home, server):
    feed(home, "1 + 1\nlocal secret = '\x1b[31m'\n")
    server.wait_for(r"console attached process=\d+")
    server.wait_for(r'info console .*code="1 \+ 1"')
    server.wait_for(r"secret")
    server.wait_for(r"console detached")
    assert "\x1b" not in server.log


def test_what_strangers_sent_cannot_reach_the_terminal(home, server):
    out = feed(home, r"""
"\27[2J", "\155\200", "ok é", "a\194\155b"
print("\27]0;title\7", "\255", "fine ü")
error("\27[2J\255", 0)
""")
    assert out.stdout == '"\\027[2J"\n"\\155\\200"\n"ok é"\n"a\\194\\155b"\n\\027]0;title\\007\t\\255\tfine ü\n'
    assert out.stderr.startswith("\\027[2J\\255\n")


def test_what_is_shown_is_bounded(home, server):
    deep = ask(home, "(function() local t = {} for _ = 1, 1000 do t = { t } end return t end)()")
    assert len(deep) < 200
    many = ask(home, "(function() local t = {} for i = 1, 1e5 do t[i] = i end return t end)()")
    assert len(many) < 2000 and "more" in many
    wide = ask(home, "(function() local t = {} for i = 1, 90 do t[i] = {} for j = 1, 90 do t[i][j] = ('x'):rep(900) end end return t end)()")
    assert len(wide) < 200_000
    assert len(ask(home, "('x'):rep(1e6)")) < 3000
    assert ask(home, "(function() local t = {} t.t = t return t end)()") == "{ t = <itself> }\n"


def test_one_expression(home, server):
    result = painda("console", "--eval", "score + 1", env=home)
    assert (result.returncode, result.stdout) == (0, "42\n")
    assert painda("console", "--eval", "error 'no'", env=home).returncode == 1


def test_consoles_do_not_see_each_others_names(home, server):
    ask(home, "mine = 1")
    assert ask(home, "mine, app.mine") == "nil\nnil\n"


def test_a_reload_is_seen(home, server):
    with Terminal("console", env=home) as console:
        console.expect("> ")
        console.type("app.score\n")
        console.expect("41")
        server.app.write_text(APP.replace("41", "77"))
        console.type("painda.reload()\n")
        console.expect("true")
        console.type("app.score\n")
        console.expect("77")


def test_the_server_may_end_meanwhile(home):
    server = Server(APP, env=home)
    server.start()
    with Terminal("console", env=home) as console:
        console.expect("> ")
        server.stop()
        console.type("1\n")
        console.expect("the server has ended")
        assert console.wait() == 1


# --- at a terminal ---


def test_ctrl_d_ends_it(home, server):
    with Terminal("console", env=home) as console:
        console.expect(f"process {server.process.pid}")
        console.expect("> ")
        console.type("\x04")
        assert console.wait() == 0


def test_several_lines(home, server):
    with Terminal("console", env=home) as console:
        console.expect("> ")
        console.type("for i = 6, 7 do\n")
        console.expect("| ")
        console.type("print(i * 11)\n")
        console.expect("| ")
        console.type("end\n")
        console.expect("66")
        console.expect("77")
        console.expect("> ")
        console.type("40 +\n")
        console.expect("| ")
        console.type("2.5\n")
        console.expect("42.5")
        console.expect("> ")


def test_an_error_does_not_end_it(home, server):
    with Terminal("console", env=home) as console:
        console.expect("> ")
        console.type("error 'oh no'\n")
        console.expect("oh no")
        console.expect("> ")
        console.type("\x04")
        assert console.wait() == 0


def test_ctrl_c_drops_what_was_typed(home, server):
    with Terminal("console", env=home) as console:
        console.expect("> ")
        console.type("score + ")
        console.expect("score + ")
        console.interrupt()
        console.expect("> ")
        console.type("21 * 2\n")
        console.expect("42")
        console.type("for i = 1, 2 do\n")
        console.expect("| ")
        console.interrupt()
        console.expect("> ")
        console.type("'again'\n")
        console.expect('"again"')


def test_ctrl_c_ends_the_waiting(home, server):
    with Terminal("console", env=home) as console:
        console.expect("> ")
        console.type("print 'begun'; painda.sleep(1e6); print 'late'\n")
        console.expect("begun")
        console.expect("begun")  # the line that was typed, then what it printed
        console.interrupt()
        console.expect("goes on in the server")
        console.expect("> ")
        console.type("21 * 2\n")
        console.expect("42")


def test_the_tab_key_completes(home, server):
    with Terminal("console", env=home) as console:
        console.expect("> ")
        console.type("serv\t")
        console.expect("server")
        console.type("\t")
        console.expect("servers")  # both are listed
        console.expect("> server")
        console.type(":getRoomI\t()\n")
        console.expect(":getRoomIds()")
        console.expect('{ "arena" }')
        console.type("painda.testi\t ~= nil\n")  # loaded on first use, so nothing is known of it
        console.expect("> ")
        console.type("table.conc\t({1, 2}, '-')\n")
        console.expect('"1-2"')
        console.type("sco\t\n")
        console.expect("41")
        console.type("nope.a\tb\n")
        console.expect("attempt to index")


def test_names_of_rooms_complete(home, server):
    with Terminal("console", env=home) as console:
        console.expect("> ")
        console.type("room('ar\t').state.phase\n")
        console.expect("room('arena').state")
        console.expect('"on"')


def test_methods_of_clients_complete(home, server):
    with WebSocket(server) as ws, Terminal("console", env=home) as console:
        ws.send(frame("ping"))
        ws.receive_frame("pong")
        console.expect("> ")
        console.type("c = clients()[1]\n")
        console.expect("> ")
        console.type("c:setT\t('seen', true)\n")
        console.expect("setTag(")
        console.type("c:hasTag 'seen'\n")
        console.expect("true")


def test_the_history_is_kept_for_the_owner(home, server):
    with Terminal("console", env=home) as console:
        console.expect("> ")
        console.type("'first line'\n")
        console.expect("> ")
        console.type("do\n")
        console.expect("| ")
        console.type("print 'sec' print 'ond\\\\'\n")
        console.expect("| ")
        console.type("end\n")
        console.expect("ond\\")
        console.expect("> ")
        console.type("\x04")
        assert console.wait() == 0
    path = os.path.join(home["XDG_STATE_HOME"], "painda", "console_history")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with Terminal("console", env=home) as console:
        console.expect("> ")
        console.type("\x10")  # Ctrl-P: the entry before
        console.expect("end")
        console.type("\n")
        console.expect("ond\\")
        console.expect("> ")
        console.type("\x10\x10\x10\n")
        console.expect('"first line"')


def test_the_history_has_its_folder_made(home, server):
    state = os.path.join(home["XDG_STATE_HOME"], "not", "there")
    with Terminal("console", env={**home, "XDG_STATE_HOME": state}) as console:
        console.expect("> ")
        console.type("1 + 1\n")
        console.expect("2")
        console.expect("> ")
        console.type("\x04")
        assert console.wait() == 0
    assert "1 + 1" in open(os.path.join(state, "painda", "console_history")).read()
    assert stat.S_IMODE(os.stat(state).st_mode) == 0o700


def test_characters_of_many_bytes(home, server):
    with Terminal("console", env=home) as console:
        console.expect("> ")
        console.type("#'héllo', 'wörld'\n")
        console.expect('"wörld"')
