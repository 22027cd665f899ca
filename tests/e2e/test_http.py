"""painda.HttpServer as browsers, proxies and attackers find it: routes, files, bodies, keep-alive, and what has no manners."""
import http.client
import json
import os
import random
import ssl
import subprocess
import time

import pytest

from painda import Closed, RawSocket, Server, WebSocket, eventually, frame, painda

pytestmark = pytest.mark.asan

BIG = os.urandom(10_000_000)
HUGE = 100_000_000  # more than the system keeps for a reader that does not read

APP = """
local painda = require "painda"
local http = painda.HttpServer { port = 8080, maxBody = 100000 }

http:get("/hello", function(req, res)
  res:send("world")
end)
http:get("/about", function(req)
  return {
    method = req.method, path = req.path, query = req.query, params = req.params, address = req.address,
    secure = req.secure, host = req.headers.host, odd = req.headers["X-Odd-One"], none = req.headers["x-none"] or painda.null,
  }
end)
http:get("/rooms/:room/seats/:seat", function(req)
  return req.params
end)
http:get("/tail/*", function(req)
  return req.params["*"]
end)
http:post("/echo", function(req, res)
  res:header("content-type", req.headers["content-type"] or "application/octet-stream"):send(req.body)
end)
http:put("/json", function(req, res)
  local value, err = req:json()
  if value == nil then
    return res:status(400):send(err)
  end
  res:status(201):json { got = value }
end)
http:get("/sleep", function(req, res)
  painda.sleep(tonumber(req.query.ms) or 100)
  local ok, err = res:send("slept")
  painda.log.info("sleeper sent", { ok = ok, err = err })
end)
http:get("/raise", function()
  error("on purpose")
end)
http:get("/raise-later", function()
  painda.sleep(1)
  error(painda.Error("later on purpose", "HANDLER_ERROR"))
end)
http:get("/silent", function() end)
http:get("/twice", function(req, res)
  res:send("first")
  res:send("second")
end)
http:post("/inject", function(req, res)
  local given = req:json()
  res:header(given.name or "x-value", given.value or "")
  if given.to then
    return res:redirect(given.to)
  end
  res:send("sent")
end)
http:get("/reserved", function(req, res)
  res:header("Content-Length", "5")
end)
http:get("/redirect", function(req, res)
  res:redirect(req.query.to)
end)
http:get("/nothing", function(req, res)
  res:status(204):send()
end)
http:get("/nan", function(req, res)
  res:json { x = 0 / 0 }
end)
http:get("/cookies", function(req, res)
  res:header("set-cookie", "a=1"):header("set-cookie", "b=2"):header("x-one", 1):header("X-One", 2):html("<p>")
end)
http:get("/quit", function(req, res)
  http:close()
  local _, err = res:send("too late")
  painda.log.info("closed itself", { err = err })
end)
http:static("/", "public")
http:static("/assets", "public/sub", { maxAge = 3600, index = false })

local server = painda.PPServer.attachTo(http, {})
server:on("connection", function(client)
  client:on("ping", function(payload)
    client:emit("pong", payload)
  end)
end)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the application and what it serves."""
    root = tmp_path_factory.mktemp("site")
    public = root / "public"
    (public / "sub").mkdir(parents=True)
    (public / "empty").mkdir()
    (public / ".git").mkdir()
    (root / "app.lua").write_text(APP)
    (root / "secret.txt").write_text("secret")
    (public / "index.html").write_text("<h1>index</h1>")
    (public / "sub" / "index.html").write_text("<h1>sub</h1>")
    (public / "sub" / "style.css").write_text("p {}")
    (public / "digits.txt").write_text("0123456789")
    (public / "none.txt").write_text("")
    (public / "sp ace.txt").write_text("space")
    (public / "h\u00e9.txt").write_text("accent")
    (public / ".hidden").write_text("secret")
    (public / ".git" / "config").write_text("secret")
    (public / "big.bin").write_bytes(BIG)
    (public / "inside.txt").symlink_to("digits.txt")
    (public / "outside.txt").symlink_to("../secret.txt")
    (public / "away").symlink_to("..")
    os.mkfifo(public / "pipe")
    return root


@pytest.fixture(scope="module")
def server(site):
    with Server(site / "app.lua") as running:
        yield running


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.all_headers = [(name.lower(), value) for name, value in response.getheaders()]
        self.body = response.read()
        self.text = self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)


def ask(server, method, path, body=None, connection=None, **headers):
    own = connection or http.client.HTTPConnection(server.host, server.port, timeout=20)
    own.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = Answer(own.getresponse())
    if connection is None:
        own.close()
    return answer


def get(server, path, **headers):
    return ask(server, "GET", path, **headers)


def request(path="/hello", method="GET", **headers):
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in {"Host": "x", **headers}.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def read_answer(sock, head=False):
    """(status, headers, body) of the next answer on a raw socket."""
    text = sock.read_until(b"\r\n\r\n").decode("latin-1")
    lines = text.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
    length = 0 if head else int(headers.get("content-length", 0))
    return int(lines[0].split(" ")[1]), headers, sock.read_exactly(length)


def cpu(server):
    fields = open(f"/proc/{server.pid}/stat").read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])  # clock ticks


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


# --- files


def test_files(server):
    answer = get(server, "/sub/style.css")
    assert (answer.status, answer.text) == (200, "p {}")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "public, max-age=0, must-revalidate"
    assert get(server, "/sp%20ace.txt").text == "space"
    assert get(server, "/h%C3%A9.txt").text == "accent"
    assert get(server, "/inside.txt").text == "0123456789"
    assert get(server, "/none.txt").body == b""


def test_directories(server):
    assert get(server, "/").text == "<h1>index</h1>"
    assert get(server, "/sub/").text == "<h1>sub</h1>"
    answer = get(server, "/sub")
    assert (answer.status, answer.headers["location"]) == (301, "./sub/")
    assert get(server, "/empty/").status == 404
    assert get(server, "/empty").status == 404
    assert get(server, "/index.html/").status == 404


def test_a_directory_below_a_prefix(server):
    answer = get(server, "/assets/style.css")
    assert (answer.text, answer.headers["cache-control"]) == ("p {}", "public, max-age=3600")
    assert get(server, "/assets/").status == 404  # no index there
    assert get(server, "/assetsstyle.css").status == 404


TRAVERSALS = [
    "/../secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e/secret.txt",
    "/%2e%2e%2fsecret.txt",
    "/sub/../../secret.txt",
    "/sub/%2e%2e/%2e%2e/secret.txt",
    "/..\\secret.txt",
    "/..%5csecret.txt",
    "/%252e%252e/secret.txt",
    "/%c0%ae%c0%ae/secret.txt",
    "/....//secret.txt",
    "//../secret.txt",
    "/sub/..;/secret.txt",
    "/./../secret.txt",
    "/index.html/../../secret.txt",
    "/assets/../../secret.txt",
    "/assets/..%2f..%2fsecret.txt",
    "/outside.txt",
    "/away/secret.txt",
    "/.hidden",
    "/.git/config",
    "/%2egit/config",
    "/sub/../.hidden",
    "/secret.txt%00.html",
    "/../../../../../../../../etc/passwd",
    "/..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd",
    "/pipe",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_nothing_outside_of_the_directory_is_served(server, path):
    with RawSocket(server) as sock:
        sock.send_bytes(request(path, Connection="close"))
        answer = sock.read_to_end()
    assert b"secret\r\n" not in answer and b"root:" not in answer
    assert b"\r\n\r\nsecret" not in answer
    assert answer == b"" or answer.split(b" ")[1] in (b"400", b"403", b"404"), answer


def test_absolute_and_odd_targets(server):
    for target in ("http://x/hello", "*", "hello", "/hello#x", "/" + "a" * 5000, "/%zz", "/%"):
        with RawSocket(server) as sock:
            sock.send_bytes(request(target, Connection="close"))
            sock.read_to_end()
    assert get(server, "/hello").status == 200


def test_conditional_requests(server):
    first = get(server, "/digits.txt")
    etag, date = first.headers["etag"], first.headers["last-modified"]
    for headers in (
        {"If_None_Match": etag},
        {"If_None_Match": f'"other", W/{etag}'},
        {"If_None_Match": "*"},
        {"If_Modified_Since": date},
        {"If_Modified_Since": "Fri, 31 Dec 2100 00:00:00 GMT"},
        {"If_None_Match": etag, "If_Modified_Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
    ):
        answer = get(server, "/digits.txt", **headers)
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag), headers
    for headers in (
        {"If_None_Match": '"other"'},
        {"If_Modified_Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"If_Modified_Since": "nonsense"},
        {"If_None_Match": '"other"', "If_Modified_Since": date},
    ):
        assert get(server, "/digits.txt", **headers).status == 200, headers


def test_ranges(server):
    for asked, expected, said in (
        ("bytes=0-0", b"0", "bytes 0-0/10"), ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"), ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"), ("bytes=-100", b"0123456789", "bytes 0-9/10"),
    ):  # fmt: skip
        answer = get(server, "/digits.txt", Range=asked)
        assert (answer.status, answer.body, answer.headers["content-range"]) == (206, expected, said), asked
    for asked in ("bytes=10-", "bytes=-0", "bytes=99-100"):
        answer = get(server, "/digits.txt", Range=asked)
        assert (answer.status, answer.headers["content-range"], answer.body) == (416, "bytes */10", b""), asked
    for asked in ("bytes=a-b", "bytes=5-2", "bytes=0-1,3-4", "lines=1-2", "bytes"):
        assert get(server, "/digits.txt", Range=asked).status == 200, asked
    assert get(server, "/big.bin", Range="bytes=5000000-5999999").body == BIG[5_000_000:6_000_000]


def test_a_range_only_of_the_file_that_the_client_knows(server):
    etag = get(server, "/digits.txt").headers["etag"]
    assert get(server, "/digits.txt", Range="bytes=0-1", If_Range=etag).status == 206
    assert get(server, "/digits.txt", Range="bytes=0-1", If_Range='"other"').status == 200


def test_a_file_that_changes_has_a_new_etag(server, site):
    path = site / "public" / "changing.txt"
    path.write_text("one")
    etag = get(server, "/changing.txt").headers["etag"]
    path.write_text("two")
    os.utime(path, ns=(0, 1))
    answer = get(server, "/changing.txt", If_None_Match=etag)
    assert (answer.status, answer.text) == (200, "two")


def test_a_big_file_arrives_whole(server):
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    for _ in range(3):
        assert ask(server, "GET", "/big.bin", connection=connection).body == BIG
    connection.close()


def test_a_file_that_shrinks_ends_the_connection(server, site):
    path = site / "public" / "shrinking.bin"
    with path.open("wb") as file:
        file.truncate(HUGE)
    with RawSocket(server) as sock:
        sock.send_bytes(request("/shrinking.bin"))
        sock.read_until(b"\r\n\r\n")
        time.sleep(0.1)  # what the system takes without a reader is far less than the file
        path.write_bytes(b"short")
        assert len(sock.read_to_end()) < HUGE


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


# --- connections


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


def test_random_pipelines(server):
    """Whatever is sent, in whatever pieces: answers are right and in order, as far as they come; one request alone is answered."""
    rnd = random.Random(7)
    kinds = expected_answers()
    for round_number in range(300):
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
