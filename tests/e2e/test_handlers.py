"""Handlers that go wrong, wait at odd moments, or outlive their client: the connection and the server go on."""
import signal

import pytest

from lab import LEAN, Asker, Lab, client_id, still_serves
from painda import BINARY_MESSAGE, Server, WebSocket, eventually, frame, ws_frame

pytestmark = pytest.mark.asan


# --- errors


def test_a_handler_that_raises_is_logged_with_its_trace_and_the_connection_lives(lab, ws):
    mine, mark = client_id(ws), lab.mark()
    before = Asker(ws)("stats")["handlerErrors"]
    ws.send(frame("raise"))
    assert Asker(ws)("echo", "alive") == "alive"
    assert lab.said("error", after=mark)[0]["message"].endswith("on purpose")
    line = lab.wait_for(r" error .*on purpose", after=mark).string
    assert "type=raise" in line and mine in line and "lab.lua:" in line
    lab.wait_for(r"stack traceback|lab\.lua:\d+: in function", after=mark)
    assert Asker(ws)("stats")["handlerErrors"] == before + 1


SHOP = """
local painda = require "painda"
local server = painda.PPServer { port = 3000 }
server:on("buy", function(_, item)
  error(painda.Error("no such item: " .. item, "NO_ITEM"))
end)
server:on("look", function(_, item)
  error("no such item: " .. item)
end)
server:on("echo", function(_, payload, ack) ack(nil, payload) end)
"""


@pytest.mark.parametrize("kind", ["buy", "look"])
@pytest.mark.parametrize("text", ["a", "painda/", "a:1: ", "stack traceback: "])
def test_a_long_text_of_a_client_in_an_error_holds_up_nobody(kind, text):
    """What is looked for in an error's text has to take a time that grows with it, and not with its square."""
    with Server(SHOP) as server, WebSocket(server) as one, WebSocket(server) as other:
        asker = Asker(other)
        assert asker("echo", 1) == 1
        one.send(frame(kind, text * (800_000 // len(text))))
        assert asker("echo", 2) == 2
        server.wait_for("no such item")
        assert "painda crashed" not in server.log and "handlerTimeout" not in server.log


@pytest.mark.parametrize(
    "type, message, code",
    [("raise", "on purpose", "HANDLER_ERROR"), ("raise-error", "with a code", "ROOM_ERROR"),
     ("raise-later", "on purpose, later", "HANDLER_ERROR")],
)  # fmt: skip
def test_error_handlers_get_the_error_the_client_and_the_type(lab, ws, type, message, code):
    mine, mark = client_id(ws), lab.mark()
    ws.send(frame(type))
    err, client, mtype = lab.said("error", after=mark)
    assert (err["code"], client, mtype) == (code, mine, type)
    assert err["message"].endswith(message)
    assert lab.said("client error", mine, after=mark)[1:] == [err, type]


ODD_ERRORS = """
local painda = require "painda"
local server = painda.PPServer { port = 3000 }
local raised = {
  text = "plain", number = 42, bool = false, table = {}, message = { message = "in a table", code = "OWN" },
  deep = setmetatable({}, { __tostring = function() error "tostring raises too" end }),
  func = print, binary = "\\255\\0\\27[31m\\r\\n",
}
server:on("raise", function(_, what)
  error(raised[what])
end)
server:on("raise-nil", function()
  error()
end)
server:on("overflow", function()
  local function again() return 1 + again() end
  again()
end)
server:on("error", function(err)
  if err.message:find "plain" then
    error "the error handler raises too"
  end
end)
server:on("echo", function(_, payload, ack) ack(nil, payload) end)
"""


def test_whatever_is_raised_the_server_goes_on():
    with Server(ODD_ERRORS) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        for what in ("text", "number", "bool", "table", "message", "deep", "func", "binary"):
            ws.send(frame("raise", what, ack_id=1))
            assert "error" in ws.receive_frame("__pp_ack").payload, what
            assert ask("echo", what) == what
        for type in ("raise-nil", "overflow"):
            ws.send(frame(type, ack_id=1))
            assert ws.receive_frame("__pp_ack").payload["error"]["message"]
            assert ask("echo", type) == type
        server.wait_for("the error handler raises too")
        assert "\x1b" not in server.log


def test_a_handler_that_never_ends_is_ended_by_its_limit():
    source = """
    local painda = require "painda"
    local server = painda.PPServer { port = 3000, handlerTimeout = 100 }
    jit.off(true, true) -- what is compiled can't be interrupted
    server:on("spin", function(_, guarded)
      repeat
        pcall(function() while true do end end)
      until not guarded
      while true do end
    end)
    server:on("echo", function(_, payload, ack) ack(nil, payload) end)
    """
    with Server(source) as server, WebSocket(server) as ws, WebSocket(server) as other:
        for guarded in (False, True):
            ws.send(frame("spin", guarded, ack_id=1))
            error = ws.receive_frame("__pp_ack").payload["error"]
            assert error["code"] == "HANDLER_ERROR"
            assert "100 ms without waiting (handlerTimeout)" in error["message"]
            assert Asker(ws)("echo", 1) == Asker(other)("echo", 1) == 1


def test_a_connection_handler_that_raises_leaves_the_client_connected():
    source = """
    local painda = require "painda"
    local server = painda.PPServer { port = 3000 }
    server:on("connection", function(client) error "cannot greet" end)
    server:on("echo", function(_, payload, ack) ack(nil, payload) end)
    """
    with Server(source) as server, WebSocket(server) as ws:
        assert Asker(ws)("echo", 1) == 1
        server.wait_for("cannot greet")


def test_a_disconnect_handler_that_raises_stops_no_other():
    source = """
    local painda = require "painda"
    io.stdout:setvbuf "no"
    local server = painda.PPServer { port = 3000 }
    server:on("connection", function(client)
      client:on("disconnect", function() error "first" end)
      client:on("disconnect", function(reason) print("second heard", reason) end)
    end)
    server:on("disconnection", function(_, reason) print("server heard", reason) end)
    """
    with Server(source) as server:
        with WebSocket(server) as ws:
            ws.send_close()
            ws.expect_close()
        server.wait_for("second heard.client disconnect")
        server.wait_for("server heard.client disconnect")


# --- waiting


def test_a_waiting_handler_holds_nobody_up(lab, ws):
    with WebSocket(lab) as other:
        ws.send(frame("sleep", 300, ack_id=1))
        assert Asker(other)("echo", "other") == "other"
        ws.send(frame("echo", "same client"))
        assert ws.receive_frame().payload == "same client"
        assert ws.receive_frame("__pp_ack").payload == {"ackId": 1, "args": ["slept"]}


def test_a_handler_that_waits_over_the_disconnect(lab):
    with WebSocket(lab) as ws:
        mine = client_id(ws)
        ws.send(frame("sleep-over-disconnect", ack_id=5))
        lab.said("waiting", mine)
    said = eventually(lambda: [line for line in lab.says("woke after disconnect") if line[2] == mine])
    assert said == [[None, "closed", mine]]
    still_serves(lab)


def test_many_handlers_that_wait_when_their_clients_go(lab):
    sockets = [WebSocket(lab) for _ in range(20)]
    for socket in sockets:
        for _ in range(10):
            socket.send(frame("sleep-over-disconnect"))
    for socket in sockets:
        client_id(socket)
    for n, socket in enumerate(sockets):
        socket.reset() if n % 2 else socket.close()
    with WebSocket(lab) as ws:
        eventually(lambda: Asker(ws)("stats")["tasksWaiting"] == 0, "all handlers ended")


def test_request_fails_when_the_client_goes(lab):
    with WebSocket(lab) as ws:
        ws.send(frame("request", "?", ack_id=1))
        ws.receive_frame("question")
    with WebSocket(lab) as ws:
        eventually(lambda: Asker(ws)("stats")["tasksWaiting"] == 0, "request returned")


def test_a_handler_that_closes_its_own_client(lab):
    with WebSocket(lab) as ws:
        mine, mark = client_id(ws), lab.mark()
        ws.send(frame("close-and-send"))
        assert ws.expect_close()[0] == 1000
        sent, why, answer = lab.said("sent to closed", after=mark)
        assert (sent, why, answer) == (None, "closed", None)
        assert lab.said("disconnect", mine)[1] == "forced server disconnect"


def test_a_handler_that_closes_while_more_messages_wait(lab):
    for _ in range(20):
        with WebSocket(lab) as ws:
            ws.send_bytes(b"".join(ws_frame(BINARY_MESSAGE, frame(type, {})) for type in ("echo", "close-me", "echo", "raise")))
            assert ws.receive_frame().type == "echo"
            assert ws.expect_close()[0] == 1000


def test_sending_to_a_client_that_is_gone_says_closed(lab):
    with WebSocket(lab) as ws:
        ws.send(frame("send-after-gone"))
        client_id(ws)
        mark = lab.mark()
    emit, raw, send, request = lab.said("sent to gone", after=mark)
    assert emit == raw == send == [None, "closed"]
    assert request[0] is None and request[1]["code"] == "CONNECTION_ERROR"


def test_a_client_that_is_kept_for_long_after_it_went():
    source = """
    local painda = require "painda"
    local server = painda.PPServer { port = 3000 }
    local kept = {}
    server:on("connection", function(client) kept[#kept + 1] = client end)
    server:on("poke", function(_, _, ack)
      collectgarbage()
      local out = {}
      for i, client in ipairs(kept) do
        out[i] = {
          client.id, tostring(client), client:emit("poked") or false, client.handshake.path or false,
          client:bufferedAmount(), client:getTag "t" or false, client:hasTag "t", client.closed or false,
        }
        client:on("x", print):off("x"):setTag "t"
        if client.closed then
          client:close()
          client:close(4000, "again")
        end
      end
      ack(nil, out)
    end)
    """
    with Server(source) as server:
        for _ in range(20):
            WebSocket(server).close()
        with WebSocket(server) as ws:
            ws.send(frame("poke", ack_id=1))
            got = ws.receive_frame("__pp_ack").payload["args"][0]
            assert len(got) == 21
            gone = [line for line in got if line[7]]
            assert all(line[2] is False and line[4] == 0 for line in gone)


# --- waiting where it is not possible


@pytest.mark.parametrize(
    "type, words",
    [
        ("yield", ["coroutine.yield", "painda.sleep"]),
        ("sleep-in-sort", ["table.sort comparator"]),
        ("sleep-in-gsub", ["string.gsub callback"]),
        ("sleep-in-coroutine", ["coroutine that the application made itself"]),
    ],
)
def test_waiting_where_it_cannot_be_done_says_so(ws, type, words):
    ws.send(frame(type, ack_id=1))
    message = ws.receive_frame("__pp_ack").payload["error"]["message"]
    assert all(word in message for word in words), message
    assert Asker(ws)("echo", "on") == "on"


def test_a_handler_may_have_coroutines_of_its_own(ws):
    assert Asker(ws)("generator") == [1, 2, 3]


def test_waiting_outside_of_any_task_says_so():
    source = """
    local painda = require "painda"
    local server = painda.PPServer { port = 3000 }
    package.preload.waits = function() painda.sleep(1) end
    server:on("go", function(_, _, ack)
      local ok, err = pcall(require, "waits")
      ack(nil, tostring(err))
    end)
    """
    with Server(source) as server, WebSocket(server) as ws:
        assert "require" in Asker(ws)("go")


def test_pcall_around_a_wait_works():
    source = """
    local painda = require "painda"
    local server = painda.PPServer { port = 3000 }
    server:on("go", function(_, _, ack)
      local ok, err = pcall(function()
        painda.sleep(1)
        error({ code = 7 })
      end)
      local ok2, value = xpcall(function() painda.sleep(1) return "slept" end, debug.traceback)
      for value in (function() painda.sleep(1) end) do end
      local t = setmetatable({}, { __index = function() painda.sleep(1) return "indexed" end })
      ack(nil, { ok, err.code, ok2, value, t.x })
    end)
    """
    with Server(source) as server, WebSocket(server) as ws:
        assert Asker(ws)("go") == [False, 7, True, "slept", "indexed"]


# --- listeners that change while they are called


def test_listeners_that_come_and_go_while_they_are_called():
    source = """
    local painda = require "painda"
    local server = painda.PPServer { port = 3000 }
    server:on("connection", function(client)
      local heard = {}
      local function second() heard[#heard + 1] = "second" end
      client:on("go", function()
        heard[#heard + 1] = "first"
        client:off("go", second)
        client:on("go", function() heard[#heard + 1] = "third" end)
      end)
      client:on("go", second)
      client:on("heard", function(_, ack) ack(nil, heard) end)
    end)
    """
    with Server(source) as server, WebSocket(server) as ws:
        for expected in (["first", "second"], ["first", "second", "first", "third"]):
            ws.send(frame("go"))
            assert Asker(ws)("heard") == expected


def test_messages_are_handled_in_order_and_listeners_in_the_order_they_came(ws):
    ws.send(frame("message-on"))
    ws.send(frame("any-on"))
    ws.send(frame("echo", 1))
    # onAny, then "message", then the type
    assert [ws.receive_frame().type for _ in range(4)] == ["heard", "any", "heard", "echo"]


# --- many at once


@pytest.mark.slow
def test_thousands_of_connections_come_and_go_and_memory_stays():
    with Lab("maxConnectionsPerIp = 0", env={"LAB_QUIET": "yes", **LEAN}) as server:

        def storm():
            for _ in range(15):
                sockets = [WebSocket(server) for _ in range(100)]
                for socket in sockets:
                    socket.send(frame("echo", "x" * 100))
                for n, socket in enumerate(sockets):
                    if n % 3:
                        assert socket.receive_frame().payload == "x" * 100
                    socket.close()

        storm()
        with WebSocket(server) as ws:
            ask = Asker(ws)
            eventually(lambda: ask("stats")["clients"] == 1)
            before, descriptors = server.rss(), server.descriptors()
            storm()
            eventually(lambda: ask("stats")["clients"] == 1)
            eventually(lambda: server.rss() - before < 4 << 20, "memory is what it was")
            assert server.descriptors() <= descriptors


@pytest.mark.parametrize("number", [signal.SIGTERM])
def test_an_end_with_everything_going_on_at_once(number):
    """Handlers asleep, acks open, frames half read, queues full: nothing crashes, the exit status is 0."""
    with Lab("maxConnectionsPerIp = 0", "--shutdown-timeout", "500") as server:
        sockets = [WebSocket(server) for _ in range(20)]
        for n, socket in enumerate(sockets):
            socket.send(frame("ask", {}))
            socket.send(frame("sleep", 60_000, ack_id=1))
            socket.send(frame("request", {}, ack_id=2))
            socket.send(frame("big", 3_000_000))
            socket.send_bytes(b"\x82\xfe\x10")
        eventually(lambda: len(server.says("sleeping")) == 20)
        server.send_signal(number)
        assert server.wait() == 0
        for socket in sockets:
            socket.close()


# --- while the application is loaded


def test_a_server_may_be_closed_by_the_code_that_opens_it():
    program = """
        local painda = require "painda"
        local one, other = painda.PPServer { port = 0 }, painda.PPServer { port = 0 }
        local bot = painda.PPVirtualClient("bot"):connect(one)
        bot:on("error", function(err) print("bot", err.code) end)
        one:close()
        print("other", other:gracefulShutdown(100), one.closed, other.closed)
        print(pcall(one.on, one, "x", print))
        painda.every(1000, function() end)
    """
    with Server(program) as server:
        server.wait_for(r"^other\ttrue\ttrue\ttrue$")
        server.wait_for(r"^false\t.* is closed: nothing can be registered with it$")
        server.wait_for(r"^bot\tCONNECTION_ERROR$")
        assert " error " not in server.log
