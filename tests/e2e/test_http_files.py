"""The files of painda.HttpServer: what is served and how, and what is not."""
import http.client
import os
import time

import pytest

from http_site import BIG, HUGE, ask, get, request, server, site  # noqa: F401: fixtures are among them
from painda import RawSocket

pytestmark = pytest.mark.asan


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
