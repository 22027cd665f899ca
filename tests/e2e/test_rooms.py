"""Rooms over real sockets: who hears what, held against a model of it, whether they speak frames or text; and names that
nobody should be able to use against the server."""
import json
import random
import signal
import struct
from pathlib import Path

import pytest

from lab import LEAN, Asker
from painda import BINARY_MESSAGE, Closed, Server, WebSocket, eventually, frame, parse_frames, ws_frame
from recovering import Client as Recovered

pytestmark = pytest.mark.asan

APP = Path(__file__).parent / "apps" / "rooms.lua"
MOVE = struct.Struct(">If")


def serve(options="", *args):
    return Server(APP, *args, env={**LEAN, "ROOMS": options})


class Refused(Exception):
    pass


class Member:
    """A client that asks, and keeps what it is told meanwhile: `heard`, as [type, payload]; a schema's as "move#"."""

    def __init__(self, server, text=False):
        self.ws, self.text, self.heard, self.asked = WebSocket(server), text, [], 0
        self.id = self.ask("who")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ws.close()

    def _take(self):
        """The next envelopes; what came by a schema is heard at once."""
        message = self.ws.receive()
        assert isinstance(message, str) == self.text, message
        if self.text:
            return [json.loads(message)]
        envelopes = []
        for got in parse_frames(message):
            if got.type_id == 0:
                envelopes.append(got.envelope)
            else:
                assert got.type_id == 7
                n, x = MOVE.unpack(got.body)
                self.heard.append(["move#", {"n": n, "x": x}])
        return envelopes

    def ask(self, type, payload=None):
        self.asked += 1
        message = frame(type, payload, ack_id=self.asked)
        self.ws.send(message[16:].decode() if self.text else message)
        while True:
            for got in self._take():
                if got["type"] != "__pp_ack":
                    self.heard.append([got["type"], got["payload"]])
                    continue
                assert got["payload"]["ackId"] == self.asked
                if "error" in got["payload"]:
                    raise Refused(got["payload"]["error"]["code"], got["payload"]["error"]["message"])
                return got["payload"]["args"][0]

    def all_heard(self):
        """What it heard since the last look. Its own ack is behind all that was sent before."""
        self.ask("who")
        heard, self.heard = self.heard, []
        return heard


# --- who hears what


class Model:
    """The rooms as they must be, and what each member must have heard."""

    ROOMS = ["red", "green", "blue", "böse räume", "a" * 255]

    def __init__(self, seed, server):
        self.random, self.server, self.members, self.said = random.Random(seed), server, [], 0
        for _ in range(6):
            self.come()

    def come(self):
        member = Member(self.server, text=self.random.random() < 0.4)
        member.rooms, member.due = set(), []
        self.members.append(member)

    def go(self):
        if len(self.members) < 3:
            return
        gone = self.members.pop(self.random.randrange(len(self.members)))
        gone.ws.close()
        asker = self.members[0]
        eventually(lambda: asker.ask("stats")["clients"] == len(self.members), "the end of a client")

    def some(self, most):
        """Names of rooms and ids of members, some more than once."""
        return self.random.choices([*self.ROOMS, "nobody is here", *(m.id for m in self.members)], k=most)

    def join(self):
        member, rooms = self.random.choice(self.members), self.random.sample(self.ROOMS, self.random.randint(1, 3))
        assert member.ask("join", rooms) is True
        member.rooms |= set(rooms)

    def leave(self):
        member, room = self.random.choice(self.members), self.random.choice(self.ROOMS)
        assert member.ask("leave", room) == (room in member.rooms)
        member.rooms.discard(room)

    def look(self):
        member, room = self.random.choice(self.members), self.random.choice(self.ROOMS)
        assert sorted(member.ask("rooms")) == sorted(member.rooms)
        assert sorted(member.ask("list", room)) == sorted(m.id for m in self.members if room in m.rooms)
        assert member.ask("stats")["rooms"] == len(set().union(*(m.rooms for m in self.members)))

    def say(self):
        speaker = self.random.choice(self.members)
        self.said += 1
        what = {"payload": {"n": self.said, "x": 0.5}, "own": self.random.random() < 0.5}
        what["volatile"], by_schema = self.random.random() < 0.3, self.random.random() < 0.3
        if by_schema:
            what["type"] = "move"
        if self.random.random() < 0.8:
            what["to"] = self.some(self.random.randint(1, 3))
        if self.random.random() < 0.5:
            what["except"] = self.some(self.random.randint(1, 2))

        def is_in(member, names):
            return member.id in names or not member.rooms.isdisjoint(names)

        hearers = [m for m in self.members if "to" not in what or is_in(m, what["to"])]
        hearers = [m for m in hearers if not is_in(m, what.get("except", [])) and not (what["own"] and m is speaker)]
        assert speaker.ask("say", what) == len(hearers)
        for member in hearers:
            kind = "said" if not by_schema else "move" if member.text else "move#"
            member.due.append([kind, what["payload"]])

    def step(self):
        steps, weights = [self.say, self.join, self.leave, self.look, self.come, self.go], [10, 4, 3, 1, 0.4, 0.4]
        self.random.choices(steps, weights)[0]()


@pytest.mark.parametrize("seed", range(4))
def test_everyone_hears_what_they_should_once_and_in_order(seed):
    with serve() as server:
        model = Model(seed, server)
        for _ in range(800):
            model.step()
        for member in model.members:
            assert member.all_heard() == member.due
            member.ws.close()


def test_a_client_that_ends_leaves_its_rooms_and_the_server_is_told():
    with serve() as server, Member(server) as stays:
        with Member(server) as goes:
            assert goes.ask("join", ["red", "blue"])
            assert stays.ask("join", "red")
        told = eventually(lambda: len(e := stays.ask("events")) == 5 and e, "events of the end")
        assert [e for e in told if e[1] == stays.id] == [["join", stays.id, "red"]]
        mine = [e for e in told if e[1] == goes.id]
        assert mine[:2] == [["join", goes.id, "red"], ["join", goes.id, "blue"]]
        assert sorted(mine[2:]) == [["leave", goes.id, "blue"], ["leave", goes.id, "red"]]
        assert stays.ask("say", {"to": ["red", "blue"], "payload": 1}) == 1
        assert stays.ask("stats")["rooms"] == 1


def test_those_in_a_room_can_be_thrown_out():
    with serve() as server, Member(server) as stays, Member(server) as one, Member(server, text=True) as other:
        one.ask("join", "red")
        other.ask("join", "red")
        assert stays.ask("throw out", "red") == 2
        for member in (one, other):
            with pytest.raises(Closed) as closed:
                member.ws.receive()
            assert (closed.value.code, closed.value.reason) == (4005, "thrown out")
        eventually(lambda: stays.ask("stats")["rooms"] == 0)


def test_rooms_stay_through_a_reload(tmp_path):
    with serve() as server, Member(server) as one, Member(server) as other:
        one.ask("join", ["red", "blue"])
        other.ask("join", "red")
        mark = server.mark()
        server.send_signal(signal.SIGHUP)
        server.wait_for(r"\breloaded\b", after=mark)
        assert sorted(one.ask("rooms")) == ["blue", "red"]
        assert one.ask("say", {"to": "red", "payload": 1}) == 2
        assert other.ask("leave", "red") is True
        assert one.ask("events")[-1] == ["leave", other.id, "red"]


# --- those that are behind


def test_volatile_messages_to_a_room_are_left_out_for_those_behind_alone():
    """The asker is in the room too, and in one turn of the loop nobody's queue is written."""
    with serve('compression = "none", volatileAbove = 10000') as server, Member(server) as one, Member(server) as out:
        one.ask("join", "red")
        assert one.ask("flood", {"to": "red", "count": 100, "size": 1000}) == {"sent": 100, "dropped": 90}
        assert len(one.all_heard()) == 10
        assert out.all_heard() == []
        assert out.ask("flood", {"to": ["red", out.id], "count": 5, "size": 1000})["dropped"] == 90
        assert (len(one.all_heard()), len(out.all_heard())) == (5, 5)


def test_a_member_that_reads_nothing_holds_up_nobody():
    with serve('compression = "none", maxBackpressure = 100000') as server:
        with Member(server) as one, Member(server) as asleep, Member(server, text=True) as text:
            for member in (one, asleep, text):
                member.ask("join", "red")
            for n in range(400):
                one.ask("say", {"to": "red", "payload": [n, "x" * 30000]})
                assert [payload[0] for _, payload in text.all_heard()] == [n]
            assert [payload[0] for _, payload in one.all_heard()] == list(range(400))
            eventually(lambda: one.ask("stats")["clients"] == 2, "the end of the one that reads nothing")
            assert one.ask("list", "red") in ([one.id, text.id], [text.id, one.id])


# --- bad names


@pytest.mark.parametrize(
    "name, message",
    [("", "is empty"), ("a\0b", "holds a control character"), ("/x\0", "holds a control character"),
     ("line\nbreak", "holds a control character"), ("\x7f", "holds a control character"),
     ("\x85", "holds a control character"), ("x" * 256, "is too long (maxRoomName: 255 bytes)"),
     ("ü" * 128, "is too long (maxRoomName: 255 bytes)"), ("x" * 10240, "is too long (maxRoomName: 255 bytes)")],
)  # fmt: skip
def test_a_name_that_cannot_be_is_answered(name, message):
    expected = ("ROOM_ERROR", f"the name of a room {message}")
    with serve() as server, Member(server) as one, Member(server, text=True) as other:
        for member in (one, other):
            for payload in (name, ["fine", name]):
                with pytest.raises(Refused) as refused:
                    member.ask("join", payload)
                assert refused.value.args == expected
            with pytest.raises(Refused) as refused:
                member.ask("say", {"to": name, "payload": 1})
            assert refused.value.args == expected
            assert member.ask("rooms") == []
            assert member.ask("leave", name) is False


@pytest.mark.parametrize("payload", [5, True, None, {"name": "red"}, [["red"]], ["red", 5], 1e300])
def test_what_is_no_name_is_answered(payload):
    with serve() as server, Member(server) as one:
        with pytest.raises(Refused) as refused:
            one.ask("join", payload)
        code, message = refused.value.args
        assert code == "HANDLER_ERROR" and message.startswith("client:join takes")
        assert one.ask("rooms") == []


@pytest.mark.slow
def test_a_million_names_are_no_more_than_the_bound():
    """Each client has its 128 rooms; the other names cost nothing that stays."""
    with serve() as server, Member(server) as keeps:
        keeps.ask("join", "kept")

        def attack(count):
            with WebSocket(server) as ws:
                names = [f"{n}:{'x' * 200}" for n in range(count)]
                ws.send_bytes(b"".join(ws_frame(BINARY_MESSAGE, frame("join", name)) for name in names))
                stats = Asker(ws)("stats")
                assert Asker(ws)("rooms") == names[:128]
                assert stats["rooms"] == 129
            eventually(lambda: keeps.ask("stats")["rooms"] == 1, "the end of the attacker's rooms")

        attack(5000)
        before = server.rss()
        for _ in range(10):
            attack(5000)
        for n in range(0, 1_000_000, 50_000):
            with pytest.raises(Refused, match="at most 128 rooms"):
                keeps.ask("join", [f"{i:06}" for i in range(n, n + 50_000)])
        assert keeps.ask("rooms") == ["kept"] and keeps.ask("stats")["rooms"] == 1
        assert server.rss() - before < 12 << 20
        assert keeps.ask("say", {"to": "kept", "payload": 1}) == 1


def test_many_rooms_at_once_are_all_or_none():
    with serve("maxRoomsPerClient = 5") as server, Member(server) as one:
        with pytest.raises(Refused, match="at most 5 rooms"):
            one.ask("join", [str(n) for n in range(6)])
        assert one.ask("rooms") == [] and one.ask("stats")["rooms"] == 0
        with pytest.raises(Refused, match="at most 5 rooms"):
            one.ask("join", [str(n % 7) for n in range(50000)])
        assert one.ask("join", [str(n % 5) for n in range(50000)]) is True
        assert sorted(one.ask("rooms")) == ["0", "1", "2", "3", "4"]


# --- those that are away


AWAY = """
local painda = require "painda"
local server = painda.PPServer { port = 3000, recovery = true }
local events = {}
server:on("roomLeave", function(client, name)
  events[#events + 1] = { client.id, name }
end)
server:on("join", function(client, rooms, ack)
  ack(nil, client:join(rooms))
end)
server:on("rooms", function(client, _, ack)
  ack(nil, painda.array(client.rooms))
end)
server:on("red", function(_, _, ack)
  ack(nil, { listed = #server:to("red"):fetchSockets(), sent = server:to("red"):emit "n" })
end)
server:on("move", function(_, _, ack)
  ack(nil, { server:to("red"):socketsJoin "blue", server:to("blue"):socketsLeave "red" })
end)
server:on("throw out", function(_, room, ack)
  ack(nil, server:to(room):disconnectSockets())
end)
server:on("left", function(_, _, ack)
  ack(nil, painda.array(events))
end)
"""


class Away(Recovered):
    def cut(self):
        """Ends the line; returns when the server knows."""
        before = self.server.asker.ask("red")["listed"]
        self.ws.reset()
        self.waiting = []
        eventually(lambda: self.server.asker.ask("red")["listed"] == before - 1, "the end of the line")


@pytest.fixture
def away():
    with Server(AWAY, env=LEAN) as server:
        server.asker = Recovered(server)
        client = Away(server)
        assert client.ask("join", ["red", "green"])
        client.cut()
        yield server.asker, client


def test_who_is_away_is_in_its_rooms_and_not_listed(away):
    asker, client = away
    assert asker.ask("red") == {"listed": 0, "sent": 1}
    assert asker.ask("left") == []
    client.come_back()
    assert client.recovery["recovered"]
    assert sorted(client.ask("rooms")) == ["green", "red"]
    assert asker.ask("red") == {"listed": 1, "sent": 1}


def test_who_is_away_can_be_moved(away):
    asker, client = away
    assert asker.ask("move") == [1, 1]
    assert asker.ask("left") == [[client.sid, "red"]]
    client.come_back()
    assert sorted(client.ask("rooms")) == ["blue", "green"]


def test_who_is_away_can_be_thrown_out_for_good(away):
    asker, client = away
    assert asker.ask("throw out", "green") == 1
    eventually(lambda: len(asker.ask("left")) == 2)
    assert sorted(asker.ask("left")) == [[client.sid, "green"], [client.sid, "red"]]
    sid = client.sid
    client.come_back()
    assert not client.recovery["recovered"] and client.sid != sid
    assert client.ask("rooms") == []


def test_who_is_away_has_left_when_the_server_says_that_it_is_closed():
    with Server("""
        local painda = require "painda"
        io.stdout:setvbuf "no"
        local server = painda.PPServer { port = 3000, recovery = true }
        server:on("connection", function(client) client:join "red" end)
        server:on("disconnection", function() print "lost" end)
        server:on("roomLeave", function(_, room) print("left " .. room) end)
        server:on("close", function() print "closed" end)
    """) as server:
        client = Recovered(server)
        client.ws.reset()
        server.wait_for("^lost$")
    told = [line for line in server.log.splitlines() if line in ("lost", "left red", "closed")]
    assert told == ["lost", "left red", "closed"]
