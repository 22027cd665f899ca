"""wss: a certificate made here, large and many messages both ways, and peers that speak something else."""
import random
import re
import select
import signal
import ssl
import subprocess
import time

import pytest

from lab import LEAN, Asker, Lab, client_id, drain_to_close
from painda import (
    BINARY_MESSAGE, PATIENCE, Closed, RawSocket, WebSocket, eventually, frame, handshake_request, painda,
    parse_frames, raw_frame, ws_frame,
)  # fmt: skip

pytestmark = pytest.mark.asan

LARGE = 4 << 20


def make_certificate(folder, name="localhost"):
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


def options(files, more=""):
    return f'tls = {{ cert = "{files[0]}", key = "{files[1]}" }}, maxConnectionsPerIp = 0, {more}'


@pytest.fixture(scope="module")
def lab(files):
    more = f"maxPayload = {LARGE * 2}, maxBackpressure = {LARGE * 4}, maxDecompressedSize = {LARGE * 2}"
    with Lab(options(files, more), env=LEAN) as server:
        yield server


@pytest.fixture
def trusting(files):
    """A client's context that checks the certificate."""
    context = ssl.create_default_context(cafile=str(files[0]))
    return context


def test_a_client_that_checks_the_certificate_gets_in(lab, trusting):
    with WebSocket(lab, tls=trusting) as ws:
        got = Asker(ws)("handshake")
        assert (got["secure"], got["address"]) == (True, "127.0.0.1")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_modern_versions_are_spoken(lab, trusting, version):
    trusting.minimum_version = trusting.maximum_version = version
    with WebSocket(lab, tls=trusting) as ws:
        assert Asker(ws)("echo", 1) == 1
        assert ws.sock.version() == version.name.replace("_", ".")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_are_refused(files, tmp_path, version):
    system = tmp_path / "openssl.cnf"  # one that would allow them
    system.write_text(
        "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = all\n"
        "[all]\nMinProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\n"
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with Lab(options(files), env={"OPENSSL_CONF": str(system)}) as server:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            WebSocket(server, tls=context)
        with WebSocket(server, tls=True) as ws:
            assert Asker(ws)("echo", 1) == 1


@pytest.mark.parametrize("offered", [["h2"], ["h2", "http/1.1"], ["http/1.1"], ["h2c", "x"]])
def test_http2_is_never_agreed_on(lab, trusting, offered):
    trusting.set_alpn_protocols(offered)
    try:
        line = RawSocket(lab, tls=trusting)
    except ssl.SSLError:
        assert "http/1.1" not in offered
        return
    with line:
        assert line.sock.selected_alpn_protocol() in (None, "http/1.1")
        line.send_bytes(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
        answer = line.read_to_end()
        assert not answer or answer.startswith(b"HTTP/1.")


# --- data


@pytest.mark.parametrize("size", [1, 100, 16_383, 16_384, 16_385, 65_535, 65_536, 1_000_000, LARGE])
def test_messages_of_every_size_both_ways(lab, size):
    body = random.Random(size).randbytes(size)
    with WebSocket(lab, tls=True) as ws:
        for _ in range(3):
            ws.send(raw_frame(body, flags=8, type_id=10))
            assert ws.receive_frame().body == body


def pour(ws, data):
    """Sends while it takes in what comes back, on one thread: Python's TLS sockets can't be shared by two."""
    ws.sock.setblocking(False)
    at = 0
    while at < len(data):
        before = at, len(ws.buffer)
        try:
            at += ws.sock.send(data[at : at + 65536])
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            piece = ws.sock.recv(1 << 20)
            assert piece, "the server ended the line"
            ws.buffer += piece
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        if before == (at, len(ws.buffer)):
            select.select([ws.sock], [], [], 0.01)
    ws.sock.settimeout(PATIENCE)


def test_many_small_messages_both_ways(lab):
    with WebSocket(lab, tls=True) as ws:
        count = 20_000
        pour(ws, b"".join(ws_frame(BINARY_MESSAGE, frame("echo", i)) for i in range(count)))
        assert [ws.receive_frame().payload for _ in range(count)] == list(range(count))


def test_a_byte_at_a_time(lab):
    with WebSocket(lab, tls=True) as ws:
        for byte in ws_frame(BINARY_MESSAGE, frame("echo", "slowly")):
            ws.send_bytes(bytes([byte]))  # a TLS record each
        assert ws.receive_frame().payload == "slowly"


def test_several_frames_in_one_record_and_one_frame_in_several(lab):
    with WebSocket(lab, tls=True) as ws:
        small = ws_frame(BINARY_MESSAGE, frame("echo", 1))
        ws.send_bytes(small * 100)
        assert [ws.receive_frame().payload for _ in range(100)] == [1] * 100


def test_both_sides_flood_at_once(lab):
    """A server that can't write must go on reading, and the other way round."""
    with WebSocket(lab, tls=True) as ws:
        bodies = [random.Random(i).randbytes(50_000) for i in range(200)]
        pour(ws, b"".join(ws_frame(BINARY_MESSAGE, raw_frame(body, flags=8, type_id=10)) for body in bodies))
        for body in bodies:
            assert ws.receive_frame().body == body


@pytest.mark.parametrize("caps", ["", "batch"])
def test_a_queue_that_had_to_wait_arrives_whole(lab, caps):
    """OpenSSL wants the bytes again that it could not write, whatever was queued and joined meanwhile."""
    with WebSocket(lab, tls=True, query={"pp_caps": caps}) as ws:
        bodies = [random.Random(i).randbytes(2500 + i % 997) for i in range(3500)]  # two or three make a batch
        for body in bodies:
            ws.send(raw_frame(body, flags=8, type_id=10))
        eventually(lambda: stalled(lab), "the server waits for the reader")
        got = []
        while len(got) < len(bodies):
            got += [part.body for part in parse_frames(ws.receive())]
        assert got == bodies


def stalled(server):
    """All that was asked for is handled: nothing moves any more."""
    with WebSocket(server, tls=True) as other:
        ask = Asker(other)
        before = ask("stats")["messagesReceived"]
        time.sleep(0.1)
        return ask("stats")["messagesReceived"] == before + 1


def test_a_slow_reader_is_told_why(files):
    with Lab(options(files, "maxBackpressure = 200000")) as server:
        for _ in range(3):
            with WebSocket(server, tls=True) as slow:
                mine = client_id(slow)
                slow.send(frame("flood", 500_000))
                assert server.said("disconnect", mine) == [mine, "too slow", 4008]
                got = drain_to_close(slow, 4008, "too slow")
                assert got and [part.payload for part in got] == list(range(1, len(got) + 1))


def test_a_first_message_right_behind_the_handshake_of_tls(lab, trusting):
    for _ in range(10):
        with RawSocket(lab, tls=trusting) as line:
            line.send_bytes(handshake_request())
            line.read_until(b"\r\n\r\n")
            line.send_bytes(ws_frame(BINARY_MESSAGE, frame("echo", "first")) + ws_frame(BINARY_MESSAGE, frame("echo", "second")))
            ws = WebSocket.__new__(WebSocket)
            ws.sock, ws.buffer = line.sock, line.buffer
            assert [ws.receive_frame().payload for _ in range(2)] == ["first", "second"]


def test_broadcasts_reach_plain_reads_whole(lab):
    with WebSocket(lab, tls=True) as a, WebSocket(lab, tls=True) as b:
        client_id(b)
        for i in range(200):
            a.send(frame("shout", [i, "y" * 1000]))
        assert [b.receive_frame("shout").payload[0] for _ in range(200)] == list(range(200))


# --- ends


def test_a_close_is_a_close(lab):
    with WebSocket(lab, tls=True) as ws:
        mine = client_id(ws)
        ws.send_close(1000)
        assert ws.expect_close()[0] == 1000
        assert lab.said("disconnect", mine)[1:] == ["client disconnect", 1000]


@pytest.mark.parametrize("how", ["close", "reset", "unwrap"])
def test_a_line_that_ends_is_noticed(lab, how):
    ws = WebSocket(lab, tls=True)
    mine = client_id(ws)
    if how == "unwrap":
        ws.sock.settimeout(2)
        try:
            ws.sock.unwrap()
        except (OSError, ssl.SSLError):
            pass
        ws.sock.close()
    else:
        getattr(ws, how)()
    assert lab.said("disconnect", mine)[1:] == ["transport close", 1006]


def test_the_drain_over_tls(files):
    with Lab(options(files)) as server, WebSocket(server, tls=True) as ws:
        client_id(ws)
        server.send_signal(signal.SIGTERM)
        assert ws.receive_frame().type == "__pp_shutdown"
        assert ws.expect_close()[0] == 1001
        ws.send_close(1001)
        assert server.wait() == 0


# --- peers that speak something else


def test_plain_http_to_the_port_of_tls(lab):
    for request in (handshake_request(), b"GET / HTTP/1.0\r\n\r\n", b"\x00" * 500, b"\x16\x03\x01\xff\xff" + bytes(1000)):
        with RawSocket(lab, timeout=5) as line:
            line.send_bytes(request)
            try:
                answer = line.read_to_end()
            except TimeoutError:
                answer = line.buffer  # what it waits for is the rest of a TLS record
            assert b" 101 " not in answer and b"echo" not in answer
    with WebSocket(lab, tls=True) as ws:
        assert Asker(ws)("echo", 1) == 1


def test_broken_handshakes_harm_no_other_connection(lab):
    """OpenSSL keeps the errors of a thread in one queue."""
    with WebSocket(lab, tls=True) as ws:
        ask = Asker(ws)
        for i in range(50):
            with RawSocket(lab) as line:
                line.send_bytes(handshake_request() if i % 2 else b"\x16\x03\x01\x00\x05" + bytes(5))
                ws.send_bytes(ws_frame(BINARY_MESSAGE, frame("echo", i))[:9])
                line.read_to_end()
                ws.send_bytes(ws_frame(BINARY_MESSAGE, frame("echo", i))[9:])
            assert ws.receive_frame().payload == i
        assert ask("echo", "still") == "still"


def test_tls_to_a_plain_port():
    with Lab() as server:
        with pytest.raises((ssl.SSLError, ConnectionError, Closed)):
            WebSocket(server, tls=True)
        with WebSocket(server) as ws:
            assert Asker(ws)("echo", 1) == 1


def test_a_handshake_of_tls_that_never_ends_is_cut_off(files):
    with Lab(options(files, "handshakeTimeout = 300")) as server:
        with RawSocket(server) as silent, RawSocket(server) as started:
            started.send_bytes(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            began = time.monotonic()
            silent.read_to_end()
            started.read_to_end()
            assert time.monotonic() - began < 8, "that was the default of 10 s"


def test_lines_that_break_in_every_phase_of_tls_leave_nothing(lab):
    descriptors = lab.descriptors()
    for size in (1, 5, 50, 200, 1000):
        with RawSocket(lab) as line:
            line.send_bytes(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[:size].ljust(size, b"\x00"))
    for i in range(20):
        ws = WebSocket(lab, tls=True)
        ws.send(frame("big", 1_000_000))
        ws.reset() if i % 2 else ws.close()
    eventually(lambda: lab.descriptors() <= descriptors + 1, "all descriptors closed")


def test_renegotiation_is_refused(lab):
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{lab.port}", "-tls1_2"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as peer:
        for line in peer.stdout:
            if b"Extended master secret" in line:  # the last line about the handshake
                break
        peer.stdin.write(b"R\n")
        rest, _ = peer.communicate(timeout=PATIENCE)
    assert b"no renegotiation" in rest, rest


def test_memory_after_many_connections(lab):
    def storm():
        for _ in range(100):
            with WebSocket(lab, tls=True) as ws:
                ws.send(frame("echo", "x" * 1000))
                ws.receive_frame()

    storm()
    before, descriptors = lab.rss(), lab.descriptors()
    storm()
    eventually(lambda: lab.rss() - before < 6 << 20)
    eventually(lambda: lab.descriptors() <= descriptors)


# --- files that are no certificate


def start_with(tmp_path, cert, key):
    app = tmp_path / "app.lua"
    app.write_text(f'require("painda").PPServer {{ port = 0, tls = {{ cert = "{cert}", key = "{key}" }} }}\n')
    return painda("run", app)


def test_a_missing_certificate(tmp_path, files):
    result = start_with(tmp_path, tmp_path / "none.pem", files[1])
    assert result.returncode == 1
    assert re.match(r"painda: .*certificate.*none\.pem", result.stderr), result.stderr


def test_a_key_of_another_certificate(tmp_path, files):
    other = make_certificate(tmp_path, "other")
    result = start_with(tmp_path, files[0], other[1])
    assert result.returncode == 1
    assert "key" in result.stderr and "other.key" in result.stderr, result.stderr


def test_garbage_as_certificate(tmp_path, files):
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("not a certificate\n")
    result = start_with(tmp_path, garbage, files[1])
    assert result.returncode == 1
    assert "garbage.pem" in result.stderr and len(result.stderr.splitlines()) == 1, result.stderr
