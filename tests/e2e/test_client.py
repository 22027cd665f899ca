"""PPClient against a server that is not ours: frames, acks, what the protocol's messages mean, mistakes."""
import json
import zlib

import pytest

from client_peer import App, url, peer  # noqa: F401: a fixture is among them
from painda import COMPRESSED, envelope, frame, header, raw_frame

pytestmark = pytest.mark.asan


# --- frames ---


def test_a_message_goes_out_as_a_frame_and_one_comes_in(peer):
    with App(url(peer, "/chat?room=1"), """
        local client = painda.PPClient { url = URL, mode = "gaming" }
        client:once("open", function() client:emit("greet", "Hello") end)
        client:on("message", function(msg) say(msg.type, msg.payload) end)
    """) as app:
        line = peer.accept()
        assert line.path == "/chat?room=1&pp_caps=batch,state"
        sent = line.receive()
        assert sent.envelope == {"type": "greet", "payload": "Hello"}
        assert (sent.type_id, sent.schema_version, sent.mode) == (0, 0, 2)
        line.send(frame("hello", {"list": [1, 2], "none": None}))
        app.heard("hello", {"list": [1, 2], "none": None})


def test_several_frames_in_one_message(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL }
        client:on("n", function(n) say(n) end)
    """) as app:
        line = peer.accept()
        line.send(b"".join(frame("n", n) for n in range(5)))
        for n in range(5):
            app.heard(n)


def test_compressed_frames_both_ways(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL }
        client:on("big", function(text) client:emit("big", text .. text) client:emit("small", "x") end)
    """):
        line = peer.accept()
        line.send(frame("big", "ab" * 5000, compress=True))
        answer = line.receive()
        assert answer.flags & COMPRESSED and answer.payload == "ab" * 10000
        assert not line.receive().flags & COMPRESSED


def test_large_messages_in_order(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL, compression = "none" }
        client:on("echo", function(text) client:emit("echo", text) end)
    """):
        line = peer.accept()
        for n in range(4):
            line.send(frame("echo", str(n) * 2_000_000))
        for n in range(4):
            assert line.receive().payload == str(n) * 2_000_000


def test_a_fragmented_message(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL }
        client:on("n", function(n) say(n) end)
    """) as app:
        line = peer.accept()
        whole = frame("n", "in pieces")
        line.send([whole[:3], whole[3:20], b"", whole[20:]])
        app.heard("in pieces")


def test_text_mode(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL, json = true }
        client:on("hello", function(payload) client:emit("greet", { got = payload }) end)
    """):
        line = peer.accept()
        assert line.path == "/"
        line.send(envelope("hello", "ä").decode())
        assert json.loads(line.receive_raw()) == {"type": "greet", "payload": {"got": "ä"}}


def test_schema_frames_both_ways(peer):
    with App(url(peer), """
        local registry = painda.PPSchemaRegistry()
        registry:register("move", painda.structSerializer(7, { { name = "x", type = "float32" }, { name = "n", type = "uint8" } }))
        local client = painda.PPClient { url = URL, registry = registry }
        client:on("move", function(p) say(p) client:emit("move", { x = p.x * 2, n = 3 }) end)
        client:on("error", function(err) say("error", err.code) end)
    """) as app:
        line = peer.accept()
        line.send(raw_frame(bytes.fromhex("3fc0000009"), flags=8, type_id=7, schema_version=1))
        app.heard({"x": 1.5, "n": 9})
        answer = line.receive()
        assert (answer.type_id, answer.schema_version, answer.body.hex()) == (7, 1, "4040000003")
        line.send(raw_frame(b"\1\2", flags=8, type_id=7, schema_version=1))
        app.heard("error", "SCHEMA_ERROR")
        line.send(raw_frame(b"\1\2", flags=8, type_id=8))
        app.heard("error", "SCHEMA_ERROR")


@pytest.mark.parametrize(
    "data",
    [
        b"PPND", frame("n", 1)[:-1], frame("n", 1) + b"PP", raw_frame(b"{}"), raw_frame(b"[1]"), raw_frame(b'{"type":"n"'),
        raw_frame(b"\xff\xfe"), raw_frame(b'{"type":"n","payload":"\xff"}'), raw_frame(b"not zlib", flags=COMPRESSED),
        raw_frame(zlib.compress(b" " * 20_000_000), flags=COMPRESSED), "{}", "no json",
    ],
)  # fmt: skip
def test_a_malformed_frame_is_an_error_and_no_more(peer, data):
    with App(url(peer), """
        local client = painda.PPClient { url = URL }
        client:on("error", function(err) say("error", err.code) end)
        client:on("after", function() say("after") end)
    """) as app:
        line = peer.accept()
        line.send(data)
        line.send(frame("after"))
        assert app.until("error") == ["DECODE_ERROR"]
        app.until("after")


@pytest.mark.parametrize("data, code", [(header(0, version=3), 4010), (b"x" * 16, 4011)])
def test_what_is_no_frame_closes(peer, data, code):
    with App(url(peer), """
        local client = painda.PPClient { url = URL, reconnect = false }
        client:on("disconnect", function(reason, code) say(reason, code) end)
    """) as app:
        line = peer.accept()
        line.send(data)
        assert line.wait_closed()[0] == code
        app.heard("Invalid Protocol Version" if code == 4010 else "transport close", code)


def test_a_message_that_is_too_long_closes(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL, maxPayload = 1000, reconnect = false }
        client:on("disconnect", function(_, code) say(code, client.state) end)
    """) as app:
        line = peer.accept()
        line.send(frame("n", "x" * 2000))
        assert line.wait_closed()[0] == 1009
        assert app.next()[0] == 1009


# --- acks ---


def test_acks_from_the_server(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL }
        client:emit("save", 1, function(err, response) say("saved", text(err) or false, response) end)
        client:emit("fail", 2, function(err) say("failed", text(err)) end)
        painda.spawn(function() say("asked", client:request("ask", 3)) end)
    """) as app:
        line = peer.accept()
        ids = {}
        for _ in range(3):
            sent = line.receive().envelope
            ids[sent["type"]] = sent["__ackId"]
        line.send(frame("__pp_ack", {"ackId": ids["fail"], "args": [], "error": {"message": "no", "code": "MINE"}}))
        app.heard("failed", {"message": "no", "code": "MINE"})
        for _ in range(2):  # the second is ignored
            line.send(frame("__pp_ack", {"ackId": ids["save"], "args": [{"ok": True}]}))
        app.heard("saved", False, {"ok": True})
        for odd in ({"ackId": 999, "args": [1]}, {"args": []}, [], "x", {"ackId": "1"}, None):
            line.send(frame("__pp_ack", odd))
        line.send(frame("__pp_ack", {"ackId": ids["ask"], "args": [7]}))
        app.heard("asked", 7)


def test_acks_to_the_server(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL }
        client:on("good", function(payload, ack) ack(nil, payload + 1) ack(nil, "again") end)
        client:on("refused", function(_, ack) ack(painda.Error("not you", "MINE")) end)
        client:on("raises", function() error("broken", 0) end)
        client:on("late", function(_, ack) painda.sleep(20) ack() end)
        client:on("whole", function(_, _, msg) client:sendAck(msg.__ackId, msg.type) end)
    """):
        line = peer.accept()

        def ask(id, type, payload=None):
            line.send(frame(type, payload, ack_id=id))
            answer = line.receive().envelope
            assert answer["type"] == "__pp_ack" and answer["payload"]["ackId"] == id
            return answer["payload"]

        assert ask(1, "good", 41)["args"] == [42]
        assert ask(2, "refused") == {"ackId": 2, "args": [], "error": {"message": "not you", "code": "MINE"}}
        assert ask(3, "raises")["error"]["message"] == "broken"
        assert ask(4, "late")["args"] == [None]
        assert ask(5, "whole")["args"] == ["whole"]


def test_an_ack_that_does_not_come(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL, ackTimeout = 60, reconnect = false }
        client:on("open", function()
            say("first", text(select(2, client:request("nobody"))))
            client:timeout(30):emit("nobody", nil, function(err) say("second", text(err)) end)
        end)
        client:on("late", function() say("late") end)
    """) as app:
        line = peer.accept()
        app.heard("first", {"message": "no ack within 60 ms", "code": "TIMEOUT_ERROR"})
        app.heard("second", {"message": "no ack within 30 ms", "code": "TIMEOUT_ERROR"})
        for ack_id in (1, 2):
            line.send(frame("__pp_ack", {"ackId": ack_id, "args": ["too late"]}))
        line.send(frame("late"))
        app.heard("late")


def test_open_acks_fail_when_the_connection_ends(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL, reconnectDelay = 20 }
        client:emit("sent", nil, function(err) say("lost", text(err)) end)
        client:on("disconnect", function()
            client:emit("kept", nil, function(err, response) say("kept", text(err) or false, response) end)
        end)
    """) as app:
        line = peer.accept()
        line.receive()
        line.cut()
        app.heard("lost", {"message": "the connection ended before the ack came", "code": "CONNECTION_ERROR"})
        line = peer.accept()
        kept = line.receive().envelope
        line.send(frame("__pp_ack", {"ackId": kept["__ackId"], "args": ["yes"]}))
        app.heard("kept", False, "yes")


# --- tokens, sessions, rooms ---


def test_the_token_is_the_first_frame_of_each_connection(peer):
    with App(url(peer), """
        local calls = 0
        local function getToken()
            painda.sleep(5)
            calls = calls + 1
            if calls == 2 then return nil, "no network" end
            return "token " .. calls
        end
        local client = painda.PPClient { url = URL, reconnectDelay = 10, getToken = getToken, headers = { ["X-App"] = "test" } }
        client:on("error", function(err) say(text(err)) end)
        client:emit("first", 1)
    """) as app:
        line = peer.accept()
        assert line.headers["X-App"] == "test" and "token" not in line.path
        assert line.receive().envelope == {"type": "__pp_auth", "payload": {"token": "token 1"}}
        assert line.receive().type == "first"
        line.cut()
        app.heard({"message": "no network", "code": "AUTH_ERROR"})
        assert peer.accept().receive().payload == {"token": "token 3"}


def test_a_session_is_resumed_with_the_offset(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL, reconnectDelay = 10 }
        client:on("recovery", function(found) say("recovery", found) end)
        client:on("n", function(n) say("n", n) end)
        client:on("disconnect", function() client:emit("while away", 1) end)
        client:on("connect", function() say("connect", client.id or "no id", client.recoverySessionId) end)
    """) as app:
        line = peer.accept()
        line.send(frame("__pp_session", {"sid": "s&1", "offset": 0, "rtoken": "r/1", "epoch": "e"}))
        assert app.next()[0] == "connect"
        for n in range(3):
            line.send(frame("n", n))
            app.heard("n", n)
        line.send(frame("__pp_room_delta", {"room": "r", "delta": {}, "version": 1}))  # not counted
        line.cut()
        line = peer.accept()
        assert line.path == "/?pp_caps=batch,state&pp_sid=s%261&pp_offset=3&pp_rtoken=r%2F1"
        line.send(frame("__pp_session", {"sid": "s&1", "offset": 3, "rtoken": "r/2", "epoch": "e"}))
        line.send(frame("__pp_recovery", {"sid": "s&1", "offset": 4, "recovered": True, "missedCount": 1}))
        app.heard("recovery", {"sid": "s&1", "offset": 4, "recovered": True, "missedCount": 1})
        app.heard("connect", "s&1", "s&1")
        assert line.receive().type == "while away"
        line.send(frame("n", "missed"))
        app.heard("n", "missed")
        line.cut()
        assert peer.accept().path.endswith("pp_offset=4&pp_rtoken=r%2F2")


def test_a_server_that_recovers_no_more(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL, reconnectDelay = 10 }
        client:on("n", function(n) say("n", n) end)
        client:on("disconnect", function() client:emit("while away", 1) end)
    """) as app:
        line = peer.accept()
        line.send(frame("__pp_session", {"sid": "s", "offset": 0, "rtoken": "r", "epoch": "e"}))
        line.send(frame("n", 1))
        app.heard("n", 1)
        line.cut()
        line = peer.accept()
        line.send(frame("n", 2))
        assert line.receive().type == "while away"
        app.heard("n", 2)


# What the client knows beside what it was sent.
ADDED = {"__pp_room_delta": {"state": {"a": 2}}, "__pp_presence_diff": {"presences": []}}


def test_the_protocols_messages_are_events(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL }
        for _, name in ipairs { "roomState", "roomDelta", "presence" } do
            client:on(name, function(payload) say(name, payload) end)
        end
        client:on("serverError", function(err) say("serverError", text(err)) end)
        client:on("message", function(msg) say("message", msg.type) end)
        client:on("error", function() say("an error event of the server is none of ours") end)
    """) as app:
        line = peer.accept()
        sent = [
            ("__pp_room_state", "roomState", {"room": "r", "state": {"a": 1}, "full": True, "version": 1}),
            ("__pp_room_delta", "roomDelta", {"room": "r", "delta": {"a": 2}, "version": 2}),
            ("__pp_presence", "presence", {"presences": []}),
            ("__pp_presence_diff", "presence", {"changes": [{"type": "leave", "clientId": "x"}]}),
            ("__pp_error", "serverError", {"message": "slow down", "code": "RATE_LIMIT_ERROR"}),
        ]
        for type, event, payload in sent:
            line.send(frame(type, payload))
            app.heard(event, {**payload, **ADDED.get(type, {})})
        line.send(frame("__pp_unknown", 1))
        line.send(frame("error", "of the application"))
        app.heard("message", "error")


def test_namespaces(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL }
        client:on("stats", function(payload, _, msg) say("root", payload, msg.__ns) end)
        client:on("later", function()
            local admin = client:of("/admin")
            admin:on("stats", function(payload) say("admin", payload) end)
            admin:emit("get", 1)
            admin:request("ask", 2)
        end)
        client:send({ type = "hi", payload = 0 }, { namespace = "/admin" })
    """) as app:
        line = peer.accept()
        assert line.receive().envelope == {"type": "hi", "payload": 0, "__ns": "/admin"}
        line.send(frame("stats", 1, ns="/admin"))
        app.heard("root", 1, "/admin")
        line.send(frame("later"))
        assert line.receive().envelope == {"type": "get", "payload": 1, "__ns": "/admin"}
        assert line.receive().envelope == {"type": "ask", "payload": 2, "__ns": "/admin", "__ackId": 1}
        line.send(frame("stats", 2, ns="/admin"))
        app.heard("admin", 2)
        line.send(frame("stats", 3))
        app.heard("root", 3)


def test_a_handler_that_raises_harms_nothing_else(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL }
        client:on("n", function(n) if n == 1 then error("one is bad", 0) end say("n", n) end)
        client:onAny(function(type, n) say("any", type, n) end)
        client:on("error", function(err) say("error", text(err)) end)
    """) as app:
        line = peer.accept()
        line.send(frame("n", 1))
        app.heard("any", "n", 1)
        app.heard("error", {"message": "one is bad", "code": "HANDLER_ERROR"})
        line.send(frame("n", 2))
        app.heard("any", "n", 2)
        app.heard("n", 2)
        assert "client's n handler failed: one is bad" in app.server.log


# --- mistakes ---


@pytest.mark.parametrize(
    "options, words",
    [
        ("{ ulr = URL }", ["ulr", 'did you mean "url"']),
        ("{}", ["url"]),
        ("{ url = 5 }", ["url", "string"]),
        ('{ url = "localhost:3000" }', ["ws://localhost:3000"]),
        ('{ url = "ftp://x" }', ["ws://", "ftp://x"]),
        ("{ url = URL, reconnectDelay = '1' }", ["reconnectDelay", "number"]),
        ("{ url = URL, backoff = 'exponental' }", ["backoff", 'did you mean "exponential"']),
        ("{ url = URL, tls = { cert = 'x' } }", ["tls", "cert"]),
        ("{ url = URL, caFile = '/nowhere/ca.pem' }", ["/nowhere/ca.pem"]),
        ("{ url = URL, headers = { Host = 'x' } }", ["Host", "handshake"]),
        ("{ url = URL, headers = { A = 'x\\r\\nB: y' } }", ["A", "one line"]),
        ("URL, { jitter = 2 }", ["jitter", "0", "1"]),
    ],
)
def test_a_wrong_option_is_named(peer, options, words):
    call = f"PPClient({options})" if options.startswith("URL") else f"PPClient {options}"
    attempt = f"painda.after(0, function() say(pcall(function() painda.{call} end)) end)\n"
    with App(url(peer), attempt) as app:
        ok, err = app.next()
        assert ok is False
        for word in words:
            assert word in err
        assert "app.lua:" in err  # where the application is wrong, not the runtime
    assert peer.is_alone()


def test_misuse_raises_where_it_is(peer):
    with App(url(peer), """
        local client = painda.PPClient(URL)
        local cyclic = {}
        cyclic.cyclic = cyclic
        for _, wrong in ipairs {
            function() client:emit() end,
            function() client:emit("__pp_auth", {}) end,
            function() client:emit("x", 1, "no function") end,
            function() client:emit("x", cyclic) end,
            function() client:send("x") end,
            function() client:on("x") end,
            function() client:of("admin") end,
            function() client:timeout(0) end,
            function() client:close(1001) end,
        } do
            local ok, err = pcall(wrong)
            say(ok, tostring(err))
        end
        client:on("open", function()
            for _, value in ipairs { 0 / 0, print, { [{}] = 1 }, { 1, nil, 3 }, "\\255" } do
                local ok, err = pcall(client.emit, client, "x", { deep = value })
                say(ok, tostring(err))
            end
        end)
    """) as app:
        for _ in range(9):
            assert app.next()[0] is False
        said = [app.next() for _ in range(5)]
        assert sum(ok is False and "payload" in err for ok, err in said) >= 3, said
