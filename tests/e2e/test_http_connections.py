"""Connections to painda.HttpServer: keep-alive, pipelines, those who leave early, and what has no manners."""
import http.client
import os
import random
import time

import pytest

from http_site import BIG, ask, cpu, get, read_answer, request, server, site  # noqa: F401: fixtures are among them
from painda import Closed, RawSocket, Server, eventually, painda

pytestmark = pytest.mark.asan


def test_keep_alive(server):
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    ask(server, "GET", "/hello", connection=connection)
    sock = connection.sock
    for i in range(50):
        assert ask(server, "POST", "/echo", b"x" * i, connection=connection).body == b"x" * i
        assert ask(server, "GET", "/digits.txt", connection=connection).text == "0123456789"
        assert ask(server, "GET", "/nowhere", connection=connection).status == 404
    assert connection.sock is sock
    connection.close()


def test_a_connection_ends_when_it_should(server):
    for raw in (request("/hello", Connection="close"), b"GET /hello HTTP/1.0\r\n\r\n", request("/hello", Connection="TE, close")):
        with RawSocket(server) as sock:
            sock.send_bytes(raw)
            answer = sock.read_to_end()
        assert answer.endswith(b"world") and b"connection: close" in answer


def test_pipelined_requests_are_answered_in_order(server):
    with RawSocket(server) as sock:
        sock.send_bytes(
            request("/sleep?ms=50") + request("/hello") + request("/digits.txt") + request("/nowhere") + request("/raise")
            + request("/hello", Connection="close")
        )  # fmt: skip
        bodies = [read_answer(sock)[2] for _ in range(6)]
        assert sock.read_to_end() == b""
    assert bodies == [b"slept", b"world", b"0123456789", b"Not Found\n", b"Internal Server Error\n", b"world"]


@pytest.mark.parametrize("method", ["POST", "PUT", "GET", "DELETE", "PATCH"])
@pytest.mark.parametrize("length", ["3", "5x", None])
@pytest.mark.parametrize("first", ["/hello", "/sleep?ms=20"])
def test_a_body_that_is_sent_ahead_is_refused(server, method, length, first):
    """libwebsockets 4.1 would read it from the wrong place and never come back."""
    headers = {"Content_Length": length} if length else {}
    with RawSocket(server) as sock:
        sock.send_bytes(request(first) + request("/echo", method, **headers) + b"abc" + request())
        assert read_answer(sock)[0] == 200
        if length or method not in ("GET", "DELETE"):
            assert read_answer(sock)[0] == 400
            assert sock.read_to_end() == b""
    assert get(server, "/hello").status == 200


def test_a_body_after_a_big_answer(server):
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    for _ in range(5):
        assert ask(server, "GET", "/big.bin", connection=connection).body == BIG
        assert ask(server, "POST", "/echo", b"abc", connection=connection).body == b"abc"
    connection.close()


def test_requests_in_single_bytes(server):
    with RawSocket(server) as sock:
        for raw, body in (request("/hello"), b"world"), (request("/echo", "POST", Content_Length=2) + b"ab", b"ab"):
            for byte in raw:
                sock.send_bytes(bytes([byte]))
            assert read_answer(sock)[2] == body


def test_a_client_that_leaves_early(server):
    mark = server.mark()
    for _ in range(5):
        with RawSocket(server) as sock:
            sock.send_bytes(request("/sleep?ms=1000"))
            time.sleep(0.05)
    for _ in range(5):
        sock = RawSocket(server)
        sock.send_bytes(request("/sleep?ms=1000"))
        time.sleep(0.05)
        sock.reset()
    server.wait_for(r"sleeper sent .*err=closed", after=mark)
    for _ in range(5):
        sock = RawSocket(server)
        sock.send_bytes(request("/big.bin"))
        sock.read_exactly(1000)
        sock.reset()
    assert get(server, "/hello").status == 200


def test_waiting_costs_nothing(server):
    """Neither a client that left, nor one that sends ahead, keeps the loop from resting."""
    left = RawSocket(server)
    left.send_bytes(request("/sleep?ms=2000"))
    ahead = RawSocket(server)
    ahead.send_bytes(request("/sleep?ms=2000"))
    time.sleep(0.1)
    left.close()
    ahead.send_bytes(request("/hello"))
    before = cpu(server)
    assert read_answer(ahead)[2] == b"slept"
    assert read_answer(ahead)[2] == b"world"
    assert cpu(server) - before < 100  # of about 200 ticks, which a loop that does not rest would take
    ahead.close()


def test_one_that_waits_in_the_middle_of_a_pipeline_ends_it(server):
    for ahead in (request("/hello"), request("/hello") * 50):
        with RawSocket(server) as sock:
            sock.send_bytes(request("/digits.txt") + request("/sleep?ms=1500") + ahead)
            assert read_answer(sock)[2] == b"0123456789"
            assert sock.read_to_end() == b""
    with RawSocket(server) as sock:  # at its end it may wait
        sock.send_bytes(request("/echo", "POST", Content_Length=3) + b"abc" + request("/hello") + request("/sleep?ms=300"))
        assert [read_answer(sock)[2] for _ in range(3)] == [b"abc", b"world", b"slept"]
        sock.send_bytes(request("/hello"))
        assert read_answer(sock)[2] == b"world"


def test_nothing_is_left_of_requests(server):
    before = server.descriptors()
    for path in ("/hello", "/big.bin", "/sleep?ms=10", "/raise", "/nowhere"):
        for _ in range(5):
            sock = RawSocket(server)
            sock.send_bytes(request(path))
            if path != "/big.bin":
                read_answer(sock)
            sock.close()
    eventually(lambda: server.descriptors() <= before, "descriptors are given back")


def test_garbage(server):
    for raw in (
        b"\x00" * 100, b"\r\n" * 100, b"GET\r\n\r\n", b"FOO / HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5000,
        b"GET / HTTP/1.1\r\nx: " + b"a" * 100_000, b"GET /" + b"a" * 100_000, b"GET / HTTP/1.1\r\n" + b"a" * 50_000,
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500), BIG[:100_000],
    ):  # fmt: skip
        with RawSocket(server, timeout=1) as sock:
            try:
                sock.send_bytes(raw)
                sock.sock.recv(65536)
            except OSError:
                pass
        assert get(server, "/hello").status == 200


def expected_answers():
    """(path, method, body, what comes back) of requests that are answered the same each time."""
    return [
        ("/hello", "GET", b"", b"world"), ("/digits.txt", "GET", b"", b"0123456789"), ("/big.bin", "GET", b"", BIG),
        ("/echo", "POST", b"abc" * 100, b"abc" * 100), ("/echo", "POST", BIG[:60000], BIG[:60000]),
        ("/sleep?ms=2", "GET", b"", b"slept"), ("/nowhere", "GET", b"", b"Not Found\n"), ("/hello", "GET", b"zz", b"world"),
    ]  # fmt: skip


def send_in_pieces(sock, raw, rnd):
    at = 0
    while at < len(raw):
        size = rnd.choice([1, 7, 50, 500, 100_000]) if at < 300 else 100_000
        sock.send_bytes(raw[at : at + size])
        at += size


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.slow
def test_random_pipelines(server, seed):
    """Whatever is sent, in whatever pieces: answers are right and in order, as far as they come; one request alone is answered."""
    rnd = random.Random(seed)
    kinds = expected_answers()
    for round_number in range(50):
        chosen = [rnd.choice(kinds) for _ in range(rnd.randint(1, 5))]
        raw = b"".join(
            request(path, method, **({"Content_Length": len(body)} if body else {})) + body for path, method, body, _ in chosen
        )
        damage = rnd.random()
        if damage < 0.1:
            raw = raw[: rnd.randrange(len(raw))]
        elif damage < 0.3:
            raw = bytearray(raw)
            for _ in range(rnd.randint(1, 5)):
                raw[rnd.randrange(len(raw))] = rnd.randrange(256)
            raw = bytes(raw)
        with RawSocket(server, timeout=0.02 if damage < 0.3 else 20) as sock:
            answers = []
            try:
                send_in_pieces(sock, raw, rnd)
                for _ in chosen:
                    answers.append(read_answer(sock))
            except (OSError, Closed) as end:
                assert damage < 0.3 or not isinstance(end, TimeoutError), round_number
        if damage >= 0.3:
            right = [status == 400 or body == expected for (status, _, body), (*_, expected) in zip(answers, chosen)]
            assert all(right) and (len(chosen) > 1 or len(answers) == 1), round_number
    assert get(server, "/hello").status == 200


def test_a_unix_socket(tmp_path):
    path = tmp_path / "http.sock"
    app = tmp_path / "app.lua"
    app.write_text(
        f"""
        local painda = require "painda"
        local http = painda.HttpServer {{ host = "unix:{path}" }}
        http:get("/", function(req) return req.address end)
        """
    )
    with Server(app, listens=False, port=None) as server:
        server.wait_for("listening")
        with RawSocket(unix=path) as sock:
            sock.send_bytes(request("/"))
            assert read_answer(sock)[2] == b"unix"
    assert not path.exists()


def test_a_port_in_use_is_told_in_one_line(server, tmp_path):
    app = tmp_path / "app.lua"
    app.write_text(f'require("painda").HttpServer {{ port = {server.port} }}\n')
    result = painda("run", app)
    assert result.returncode == 1 and result.stderr.count("\n") == 1, result.stderr
    assert str(server.port) in result.stderr and "in use" in result.stderr
