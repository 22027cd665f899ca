"""PPClient's connections to a server that is not ours: losing them, coming back, TLS, IPv6, Unix sockets."""
import http
import signal
import ssl
import subprocess

import pytest

from client_peer import App, Peer, url, peer  # noqa: F401: a fixture is among them
from painda import eventually, frame, free_port

pytestmark = pytest.mark.asan


# --- connecting, losing, connecting again ---


def test_a_server_that_dies_and_returns():
    port = free_port()
    with App(f"ws://127.0.0.1:{port}", """
        local client = painda.PPClient { url = URL, reconnectDelay = 20, reconnectDelayMax = 50 }
        for _, name in ipairs { "open", "connect", "disconnect", "reconnect", "error" } do
            client:on(name, function(first) say(name, type(first) == "table" and text(first) or first) end)
        end
        client:on("reconnecting", function(attempt, delay) say("reconnecting", attempt, delay <= 60) end)
        client:emit("queued", 1)
    """) as app:
        first = app.next()
        assert first[0] == "error" and first[1]["code"] == "CONNECTION_ERROR"
        assert "connection refused" in first[1]["message"] and f"127.0.0.1:{port}" in first[1]["message"]
        app.heard("reconnecting", 1, True)
        with Peer(port) as peer:
            assert app.until("open") == []
            app.heard("connect")
            assert peer.accept().receive().payload == 1
        assert app.until("disconnect") == ["server shutdown"]
        with Peer(port) as peer:
            app.until("connect")
            assert app.until("reconnect")[0] >= 1
            line = peer.accept()
            line.cut()
            assert app.until("disconnect") == ["transport close"]
            peer.accept()


def test_what_is_sent_while_disconnected_arrives_in_order():
    port = free_port()
    with App(f"ws://127.0.0.1:{port}", """
        local client = painda.PPClient { url = URL, reconnectDelay = 20, reconnectDelayMax = 50, offlineQueue = 5 }
        local payload = { n = 0 }
        for n = 1, 8 do payload.n = n client:emit("n", payload) end
        payload.n = "changed later"
        client:send({ type = "n", payload = "volatile" }, { volatile = true })
        say(client:queueSize(), client.dropped, client:isConnected())
        client:on("error", function() say "error" end)
        client:on("connect", function() say(client:queueSize()) client:emit("n", "last") end)
    """) as app:
        app.heard(5, 4, False)
        app.heard("error")
        with Peer(port) as peer:
            line = peer.accept()
            assert [line.receive().payload for _ in range(6)] == [{"n": n} for n in range(4, 9)] + ["last"]
            eventually(lambda: [0] in [app.next()])


def test_it_gives_up_after_so_many_attempts():
    with App(f"ws://127.0.0.1:{free_port()}", """
        local client = painda.PPClient { url = URL, reconnectAttempts = 2, backoff = function(n) return n end }
        client:on("error", function() say("error") end)
        client:on("reconnecting", function(attempt) say("reconnecting", attempt) end)
        client:on("stateChange", function(now, before) say("state", now, before) end)
        client:on("reconnectFailed", function(attempts) say("failed", attempts, client.state, select(2, client:emit("x"))) end)
    """) as app:
        app.heard("error")
        app.heard("state", "reconnecting", "connecting")
        app.heard("reconnecting", 1)
        app.heard("error")
        app.heard("reconnecting", 2)
        app.heard("error")
        app.heard("state", "closed", "reconnecting")
        app.heard("failed", 2, "closed", "closed")


@pytest.mark.parametrize("code, again", [(1000, False), (4002, False), (4009, False), (1001, True), (4008, True), (4100, True)])
def test_which_closes_it_comes_back_from(peer, code, again):
    with App(url(peer), """
        local client = painda.PPClient { url = URL, reconnectDelay = 10 }
        client:on("disconnect", function(reason, code, why) say(reason, code, why) end)
        client:on("stateChange", function(now) say(now) end)
    """) as app:
        line = peer.accept()
        app.heard("connected")
        line.close(code, "go")
        reasons = {1001: "server shutdown", 4008: "too slow"}
        app.heard(reasons.get(code, "forced server disconnect"), code, "go")
        app.heard("reconnecting" if again else "closed")
        if again:
            peer.accept()


def test_close_ends_it_behind_what_was_sent(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL, reconnectDelay = 10 }
        client:on("disconnect", function(reason, code) say("disconnect", reason, code) end)
        client:on("close", function(code) say("close", code) end)
        client:once("open", function()
            for n = 1, 3 do client:emit("n", n) end
            client:emit("asked", nil, function(err) say("ack", text(err).code) end)
            client:close(3001, "enough")
            say(select(2, client:emit("n")), client.state)
            client:close()
        end)
    """) as app:
        line = peer.accept()
        assert [line.receive().payload for _ in range(3)] == [1, 2, 3]
        assert line.wait_closed() == (3001, "enough")
        said = [app.next() for _ in range(4)]
        assert ["ack", "CONNECTION_ERROR"] in said and ["disconnect", "client disconnect", 3001] in said
        assert ["close", 3001] in said and ["closed", "closed"] in said
        assert peer.is_alone()


def test_a_server_that_falls_silent(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL, heartbeat = { interval = 50, timeout = 50 }, reconnect = false }
        client:on("disconnect", function(reason, code) say(reason, code) end)
    """) as app:
        line = peer.accept()
        line.loop.call_soon_threadsafe(line.socket.transport.pause_reading)
        app.heard("Ping timeout", 1006)


def test_a_server_that_answers_pings_is_kept(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL, heartbeat = { interval = 20, timeout = 2000 } }
        client:on("disconnect", function(reason) say(reason) end)
        client:on("open", function() painda.sleep(200) say(client:isConnected()) end)
    """) as app:
        line = peer.accept()
        line._run(line.socket.ping(b"are you there"))
        app.heard(True)


def test_sigterm_says_goodbye(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL }
        client:on("open", function() client:emit("last", 1) say("open") end)
    """) as app:
        line = peer.accept()
        app.heard("open")
        app.server.stop()
        assert line.receive().type == "last"
        assert line.wait_closed()[0] == 1001


def test_a_reload_makes_a_new_client_and_ends_the_old_one(peer):
    with App(url(peer), """
        local client = painda.PPClient { url = URL }
        client:on("which", function() client:emit("version", VERSION or 1) end)
    """) as app:
        def version(line):
            line.send(frame("which"))
            return line.receive().payload

        first = peer.accept()
        assert version(first) == 1
        source = app.server.app.read_text()
        app.server.app.write_text(source + 'error("broken")')
        app.server.send_signal(signal.SIGHUP)
        app.server.wait_for("reload failed")
        assert version(first) == 1 and peer.is_alone()
        app.server.app.write_text("local VERSION = 2\n" + source)
        app.server.send_signal(signal.SIGHUP)
        second = peer.accept()
        assert version(second) == 2
        assert first.wait_closed()[0] == 1001
        assert peer.is_alone()


# --- TLS, IPv6, Unix sockets ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of its own for localhost, 127.0.0.1 and ::1, by openssl: (certificate, key)."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


def tls_peer(certificate, **options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return Peer(ssl=context, **options)


TLS_APP = """
    local client = painda.PPClient { url = URL, reconnect = false, %s }
    client:on("open", function() client:emit("hello", ("secret"):rep(20000)) end)
    client:on("hello", function() say("open") client:close() end)
    client:on("error", function(err) say(err.message) end)
"""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_wss(certificate, host):
    with tls_peer(certificate, host=host.strip("[]")) as peer:
        with App(url(peer, scheme="wss", host=host), TLS_APP % f'caFile = "{certificate[0]}"') as app:
            line = peer.accept()
            line.send(frame("hello", len(line.receive().payload)))
            app.heard("open")
            assert line.wait_closed()[0] == 1000


def test_wss_does_not_trust_anybody(certificate):
    with tls_peer(certificate) as peer:
        with App(url(peer, scheme="wss"), TLS_APP % "") as app:
            assert "the server's certificate is refused: self-signed certificate" in app.next()[0]
        assert peer.is_alone()


@pytest.mark.parametrize("host", ["127.0.0.2", "[::1]"])
def test_wss_wants_the_right_name(certificate, tmp_path, host):
    cert, key = tmp_path / "other.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other", "-addext",
         "subjectAltName=DNS:other.example,IP:192.0.2.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    with tls_peer((cert, key), host=host.strip("[]")) as peer:
        with App(url(peer, scheme="wss", host=host), TLS_APP % f'tls = {{ ca = "{cert}" }}') as app:
            assert "the server's certificate is refused: IP address mismatch" in app.next()[0]
        assert peer.is_alone()


def test_wss_with_any_certificate_where_it_is_asked_for(certificate):
    with tls_peer(certificate) as peer:
        with App(url(peer, scheme="wss"), TLS_APP % "tls = { insecure = true }") as app:
            line = peer.accept()
            line.send(frame("hello", len(line.receive().payload)))
            app.heard("open")


def test_wss_to_a_port_without_tls(peer):
    with App(url(peer, scheme="wss"), TLS_APP % "") as app:
        assert "the TLS handshake failed" in app.next()[0]


def test_unix_sockets(tmp_path):
    path = str(tmp_path / "app.sock")
    with Peer(path=path) as peer:
        with App(f"ws+unix:{path}:/chat?x=1", """
            local client = painda.PPClient { url = URL }
            client:on("n", function(n) client:emit("n", n + 1) end)
        """):
            line = peer.accept()
            assert line.path == "/chat?x=1&pp_caps=batch,state"
            line.send(frame("n", 1))
            assert line.receive().payload == 2


@pytest.mark.parametrize(
    "where, why",
    [
        ("ws://nowhere.invalid:3000", "nowhere.invalid was not found"),
        ("ws+unix:/nowhere/app.sock", "/nowhere/app.sock: no such file or directory"),
    ],
)
def test_it_says_why_it_can_not_connect(where, why):
    with App(where, TLS_APP % "") as app:
        assert why in app.next()[0]


def test_a_server_that_does_not_upgrade():
    async def refuse(path, headers):
        return http.HTTPStatus.FORBIDDEN, [], b"no"

    with Peer(process_request=refuse) as peer:
        with App(url(peer), TLS_APP % "") as app:
            assert "the server answered 403 and did not upgrade to WebSocket" in app.next()[0]


def test_no_proxy_of_the_environment_is_used(peer, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with App(url(peer), TLS_APP % ""):
        assert peer.accept().receive().type == "hello"
