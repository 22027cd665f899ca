"""How connections end: every close code and reason that the runtime gives, the limits that lead there, and the drain."""
import signal
import time

import pytest

from lab import Asker, Lab, client_id
from painda import (
    BINARY_MESSAGE, CLOSE, PING, PONG, Closed, RawSocket, Server, WebSocket, envelope, eventually, frame, handshake_request, header, parse_frame,
    parse_frames, raw_frame, ws_frame,
)  # fmt: skip

pytestmark = pytest.mark.asan


def ended(server, id, reason, code):
    """The application was told, once for the client and once for the server."""
    assert server.said("disconnect", id) == [id, reason, code]
    assert server.said("gone", id) == [id, reason, code]
    assert sum(line[0] == id for line in server.says("disconnect")) == 1


# --- closed by the client


@pytest.mark.parametrize("code, reason", [(1000, "bye"), (1001, ""), (1011, ""), (3000, "own"), (4999, "ü" * 50)])
def test_a_close_is_answered_with_its_code(lab, code, reason):
    with WebSocket(lab) as ws:
        mine = client_id(ws)
        ws.send_close(code, reason)
        assert ws.expect_close() == (code, "")
        assert ws.read_to_end() == b"", "the line ends behind it"
        ended(lab, mine, "client disconnect", code)


def test_a_close_without_a_code(lab):
    with WebSocket(lab) as ws:
        mine = client_id(ws)
        ws.send_bytes(ws_frame(CLOSE))
        assert ws.expect_close() == (1005, "")
        ended(lab, mine, "client disconnect", 1005)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_line_that_ends_is_a_transport_close(lab, how):
    ws = WebSocket(lab)
    mine = client_id(ws)
    getattr(ws, how)()
    ended(lab, mine, "transport close", 1006)


def test_what_was_sent_before_a_close_is_handled(lab):
    with WebSocket(lab) as ws:
        ws.send(frame("echo", "last"))
        ws.send_close()
        assert ws.receive_frame().payload == "last"
        assert ws.expect_close()[0] == 1000


# --- closed by the server


def test_close_is_1000_and_ends_the_line(lab):
    with WebSocket(lab) as ws:
        mine = client_id(ws)
        ws.send(frame("close-me"))
        assert ws.expect_close() == (1000, "")
        ws.send_close()
        assert ws.read_to_end() == b""
        ended(lab, mine, "forced server disconnect", 1000)


@pytest.mark.parametrize("code, reason", [(3000, "sent away"), (4999, "")])
def test_close_with_a_code_of_the_application(lab, code, reason):
    with WebSocket(lab) as ws:
        mine = client_id(ws)
        ws.send(frame("close-me", {"code": code, "reason": reason}))
        assert ws.expect_close() == (code, reason)
        ended(lab, mine, "forced server disconnect", code)


@pytest.mark.parametrize("code", [0, 999, 1001, 1005, 1006, 2000, 2999, 5000, -1, 1e9, 1000.5])
def test_close_with_another_code_is_an_error(ws, code):
    ws.send(frame("close-me", {"code": code}, ack_id=1))
    assert "client:close takes a code" in ws.receive_frame("__pp_ack").payload["error"]["message"]


def test_a_long_reason_is_cut_to_fit(ws):
    ws.send(frame("close-me", {"code": 4000, "reason": "x" * 500}))
    assert ws.expect_close() == (4000, "x" * 123)


def test_a_long_reason_is_cut_between_characters(ws):
    ws.send(frame("close-me", {"code": 4000, "reason": "ü" * 100}))
    assert ws.expect_close() == (4000, "ü" * 61)


def test_what_was_sent_before_is_delivered(lab):
    with WebSocket(lab) as ws:
        ws.send(frame("flood", 1000))
        ws.send(frame("close-me"))
        assert [ws.receive_frame().payload for _ in range(1000)] == list(range(1, 1001))
        assert ws.expect_close()[0] == 1000


def test_a_peer_that_does_not_answer_a_close_is_cut_off(lab):
    with WebSocket(lab) as ws:
        client_id(ws)
        ws.send(frame("close-me"))
        assert ws.expect_close()[0] == 1000
        assert ws.read_to_end() == b""  # without an answer from here


@pytest.mark.parametrize("field", [{"version": 1}, {"version": 3}, {"version": 0}, {"version": 65535}])
def test_another_version_closes_with_4010(lab, field):
    with WebSocket(lab) as ws:
        mine = client_id(ws)
        body = envelope("echo", 1)
        ws.send(header(len(body), **field) + body)
        assert ws.expect_close() == (4010, "Invalid Protocol Version")
        ended(lab, mine, "Invalid Protocol Version", 4010)


@pytest.mark.parametrize("magic", [0, 0x444E5050, 0x50504E45])
def test_another_magic_closes_with_4011(lab, magic):
    with WebSocket(lab) as ws:
        mine = client_id(ws)
        body = envelope("echo", 1)
        ws.send(header(len(body), magic=magic) + body)
        assert ws.receive_frame("__pp_error").payload["code"] == "DECODE_ERROR"
        assert ws.expect_close()[0] == 4011
        ended(lab, mine, "forced server disconnect", 4011)


def test_the_tenth_malformed_frame_closes_with_4011(lab):
    with WebSocket(lab) as ws:
        mine = client_id(ws)
        for _ in range(9):
            ws.send(raw_frame(b"bad"))
            assert ws.receive_frame().payload["code"] == "DECODE_ERROR"
        ws.send(frame("echo", "good between"))
        assert ws.receive_frame().payload == "good between"
        ws.send(raw_frame(b"bad") + frame("echo", "too late"))
        ws.send(frame("echo", "too late"))
        assert ws.receive_frame().payload["code"] == "DECODE_ERROR"
        assert ws.expect_close()[0] == 4011
        ended(lab, mine, "forced server disconnect", 4011)


def test_a_message_above_maxPayload_closes_with_1009():
    with Lab("maxPayload = 2000") as server, WebSocket(server) as ws:
        mine = client_id(ws)
        ws.send(frame("echo", "x" * 2000))
        assert ws.expect_close()[0] == 1009
        ended(server, mine, "transport close", 1009)


# --- how many


def test_connections_of_one_address_are_bounded():
    with Lab("maxConnectionsPerIp = 3") as server:
        sockets = [WebSocket(server) for _ in range(3)]
        for socket in sockets:
            client_id(socket)
        with WebSocket(server) as fourth:
            code, reason = fourth.expect_close()
            assert code == 4029 and "too many connections" in reason
        assert Asker(sockets[0])("stats")["refused"] == 1
        sockets.pop().close()
        eventually(lambda: Asker(sockets[0])("stats")["clients"] == 2)
        with WebSocket(server) as again:
            assert Asker(again)("echo", 1) == 1
            server.said("open", client_id(again))
            assert len(server.says("open")) == 4, "the application never heard of the one refused"
        for socket in sockets:
            socket.close()


def test_fifty_connections_of_one_address_are_the_default(lab):
    with Lab() as server:
        sockets = [WebSocket(server) for _ in range(51)]
        assert Asker(sockets[0])("echo", 1) == 1
        with sockets[50] as last:
            assert last.expect_close()[0] == 4029
        for socket in sockets:
            socket.close()


# --- how fast


def test_messages_above_the_rate_are_dropped_and_told_once():
    options = "rateLimit = { maxPerMinute = 20, onLimit = function(client) say('limited', client.id) end }"
    with Lab(options) as server, WebSocket(server) as ws, WebSocket(server) as other:
        for i in range(50):
            ws.send(frame("echo", i))
        ws.send_ping(b"end")
        got, errors = [], []
        while True:
            opcode, _, data = ws.read_ws_frame()
            if opcode == PONG:
                break
            answer = parse_frame(data)
            (errors if answer.type == "__pp_error" else got).append(answer.payload)
        assert got == list(range(20))
        assert [error["code"] for error in errors] == ["RATE_LIMIT_ERROR"]
        server.said("limited")
        assert Asker(other)("stats")["rateLimited"] == 30
        assert len(server.says("limited")) == 1


def test_the_rate_of_a_second_passes():
    with Lab("maxMessagesPerSecond = 5") as server, WebSocket(server) as ws:
        for i in range(20):
            ws.send(frame("echo", i))
        assert [ws.receive_frame("echo").payload for _ in range(5)] == list(range(5))

        ws.sock.settimeout(0.2)

        def let_in():
            ws.send(frame("echo", "later"))
            try:
                return ws.receive_frame("echo").payload == "later"
            except TimeoutError:
                return False

        eventually(let_in, "another message let in")


def test_each_frame_of_a_batch_counts_for_the_rate():
    with Lab("rateLimit = { maxPerMinute = 10 }") as server, WebSocket(server, query={"pp_caps": "batch"}) as ws:
        ws.send(b"".join(frame("echo", i) for i in range(30)))
        ws.send_close()
        got = []
        with pytest.raises(Closed):
            while True:
                got += [part.payload for part in parse_frames(ws.receive()) if part.type == "echo"]
        assert got == list(range(10))


# --- how long in silence


def test_silence_is_asked_about_and_ends_with_Ping_timeout():
    with Lab("heartbeat = { interval = 50, timeout = 100 }") as server, WebSocket(server) as ws:
        mine = client_id(ws)
        assert ws.read_ws_frame()[0] == PING  # and no pong
        opcode, _, payload = ws.read_ws_frame()
        assert (opcode, payload[:2]) == (CLOSE, b"\x03\xe9")
        assert ws.read_to_end() == b""
        ended(server, mine, "Ping timeout", 1001)


def test_pongs_and_any_message_keep_a_connection():
    with Lab("heartbeat = { interval = 100, timeout = 5000 }") as server:
        with WebSocket(server) as ponger, WebSocket(server) as talker:
            client_id(ponger), client_id(talker)
            pings = 0
            until = time.monotonic() + 1
            while time.monotonic() < until or pings < 3:
                opcode, _, payload = ponger.read_ws_frame()
                assert opcode == PING
                pings += 1
                ponger.send_bytes(ws_frame(PONG, payload))
                talker.send(frame("echo", pings))
                assert talker.receive_frame("echo").payload == pings
            assert not server.says("disconnect")


def test_the_heartbeat_can_be_off():
    with Lab("heartbeat = false") as server, WebSocket(server) as ws:
        client_id(ws)
        ws.sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            ws.read_ws_frame()


def test_a_line_that_vanishes_without_a_word_is_noticed():
    """What a pulled cable looks like: nothing arrives, nothing is answered, and sends go nowhere."""
    with Lab("heartbeat = { interval = 50, timeout = 100 }") as server:
        dead = WebSocket(server)
        mine = client_id(dead)
        with WebSocket(server) as alive:
            while not server.says("disconnect"):
                opcode, _, payload = alive.read_ws_frame()
                assert opcode == PING
                alive.send_bytes(ws_frame(PONG, payload))
            ended(server, mine, "Ping timeout", 1001)
            dead.close()


# --- how much


@pytest.mark.parametrize("size", [100_000, 900_000, 3_000_000, 8_000_000])
def test_one_large_message_reaches_a_client_that_reads(size):
    with Lab('compression = "none"') as server, WebSocket(server) as ws:
        ws.send(frame("big", size))
        assert len(ws.receive_frame("big").payload) == size


def test_volatile_messages_are_dropped_for_a_client_that_is_behind():
    source = """
    local painda = require "painda"
    local server = painda.PPServer { port = 3000, compression = "none", volatileAbove = 10000 }
    server:on("go", function(client)
      for i = 1, 100 do
        client:send({ type = "volatile", payload = ("x"):rep(1000) }, { volatile = true })
      end
      server:broadcastVolatile { type = "volatile", payload = "of a broadcast" }
      client:emit("done", server:getStats().dropped)
    end)
    """
    with Server(source) as server, WebSocket(server) as ws:
        ws.send(frame("go"))
        count = 0
        while True:
            got = ws.receive_frame()
            if got.type == "done":
                break
            count += 1
        assert count == 10  # 10 of 1 KB each, then it is behind until the turn's end
        assert got.payload == 91


def test_listeners_and_tags_of_a_client_are_bounded():
    source = """
    local painda = require "painda"
    local server = painda.PPServer { port = 3000, maxListeners = 5, maxTags = 5 }
    server:on("fill", function(client, _, ack)
      local function fill(what)
        for i = 1, 10 do
          local ok, err = pcall(what, i)
          if not ok then return { i, tostring(err) } end
        end
      end
      ack(nil, {
        fill(function(i) client:on("type" .. i, print) end),
        fill(function(i) client:setTag("tag" .. i) end),
      })
    end)
    """
    with Server(source) as server, WebSocket(server) as ws:
        listeners, tags = Asker(ws)("fill")
        assert listeners[0] == 6 and "maxListeners" in listeners[1]
        assert tags[0] == 6 and "maxTags" in tags[1]


# --- the end of the server


def drain(server, *sockets):
    """Sends SIGTERM and returns when the clients know."""
    server.send_signal(signal.SIGTERM)
    return [socket.receive_frame("__pp_shutdown").payload for socket in sockets]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_clients_are_told_and_closed_with_1001(number):
    with Lab() as server, WebSocket(server) as one, WebSocket(server) as text:
        ids = [client_id(one), Asker(text, text=True)("who")]
        server.send_signal(number)
        told = one.receive_frame("__pp_shutdown").payload
        assert isinstance(told["reason"], str) and told["timeoutMs"] == 5000
        assert text.receive_json("__pp_shutdown")["payload"] == told
        assert [socket.expect_close() for socket in (one, text)] == [(1001, "server shutting down")] * 2
        for socket in (one, text):
            socket.send_close(1001)
        for id in ids:
            ended(server, id, "server shutdown", 1001)
        assert server.wait() == 0
        assert server.says("server closed")


def test_a_handler_that_waits_is_let_finish():
    with Lab() as server, WebSocket(server) as ws:
        mine = client_id(ws)
        ws.send(frame("sleep", 600, ack_id=1))
        server.said("sleeping", mine)
        drain(server, ws)
        assert ws.receive_frame("slept").envelope["payload"] is None
        assert ws.receive_frame("__pp_ack").payload["args"] == ["slept"]
        assert ws.expect_close()[0] == 1001
        ws.send_close(1001)
        assert server.wait() == 0


def test_no_one_is_let_in_during_the_drain():
    with Lab() as server, WebSocket(server) as ws:
        mine = client_id(ws)
        early = RawSocket(server)  # accepted, and has not said a word
        ws.send(frame("sleep", 1500))
        server.said("sleeping", mine)
        drain(server, ws)
        with pytest.raises((OSError, AssertionError, Closed)):
            with WebSocket(server) as late:
                Asker(late)("echo", 1)
        early.send_bytes(handshake_request())
        assert b" 101 " not in early.read_to_end()
        early.close()
        assert Asker(ws)("echo", "still served") == "still served"
        assert ws.expect_close()[0] == 1001
        ws.send_close()
        assert server.wait() == 0


def test_the_drain_ends_in_time_whatever_clients_and_handlers_do():
    with Lab("", "--shutdown-timeout", "600") as server:
        stubborn = [WebSocket(server) for _ in range(3)]  # never answer a close
        mine = client_id(stubborn[0])
        stubborn[0].send(frame("sleep", 3_600_000))
        server.said("sleeping", mine)
        began = time.monotonic()
        server.send_signal(signal.SIGTERM)
        assert server.wait() == 0
        assert time.monotonic() - began < 4, "that is 5 s by default"
        for socket in stubborn:
            socket.close()


def test_a_second_signal_ends_it_at_once():
    server = Lab()
    server.start()
    try:
        with WebSocket(server) as ws:
            mine = client_id(ws)
            ws.send(frame("sleep", 3_600_000))
            server.said("sleeping", mine)
            drain(server, ws)
            began = time.monotonic()
            server.send_signal(signal.SIGTERM)
            assert server.wait() != 0
            assert time.monotonic() - began < 3
    finally:
        server.kill()


def test_a_drain_under_load_loses_nothing_that_was_answered():
    with Lab("maxConnectionsPerIp = 0") as server:
        sockets = [WebSocket(server) for _ in range(30)]
        for n, socket in enumerate(sockets):
            socket.send_bytes(b"".join(ws_frame(2, frame("echo", [n, i])) for i in range(200)))
        for socket in sockets:
            socket.receive_frame("echo")
        server.send_signal(signal.SIGTERM)
        for n, socket in enumerate(sockets):
            got = [0]
            try:
                while True:
                    answer = socket.receive_frame()
                    if answer.type == "echo":
                        got.append(answer.payload[1])
            except Closed as closed:
                assert closed.code == 1001
            assert got == list(range(len(got)))
            socket.send_close(1001)
            socket.close()
        assert server.wait() == 0


def test_all_that_was_sent_is_written_before_the_end():
    with Lab('compression = "none", maxBackpressure = 16 * 1024 * 1024') as server, WebSocket(server) as ws:
        big = frame("big", 8_000_000)  # more than the system takes at once
        ws.send_bytes(ws_frame(BINARY_MESSAGE, big) + ws_frame(BINARY_MESSAGE, frame("echo", "and this")))
        ws.read_exactly(1)
        server.send_signal(signal.SIGTERM)
        server.wait_for("shutting down")
        ws.buffer = b"\x82" + ws.buffer
        assert len(ws.receive_frame().payload) == 8_000_000
        assert ws.receive_frame().payload == "and this"
        assert ws.receive_frame().type == "__pp_shutdown"
        assert ws.expect_close()[0] == 1001
        ws.send_close(1001)
        assert server.wait() == 0


def test_nothing_of_a_unix_socket_is_left(tmp_path):
    path = tmp_path / "lab.sock"
    with Lab(f'host = "unix:{path}"', port=None, listens=False) as server:
        server.wait_for("listening")
        assert path.exists()
    assert not path.exists()
