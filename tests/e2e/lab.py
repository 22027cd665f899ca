"""A server that runs apps/lab.lua, and reading what that says of itself."""
import itertools
import json
import os
import time
from pathlib import Path

from painda import BINARY_MESSAGE, CLOSE, PATIENCE, Server, WebSocket, envelope, frame, parse_frames

# Where memory is measured, AddressSanitizer keeps as little of its own as possible: it holds freed memory back for a
# while, and frames that were left, of which it touches some megabytes more the longer the program runs.
LEAN = {
    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")
    + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64:detect_stack_use_after_return=0"
}
LAB = Path(__file__).parent / "apps" / "lab.lua"


class Lab(Server):
    """`Lab("maxPayload = 1000")`: the options of its PPServer as Lua source."""

    def __init__(self, options="", *args, env=None, **more):
        super().__init__(LAB, *args, env={"LAB": options, **(env or {})}, **more)

    def said(self, kind, *wanted, after=0, patience=PATIENCE):
        """Waits until the application has said `kind` with these first arguments; returns all its arguments."""
        found = []

        def look():
            for line in self.log.splitlines()[after:]:
                if line.startswith("say "):
                    got = json.loads(line[4:])
                    if got[0] == kind and got[1 : 1 + len(wanted)] == list(wanted):
                        found.append(got[1:])
                        return True
            return False

        deadline = time.monotonic() + patience
        while not look():
            assert time.monotonic() < deadline, f"the application never said {kind} {wanted}\n{self.log}"
            time.sleep(0.01)
        return found[0]

    def says(self, kind):
        """All that it has said of that kind so far."""
        lines = [json.loads(line[4:]) for line in self.log.splitlines() if line.startswith("say ")]
        return [line[1:] for line in lines if line[0] == kind]


class Asker:
    """Questions with an ack over a connection: ask(ws)("stats") is what the handler answered."""

    def __init__(self, ws, text=False):
        self.ws, self.text, self.ids = ws, text, itertools.count(100_000)

    def __call__(self, type, payload=None):
        ack_id = next(self.ids)
        message = envelope(type, payload, ack_id=ack_id).decode() if self.text else frame(type, payload, ack_id=ack_id)
        self.ws.send(message)
        while True:
            got = self.ws.receive_json("__pp_ack") if self.text else self.ws.receive_frame("__pp_ack").envelope
            if got["payload"]["ackId"] == ack_id:
                assert "error" not in got["payload"], got
                return got["payload"]["args"][0]


def ack_of(ws, type, payload=None, ack_id=1):
    """Sends a message that asks for an ack; the ack's payload."""
    ws.send(frame(type, payload, ack_id=ack_id))
    answer = ws.receive_frame("__pp_ack")
    assert "__ackId" not in answer.envelope
    return answer.payload


def answer(ws, ack_id, *args, **more):
    """Answers what the server has asked."""
    ws.send(frame("__pp_ack", {"ackId": ack_id, "args": list(args), **more}))


def asked(ws, type="question"):
    """Waits for a question of the server; its ack id."""
    return ws.receive_frame(type).envelope["__ackId"]


def drain_to_close(ws, code, reason):
    """Reads all that is on its way up to that close frame, as fast as it comes, then looks at it: the Painda frames."""
    said = code.to_bytes(2, "big") + reason.encode()
    close = bytes([0x80 | CLOSE, len(said)]) + said
    data = bytearray(ws.buffer)
    while not data.endswith(close):
        piece = ws.sock.recv(1 << 20)
        assert piece, "the line ended without that close frame"
        data += piece
    frames, at = [], 0
    while at < len(data) - len(close):
        head = {126: 4, 127: 10}.get(data[at + 1], 2)
        size = data[at + 1] if head == 2 else int.from_bytes(data[at + 2 : at + head], "big")
        if data[at] & 0x0F == BINARY_MESSAGE:
            frames += parse_frames(bytes(data[at + head : at + head + size]))
        at += head + size
    return frames


def client_id(ws):
    return Asker(ws)("who")


def still_serves(server):
    """A new client is answered."""
    with WebSocket(server) as ws:
        assert Asker(ws)("echo", "hello") == "hello"
