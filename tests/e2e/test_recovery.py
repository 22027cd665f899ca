"""Sessions that outlive their connection: exactly once, in order, or told so."""
import hmac
import json
import re

import pytest

from painda import CLOSE, PONG, ROOT, WebSocket, frame, parse_frame, ws_frame
from recovering import Client, Recovering

pytestmark = pytest.mark.asan


@pytest.fixture(scope="module")
def server():
    with Recovering() as running:
        yield running


@pytest.fixture
def other(server):
    """Somebody else, through whom tests ask things of the server."""
    client = Client(server)
    yield client
    client.ws.close()


@pytest.fixture
def client(server):
    found = Client(server)
    yield found
    found.ws.close()


def test_the_first_message_says_what_the_session_is(client):
    assert set(client.first.payload) == {"sid", "offset", "rtoken", "epoch"}
    assert re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", client.sid)
    assert re.fullmatch("[0-9a-f]{64}", client.token)
    assert client.offset == 0 and client.first.payload["epoch"]
    assert client.ask("who") == client.sid


def test_what_was_missed_comes_in_order_behind_the_word_that_it_will(server, client, other):
    other.ask("tell", {"to": client.sid, "count": 3})
    assert client.catch_up() == [1, 2, 3]
    client.cut()
    assert other.ask("tell", {"to": client.sid, "from": 4, "count": 4}) == 4
    old = client.token
    client.come_back()
    assert client.first.payload == {**client.first.payload, "sid": client.sid, "offset": 3}
    assert client.recovery == {"sid": client.sid, "offset": 7, "recovered": True, "missedCount": 4}
    assert client.token != old
    assert client.catch_up() == [1, 2, 3, 4, 5, 6, 7]
    assert server.said("connection", client.sid, True)[2] == 2, "the same client object"
    other.ask("tell", {"to": client.sid, "from": 8})
    assert client.catch_up() == [1, 2, 3, 4, 5, 6, 7, 8]


def test_rooms_tags_and_broadcasts_reach_who_is_away(server, client, other):
    client.ask("join", "red")
    client.cut()
    assert other.ask("room", {"room": "red", "n": 1}) == 1
    other.ask("all", 2)
    assert other.ask("state", client.sid)["closed"] is True
    assert other.ask("tagged", {"room": "red", "n": 3}) == 1
    client.come_back()
    assert client.catch_up() == [1, 2, 3]
    state = other.ask("state", client.sid)
    assert state["closed"] is False and state["tag"] == "red"
    assert other.ask("room", {"room": "red", "n": 4}) == 1
    assert client.catch_up() == [1, 2, 3, 4]


def test_who_is_away_is_not_among_the_connected(server, client, other):
    before = other.ask("state", client.sid)
    client.cut()
    state = other.ask("state", client.sid)
    assert state["connected"] == before["connected"] - 1
    assert state["known"], "getClient finds it all the same: messages reach it"
    assert other.ask("stats")["sessionsDetached"] >= 1


def test_from_the_first_message_on(client, other):
    client.cut()
    other.ask("tell", {"to": client.sid, "count": 2})
    client.come_back(pp_offset=0)
    assert client.recovery["recovered"] and client.recovery["missedCount"] == 2
    assert client.catch_up() == [1, 2]
    client.cut()
    client.come_back()
    assert client.recovery["missedCount"] == 0
    assert client.catch_up() == [1, 2]


def test_volatile_messages_are_not_for_who_is_away(client, other):
    other.ask("tell", {"to": client.sid, "volatile": True})
    client.catch_up()
    client.cut()
    other.ask("tell", {"to": client.sid, "from": 2, "volatile": True})
    other.ask("tell", {"to": client.sid, "from": 3})
    client.come_back()
    assert client.catch_up() == [1, 3]


def test_an_ack_may_come_on_the_next_connection(server, client, other):
    other.ask("ask", client.sid)
    question = client.receive_frame("question").envelope
    client.cut()
    client.come_back()
    client.send(frame("__pp_ack", {"ackId": question["__ackId"], "args": ["late"]}))
    assert server.said("answer", None, "late")
    client.cut()
    other.ask("ask", client.sid)
    client.come_back()
    question = client.receive_frame("question").envelope
    client.send(frame("__pp_ack", {"ackId": question["__ackId"], "args": ["asked while away"]}))
    assert server.said("answer", None, "asked while away")


# --- the token


def test_a_token_stays_good_until_its_successor_is_known_to_have_arrived(client, other):
    first = client.token
    client.cut()
    for _ in range(3):  # the answer is lost each time
        ws = WebSocket(client.server, query=client.query(pp_rtoken=first))
        ws.read_exactly(10)
        ws.reset()
    other.ask("tell", {"to": client.sid})
    client.come_back(pp_rtoken=first)
    assert client.recovery["recovered"]
    assert client.catch_up() == [1]  # a message: from here on the first token is stale
    sid = client.sid
    client.cut()
    stale = Client(client.server, client.query(pp_rtoken=first))
    assert stale.errors == ["RECOVERY_AUTH_ERROR"] and stale.sid != sid
    assert stale.recovery == {"sid": stale.sid, "offset": 0, "recovered": False, "missedCount": 0}
    client.come_back()
    assert client.recovery["recovered"], "and the session is unharmed"


def test_a_pong_makes_the_old_token_stale(client):
    first = client.token
    client.cut()
    client.come_back()
    with pytest.raises(TimeoutError):  # the ping is answered on the way
        client.ws.sock.settimeout(0.2)
        client.ws.receive()
    client.cut()
    stale = Client(client.server, client.query(pp_rtoken=first))
    assert stale.errors == ["RECOVERY_AUTH_ERROR"]


@pytest.mark.parametrize("token", ["", "0" * 64, "x", "ü" * 32, "0" * 65, "a" * 3000, "%00"])
def test_a_forged_token_gets_a_session_of_its_own(client, other, token):
    client.catch_up()
    forger = Client(client.server, client.query(pp_rtoken=token))
    assert forger.errors == ["RECOVERY_AUTH_ERROR"] and forger.sid != client.sid
    assert forger.recovery["recovered"] is False
    assert client.server.said("connection", forger.sid) == [forger.sid, False, 1, "token"]
    other.ask("tell", {"to": client.sid})
    assert client.catch_up() == [1], "whose session it is has noticed nothing"
    assert forger.catch_up() == []


def test_a_token_of_another_session_is_no_good(client, other):
    thief = Client(client.server, client.query(pp_rtoken=other.token))
    assert thief.errors == ["RECOVERY_AUTH_ERROR"] and thief.sid not in (client.sid, other.sid)


def test_the_token_is_an_hmac_of_what_it_is_for():
    secret = "a secret that nodes may share"
    with Recovering(f"recoverySecret = '{secret}'") as server:
        client = Client(server)
        for generation in range(1, 4):
            said = f"{client.sid}{client.first.payload['epoch']}{generation}"
            assert client.token == hmac.new(secret.encode(), said.encode(), "sha256").hexdigest()
            client.cut()
            client.come_back()


def test_tokens_of_an_earlier_start_are_unknown():
    with Recovering("recoverySecret = 'the same secret in both'") as first:
        client = Client(first)
        client.ws.close()
    with Recovering("recoverySecret = 'the same secret in both'") as second:
        client.server = second
        client.come_back()
        assert client.recovery["recovered"] is False and client.errors == []
        assert second.said("connection", client.sid)[3] == "unknown"


def test_the_conversation_in_the_document(other):
    """Words with a dollar stand for what the server says; the same word, the same value."""
    document = (ROOT / "docs" / "protocol.md").read_text()
    said, line = {}, None
    for step in re.search(r"(?ms)^```talk name=recovery\n(.*?)^```$", document).group(1).splitlines():
        word, _, rest = step.partition(" ")
        filled = re.sub(r"\$(\w+)", lambda found: said.get(found[1], found[0]), rest)
        if word == "connect":
            line = WebSocket(other.server, "/" + filled)
        elif word == "<":
            found = json.dumps(parse_frame(line.receive()).envelope, separators=(",", ":"))
            pattern = re.sub(r"\\\$(\w+)", r"(?P<\1>[0-9a-f-]{36,64})", re.escape(filled))
            matched = re.fullmatch(pattern, found)
            assert matched, f"{found} is not {filled}"
            said.update(matched.groupdict())
        elif word == "!":
            other.ask("plain", {"to": said["sid"], "payload": int(rest.split()[1])})
        elif word == "pong":
            line.send_bytes(ws_frame(PONG))
        elif word == "cut":
            line.close()
            other.server.said("gone", said["sid"])
    assert len(set(said.values())) == 6


# --- offsets and ids


@pytest.mark.parametrize("offset", ["-1", "4", "x", "", "1e1", "99999999999999999999999", "0x1", " 1", "1.0", "18446744073709551615"])
def test_an_offset_that_cannot_be_gets_a_fresh_session(server, client, other, offset):
    other.ask("tell", {"to": client.sid, "count": 3})
    client.catch_up()
    sid = client.sid
    client.cut()
    client.come_back(pp_offset=offset)
    assert client.sid != sid and client.errors == []
    assert client.recovery == {"sid": client.sid, "offset": 0, "recovered": False, "missedCount": 0}
    assert server.said("connection", client.sid) == [client.sid, False, 1, "gap"]


@pytest.mark.parametrize("sid", ["", "x", "0" * 36, "0" * 37, "s" * 3000, "ü", "a&b"])
def test_a_session_that_nobody_knows(server, client, sid):
    client.cut()
    client.come_back(pp_sid=sid)
    assert client.errors == [] and client.recovery["recovered"] is False
    assert server.said("connection", client.sid) == [client.sid, False, 1, "unknown"]
    assert client.catch_up() == []


def test_more_than_is_kept_is_a_gap_and_said_so(other, client):
    client.cut()
    other.ask("tell", {"to": client.sid, "count": 101})
    sid = client.sid
    client.come_back()
    assert client.sid != sid and client.recovery["recovered"] is False
    assert other.ask("tell", {"to": sid}) == 0, "nobody can go on with that session: it is over"


def test_as_much_as_is_kept(other, client):
    client.cut()
    other.ask("tell", {"to": client.sid, "count": 100})
    client.come_back()
    assert client.recovery["missedCount"] == 100
    assert client.catch_up() == list(range(1, 101))


# --- how connections end


@pytest.mark.parametrize("code", [1000, None])
def test_a_goodbye_ends_the_session(server, client, other, code):
    client.ask("join", "blue")
    client.ws.send_bytes(ws_frame(CLOSE)) if code is None else client.ws.send_close(code)
    client.ws.expect_close()
    server.said("gone", client.sid, "client disconnect")
    server.said("left", "blue", client.sid)
    client.come_back()
    assert client.recovery["recovered"] is False


@pytest.mark.parametrize("code", [1001, 1011, 4000])
def test_another_close_of_the_clients_may_be_an_accident(server, client, code):
    client.ws.send_close(code)
    client.ws.expect_close()
    server.said("gone", client.sid, "client disconnect", code)
    client.come_back()
    assert client.recovery["recovered"]


def test_what_the_application_closes_is_over(server, client, other):
    other.ask("end", client.sid)
    assert client.expect_close() == (1000, "")
    client.ws.close()
    client.come_back()
    assert client.recovery["recovered"] is False


def test_the_application_closes_who_is_away(server, client, other):
    client.ask("join", "green")
    client.cut()
    other.ask("end", client.sid)
    server.said("left", "green", client.sid)
    assert other.ask("tell", {"to": client.sid}) == 0
    client.come_back()
    assert client.recovery["recovered"] is False


def test_a_session_that_is_connected_is_taken_over(server, client, other):
    other.ask("tell", {"to": client.sid})
    client.catch_up()
    old = client.ws
    client.come_back()
    assert client.recovery == {"sid": client.sid, "offset": 1, "recovered": True, "missedCount": 0}
    assert old.expect_close() == (4009, "session taken over")
    assert server.said("gone", client.sid) == [client.sid, "transport close", 4009]
    other.ask("tell", {"to": client.sid, "from": 2})
    assert client.catch_up() == [1, 2]


def test_silence_is_no_end():
    with Recovering("heartbeat = { interval = 50, timeout = 50 }") as server:
        client, other = Client(server), Client(server)
        server.said("gone", client.sid, "Ping timeout")
        other.come_back()
        other.ask("tell", {"to": client.sid})
        client.ws.close()
        client.come_back()
        assert client.recovery["missedCount"] == 1


def test_what_is_malformed_ends_the_session(client):
    client.ws.send(b"not a frame at all")
    assert client.expect_close()[0] == 4011
    client.come_back()
    assert client.recovery["recovered"] is False


# --- bounds


def test_retention_ends(server):
    with Recovering("recovery = { retentionMs = 50 }") as short:
        client, other = Client(short), Client(short)
        client.ask("join", "red")
        client.cut()
        short.said("left", "red", client.sid)
        assert other.ask("stats")["sessionsExpired"] == 1
        client.come_back()
        assert client.recovery["recovered"] is False
        assert short.said("connection", client.sid)[3] == "unknown"


def test_the_oldest_gives_way_where_all_together_are_too_much():
    with Recovering("recovery = { maxTotalBytes = 16384 }") as server:
        other = Client(server)
        clients = [Client(server) for _ in range(10)]
        for client in clients:
            client.cut()
        stats = other.ask("stats")
        assert stats["recoveryBytes"] <= 16384 and stats["sessionsEvicted"] == 10 - stats["sessionsDetached"] >= 2
        back = [client.come_back().recovery["recovered"] for client in clients]
        assert back == sorted(back) and back[-1] and not back[0]


def test_one_message_to_all_is_kept_once():
    with Recovering("recovery = { maxTotalBytes = 10000000 }") as server:
        clients = [Client(server) for _ in range(40)]
        before = clients[0].ask("stats")["recoveryBytes"]
        clients[0].ask("tell", {"to": clients[1].sid, "text": "x" * 100000})
        one = clients[0].ask("stats")["recoveryBytes"] - before
        clients[0].send(frame("chat", {"n": 1, "name": "y" * 100000}))
        clients[0].ask("who")
        all = clients[0].ask("stats")["recoveryBytes"] - before - one
        assert all < one + 40 * 100


def test_options_are_checked(tmp_path):
    for options, complaint in [
        ("recovery = { maxBuffersize = 3 }", "maxBufferSize"),
        ("recovery = { retentionMs = 0 }", "retentionMs"),
        ("recoverySecret = 'short'", "recoverySecret"),
        ("recovery = 3", "recovery"),
    ]:
        with pytest.raises(AssertionError, match=complaint):
            with Recovering(options):
                pass
