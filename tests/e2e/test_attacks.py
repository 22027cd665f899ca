"""What a hostile peer sends below the frames of Painda: handshakes, WebSocket frames, floods. Each is refused as RFC 6455 or
the protocol says, costs little, and leaves the server serving the others."""
import struct
import threading
import time
import zlib

import pytest

from lab import LEAN, Asker, Lab, client_id, drain_to_close, still_serves
from painda import (
    BINARY_MESSAGE, CLOSE, CONTINUATION, PING, PONG, TEXT, Closed, RawSocket, WebSocket, envelope, eventually, frame,
    handshake_request, raw_frame, ws_frame,
)  # fmt: skip

pytestmark = pytest.mark.asan

MIB = 1 << 20


@pytest.fixture(scope="module")
def lab():
    with Lab("maxConnectionsPerIp = 0") as server:
        yield server
        still_serves(server)


def answer_to(server, request, tls=None):
    """Everything the server says to these bytes until it ends the line (or falls silent)."""
    with RawSocket(server, timeout=3, tls=tls) as line:
        line.send_bytes(request)
        try:
            return line.read_to_end()
        except TimeoutError:
            return line.buffer


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else None


# --- the handshake


def test_h2c_is_not_upgraded_to(lab):
    answer = answer_to(
        lab,
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    )
    assert b" 101 " not in answer and b"h2c" not in answer.lower()


def test_http2_without_asking_is_not_spoken(lab):
    answer = answer_to(lab, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
    assert not answer or answer.startswith(b"HTTP/1.")


@pytest.mark.parametrize("upgrade", ["h2c", "h2", "tls/1.0", "raw", "websockets", "", "webSocket, h2c", "h2c, websocket"])
def test_only_websocket_is_upgraded_to(lab, upgrade):
    answer = answer_to(lab, handshake_request(Upgrade=upgrade))
    assert b"101" not in answer.split(b"\r\n")[0]


def test_the_word_websocket_has_no_case(lab):
    with WebSocket(lab, Upgrade="WebSocket", Connection="keep-alive, UPGRADE") as ws:
        assert Asker(ws)("echo", 1) == 1


@pytest.mark.parametrize("version", ["8", "7", "0", "12", "14", "130", "13, 8", "x", ""])
def test_another_version_is_refused_with_ours(lab, version):
    answer = answer_to(lab, handshake_request(Sec_WebSocket_Version=version))
    assert status_of(answer) in (426, 400), answer
    if version.isdigit():
        assert status_of(answer) == 426
        assert b"sec-websocket-version: 13" in answer.lower()


@pytest.mark.parametrize("drop", [["Sec-WebSocket-Key"], ["Upgrade"], ["Connection"], ["Sec-WebSocket-Version"]])
def test_a_handshake_with_a_part_missing_is_refused(lab, drop):
    answer = answer_to(lab, handshake_request(drop=drop))
    assert status_of(answer) not in (101, 200), answer


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "FOO"])
def test_only_get_upgrades(lab, method):
    answer = answer_to(lab, handshake_request().replace(b"GET", method.encode(), 1))
    assert status_of(answer) != 101, answer


@pytest.mark.parametrize(
    "request_bytes",
    [b"\x00" * 100, b"\r\n" * 1000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
     b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
     b"GET / HTTP/1.1\r\n" + b": \r\n" * 100 + b"\r\n", b"GET / HTTP/1.1\nHost: x\n\n", bytes(range(256)) * 10,
     b"GET /%00%ff%zz?%=&&=&a HTTP/1.1\r\nHost: x\r\n\r\n"],
)  # fmt: skip
def test_garbage_is_no_handshake(lab, request_bytes):
    assert status_of(answer_to(lab, request_bytes)) not in (101, 200)
    still_serves(lab)


def test_sixteen_kilobytes_of_headers(lab):
    for filler in ({"X_Long": "x" * 16_384}, {f"X_{i}": "y" * 100 for i in range(160)}, {"Cookie": "c" * 16_384}):
        answer = answer_to(lab, handshake_request(**filler))
        assert status_of(answer) in (None, 101, 400, 413, 431), answer
    answer = answer_to(lab, handshake_request(path="/?token=" + "t" * 16_384))
    assert status_of(answer) in (None, 101, 400, 413, 414, 431), answer
    still_serves(lab)


def test_headers_without_end(lab):
    before = lab.rss()
    with RawSocket(lab) as line:
        line.send_bytes(b"GET / HTTP/1.1\r\n")
        with pytest.raises(OSError):
            for i in range(1_000_000):
                line.send_bytes(b"X-%d: %s\r\n" % (i, b"z" * 200))
    assert lab.rss() - before < 4 * MIB


def test_line_breaks_do_not_get_into_the_log(lab):
    mark = lab.mark()
    with WebSocket(lab, "/%0d%0alevel=error", query={"token": "x\r\n2026 error forged\x1b[31m"}) as ws:
        Asker(ws)("handshake")
        for text in ("first\r\n2026-01-01 error forged", "second\x1b[31mforged", "third\tforged\x07\x00"):
            ws.send(frame("raise-text", text))
            lab.wait_for(text.split("\r")[0].split("\x1b")[0].split("\t")[0], after=mark)
        ws.send(frame("mark"))
        lab.said("mark", client_id(ws))
    lines = [line for line in lab.log.splitlines()[mark:] if not line.startswith("say ")]
    assert [line for line in lines if "forged" in line]
    assert not [line for line in lines if any(c in line for c in "\x1b\x07\x00") or line.startswith("2026-01-01")]


@pytest.mark.parametrize(
    "host", ["listener-1", "client", "client insecure", "default", "*", "evil.example:99999", "[::1]", "a" * 1000]
)
def test_whatever_host_is_asked_for_the_same_server_answers(lab, host):
    with WebSocket(lab, Host=host) as ws:
        assert Asker(ws)("handshake")["headers"].get("host", "") == host


# --- origins and addresses


@pytest.mark.parametrize(
    "origin, status",
    [
        (None, 101),
        ("https://example.com", 101),
        ("HTTPS://EXAMPLE.COM", 101),
        ("https://a.example.org", 101),
        ("https://a.b.example.org", 101),
        ("http://localhost:8080", 101),
        ("null", 403),
        ("", 101),  # as good as none: browsers send none or a real one
        ("http://example.com", 403),
        ("https://example.com:8443", 403),
        ("https://example.com.evil.net", 403),
        ("https://evilexample.com", 403),
        ("https://example.org", 403),
        ("https://evilexample.org", 403),
        ("https://example.org.evil.net", 403),
        ("http://localhost", 403),
        ("http://localhost:80801", 403),
        ("https://exampleXcom", 403),
        ("https://example.com/", 403),
        ("https://example.com@evil.net", 403),
        ("file://", 403),
        ("javascript:alert(1)", 403),
    ],
)
def test_foreign_origins_are_refused(origins, origin, status):
    headers = {} if origin is None else {"Origin": origin}
    answer = answer_to(origins, handshake_request(**headers)) if status != 101 else None
    if status == 101:
        with WebSocket(origins, **headers) as ws:
            assert Asker(ws)("echo", 1) == 1
    else:
        assert status_of(answer) == status, answer


@pytest.fixture(scope="module")
def origins():
    with Lab('allowedOrigins = { "https://example.com", "*.example.org", "http://localhost:8080" }') as server:
        yield server


@pytest.mark.parametrize(
    "first, second", [("https://example.com", "https://evil.net"), ("https://evil.net", "https://example.com"), ("null", "null")]
)
def test_two_origins_are_none_that_is_allowed(origins, first, second):
    assert status_of(answer_to(origins, handshake_request(Origin=f"{first}\r\nOrigin: {second}"))) == 403


def test_refused_origins_are_counted(origins):
    with WebSocket(origins) as ws:
        before = Asker(ws)("stats")["refused"]
        answer_to(origins, handshake_request(Origin="https://evil.net"))
        assert Asker(ws)("stats")["refused"] == before + 1


def address_of(server, **headers):
    with WebSocket(server, **headers) as ws:
        return Asker(ws)("handshake")["address"]


def test_forwarded_addresses_are_not_believed_from_anyone(lab):
    for value in ("1.2.3.4", "1.2.3.4, 127.0.0.1", "::1"):
        assert address_of(lab, X_Forwarded_For=value) == "127.0.0.1"


@pytest.fixture(scope="module")
def proxied():
    with Lab('trustedProxies = { "127.0.0.0/8", "10.0.0.0/8", "fd00::/8" }, maxConnectionsPerIp = 2') as server:
        yield server


@pytest.mark.parametrize(
    "value, address",
    [
        ("1.2.3.4", "1.2.3.4"),
        ("9.9.9.9, 1.2.3.4", "1.2.3.4"),  # what stands left of the last untrusted hop is the client's own invention
        ("9.9.9.9, 1.2.3.4, 10.0.0.1,10.1.1.1", "1.2.3.4"),
        ("2001:db8::1, fd00::5", "2001:db8::1"),
        ("nonsense", "127.0.0.1"),
        ("1.2.3.4, nonsense, 10.0.0.1", "10.0.0.1"),
        ("", "127.0.0.1"),
        (", ,", "127.0.0.1"),
        ("x" * 500, "127.0.0.1"),
    ],
)
def test_forwarded_addresses_are_believed_from_trusted_proxies(proxied, value, address):
    assert address_of(proxied, X_Forwarded_For=value) == address


def test_forwarded_addresses_in_two_headers_are_one_list(proxied):
    """Some proxies add a header of their own behind the one that the client invented."""
    with WebSocket(proxied, X_Forwarded_For="9.9.9.9\r\nX-Forwarded-For: 1.2.3.4") as ws:
        assert Asker(ws)("handshake")["address"] == "1.2.3.4"
    with WebSocket(proxied, X_Forwarded_For="9.9.9.9\r\nX-Forwarded-For: 1.2.3.4, 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2") as ws:
        assert Asker(ws)("handshake")["address"] == "1.2.3.4"


def test_limits_count_the_forwarded_address(proxied):
    with WebSocket(proxied, X_Forwarded_For="5.5.5.5") as a, WebSocket(proxied, X_Forwarded_For="5.5.5.5") as b:
        client_id(a), client_id(b)
        with WebSocket(proxied, X_Forwarded_For="6.6.6.6, 5.5.5.5") as third:
            assert third.expect_close()[0] == 4029
        with WebSocket(proxied, X_Forwarded_For="5.5.5.6") as other:
            assert Asker(other)("echo", 1) == 1


# --- frames of WebSocket


@pytest.mark.parametrize("length", [2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**32, 2 * MIB])
def test_a_huge_length_is_refused_at_once(lab, length):
    with WebSocket(lab) as ws:
        mine = client_id(ws)
        ws.send_bytes(ws_frame(BINARY_MESSAGE, b"", length=length))  # and not a byte of it
        code, _ = ws.expect_close()
        assert code in ((1009,) if length < 2**63 else (1009, 1002))
        assert lab.said("disconnect", mine)[1] == "transport close"


def test_the_limit_of_a_message_is_exact():
    with Lab("maxPayload = 1000") as server:
        body = envelope("echo", "x" * (1000 - len(envelope("echo", ""))))
        assert len(body) == 1000
        with WebSocket(server) as ws:
            ws.send(raw_frame(body))
            assert ws.receive_frame().body == body
            ws.send(body.decode())
            assert ws.receive() == body.decode()
            ws.send(raw_frame(body + b" "))
            assert ws.expect_close()[0] == 1009


@pytest.mark.parametrize("piece", [1000, 100_000])
def test_fragments_without_end_are_refused(lab, piece):
    before = lab.rss()
    with WebSocket(lab) as ws:
        ws.send_bytes(ws_frame(BINARY_MESSAGE, bytes(piece), fin=False))
        with pytest.raises((OSError, AssertionError)):
            for _ in range(100_000):
                ws.send_bytes(ws_frame(CONTINUATION, bytes(piece), fin=False))
            raise AssertionError("all were taken")
    assert lab.rss() - before < 4 * MIB
    with WebSocket(lab) as ws:
        ws.send_bytes(ws_frame(BINARY_MESSAGE, bytes(600_000), fin=False) + ws_frame(CONTINUATION, bytes(600_000), fin=False))
        assert ws.expect_close()[0] == 1009


@pytest.mark.parametrize("piece", [b"", b"x"])
def test_ten_thousand_tiny_fragments_are_refused(lab, piece):
    with WebSocket(lab) as ws:
        first = ws_frame(BINARY_MESSAGE, piece, fin=False)
        try:
            ws.send_bytes(first + ws_frame(CONTINUATION, piece, fin=False) * 10_000)
        except OSError:
            pass
        assert ws.expect_close()[0] == 1009


PROTOCOL_ERRORS = {
    "unmasked": ws_frame(BINARY_MESSAGE, frame("echo"), mask=None),
    "unmasked and empty": ws_frame(BINARY_MESSAGE, b"", mask=None),
    "unmasked ping": ws_frame(PING, b"x", mask=None),
    "reserved bit 1, that of compression": ws_frame(BINARY_MESSAGE, frame("echo"), rsv=4),
    "reserved bit 2": ws_frame(BINARY_MESSAGE, frame("echo"), rsv=2),
    "reserved bit 3": ws_frame(TEXT, b"{}", rsv=1),
    "reserved bit of a ping": ws_frame(PING, b"", rsv=4),
    **{f"opcode {code}": ws_frame(code, b"x") for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "ping in fragments": ws_frame(PING, b"x", fin=False),
    "close in fragments": ws_frame(CLOSE, struct.pack(">H", 1000), fin=False),
    "ping of 126 bytes": ws_frame(PING, bytes(126)),
    "pong of 126 bytes": ws_frame(PONG, bytes(126)),
    "ping of 70,000 bytes": ws_frame(PING, bytes(70_000)),
    "close of 126 bytes": ws_frame(CLOSE, struct.pack(">H", 1000) + bytes(124)),
    "continuation of nothing": ws_frame(CONTINUATION, b"x"),
    "continuation of nothing, unfinished": ws_frame(CONTINUATION, b"x", fin=False),
    "a message within a message": ws_frame(BINARY_MESSAGE, b"x", fin=False) + ws_frame(BINARY_MESSAGE, b"x"),
    "text within a message": ws_frame(BINARY_MESSAGE, b"x", fin=False) + ws_frame(TEXT, b"x", fin=False),
    "close of one byte": ws_frame(CLOSE, b"\x03"),
    **{
        f"close with {code}": ws_frame(CLOSE, struct.pack(">H", code))
        for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
}


@pytest.mark.parametrize("name", PROTOCOL_ERRORS)
def test_errors_of_protocol_close_with_1002(lab, name):
    with WebSocket(lab) as ws:
        mine = client_id(ws)
        ws.send_bytes(PROTOCOL_ERRORS[name])
        assert ws.expect_close()[0] == 1002
        lab.said("disconnect", mine, "transport close", 1002)


BAD_UTF8 = [
    b"\xff", b"\xc0\xaf", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\x80", b"\xe2\x82",
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_UTF8)
def test_text_that_is_not_utf8_closes_with_1007(lab, bad):
    with WebSocket(lab) as ws:
        ws.send_bytes(ws_frame(TEXT, b'{"type":"echo","payload":"' + bad + b'"}'))
        assert ws.expect_close()[0] == 1007
    with WebSocket(lab) as ws:
        ws.send_bytes(ws_frame(CLOSE, struct.pack(">H", 1000) + bad))
        assert ws.expect_close()[0] == 1007


def test_utf8_may_be_cut_by_fragments(ws):
    whole = envelope("echo", "grüß \U0001f600")
    for at in range(1, len(whole)):
        ws.send_bytes(ws_frame(TEXT, whole[:at], fin=False) + ws_frame(CONTINUATION, whole[at:]))
        assert ws.receive_json()["payload"] == "grüß \U0001f600"


def test_bad_utf8_in_a_binary_frame_is_a_malformed_message(ws):
    for bad in BAD_UTF8:
        ws.send(raw_frame(b'{"type":"echo","payload":"' + bad + b'"}'))
        assert ws.receive_frame().payload["code"] == "DECODE_ERROR"


def test_nothing_is_read_after_a_close(lab):
    with WebSocket(lab) as ws:
        client_id(ws)
        ws.send_bytes(ws_frame(CLOSE, struct.pack(">H", 1000)) + ws_frame(BINARY_MESSAGE, frame("echo", "after")))
        code, payload = None, []
        try:
            while True:
                payload.append(ws.receive())
        except Closed as closed:
            code = closed.code
        assert (code, payload) == (1000, [])


# --- control frames


def test_many_pings_in_flight_are_all_answered_in_order(ws):
    payloads = [b"%d" % i + bytes(i % 120) for i in range(1000)]
    ws.send_bytes(b"".join(ws_frame(PING, payload) for payload in payloads))
    assert [ws.read_ws_frame() for _ in payloads] == [(PONG, True, payload) for payload in payloads]


def test_a_flood_of_pings_that_nobody_reads_the_answers_of():
    with Lab(env=LEAN) as server, WebSocket(server) as ws, WebSocket(server) as other:
        client_id(ws)
        before = server.rss()
        for payload, count in ((b"", 100_000), (bytes(125), 20_000)):
            flood = ws_frame(PING, payload) * count
            ws.sock.settimeout(5)
            try:
                for _ in range(40):  # more than the buffers of the kernel take
                    ws.send_bytes(flood)
            except TimeoutError:  # it may also stop reading
                pass
            assert Asker(other)("echo", "served") == "served"
            assert server.rss() - before < 16 * MIB


def test_pongs_that_nobody_asked_for_are_nothing(ws):
    ws.send_bytes(ws_frame(PONG, b"x") * 10_000)
    assert Asker(ws)("echo", 1) == 1


# --- time and numbers


def test_a_slow_handshake_is_cut_off():
    with Lab("handshakeTimeout = 300") as server:
        with RawSocket(server) as silent, RawSocket(server) as partial, RawSocket(server) as finished:
            partial.send_bytes(handshake_request()[:-2])
            finished.send_bytes(handshake_request())
            finished.read_until(b"\r\n\r\n")
            began = time.monotonic()
            assert silent.read_to_end() == b""
            assert b"101" not in partial.read_to_end()
            assert time.monotonic() - began < 8, "that was the default of 10 s"
            finished.send_bytes(ws_frame(BINARY_MESSAGE, frame("echo", 1)))  # its time counts no more
            assert finished.read_exactly(1) == b"\x82"


def test_a_handshake_that_dribbles_is_cut_off():
    with Lab("handshakeTimeout = 300") as server, RawSocket(server) as line:
        def dribble():
            for i in range(10_000):
                line.send_bytes(b"X-%d: 1\r\n" % i if i else b"GET / HTTP/1.1\r\n")
                time.sleep(0.01)

        with pytest.raises(OSError):
            dribble()


def test_half_open_handshakes_of_one_address_are_bounded():
    with Lab("maxPendingPerIp = 5, maxConnectionsPerIp = 0, handshakeTimeout = 3600000") as server:
        lines = [RawSocket(server) for _ in range(5)]
        try:
            for line in lines:
                line.send_bytes(b"GET / HT")
            with RawSocket(server, timeout=5) as sixth:
                assert sixth.read_to_end() == b""
            lines.pop().close()
            eventually(lambda: serves(server), "room for another")
            sockets = [WebSocket(server) for _ in range(1)]  # those that are through count no more
            sockets += [WebSocket(server) for _ in range(5)]
            assert Asker(sockets[-1])("stats")["clients"] >= 6
        finally:
            for line in lines:
                line.close()


def serves(server):
    try:
        with WebSocket(server) as ws:
            return Asker(ws)("echo", True)
    except (OSError, Closed, AssertionError):
        return False


def test_frames_before_the_answer_to_the_handshake(lab):
    """A client may not send before it was answered. Where one does, its frames arrive once and in order, or it is cut off."""
    burst = b"".join(ws_frame(BINARY_MESSAGE, frame("echo", i)) for i in range(50))
    for _ in range(20):
        with RawSocket(lab) as line:
            line.send_bytes(handshake_request() + burst)
            try:
                line.read_until(b"\r\n\r\n")
                ws = WebSocket.__new__(WebSocket)
                ws.sock, ws.buffer = line.sock, line.buffer
                got = [ws.receive_frame().payload for _ in range(50)]
            except Closed:
                continue
            assert got == list(range(50))
    still_serves(lab)


def test_an_http_request_behind_the_handshake_is_not_answered(lab):
    answer = answer_to(lab, handshake_request() + b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") <= 1


def test_connections_that_vanish_in_every_phase_leave_nothing(lab):
    descriptors = lab.descriptors()
    request = handshake_request()
    for at in range(0, len(request), 7):
        with RawSocket(lab) as line:
            line.send_bytes(request[:at])
            line.reset() if at % 2 else line.close()
    for i in range(50):
        ws = WebSocket(lab)
        ws.send_bytes(ws_frame(BINARY_MESSAGE, frame("echo", i))[: i % 20])
        ws.reset() if i % 2 else ws.close()
    eventually(lambda: lab.descriptors() <= descriptors + 1, "all descriptors closed")
    still_serves(lab)


# --- memory


@pytest.fixture(scope="module")
def bomb():
    """Half a megabyte that inflates to 512 MiB."""
    packer = zlib.compressobj(9)
    piece = bytes(MIB)
    return b"".join([packer.compress(piece) for _ in range(512)] + [packer.flush()])


def test_a_deflate_bomb_is_stopped_at_the_limit(bomb):
    assert 400_000 < len(bomb) < MIB
    with Lab(env=LEAN) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        ask("echo", "x")
        before = server.rss()
        packed = raw_frame(bomb, flags=0x04)
        for _ in range(9):
            ws.send(packed)
            assert ws.receive_frame("__pp_error").payload["code"] == "DECODE_ERROR"
            assert server.rss() - before < 24 * MIB  # maxDecompressedSize is 10 MiB
        assert ask("echo", "y") == "y"


def test_the_limit_of_inflation_is_exact():
    with Lab('maxDecompressedSize = 5000, compression = "none"') as server, WebSocket(server) as ws:
        body = envelope("echo", "x" * (5000 - len(envelope("echo", ""))))
        ws.send(raw_frame(body, compress=True))
        assert ws.receive_frame().body == body
        ws.send(raw_frame(body + b" ", compress=True))
        assert ws.receive_frame().payload["code"] == "DECODE_ERROR"


@pytest.mark.parametrize("policy", ["close", "drop"])
def test_a_reader_that_does_not_read(policy):
    source = f'onBackpressure = "{policy}"'
    with Lab(source, env=LEAN) as server:
        slow = WebSocket(server)
        slow_id = client_id(slow)
        with WebSocket(server) as sender, WebSocket(server) as reader, slow:
            client_id(sender), client_id(reader)
            received = []

            def read():
                while len(received) < 400:
                    received.append(reader.receive_frame("shout").payload[0])

            thread = threading.Thread(target=read)
            thread.start()
            before = server.rss()
            peak = 0
            noise = [zlib.crc32(b"%d" % i) for i in range(8000)]  # 80 KB that hardly shrink
            for i in range(400):
                sender.send(frame("shout", [i, noise]))
                eventually(lambda: len(received) > i - 5, "the other reader hears it")
                if i % 50 == 0:
                    assert Asker(sender)("echo", i) == i  # the server keeps up with its readers
                    peak = max(peak, server.rss())
            thread.join(20)
            assert received == list(range(400))
            assert peak - before < 24 * MIB
            stats = Asker(sender)("stats")
            assert stats["dropped"] > 0
            if policy == "close":
                assert server.said("disconnect", slow_id) == [slow_id, "too slow", 4008]
            else:
                assert stats["clients"] == 3
                # what it gets, late, is whole and in order
                last = -1
                ask_end = frame("echo", "end")
                slow.send(ask_end)
                while True:
                    got = slow.receive_frame()
                    if got.type == "echo":
                        break
                    assert got.payload[0] > last
                    last = got.payload[0]


def test_a_slow_reader_is_told_why():
    with Lab("maxBackpressure = 65536") as server, WebSocket(server) as slow:
        mine = client_id(slow)
        slow.send(frame("flood", 500_000))
        assert server.said("disconnect", mine) == [mine, "too slow", 4008]
        got = drain_to_close(slow, 4008, "too slow")
        assert got and [part.payload for part in got] == list(range(1, len(got) + 1))
