"""Which port an application opens: --port through reloads and crashes, and what is said where it has the port itself."""
import os
import re
import signal
import socket

import pytest

from lab import Asker
from painda import Server, WebSocket, free_port, painda
from reloading import app, hang_up  # noqa: F401, a fixture

pytestmark = pytest.mark.asan


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except ConnectionRefusedError:
        return False


def test_the_first_port_is_that_of_the_command_line_whatever_new_code_says(app):
    literal, other, given = free_port(), free_port(), free_port()
    source = app.source(1)
    app.save(source.replace("port = 3000", f"port = {literal}"))
    with Server(app.path, port=given) as server, WebSocket(server) as ws:
        assert server.port == given
        app.save(source.replace("port = 3000", f"port = {other}").replace("VERSION = 1", "VERSION = 2"))
        assert hang_up(server)
        assert Asker(ws)("version") == 2, "the connection is there still"
        assert is_open(given) and not is_open(other) and not is_open(literal)
        os.kill(server.pid, signal.SIGKILL)
        server.wait_for("serves again")
        assert is_open(given) and not is_open(other)


def test_any_free_port_stays_the_same_whatever_new_code_says(app):
    with Server(app.path, port=0) as server, WebSocket(server) as ws:
        app.save(app.source(2).replace("port = 3000", f"port = {free_port()}"))
        assert hang_up(server)
        assert Asker(ws)("version") == 2
        assert is_open(server.port)


def test_only_the_first_port_is_that_of_the_command_line(app):
    second, given = free_port(), free_port()
    for kinds in (("HttpServer", "PPServer"), ("PPServer", "HttpServer")):
        app.save(f"""
        local painda = require "painda"
        painda.{kinds[0]} {{ port = 1 }}
        painda.{kinds[1]} {{ port = {second} }}
        """)
        with Server(app.path, port=given) as server:
            server.wait_for(rf"listening\b.*\bport={second}\b")
            assert server.port == given and is_open(second)
            assert hang_up(server)
            assert is_open(given) and is_open(second)


def test_two_servers_of_one_port_are_told_how_to_share_it(app):
    port = free_port()
    app.save(f"""
    local painda = require "painda"
    painda.HttpServer {{ port = {port} }}
    painda.PPServer {{ port = {port} }}
    """)
    for more in ((), ("--port", free_port())):
        result = painda("run", app.path, "--no-supervisor", *more)
        assert result.returncode == 1
        assert re.search(
            r"painda: \S*app\.lua:4: cannot listen on port \d+: Address already in use "
            r"\(the application itself has it, for HttpServer on port \d+; PPServer\.attachTo",
            result.stderr,
        ), result.stderr


@pytest.mark.parametrize("change", ["host", "kind"])
def test_a_port_that_changes_its_kind_says_that_the_old_code_has_it(app, change):
    with Server(app.path, port=free_port()) as server, WebSocket(server) as ws:
        changed = 'painda.PPServer { host = "127.0.0.1", port = %d }' % server.port
        if change == "kind":
            changed = "local http = painda.HttpServer { port = %d } painda.PPServer.attachTo(http)" % server.port
        app.save('local painda = require "painda"\n' + changed + "\n")
        assert not hang_up(server)
        server.wait_for(
            r"app\.lua:2: cannot listen on port \d+.*: Address already in use \(the code that serves has it, for the server on port \d+, "
            r".*takes a restart"
        )
        assert Asker(ws)("version") == 1


def test_a_port_of_another_program_says_so_at_the_line_that_wants_it(app):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        app.save('local painda = require "painda"\npainda.PPServer { host = "127.0.0.1", port = %d }\n'
                 % taken.getsockname()[1])  # fmt: skip
        result = painda("run", app.path, "--no-supervisor")
    assert result.returncode == 1
    assert re.search(r"painda: \S*app\.lua:2: cannot listen .*another program listens there", result.stderr)
