"""What else lives while a client is away: middleware, namespaces, reloads, other encodings, and the end of the server."""
import json
import signal

import pytest

from lab import Lab
from painda import Closed, Server, WebSocket, envelope, eventually, frame, parse_frames
from recovering import Client, Recovering

pytestmark = pytest.mark.asan

PRELUDE = """
local painda, json = require "painda", require "painda.json"
io.stdout:setvbuf "no"
local function say(...) print("say " .. json.encode { ... }) end
local server = painda.PPServer { port = 3000, recovery = true }
server:on("disconnection", function(client, reason, code) say("gone", client.id, reason, code) end)
server:on("who", function(client, _, ack) ack(nil, client.id) end)
server:on("all", function(_, n, ack) ack(nil, server:emit("n", { n = n })) end)
server:on("stats", function(_, _, ack) ack(nil, server:getStats()) end)
"""


class App(Lab):
    def __init__(self, source):
        Server.__init__(self, PRELUDE + source)


def test_middleware_is_asked_again_and_the_missed_wait_for_it():
    with App("""
        server:use(function(client, next)
            client.data.asked = (client.data.asked or 0) + 1
            if client.data.asked == 2 then painda.sleep(200) end
            say("asked", client.id, client.recovered, client.handshake.query.pp_offset or "none")
            next(client.data.asked == 3 and painda.Error("not a third time") or nil)
        end)
        server:on("connection", function(client)
            say("connection", client.id, client.recovered)
            client:emit("n", { n = client.recovered and 100 or 0 })
        end)
        server:on("echo", function(client, payload) client:emit("echo", { n = payload }) end)
    """) as server:
        client, other = Client(server), Client(server)
        assert client.catch_up() == [0]
        client.cut()
        other.ask("all", 1)
        sent = client.query()
        client.ws = WebSocket(server, query=sent)
        client.send(frame("echo", 7))  # waits too
        other.ask("all", 2)  # between the connection and its being let in
        found = [client.next_frame() for _ in range(6)]
        assert [each.type for each in found] == ["__pp_session", "__pp_recovery", "n", "n", "n", "echo"]
        assert [each.payload["n"] for each in found[2:]] == [1, 2, 100, 7]
        assert found[1].payload["missedCount"] == 2
        client.token, client.offset = found[0].payload["rtoken"], client.offset
        assert server.said("asked", client.sid, True) == [client.sid, True, "1"]
        client.cut()
        client.ws = WebSocket(server, query=client.query())
        assert client.next_frame().payload["code"] == "MIDDLEWARE_ERROR"
        assert client.expect_close()[0] == 4003
        client.ws.close()
        assert client.come_back().recovery["recovered"] is False, "whom the middleware refuses has no session any more"


def test_who_was_never_let_in_has_nothing_to_come_back_to():
    with App("""
        server:use(function(client, next) say("asked", client.id) if client.handshake.query.wait then painda.sleep(1e6) end next() end)
    """) as server:
        other = Client(server)
        waiting = WebSocket(server, query={"wait": 1})
        session = parse_frames(waiting.receive())[0].payload
        server.said("asked", session["sid"])
        waiting.reset()
        back = Client(server, {"pp_sid": session["sid"], "pp_offset": 0, "pp_rtoken": session["rtoken"]})
        assert back.recovery["recovered"] is False
        assert other.ask("stats")["sessionsDetached"] == 0


def test_namespaces_and_their_rooms_come_back():
    with App("""
        local ns = server:of "/news"
        ns:use(function(socket, next) say("asked", socket.id) next() end)
        ns:on("connection", function(socket)
            say("joined", socket.id, socket.closed)
            socket:join("sport")
            socket:on("hello", function(msg, ack) ack(nil, "hello") end)
        end)
        ns:on("disconnection", function(socket, reason) say("left", socket.id, reason) end)
        server:on("sport", function(_, n, ack) ack(nil, ns:to("sport"):emit("n", { n = n })) end)
    """) as server:
        client, other = Client(server), Client(server)
        client.send(frame("hello", ns="/news", ack_id=1))
        assert client.receive_frame("__pp_ack").payload["args"] == ["hello"]
        client.cut()
        assert server.said("left", client.sid) == [client.sid, "transport close"]
        assert other.ask("sport", 1) == 1
        client.come_back()
        assert client.catch_up() == [1]
        eventually(lambda: sum(each[0] == client.sid for each in server.says("joined")) == 2, "it joined again")
        client.send(frame("hello", ns="/news", ack_id=2))
        assert client.receive_frame("__pp_ack").payload == {"ackId": 2, "args": ["hello"]}
        assert other.ask("sport", 2) == 1 and client.catch_up() == [1, 2]
        client.ws.send_close(1000)
        server.said("gone", client.sid, "client disconnect")
        assert other.ask("sport", 3) == 0


def test_a_reload_keeps_who_is_away(tmp_path):
    app = tmp_path / "app.lua"
    source = PRELUDE + 'server:on("connection", function(client) say("by version", VERSION, client.id, client.recovered) end)'
    app.write_text("local VERSION = 1\n" + source)
    running = Lab.__new__(Lab)
    Server.__init__(running, app)
    with running as server:
        client, other = Client(server), Client(server)
        client.cut()
        app.write_text("local VERSION = 2\n" + source)
        mark = server.mark()
        server.send_signal(signal.SIGHUP)
        server.wait_for("reloaded|generation=2", after=mark)
        other.ask("all", 1)
        client.come_back()
        assert client.recovery["recovered"] and client.catch_up() == [1]
        assert server.said("by version", 2, client.sid) == [2, client.sid, True]


def test_the_end_of_the_server_is_no_time_to_wait():
    with App("") as server:
        client = Client(server)
        client.cut()
        server.stop()
        assert server.returncode == 0


def test_text_stays_text():
    with Recovering() as server, WebSocket(server) as ws:
        other = Client(server)
        session = parse_frames(ws.receive())[0].payload  # it has not said yet that it speaks text
        ws.send(envelope("who", ack_id=1).decode())
        assert ws.receive_json("__pp_ack")["payload"]["args"] == [session["sid"]]
        ws.reset()
        server.said("gone", session["sid"])
        other.ask("tell", {"to": session["sid"], "count": 2})
        query = {"pp_sid": session["sid"], "pp_offset": 0, "pp_rtoken": session["rtoken"]}
        with WebSocket(server, query=query) as back:
            types = [back.receive_json()["type"] for _ in range(4)]
            assert types == ["__pp_session", "__pp_recovery", "n", "n"]
            back.send(frame("who", ack_id=2))  # and in frames from here on
            assert back.receive_frame("__pp_ack").payload["args"] == [session["sid"]]


@pytest.mark.parametrize("caps", [None, "batch"])
def test_compressed_schema_and_many(caps):
    with Recovering() as server:
        client, other = Client(server, caps=caps), Client(server)
        client.cut()
        other.ask("tell", {"to": client.sid, "count": 40, "text": "x" * 3000})
        other.ask("tell", {"to": client.sid, "type": "small", "count": 40})
        client.come_back()
        client.ask("who")
        assert [payload["n"] for payload in client.got] == [*range(1, 41), *range(1, 41)]


def test_what_is_sent_raw_counts_as_its_receiver_counts_it():
    with Recovering() as server:
        client, other = Client(server), Client(server)
        raw = envelope("n", {"n": 1}).decode()
        other.ask("raw", {"to": client.sid, "bytes": raw, "text": True})
        other.ask("raw", {"to": client.sid, "bytes": "no message", "text": True})
        other.ask("raw", {"to": client.sid, "bytes": envelope("__pp_x").decode(), "text": True})
        other.ask("tell", {"to": client.sid, "from": 2})
        assert json.loads(client.ws.receive())["payload"] == {"n": 1}
        client.offset += 1
        assert client.ws.receive() == "no message"
        client.ws.receive()
        assert client.next_frame().payload == {"n": 2}
        client.cut()
        other.ask("raw", {"to": client.sid, "bytes": raw, "text": True})
        other.ask("raw", {"to": client.sid, "bytes": "no message", "text": True})
        client.come_back()
        assert client.recovery["missedCount"] == 1 and client.recovery["offset"] == 3
        assert json.loads(client.ws.receive())["payload"] == {"n": 1}


def test_more_than_the_queue_holds_is_sent_as_it_is_taken():
    with Recovering("maxBackpressure = 20000, compression = 'none'") as server:
        client, other = Client(server), Client(server)
        client.cut()
        other.ask("tell", {"to": client.sid, "count": 100, "text": "x" * 8000})
        client.come_back()
        other.ask("tell", {"to": client.sid, "from": 101, "count": 1})
        while len(client.got) < 101:
            client.next_frame()
        assert client.numbers() == list(range(1, 102))


def test_a_handler_that_ends_the_session_as_it_is_taken_over():
    with App("""
        server:on("connection", function(client)
            client:on("disconnect", function() client:close() end)
        end)
    """) as server:
        client = Client(server)
        sid, old = client.sid, client.ws
        client.come_back()
        assert client.recovery["recovered"] is False and client.sid != sid
        with pytest.raises(Closed) as closed:
            old.receive()
        assert closed.value.code == 4009
        assert client.catch_up() == []
