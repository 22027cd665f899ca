"""Acks in both directions, as a peer sees them that builds its frames by hand."""
import pytest

from lab import Asker, Lab, ack_of, answer, asked, client_id
from painda import WebSocket, envelope, eventually, frame

pytestmark = pytest.mark.asan


# --- acks, asked for by the client


def test_an_ack_with_a_response(ws):
    assert ack_of(ws, "echo", {"a": 1}, 2**53 - 1) == {"ackId": 2**53 - 1, "args": [{"a": 1}]}


def test_an_ack_with_an_error(ws):
    assert ack_of(ws, "reply-error") == {"ackId": 1, "args": [], "error": {"message": "refused", "code": "AUTH_ERROR"}}


def test_an_ack_with_a_string_as_error(ws):
    got = ack_of(ws, "reply-string")
    assert (got["args"], got["error"]["message"]) == ([], "plain refusal")


def test_an_ack_of_nothing(ws):
    assert ack_of(ws, "reply-nothing") == {"ackId": 1, "args": [None]}


def test_only_the_first_answer_counts(ws):
    ws.send(frame("reply-twice", ack_id=1))
    ws.send(frame("echo", "behind"))
    assert [ws.receive_frame().type for _ in range(2)] == ["__pp_ack", "echo"]


@pytest.mark.parametrize(
    "type, message, code",
    [("raise", "on purpose", "HANDLER_ERROR"), ("raise-error", "with a code", "ROOM_ERROR"),
     ("raise-later", "on purpose, later", "HANDLER_ERROR"), ("reply-nan", "", "ENCODE_ERROR")],
)  # fmt: skip
def test_a_handler_that_raises_rejects_its_ack(ws, type, message, code):
    got = ack_of(ws, type)
    assert got["args"] == []
    assert got["error"]["code"] == code
    assert message in got["error"]["message"]
    assert ".lua" not in got["error"]["message"], "where the server's files are is no business of a client"


def test_every_question_is_answered_once_and_by_its_own_id(ws):
    for ack_id in (9, 3, 7, 3):
        ws.send(frame("echo", ack_id, ack_id=ack_id))
    answers = [ws.receive_frame("__pp_ack").payload for _ in range(4)]
    assert [(answer["ackId"], answer["args"]) for answer in answers] == [(9, [9]), (3, [3]), (7, [7]), (3, [3])]


# --- acks, asked for by the server


def test_a_callback_gets_the_response(ws):
    ws.send(frame("ask", {"payload": {"q": 1}}))
    question = ws.receive_frame("question").envelope
    assert question["payload"] == {"q": 1}
    assert question["__ackId"] > 0
    answer(ws, question["__ackId"], {"a": 2})
    assert ws.receive_frame("answered").payload == {"err": None, "response": {"a": 2}}


def test_a_callback_gets_the_error(ws):
    ws.send(frame("ask", {}))
    answer(ws, asked(ws), error={"message": "no", "code": "AUTH_ERROR"})
    got = ws.receive_frame("answered").payload
    assert got == {"err": {"message": "no", "code": "AUTH_ERROR"}, "response": "nothing"}


def test_request_waits_for_the_response(ws):
    ws.send(frame("request", 5, ack_id=77))
    answer(ws, asked(ws), "five")
    assert ws.receive_frame("__pp_ack").payload == {"ackId": 77, "args": [{"response": "five", "err": None}]}


def test_request_gives_the_error(ws):
    ws.send(frame("request", 5, ack_id=77))
    answer(ws, asked(ws), error={"message": "no", "code": "X"})
    got = ws.receive_frame("__pp_ack").payload["args"][0]
    assert got == {"response": "nothing", "err": {"message": "no", "code": "X"}}


def test_text_clients_ask_and_answer_in_text(ws):
    ws.send(envelope("ask", {}).decode())
    ack_id = ws.receive_json("question")["__ackId"]
    ws.send(envelope("__pp_ack", {"ackId": ack_id, "args": ["text"]}).decode())
    assert ws.receive_json("answered")["payload"]["response"] == "text"


def test_no_answer_is_a_timeout_and_a_late_one_is_ignored(ws):
    ws.send(frame("ask", {"timeout": 20}))
    ack_id = asked(ws)
    assert ws.receive_frame("answered").payload["err"]["code"] == "TIMEOUT_ERROR"
    answer(ws, ack_id, "late")
    ws.send(frame("echo", "next"))
    assert ws.receive_frame().payload == "next"


def test_the_timeout_of_all_acks_is_an_option():
    with Lab("ackTimeout = 30") as server, WebSocket(server) as ws:
        ws.send(frame("request", 1, ack_id=1))
        assert ws.receive_frame("__pp_ack").payload["args"][0]["err"]["code"] == "TIMEOUT_ERROR"


def test_a_repeated_answer_is_ignored(ws):
    ws.send(frame("ask", {}))
    ack_id = asked(ws)
    for value in (1, 2):
        answer(ws, ack_id, value)
    ws.send(frame("echo", "next"))
    assert ws.receive_frame().payload["response"] == 1
    assert ws.receive_frame().payload == "next"


@pytest.mark.parametrize(
    "payload",
    [None, 1, "x", [], {}, {"ackId": 999, "args": []}, {"ackId": -1}, {"ackId": 0}, {"ackId": "1"}, {"ackId": None},
     {"ackId": {}}, {"ackId": True}, {"ackId": 1e300}, {"ackId": 1.5, "args": [1]}, {"args": [1]},
     {"ackId": "__index", "args": [1]}, {"ackId": "count", "args": []}],
)  # fmt: skip
def test_answers_to_nothing_are_ignored(ws, payload):
    ws.send(frame("__pp_ack", payload))
    ws.send(frame("echo", "next"))
    assert ws.receive_frame().payload == "next"


@pytest.mark.parametrize("args", [None, 5, "x", {}, {"1": "a"}, [], [None], [1, 2, 3]])
def test_odd_arguments_of_an_answer_harm_nothing(ws, args):
    ws.send(frame("ask", {}))
    ws.send(frame("__pp_ack", {"ackId": asked(ws), "args": args}))
    assert ws.receive_frame("answered").payload["err"] is None


@pytest.mark.parametrize("error", ["text", 5, {}, {"message": 5}, {"code": "X"}, [], True, {"message": {}, "code": []}])
def test_odd_errors_of_an_answer_harm_nothing(ws, error):
    ws.send(frame("ask", {}))
    ws.send(frame("__pp_ack", {"ackId": asked(ws), "args": [], "error": error}))
    ws.receive_frame("answered")


def test_nobody_answers_for_another_client(lab, ws):
    with WebSocket(lab) as forger:
        ws.send(frame("ask", {}))
        ack_id = asked(ws)
        for guess in range(1, 50):
            answer(forger, guess, "forged")
        assert Asker(forger)("echo", "done") == "done"
        answer(ws, ack_id, "true")
        assert ws.receive_frame("answered").payload["response"] == "true"


def test_a_disconnect_fails_what_is_asked(lab):
    with WebSocket(lab) as ws:
        mine = client_id(ws)
        ws.send(frame("ask", {"type": "last-question"}))
        asked(ws, "last-question")
        before = len(lab.says("answered"))
    lab.said("disconnect", mine)
    eventually(lambda: any(e["code"] == "CONNECTION_ERROR" for e, _ in lab.says("answered")[before:] if e))


def test_pending_acks_are_bounded():
    with Lab("maxPendingAcks = 10") as server, WebSocket(server) as ws:
        ws.send(frame("ask-much", 11))
        got = ws.receive_frame("asked").payload
        assert got["ok"] is False
        assert "10" in got["err"] and "maxPendingAcks" in got["err"]
