"""Middleware over real sockets: what waits, what is refused, what is wrong, and that nobody else is harmed by it."""
import json
from pathlib import Path

import pytest

from lab import LEAN, Asker, Lab
from painda import WebSocket, envelope, eventually, frame, ws_frame
from test_tls import make_certificate

pytestmark = pytest.mark.asan

APP = Path(__file__).parent / "apps" / "middleware.lua"
LINE = r"\(\S*apps/middleware\.lua:\d+\)"


class App(Lab):
    def __init__(self, options="", *args, **more):
        super().__init__(options, *args, env=LEAN, **more)
        self.app = APP
        self.command[self.command.index("run") + 1] = str(APP)


@pytest.fixture(scope="module")
def app():
    with App("middlewareTimeout = 400, maxConnectionsPerIp = 0") as server:
        yield server


@pytest.fixture(scope="module")
def patient():
    """One whose middleware may take its time."""
    with App("maxConnectionsPerIp = 0") as server:
        yield server


@pytest.fixture
def opener(patient):
    """Opens a gate, by name: from another client."""
    with WebSocket(patient) as ws:
        ask = Asker(ws)
        yield lambda name, how="open": patient.said("gate", name) and ask(how, name)


def refusal(ws):
    """What a client that is refused gets: the error, then the close."""
    payload = ws.receive_frame("__pp_error").payload
    return payload["code"], payload["message"], ws.expect_close()


# --- connections ---


@pytest.mark.parametrize(
    "action, message",
    [
        ("refuse", "refused on purpose"),
        ("raise", "raised on purpose"),
        ("forever", "no answer from the middleware within 400 ms"),
    ],
)
def test_a_connection_that_is_refused(app, action, message):
    with WebSocket(app, query={"do": action}) as ws:
        assert refusal(ws) == ("MIDDLEWARE_ERROR", message, (4003, message))


def test_a_connection_whose_middleware_forgets_next_is_refused_and_the_middleware_named(app):
    with WebSocket(app, query={"do": "lose"}) as ws:
        code, message, closed = refusal(ws)
    assert (code, closed[0]) == ("MIDDLEWARE_ERROR", 4003)
    app.wait_for(rf"connection middleware 1 {LINE} (returned without calling next|did not call next within 400 ms)")


def test_a_middleware_that_calls_next_twice_is_named_and_counts_once(app):
    mark = app.mark()
    with WebSocket(app, query={"do": "twice"}) as ws:
        assert Asker(ws)("echo", 1) == 1
        app.wait_for(rf"connection middleware 1 {LINE} called next twice", after=mark)


def test_a_middleware_that_raises_is_named_with_its_line_and_told_to_the_error_handlers(app):
    mark = app.mark()
    with WebSocket(app, query={"do": "raise"}) as ws:
        ws.expect_close()
    app.wait_for(rf"connection middleware 1 {LINE} failed: .*middleware\.lua:\d+: raised on purpose", after=mark)
    assert "raised on purpose" in app.said("error", after=mark)[0]


def test_handlers_never_hear_of_who_was_refused(app):
    mark = app.mark()
    with WebSocket(app, query={"do": "refuse"}) as ws:
        ws.expect_close()
    with WebSocket(app) as ws:
        me = Asker(ws)("who")
    app.said("disconnection", me, after=mark)
    said = [json.loads(line[4:]) for line in app.log.splitlines()[mark:] if line.startswith("say ")]
    assert [entry[:2] for entry in said] == [["connection", me], ["disconnection", me]]


def test_what_a_client_sends_ahead_waits_in_order(patient, opener):
    with WebSocket(patient, query={"do": "gate", "name": "ahead"}) as ws:
        for i in range(2000):
            ws.send(frame("log", ["ahead", i]) if i % 2 else envelope("log", ["ahead", i]).decode())
        opener("ahead")
        patient.said("log", ["ahead", 1999])
    order = [entry[0][1] for entry in patient.says("log") if entry[0][0] == "ahead"]
    assert order == list(range(2000))


@pytest.mark.parametrize("how", ["fragments", "batch", "bytes", "compressed"])
def test_whatever_way_it_is_sent(patient, opener, how):
    messages = [frame("log", [how, i], compress=how == "compressed") for i in range(20)]
    if how == "fragments":
        data = b"".join(ws_frame(2, m[:9], fin=False) + ws_frame(9) + ws_frame(0, m[9:]) for m in messages)
    elif how == "batch":
        data = ws_frame(2, frame("__pp_auth", {"token": how}) + b"".join(messages))
    else:
        data = b"".join(ws_frame(2, message) for message in messages)
    query = {"do": "gate", "name": how, "pp_caps": "batch"}
    with WebSocket(patient, query=query) as ws:
        for at in range(0, len(data), 1 if how == "bytes" else len(data)):
            ws.send_bytes(data[at : at + (1 if how == "bytes" else len(data))])
        opener(how)
        patient.said("log", [how, 19])
        if how == "batch":
            assert Asker(ws)("token") == "batch"
    assert [entry[0][1] for entry in patient.says("log") if entry[0][0] == how] == list(range(20))


def test_over_tls_too(tmp_path):
    cert, key = make_certificate(tmp_path)
    with App(f'tls = {{ cert = "{cert}", key = "{key}" }}') as server, WebSocket(server, tls=True) as door:
        with WebSocket(server, tls=True, query={"do": "gate", "name": "tls"}) as ws:
            data = b"".join(ws_frame(2, frame("log", ["tls", i, "x" * 500])) for i in range(30))
            ws.send_bytes(data)  # one record: what is left of it waits inside of TLS
            server.said("gate", "tls")
            Asker(door)("open", "tls")
            server.said("log", ["tls", 29, "x" * 500])
        assert [entry[0][1] for entry in server.says("log")] == list(range(30))


def test_the_token_passes(patient, opener):
    with WebSocket(patient, query={"do": "gate", "name": "token"}) as ws:
        ws.send(frame("__pp_auth", {"token": "first"}))
        ws.send(envelope("__pp_auth", {"token": "x" * 2000}).decode())
        ws.send(frame("log", "token"))
        opener("token")
        assert Asker(ws)("token") == "x" * 2000


def test_a_client_that_waits_is_held_back_by_tcp(patient, opener):
    before = patient.rss()
    with WebSocket(patient, query={"do": "gate", "name": "flood"}) as ws:
        patient.said("gate", "flood")
        ws.sock.settimeout(0.3)
        piece, sent = b"".join(ws_frame(2, frame("echo", "x" * 50000)) for _ in range(20)), 0
        with pytest.raises(TimeoutError):
            while sent < 200 << 20:
                sent += ws.sock.send(piece)
        assert sent < 20 << 20
        assert patient.rss() - before < 8 << 20


def test_its_heartbeat_rests():
    with App("heartbeat = { interval = 100, timeout = 100 }") as server:
        with WebSocket(server, query={"do": "gate", "name": "heart"}) as ws:
            ws.send(frame("log", "heart"))
            server.said("gate", "heart")
            with WebSocket(server) as other:
                for _ in range(6):  # it lives through several intervals
                    until_pinged(other)
                Asker(other)("open", "heart")
            assert Asker(ws)("echo", "alive") == "alive"


def until_pinged(ws):
    """Until the server has pinged this client once."""
    while True:
        opcode, _, payload = ws.read_ws_frame()
        if opcode == 9:
            ws.send_bytes(ws_frame(10, payload))
            return


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_hangs_up_while_it_waits_is_noticed(patient, how):
    with WebSocket(patient) as door:
        ask = Asker(door)
        before = ask("stats")["clients"]
        ws = WebSocket(patient, query={"do": "gate", "name": how})
        ws.send(frame("log", "never"))
        patient.said("gate", how)
        assert ask("stats")["clients"] == before + 1
        assert ask("clients") <= before  # one that waits is not listed
        getattr(ws, how)()
        eventually(lambda: ask("stats")["clients"] == before)
        ask("open", how)
        assert ["never"] not in patient.says("log")


def test_a_close_frame_behind_what_waits_comes_after_it(patient, opener):
    with WebSocket(patient, query={"do": "gate", "name": "bye"}) as ws:
        ws.send(frame("log", "last words"))
        ws.send_close(4321, "bye")
        opener("bye")
        assert ws.expect_close() == (4321, "")
    patient.said("log", "last words")


def test_one_that_is_refused_after_all_is_not_heard(patient, opener):
    with WebSocket(patient, query={"do": "gate", "name": "no"}) as ws:
        ws.send(frame("log", "not heard"))
        opener("no", "open-and-refuse")
        assert refusal(ws) == ("MIDDLEWARE_ERROR", "refused at last", (4003, "refused at last"))
    assert ["not heard"] not in patient.says("log")


def test_broadcasts_pass_it_by(patient, opener):
    with WebSocket(patient, query={"do": "gate", "name": "news"}) as ws, WebSocket(patient) as other:
        patient.said("gate", "news")
        ask = Asker(other)
        ask("news", "before")
        opener("news")
        assert Asker(ws)("echo", 1) == 1
        ask("news", "after")
        assert ws.receive_frame("news").payload == "after"


def test_others_are_served_while_many_wait(patient):
    waiting = [WebSocket(patient, query={"do": "forever"}) for _ in range(200)]
    for ws in waiting:
        ws.send(frame("log", "waits"))
    with WebSocket(patient) as ws:
        ask = Asker(ws)
        assert [ask("echo", i) for i in range(100)] == list(range(100))
    for ws in waiting:
        ws.close()


# --- messages ---


@pytest.mark.parametrize(
    "action, message",
    [
        ("refuse", "refused on purpose"),
        ("raise", "raised on purpose"),
        ("forever", "no answer from the middleware within 400 ms"),
        ("lose", None),
    ],
)
@pytest.mark.parametrize("text", [False, True])
def test_a_message_that_is_refused(app, action, message, text):
    with WebSocket(app) as ws:
        name = f"mw-{action}"
        ws.send(envelope(name, 1, ack_id=5).decode() if text else frame(name, 1, ack_id=5))
        got = [ws.receive_json() if text else ws.receive_frame().envelope for _ in range(2)]
        error, ack = got[0]["payload"], got[1]["payload"]
        assert [envelope["type"] for envelope in got] == ["__pp_error", "__pp_ack"]
        assert error["code"] == "MIDDLEWARE_ERROR"
        assert message is None or error["message"] == message
        assert ack == {"ackId": 5, "args": [], "error": {"code": "MIDDLEWARE_ERROR", "message": error["message"]}}
        assert Asker(ws, text)("echo", "still here") == "still here"
    assert ["handled", name] not in [["handled", *entry] for entry in app.says("handled")]


def test_a_message_that_is_passed_on_twice_is_handled_once(app):
    mark = app.mark()
    with WebSocket(app) as ws:
        ws.send(frame("mw-twice"))
        assert Asker(ws)("echo", 1) == 1
    app.wait_for(rf"message middleware 1 {LINE} called next twice", after=mark)
    assert sum("mw-twice" in line for line in app.log.splitlines()[mark:] if line.startswith("say ")) == 1


def test_messages_that_wait_do_not_wait_for_each_other(app):
    with WebSocket(app) as ws:
        for ms in (300, 200, 100):
            ws.send(frame("mw-sleep", ms, ack_id=ms))
        assert Asker(ws)("echo", "at once") == "at once"
        handled = lambda: app.says("handled").count(["mw-sleep"]) == 3
        eventually(handled, "three messages after their sleep")


def test_a_shutdown_waits_for_what_middleware_has_let_pass():
    with App() as server:
        with WebSocket(server) as ws:
            ws.send(frame("mw-sleep", 200))
            ws.send(frame("log", "went on"))
            server.said("log", "went on")
            server.stop()
        assert ["mw-sleep"] in server.says("handled")


# --- rate limits ---


def test_a_namespace_may_have_a_limit_of_its_own():
    on_limit = "onLimit = function(client, info) say('limited', info) end"
    overrides = '["/chat"] = { maxPerMinute = 3 }, ["/gated"] = {}'
    limits = f"rateLimit = {{ maxPerMinute = 5, {on_limit}, namespaceOverrides = {{ {overrides} }} }}"
    with App(limits) as server, WebSocket(server) as ws:
        for i in range(10):
            ws.send(frame("echo", i, ns="/chat", ack_id=100 + i))
        for i in range(10):
            ws.send(frame("echo", i, ack_id=200 + i))
        for _ in range(2):
            server.said("limited")
        server.said("limited", {"limit": 3, "window": "minute", "namespace": "/chat"})
        server.said("limited", {"limit": 5, "window": "minute"})
        got = [ws.receive_frame().envelope for _ in range(10)]
        acks = [each["payload"]["ackId"] for each in got if each["type"] == "__pp_ack"]
        errors = [each["payload"]["code"] for each in got if each["type"] == "__pp_error"]
        assert acks == [100, 101, 102, 200, 201, 202, 203, 204]
        assert errors == ["RATE_LIMIT_ERROR"] * 2


@pytest.mark.parametrize(
    "overrides, complaint",
    [
        ('{ game = {} }', 'it begins with a slash: "/admin", not "game"'),
        ('{ ["/game"] = { maxPerSecnd = 1 } }', 'has no option "maxPerSecnd", did you mean "maxPerSecond"?'),
        ('{ ["/game"] = 5 }', 'takes a table of options, not 5'),
        ('{ {} }', "it is a string, not 1"),
    ],
)
def test_wrong_limits_of_namespaces_are_named(overrides, complaint):
    server = App(f"rateLimit = {{ namespaceOverrides = {overrides} }}", listens=False)
    server.start()
    server.wait_for("namespaceOverrides")
    assert server.wait() == 1
    assert complaint in server.log
