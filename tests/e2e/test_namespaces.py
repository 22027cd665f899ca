"""Namespaces on the wire: who hears what, names that are none, acks, reloads."""
import json
import shutil
import signal

import pytest

from lab import Asker
from painda import WebSocket, envelope, eventually, frame
from recovering import Client
from test_middleware import APP, App

pytestmark = pytest.mark.asan


@pytest.fixture(scope="module")
def app():
    with App("maxConnectionsPerIp = 0") as server:
        yield server


class Inside:
    """Questions to a namespace: Inside(ws, "/chat")("members")."""

    def __init__(self, ws, ns="/chat", text=False):
        self.ws, self.ns, self.text, self.asked = ws, ns, text, 0

    def raw(self, type, payload=None):
        """The payload of the ack, and the envelopes before it."""
        self.asked += 1
        message = envelope(type, payload, self.ns, self.asked)
        self.ws.send(message.decode() if self.text else frame(type, payload, ns=self.ns, ack_id=self.asked))
        before = []
        while True:
            got = self.ws.receive_json() if self.text else self.ws.receive_frame().envelope
            if got["type"] == "__pp_ack" and got["payload"]["ackId"] == self.asked:
                return got["payload"], before
            before.append(got)

    def __call__(self, type, payload=None):
        answer, _ = self.raw(type, payload)
        assert "error" not in answer, answer
        return answer["args"][0]


@pytest.mark.parametrize("text", [False, True])
def test_a_message_to_a_namespace_carries_its_name(app, text):
    with WebSocket(app) as one, WebSocket(app) as two, WebSocket(app) as outside:
        first, second = Inside(one, text=text), Inside(two, text=text)
        assert first("echo", 1) == second("echo", 1) == 1
        Asker(outside, text)("echo", 1)
        assert first("news", {"n": 1}) == 1
        got = two.receive_json("news") if text else two.receive_frame("news").envelope
        assert got == {"type": "news", "payload": {"n": 1}, "__ns": "/chat"}
        assert Asker(outside, text)("echo", "nothing before this") == "nothing before this"


def test_members_are_those_who_have_joined_and_are_still_here(app):
    with WebSocket(app) as one:
        ask = Inside(one)
        before = ask("members")
        two = WebSocket(app)
        Asker(two)("echo")  # connected, and not in it
        assert ask("members") == before
        Inside(two)("echo")
        assert ask("members") == before + 1
        me = Asker(two)("who")
        two.close()
        app.said("left chat", me, "transport close")
        assert ask("members") == before


NAMES = ["/nope", "chat", " /chat", "/chat ", "/chat\0", "/chat\0room", "/ch\nat", "/" + "x" * 10240, "/é" * 100, "//"]


@pytest.mark.parametrize("name", NAMES, ids=repr)
@pytest.mark.parametrize("text", [False, True])
def test_a_name_that_is_none_is_an_error_and_rejects_the_ack(app, name, text):
    with WebSocket(app) as ws:
        answer, before = Inside(ws, name, text).raw("echo", 1)
        assert answer["error"]["code"] == "NAMESPACE_ERROR"
        assert answer["args"] == []
        (error,) = before
        assert (error["type"], error["payload"]["code"]) == ("__pp_error", "NAMESPACE_ERROR")
        assert len(error["payload"]["message"]) < 400
        assert Asker(ws, text)("echo", "still here") == "still here"


@pytest.mark.parametrize("name", ["/", "", None])
def test_the_default_namespace_has_three_names(app, name):
    with WebSocket(app) as ws:
        assert Inside(ws, name)("who")


@pytest.mark.parametrize("name", [1, {}, [], True, None])
def test_a_namespace_that_is_no_string_is_malformed_or_absent(app, name):
    with WebSocket(app) as ws:
        ws.send(json.dumps({"type": "echo", "payload": 1, "__ns": name, "__ackId": 3}))
        got = ws.receive_json()
        assert got["type"] == "__pp_error" or got["payload"] == {"ackId": 3, "args": [1]}
        assert Asker(ws, True)("echo", "still here") == "still here"


def test_a_thousand_names_cost_nothing(app):
    with WebSocket(app) as ws:
        before = app.rss()
        for i in range(20000):
            ws.send(frame("x", None, ns=f"/{i}"))
            if i % 500 == 0:
                Asker(ws)("echo")
        Asker(ws)("echo")
        assert app.rss() - before < 16 << 20


def test_an_ack_of_another_client_counts_for_nothing(app):
    with WebSocket(app) as victim, WebSocket(app) as thief:
        Inside(thief)("echo")
        victim.send(frame("secret question", ns="/chat", ack_id=1))
        question = victim.receive_frame("question").envelope
        assert question["__ns"] == "/chat"
        for ack_id in range(0, 200):
            thief.send(frame("__pp_ack", {"ackId": ack_id, "args": ["stolen"]}))
            thief.send(frame("__pp_ack", {"ackId": ack_id, "args": ["stolen"]}, ns="/chat"))
        Asker(thief)("echo")
        victim.send(frame("__pp_ack", {"ackId": question["__ackId"], "args": ["mine"]}))
        assert victim.receive_frame("__pp_ack").payload == {"ackId": 1, "args": ["mine"]}


def test_who_is_not_let_in_waits_without_holding_up_the_rest(app):
    with WebSocket(app) as ws, WebSocket(app) as door:
        ask, me = Asker(ws), Asker(ws)("who")
        for i in range(100):
            ws.send(frame("log", i, ns="/gated", ack_id=i + 1))
        assert ask("echo", 1) == 1
        assert Inside(ws)("echo", 2) == 2
        app.said("gate", f"ns {me}")
        Asker(door)("open", f"ns {me}")
        acks = [ws.receive_frame("__pp_ack").payload for _ in range(100)]
        assert acks == [{"ackId": i + 1, "args": [i]} for i in range(100)]


def test_who_is_refused_stays_connected_and_out(app):
    with WebSocket(app) as ws, WebSocket(app) as door:
        me = Asker(ws)("who")
        ws.send(frame("log", "refused", ns="/gated", ack_id=1))
        app.said("gate", f"ns {me}")
        Asker(door)("open-and-refuse", f"ns {me}")
        assert ws.receive_frame().envelope == {
            "type": "__pp_error", "payload": {"code": "MIDDLEWARE_ERROR", "message": "refused at last"}, "__ns": "/gated",
        }  # fmt: skip
        assert ws.receive_frame().payload["error"] == {"code": "MIDDLEWARE_ERROR", "message": "refused at last"}
        assert Asker(ws)("echo", "here") == "here"
        assert ["refused"] not in app.says("gated")


# --- a session that comes back ---


@pytest.fixture(scope="module")
def recovering():
    with App("recovery = true, maxConnectionsPerIp = 0") as server:
        yield server


def test_a_client_that_comes_back_is_where_it_was_and_asked_about_again(recovering):
    one, two = Client(recovering), Client(recovering)
    inside, other = Inside(one.ws), Inside(two.ws)
    inside("echo", 1)
    other("echo", 1)
    one.ws.reset()
    recovering.said("left chat", one.sid, "transport close")
    two.ws.send(frame("news", "missed", ns="/chat"))
    Asker(two.ws)("echo")
    one.come_back(do="sleep", name=100)  # its middleware takes a while; what was missed comes after it
    assert one.recovery["recovered"]
    assert one.receive_frame("news").envelope == {"type": "news", "payload": "missed", "__ns": "/chat"}
    eventually(lambda: [each[0] for each in recovering.says("joined chat")].count(one.sid) == 2)
    assert Inside(one.ws)("members") == 2
    one.ws.close()
    two.ws.close()


def test_a_client_that_comes_back_may_be_refused(recovering):
    client = Client(recovering)
    assert Inside(client.ws)("echo", 1) == 1
    client.ws.reset()
    recovering.said("left chat", client.sid, "transport close")
    ws = WebSocket(recovering, query=client.query(do="refuse"))
    assert ws.receive_frame("__pp_error").payload == {"code": "MIDDLEWARE_ERROR", "message": "refused on purpose"}
    assert ws.expect_close() == (4003, "refused on purpose")
    again = Client(recovering, client.query())
    assert not again.recovery["recovered"]
    again.ws.close()


def test_what_a_socket_sends_while_its_client_is_away_is_kept(recovering):
    one, two = Client(recovering), Client(recovering)
    Inside(one.ws)("echo", 1)
    one.ws.reset()
    recovering.said("left chat", one.sid, "transport close")
    assert Asker(two.ws)("tell chat", one.sid) is True
    one.come_back()
    assert one.receive_frame("told").envelope == {"type": "told", "payload": "by name", "__ns": "/chat"}
    assert Inside(one.ws)("leave")
    assert Asker(two.ws)("tell chat", one.sid) is False
    two.ws.send(frame("ask chat", one.sid, ack_id=5))
    assert two.receive_frame("__pp_ack").payload["error"]["code"] == "CONNECTION_ERROR"
    one.ws.close()
    two.ws.close()


def test_a_loss_is_told_once_to_those_who_heard_of_the_client(recovering):
    client, other = Client(recovering), Client(recovering)
    inside = Inside(client.ws)
    assert inside("echo", 1) == 1 and inside("join", "corner")

    def told(kind):
        return len([each for each in recovering.says(kind) if each[0] == client.sid])

    client.ws.reset()
    recovering.said("left chat", client.sid, "transport close")
    Inside(other.ws)("echo", 1)
    away = Asker(other.ws)("stats")["sessionsDetached"]
    waiting = WebSocket(recovering, query=client.query(do="gate", name="again"))
    recovering.said("gate", "again")
    assert Inside(other.ws)("members") == 1, "who is asked about is not listed"
    waiting.reset()
    eventually(lambda: Asker(other.ws)("stats")["sessionsDetached"] == away)
    with WebSocket(recovering, query=client.query(do="refuse")) as ws:
        assert ws.receive_frame("__pp_error").payload["code"] == "MIDDLEWARE_ERROR"
        ws.expect_close()
    recovering.said("left a room", client.sid, "corner")
    assert told("left chat") == told("joined chat") == told("disconnection") == told("connection") == 1
    other.ws.close()


# --- reload ---


@pytest.fixture
def reloading(tmp_path):
    """A server of its own file, which the tests change."""
    path = tmp_path / "middleware.lua"
    shutil.copy(APP, path)
    server = App()
    server.app, server.command[server.command.index(str(APP))] = path, str(path)
    with server:
        yield server, path


def load(server, path, source):
    path.write_text(source)
    mark = server.mark()
    server.send_signal(signal.SIGHUP)
    server.wait_for("reloaded", after=mark)


def test_after_a_reload_clients_are_where_they_were_among_new_handlers(reloading):
    server, path = reloading
    with WebSocket(server) as ws:
        ask, me = Inside(ws), Asker(ws)("who")
        assert ask("echo", 1) == 1
        load(server, path, path.read_text().replace("ack(nil, msg.payload)", 'ack(nil, { "new", msg.payload })'))
        server.said("joined chat", me, True)
        assert ask("echo", 1) == ["new", 1]
        assert ask("members") == 1
        server.said("joined chat", me, True)
        assert len(server.says("joined chat")) == 2


def test_a_namespace_that_is_gone_is_left_and_unknown(reloading):
    server, path = reloading
    with WebSocket(server) as ws:
        ask = Inside(ws)
        assert ask("echo", 1) == 1
        source = path.read_text()
        load(server, path, source.replace('"/chat"', '"/talk"'))
        assert ask.raw("echo", 1)[0]["error"]["code"] == "NAMESPACE_ERROR"
        assert Inside(ws, "/talk")("members") == 1
        load(server, path, source)
        assert ask("members") == 1  # it joins anew


def test_the_middleware_of_the_new_generation_is_asked(reloading):
    server, path = reloading
    with WebSocket(server) as door:
        waiting = WebSocket(server, query={"do": "gate", "name": "old"})
        server.said("gate", "old")
        load(server, path, path.read_text().replace("refused on purpose", "refused by the new"))
        with WebSocket(server, query={"do": "refuse"}) as ws:
            assert ws.receive_frame("__pp_error").payload["message"] == "refused by the new"
        answer, _ = Inside(door, None).raw("mw-refuse")
        assert answer["error"]["message"] == "refused by the new"
        Asker(door)("open", "old")  # what was asked about before goes on
        assert Asker(waiting)("echo", "in") == "in"
        eventually(lambda: len([each for each in server.says("connection") if each[1] is False]) == 2)
        waiting.close()
