"""Where a server listens: IPv4, IPv6, Unix sockets; ports that are taken; a system out of descriptors."""
import os
import re
import resource
import stat
import time

import pytest

from lab import Asker, Lab, client_id
from painda import Closed, RawSocket, Server, WebSocket, eventually, frame, free_port, painda

pytestmark = pytest.mark.asan


def address_seen(server, **where):
    with WebSocket(server, **where) as ws:
        return Asker(ws)("handshake")["address"]


def test_all_addresses_are_the_default():
    with Lab() as server:
        assert address_seen(server) == "127.0.0.1"
        assert address_seen(server, address=("::1", server.port)) == "::1"


def test_ipv4_only():
    with Lab('host = "127.0.0.1"') as server:
        assert address_seen(server) == "127.0.0.1"
        with pytest.raises(ConnectionRefusedError):
            WebSocket(server, address=("::1", server.port))


def test_ipv6_only():
    with Lab('host = "::1"', host="::1") as server:
        assert address_seen(server) == "::1"
        with pytest.raises(ConnectionRefusedError):
            WebSocket(server, address=("127.0.0.1", server.port))


def test_a_name_as_host():
    with Lab('host = "localhost"', host="localhost") as server:
        assert address_seen(server) in ("127.0.0.1", "::1")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "256.1.1.1", "192.0.2.77"])
def test_a_host_that_is_not_ours(host, tmp_path):
    app = tmp_path / "app.lua"
    app.write_text(f'require("painda").PPServer {{ port = 0, host = "{host}" }}\n')
    result = painda("run", app)
    assert result.returncode == 1
    assert result.stderr.startswith("painda: ") and host in result.stderr, result.stderr


def test_messages_over_ipv6():
    with Lab(host="::1") as server, WebSocket(server) as ws:
        assert Asker(ws)("echo", "x" * 500_000) == "x" * 500_000


def test_limits_per_address_hold_for_ipv6():
    with Lab("maxConnectionsPerIp = 1", host="::1") as server, WebSocket(server) as ws:
        client_id(ws)
        with WebSocket(server) as second:
            assert second.expect_close()[0] == 4029
        with WebSocket(server, address=("127.0.0.1", server.port)) as other:
            assert Asker(other)("echo", 1) == 1


# --- Unix sockets


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lab.sock"


def on_unix(path, more=""):
    return Lab(f'host = "unix:{path}", {more}', port=None, listens=False)


def test_a_unix_socket(path):
    with on_unix(path) as server:
        server.wait_for("listening")
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert address_seen(server, unix=path) == "unix"
        with WebSocket(unix=path) as a, WebSocket(unix=path) as b:
            client_id(a)
            assert Asker(b)("echo", "x" * 500_000) == "x" * 500_000
            b.send(frame("shout", 1))
            assert a.receive_frame("shout").payload == 1
    assert not path.exists()


def test_a_proxy_on_a_unix_socket_may_be_trusted(path):
    with on_unix(path, 'trustedProxies = { "unix" }') as server:
        server.wait_for("listening")
        assert address_seen(server, unix=path, X_Forwarded_For="1.2.3.4") == "1.2.3.4"


def test_a_file_left_by_a_killed_server_is_taken_over(path):
    first = on_unix(path)
    first.start()
    first.wait_for("listening")
    first.kill()
    assert path.exists()
    with on_unix(path) as server:
        server.wait_for("listening")
        assert address_seen(server, unix=path) == "unix"


def test_a_unix_socket_in_use_is_not_taken_over(path, tmp_path):
    with on_unix(path) as server:
        server.wait_for("listening")
        app = tmp_path / "app.lua"
        app.write_text(f'require("painda").PPServer {{ host = "unix:{path}" }}\n')
        result = painda("run", app)
        assert result.returncode == 1
        assert str(path) in result.stderr and "in use" in result.stderr, result.stderr
        assert address_seen(server, unix=path) == "unix"


def test_a_file_that_is_no_socket_is_not_removed(path, tmp_path):
    path.write_text("precious")
    app = tmp_path / "app.lua"
    app.write_text(f'require("painda").PPServer {{ host = "unix:{path}" }}\n')
    result = painda("run", app)
    assert result.returncode == 1 and str(path) in result.stderr
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["x" * 200, "no/such/folder.sock", ""])
def test_a_path_that_cannot_be(tmp_path, name):
    app = tmp_path / "app.lua"
    app.write_text(f'require("painda").PPServer {{ host = "unix:{tmp_path / name if name else ""}" }}\n')
    result = painda("run", app)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1, result.stderr


# --- ports


def test_a_port_in_use_names_it_and_what_to_do(tmp_path):
    with Lab() as server:
        app = tmp_path / "app.lua"
        app.write_text(f'require("painda").PPServer {{ port = {server.port} }}\n')
        result = painda("run", app)
        assert result.returncode == 1
        assert re.fullmatch(rf"painda: .*{server.port}.* in use .*--port.*\n", result.stderr), result.stderr


def test_a_port_can_be_used_again_at_once():
    port = free_port()
    for _ in range(3):
        with Lab(port=port) as server:
            with WebSocket(server) as ws:
                ws.send(frame("close-me"))  # the server's side ends first: its port lingers
                ws.expect_close()


def test_two_servers_in_one_application():
    source = """
    local painda = require "painda"
    local one = painda.PPServer { port = %d }
    local two = painda.PPServer { port = %d, mode = "gaming" }
    one:on("who", function(_, _, ack) ack(nil, "one") end)
    two:on("who", function(_, _, ack) ack(nil, "two") end)
    """
    first, second = free_port(), free_port()
    with Server(source % (first, second), port=None) as server:
        eventually(lambda: len(re.findall("listening", server.log)) == 2)
        for port, name in ((first, "one"), (second, "two")):
            with WebSocket(server, address=("127.0.0.1", port)) as ws:
                assert Asker(ws)("who") == name


# --- descriptors


def few_descriptors(count):
    """A server that may open only so many."""
    server = Lab("maxConnectionsPerIp = 0, handshakeTimeout = 60000", env={"LAB_QUIET": "yes"})
    server.command = ["prlimit", f"--nofile={count}:{count}", *server.command]
    return server


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_without_descriptors_it_waits_and_recovers():
    with few_descriptors(64) as server:
        with WebSocket(server) as early:
            client_id(early)
            lines = []
            for _ in range(100):  # the system completes these connections; the server can't accept them all
                lines.append(RawSocket(server))
            server.wait_for("no new connection can be accepted")
            assert Asker(early)("echo", "served meanwhile") == "served meanwhile"
            before, began = cpu_seconds(server.pid), time.monotonic()
            time.sleep(1)
            busy = (cpu_seconds(server.pid) - before) / (time.monotonic() - began)
            assert busy < 0.5, f"{busy:.0%} of a processor while there is nothing to do"
            for line in lines:
                line.close()

            def answers():
                try:
                    with WebSocket(server) as ws:
                        return Asker(ws)("echo", True)
                except (OSError, Closed, AssertionError):
                    return False

            eventually(answers, "a new connection")
            assert len(re.findall("no new connection", server.log)) < 200


def test_descriptors_that_run_out_in_the_middle_of_handshakes():
    """Handing a connection over takes one descriptor more for a moment."""
    with few_descriptors(40) as server:
        for _ in range(2):
            sockets = []
            for _ in range(40):
                try:
                    sockets.append(WebSocket(server, timeout=0.3))
                except (OSError, Closed, AssertionError):
                    pass
            served = 0
            for ws in sockets:
                try:
                    served += Asker(ws)("echo", 1) == 1
                except (OSError, Closed):
                    pass
            assert served > 3
            for ws in sockets:
                ws.close()

        def quiet():
            try:
                with WebSocket(server, timeout=2) as ws:
                    return Asker(ws)("stats")["clients"] == 1
            except (OSError, Closed, AssertionError):
                return False

        eventually(quiet)


# --- numbers


def test_a_thousand_connections_chat():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    try:
        with Lab("maxConnectionsPerIp = 0", env={"LAB_QUIET": "yes"}) as server:
            sockets = [WebSocket(server) for _ in range(1000)]
            for n, ws in enumerate(sockets):
                ws.send(frame("echo", n))
            assert [ws.receive_frame().payload for ws in sockets] == list(range(1000))
            sockets[0].send(frame("shout", "all"))
            assert all(ws.receive_frame("shout").payload == "all" for ws in sockets[1:])
            for ws in sockets:
                ws.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
