"""painda.HttpServer as its applications find it: routes, bodies, WebSockets beside it, its end."""
import http.client
import json
import ssl
import subprocess
import time

import pytest

from http_site import BIG, ask, get, read_answer, request, server, site  # noqa: F401: fixtures are among them
from painda import RawSocket, Server, WebSocket, frame

pytestmark = pytest.mark.asan


# --- routes


def test_text(server):
    answer = get(server, "/hello")
    assert (answer.status, answer.text) == (200, "world")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-length"] == "5"
    assert "date" in answer.headers


def test_what_a_handler_is_told(server):
    answer = get(server, "/about?a=1&b=x%20y%26z%3D%25&c=%2B+&d&a=2&%C3%A9=%E2%82%AC", X_Odd_One=" two  words ").json()
    assert answer == {
        "method": "GET", "path": "/about", "address": "127.0.0.1", "secure": False, "params": {},
        "query": {"a": "1", "b": "x y&z=%", "c": "+ ", "d": "", "é": "€"},
        "host": f"127.0.0.1:{server.port}", "odd": "two  words", "none": None,
    }  # fmt: skip


def test_path_parameters(server):
    assert get(server, "/rooms/blue%20one/seats/12").json() == {"room": "blue one", "seat": "12"}
    assert get(server, "/tail/a/b.c").text == "a/b.c"
    assert get(server, "/rooms/blue/seats").status == 404
    assert get(server, "/rooms/blue/seats/1/2").status == 404


def test_json_in_and_out(server):
    answer = ask(server, "PUT", "/json", json.dumps({"a": [1, {"b": None}], "e": []}))
    assert (answer.status, answer.json()) == (201, {"got": {"a": [1, {"b": None}], "e": []}})
    assert answer.headers["content-type"] == "application/json"
    for bad in ("{", "", "[1,]", "\xff"):
        answer = ask(server, "PUT", "/json", bad.encode("latin-1"))
        assert answer.status == 400 and answer.text, bad


def test_unknown_paths_and_other_methods(server):
    assert get(server, "/nowhere").status == 404
    answer = ask(server, "DELETE", "/echo")
    assert (answer.status, answer.headers["allow"]) == (405, "OPTIONS, POST")
    answer = ask(server, "POST", "/hello", b"x")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    answer = ask(server, "OPTIONS", "/rooms/1/seats/2")
    assert (answer.status, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    answer = ask(server, "PUT", "/digits.txt", b"x")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("sent, value", [("text/x \t ", "text/x"), ("a  \t b", "a  \t b"), ("a: \t", "a:")])
def test_blanks_at_the_end_of_a_header_are_no_part_of_it(server, sent, value):
    with RawSocket(server) as sock:
        sock.send_bytes(request("/echo", "POST", Content_Length=2, Content_Type=sent) + b"hi")
        _, headers, _ = read_answer(sock)
    assert headers["content-type"] == value


def test_head_has_the_headers_of_get_and_no_body(server):
    with RawSocket(server) as sock:
        for path, length in (("/hello", "5"), ("/digits.txt", "10"), ("/big.bin", str(len(BIG)))):
            sock.send_bytes(request(path, "HEAD"))
            status, headers, _ = read_answer(sock, head=True)
            assert (status, headers["content-length"]) == (200, length)
        sock.send_bytes(request("/hello"))
        assert read_answer(sock)[2] == b"world"


def test_answers_of_other_kinds(server):
    answer = get(server, "/redirect?to=/hello")
    assert (answer.status, answer.headers["location"], answer.body) == (302, "/hello", b"")
    answer = get(server, "/nothing")
    assert (answer.status, answer.body) == (204, b"") and "content-length" not in answer.headers
    answer = get(server, "/cookies")
    assert [value for name, value in answer.all_headers if name == "set-cookie"] == ["a=1", "b=2"]
    assert [value for name, value in answer.all_headers if name == "x-one"] == ["2"]
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_a_handler_may_wait(server):
    assert get(server, "/sleep").text == "slept"


def test_a_waiting_handler_does_not_hold_up_others(server):
    with RawSocket(server) as waiting:
        waiting.send_bytes(request("/sleep?ms=1500"))
        for _ in range(20):
            assert get(server, "/hello").text == "world"
        assert waiting.buffer == b"" and not readable(waiting)
        assert read_answer(waiting)[2] == b"slept"


def readable(sock):
    import select

    return bool(select.select([sock.sock], [], [], 0)[0])


@pytest.mark.parametrize(
    "path, reason",
    [
        ("/raise", r"app\.lua:\d+: on purpose"),
        ("/raise-later", "later on purpose"),
        ("/silent", "ended without an answer"),
        ("/nan", r"app\.lua:\d+: res:json: .*NaN"),
        ("/reserved", r"app\.lua:\d+: the header content-length is set by the server"),
    ],
)
def test_a_handler_that_fails(server, path, reason):
    mark = server.mark()
    answer = get(server, path)
    assert (answer.status, answer.text) == (500, "Internal Server Error\n")
    server.wait_for(reason, after=mark)
    assert get(server, "/hello").status == 200


def test_a_second_answer_is_an_error_that_harms_nothing(server):
    mark = server.mark()
    assert get(server, "/twice").text == "first"
    server.wait_for(r"app\.lua:\d+: this request was answered already", after=mark)


def test_headers_cannot_be_injected(server):
    for given in (
        {"value": "a\r\nset-cookie: b=1"}, {"value": "a\nb"}, {"value": "a\rb"}, {"value": "\x01"}, {"value": "\x7f"},
        {"value": "a\0b"}, {"name": "a\r\nb"}, {"name": "a: b"}, {"name": ""}, {"name": "a b"}, {"name": "a\0"},
        {"to": "/a\r\nset-cookie: b=1"}, {"name": "é"},
    ):  # fmt: skip
        answer = ask(server, "POST", "/inject", json.dumps(given))
        assert answer.status == 500 and "set-cookie" not in answer.headers, given
    answer = ask(server, "POST", "/inject", json.dumps({"name": "x-fine", "value": "café\t1"}))
    assert answer.status == 200 and answer.headers["x-fine"].encode("latin-1").decode() == "café\t1"


# --- bodies


def test_bodies(server):
    for size in (0, 1, 4095, 4096, 20_000, 100_000):
        body = BIG[:size]
        answer = ask(server, "POST", "/echo", body)
        assert (answer.status, answer.body) == (200, body), size


def test_a_slow_body(server):
    body = b"0123456789" * 10
    with RawSocket(server) as sock:
        sock.send_bytes(request("/echo", "POST", Content_Length=len(body)))
        for i in range(len(body)):
            sock.send_bytes(body[i : i + 1])
            if i % 10 == 0:
                time.sleep(0.01)
        assert read_answer(sock)[2] == body


def test_a_body_that_is_too_large_is_refused(server):
    answer = ask(server, "POST", "/echo", BIG[:100_001])
    assert answer.status == 413
    with RawSocket(server) as sock:  # before it is sent
        sock.send_bytes(request("/echo", "POST", Content_Length=10**12))
        status, headers, _ = read_answer(sock)
        assert (status, headers["connection"]) == (413, "close")
    with RawSocket(server) as sock:  # while it is sent
        sock.send_bytes(request("/echo", "POST", Content_Length=len(BIG)) + BIG[: 5_000_000])
        assert read_answer(sock)[0] == 413


def test_a_client_that_asks_before_it_sends(server):
    with RawSocket(server) as sock:
        sock.send_bytes(request("/echo", "POST", Content_Length=3, Expect="100-continue"))
        assert sock.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.send_bytes(b"abc")
        assert read_answer(sock)[2] == b"abc"
        sock.send_bytes(request("/echo", "POST", Content_Length=100_001, Expect="100-continue"))
        assert read_answer(sock)[0] == 413


@pytest.mark.parametrize(
    "length", ["5x", "-5", "+5", "5, 5", "0x5", "5 5", "9" * 40, "3\r\nContent-Length: 3", "3\r\nContent-Length: 4"]
)
def test_lengths_that_lie(server, length):
    with RawSocket(server) as sock:
        sock.send_bytes(request("/echo", "POST", Content_Length=length) + b"abc" + request("/hello"))
        answer = sock.read_to_end()
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1") == 1


def test_a_body_that_ends_early_is_never_handled(server):
    with RawSocket(server) as sock:
        sock.send_bytes(request("/echo", "POST", Content_Length=10) + b"abc")
    assert get(server, "/hello").status == 200


@pytest.mark.parametrize("method", ["POST", "GET", "PUT", "DELETE"])
@pytest.mark.parametrize("encoding", ["chunked", "gzip, chunked", "identity", "x"])
def test_bodies_in_chunks_are_refused_clearly(server, method, encoding):
    with RawSocket(server) as sock:
        sock.send_bytes(request("/echo", method, Transfer_Encoding=encoding) + b"3\r\nabc\r\n0\r\n\r\n")
        status, headers, body = read_answer(sock)
        assert (status, headers["connection"]) == (501, "close") and b"Content-Length" in body
        assert b"HTTP/1.1" not in (sock.read_to_end() if method in ("GET", "DELETE") else b"")


def test_both_lengths_at_once_are_refused(server):
    with RawSocket(server) as sock:
        sock.send_bytes(request("/echo", "POST", Content_Length=3, Transfer_Encoding="chunked") + b"0\r\n\r\n" + request())
        assert read_answer(sock)[0] == 501


def test_a_post_without_a_length_has_no_body(server):
    with RawSocket(server) as sock:
        sock.send_bytes(request("/echo", "POST"))
        status, headers, body = read_answer(sock)
        assert (status, headers["connection"], body) == (200, "close", b"")
        assert sock.read_to_end() == b""


def test_a_get_with_a_body(server):
    with RawSocket(server) as sock:
        sock.send_bytes(request("/hello", Content_Length=3) + b"abc" + request("/hello"))
        assert [read_answer(sock)[2] for _ in range(2)] == [b"world", b"world"]


# --- together with others, and the end


def test_a_websocket_server_shares_the_port(server):
    with WebSocket(server) as ws:
        ws.send(frame("ping", {"n": 1}))
        assert ws.receive_frame("pong").envelope["payload"] == {"n": 1}
        assert get(server, "/hello").text == "world"
        ws.send(frame("ping", {"n": 2}))
        assert ws.receive_frame("pong").envelope["payload"] == {"n": 2}


def test_one_who_sends_ahead_holds_up_no_upgrade(server):
    with RawSocket(server) as sock:
        sock.send_bytes(request("/sleep?ms=30000") + request("/hello"))
        assert get(server, "/hello").status == 200
        with WebSocket(server) as ws:
            ws.send(frame("ping", 1))
            ws.receive_frame("pong")


def test_closing_the_server_inside_of_a_handler(site):
    with Server(site / "app.lua") as server:
        with RawSocket(server) as sock, RawSocket(server) as other:
            other.send_bytes(request("/sleep?ms=300"))
            time.sleep(0.05)
            sock.send_bytes(request("/quit"))
            assert sock.read_to_end() == b""
            assert other.read_to_end() == b""
        server.wait_for(r"closed itself .*err=closed")
        server.wait_for(r"sleeper sent .*err=closed")
        with pytest.raises(OSError):
            get(server, "/hello")


def test_a_shutdown_lets_requests_finish(site):
    with Server(site / "app.lua") as server:
        with RawSocket(server) as sock:
            sock.send_bytes(request("/sleep?ms=500"))
            time.sleep(0.1)
            server.send_signal(15)
            assert read_answer(sock)[2] == b"slept"
        assert server.wait() == 0


def test_over_tls(tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True,
    )  # fmt: skip
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "big.bin").write_bytes(BIG)
    (tmp_path / "app.lua").write_text(
        f"""
        local painda = require "painda"
        local http = painda.HttpServer {{ port = 8443, tls = {{ cert = "{cert}", key = "{key}" }}, maxBody = 20000000 }}
        http:get("/", function(req) return {{ secure = req.secure }} end)
        http:post("/echo", function(req, res) res:send(req.body) end)
        http:get("/sleep", function() painda.sleep(300) return "slept" end)
        http:static("/", "public")
        """
    )
    with Server(tmp_path / "app.lua") as server:
        context = ssl.create_default_context(cafile=str(cert))
        connection = http.client.HTTPSConnection("localhost", server.port, timeout=20, context=context)
        assert ask(server, "GET", "/", connection=connection).json() == {"secure": True}
        assert ask(server, "GET", "/big.bin", connection=connection).body == BIG
        assert ask(server, "POST", "/echo", BIG, connection=connection).body == BIG
        assert ask(server, "GET", "/sleep", connection=connection).text == "slept"
        connection.close()


def test_a_reload_swaps_the_routes(tmp_path):
    app = tmp_path / "app.lua"
    source = """
    local painda = require "painda"
    local http = painda.HttpServer { port = 8080 }
    http:get("/version", function() return "%s" end)
    http:get("/wait", function() painda.sleep(700) return "%s" end)
    """
    app.write_text(source % ("one", "one") + 'http:get("/old", function() return "old" end)')
    with Server(app) as server:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
        assert ask(server, "GET", "/version", connection=connection).text == "one"
        with RawSocket(server) as waiting:
            waiting.send_bytes(request("/wait"))
            time.sleep(0.1)
            app.write_text(source % ("two", "two"))
            server.send_signal(1)
            server.wait_for("reloaded")
            assert ask(server, "GET", "/version", connection=connection).text == "two"
            assert ask(server, "GET", "/old", connection=connection).status == 404
            assert read_answer(waiting)[2] == b"one"
        app.write_text(source % ("three", "three") + "error 'broken'")
        server.send_signal(1)
        server.wait_for("reload failed")
        assert ask(server, "GET", "/version", connection=connection).text == "two"
        connection.close()
