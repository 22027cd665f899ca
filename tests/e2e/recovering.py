"""A server that recovers sessions, and clients that come back: the protocol's side of it, by hand."""
import os
from pathlib import Path

from lab import Asker, Lab
from painda import Closed, Server, WebSocket, parse_frames
from raw import PING

APP = Path(__file__).parent / "apps" / "recovery.lua"


class Recovering(Lab):
    def __init__(self, options="", *args, env=None, **more):
        Server.__init__(self, APP, *args, env={"LAB": options, **(env or {})}, **more)


class Client:
    """Counts what it is sent, as the protocol says, and can go on where it was: come_back() connects again."""

    def __init__(self, server, query=None, caps=None):
        self.server, self.caps = server, caps
        self.offset, self.got = 0, []
        self.connect(query)

    def connect(self, query=None):
        query = dict(query or {})
        if self.caps:
            query["pp_caps"] = self.caps
        self.ws = WebSocket(self.server, query=query)
        self.ask = Asker(self)
        self.first = self.next_frame()
        assert self.first.type == "__pp_session", self.first
        self.sid, self.token = self.first.payload["sid"], self.first.payload["rtoken"]
        self.offset = self.first.payload["offset"]
        self.recovery = None
        if "pp_sid" in query:
            self.errors = []
            while self.recovery is None:
                found = self.next_frame()
                if found.type == "__pp_error":
                    self.errors.append(found.payload["code"])
                else:
                    assert found.type == "__pp_recovery", found
                    self.recovery = found.payload
        return self

    def query(self, **changes):
        return {"pp_sid": self.sid, "pp_offset": self.offset, "pp_rtoken": self.token, **changes}

    def come_back(self, **changes):
        return self.connect(self.query(**changes))

    # --- what Asker needs, and reading

    def send(self, message):
        self.ws.send(message)

    def next_frame(self):
        """The next frame; the application's are counted and noted."""
        if not getattr(self, "waiting", None):
            self.waiting = parse_frames(self.ws.receive())
        found = self.waiting.pop(0)
        if found.type_id or not found.type.startswith("__pp_"):
            self.offset += 1
            self.got.append(found if found.type_id else found.payload)
        return found

    def receive_frame(self, type):
        while True:
            found = self.next_frame()
            if found.type_id == 0 and found.type == type:
                return found

    def numbers(self):
        return [payload["n"] for payload in self.got]

    def catch_up(self):
        """Reads what is on its way."""
        self.ask("who")
        return self.numbers()

    def cut(self, how="reset"):
        getattr(self.ws, how)()
        self.waiting = []
        self.server.said("gone", self.sid)

    def expect_close(self):
        return self.ws.expect_close()
