"""A WebSocket server that is not ours (Python's websockets, frames built by hand), and a Lua program with a PPClient."""
import asyncio
import json
import queue
import threading

import pytest
import websockets
from websockets.exceptions import ConnectionClosed

from painda import PATIENCE, Server, parse_frames

PRELUDE = """
io.stdout:setvbuf "no"
local painda, json = require "painda", require "painda.json"
local URL = %s
local function say(...) print("say " .. json.encode { ... }) end
local function text(err) return err and { message = err.message, code = err.code } end
"""


class Line:
    """One connection as the peer sees it."""

    def __init__(self, loop, socket):
        self.loop, self.socket = loop, socket
        self.path, self.headers = socket.path, socket.request_headers
        self._pending = []

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def send(self, data):
        self._run(self.socket.send(data))

    def receive_raw(self):
        return self._run(asyncio.wait_for(self.socket.recv(), PATIENCE))

    def receive(self):
        """The next frame, out of a batch too."""
        if not self._pending:
            self._pending = parse_frames(self.receive_raw())
        return self._pending.pop(0)

    def close(self, code=1000, reason=""):
        self._run(self.socket.close(code, reason))

    def cut(self):
        """Ends the TCP connection without a closing handshake."""
        self.loop.call_soon_threadsafe(self.socket.transport.abort)

    def wait_closed(self):
        """What the client said at the end: (code, reason)."""
        try:
            while True:
                self.receive_raw()
        except ConnectionClosed:
            return self.socket.close_code, self.socket.close_reason


class Peer:
    """A WebSocket server on a port of its own (or `port`); `accept()` returns the next connection."""

    def __init__(self, port=0, **options):
        self.port, self._options = port, options
        self._lines = queue.Queue()
        self._started = threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._started.wait(PATIENCE), "the peer did not start"
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)

    async def _serve(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        options = {"compression": None, "ping_interval": None, "max_size": None, "close_timeout": 1, **self._options}

        async def handle(socket, path=None):
            self._lines.put(Line(self._loop, socket))
            await socket.wait_closed()

        if "path" in options:
            server = await websockets.unix_serve(handle, **options)
        else:
            server = await websockets.serve(handle, options.pop("host", "127.0.0.1"), self.port, **options)
            self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        await server.wait_closed()

    def accept(self):
        return self._lines.get(timeout=PATIENCE)

    def is_alone(self):
        return self._lines.empty()


class App:
    """A Lua program with a client in it; `heard(...)` waits for what it says with say(...)."""

    def __init__(self, url, source):
        self._server = Server(PRELUDE % json.dumps(url) + source, port=None, listens=False)
        self._at = 0

    def __enter__(self):
        self._server.__enter__()
        return self

    def __exit__(self, *failure):
        return self._server.__exit__(*failure)

    def next(self):
        """The arguments of the next say(...)."""
        match = self._server.wait_for(r"^say (.*)$", after=self._at)
        lines = self._server.log.splitlines()
        while not lines[self._at].startswith("say "):
            self._at += 1
        self._at += 1
        return json.loads(match.group(1))

    def heard(self, *expected):
        """The next say(...) must be this."""
        assert self.next() == list(expected)

    def until(self, first):
        """Skips to the say(...) whose first argument is `first`; returns the others."""
        while True:
            said = self.next()
            if said and said[0] == first:
                return said[1:]

    @property
    def server(self):
        return self._server


@pytest.fixture
def peer():
    with Peer() as running:
        yield running


def url(peer, path="", scheme="ws", host="127.0.0.1"):
    return f"{scheme}://{host}:{peer.port}{path}"
