"""A TCP proxy that cuts connections at random bytes."""
import asyncio
import random
import socket
import struct
import threading


class CuttingProxy:
    """Passes bytes on to `server`, and cuts each connection after about `every` of them: a reset, a hang-up, or silence
    (nothing passes any more, and nobody is told). `calm()` ends that."""

    def __init__(self, server, every=None, seed=1):
        self.server, self.every, self.random = server, every, random.Random(seed)
        self.cuts = 0
        self._lines = set()

    def __enter__(self):
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def calm(self):
        """From here on nothing is cut, and what was silenced is."""
        self.every = None
        self._loop.call_soon_threadsafe(self.cut_silent)

    def cut_all(self):
        self._loop.call_soon_threadsafe(lambda: [line.cut() for line in list(self._lines)])

    def cut_silent(self):
        for line in list(self._lines):
            line.left = None
            if line.silent:
                line.cut()

    async def _serve(self, ready):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        listener = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)
        self.host, self.port = listener.sockets[0].getsockname()
        ready.set()
        await self._stop.wait()
        for line in list(self._lines):
            line.cut()
        listener.close()

    async def _accept(self, reader, writer):
        try:
            there = await asyncio.open_connection(self.server.host, self.server.port)
        except OSError:
            writer.close()
            return
        line = Line(self, (reader, writer), there)
        self._lines.add(line)
        await asyncio.gather(line.pump(reader, there[1]), line.pump(there[0], writer))
        line.cut()


class Line:
    def __init__(self, proxy, here, there):
        self.proxy, self.ends, self.silent = proxy, (here[1], there[1]), False
        self.left = proxy.random.expovariate(1 / proxy.every) if proxy.every else None

    async def pump(self, reader, writer):
        try:
            while data := await reader.read(65536):
                if self.silent:
                    continue
                if self.left is not None and len(data) >= self.left:
                    writer.write(data[: int(self.left)])
                    self.proxy.cuts += 1
                    self.silent = self.proxy.random.random() < 0.2
                    if self.silent:
                        continue
                    return self.cut(self.proxy.random.random() < 0.5)
                if self.left is not None:
                    self.left -= len(data)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        self.cut()

    def cut(self, hard=False):
        self.proxy._lines.discard(self)
        for end in self.ends:
            if hard and not end.is_closing():
                linger = struct.pack("ii", 1, 0)
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                end.transport.abort()
            else:
                end.close()
