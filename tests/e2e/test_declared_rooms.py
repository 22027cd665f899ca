"""Typed rooms with declared states over sockets: members that take frames and members that don't see the same, and whoever loses track
finds back. The frames are read by declared.py, which knows the protocol's description only."""
import json
import random

import pytest

from declared import ROOM_DELTA, ROOM_SCHEMA, ROOM_STATE, ROOM_VIEW, State, varint
from lab import Asker, Lab
from painda import Server, WebSocket, envelope, eventually, frame, parse_frames, raw_frame
from recovering import Client
from test_state_vectors import near

pytestmark = pytest.mark.asan

APP = """
local painda, json = require "painda", require "painda.json"
io.stdout:setvbuf "no"
local function say(...) print("say " .. json.encode { ... }) end
local server = painda.PPServer { port = 3000, %(server)s }
local Arena = painda.schema {
  round = "uint32",
  title = "string",
  noise = painda.text { max = 65535 },
  on = "bool",
  at = { x = "float64", deep = { y = "int8" } },
  names = painda.list(painda.text { max = 64 }),
  bags = painda.list { n = "uint16", list = painda.list "int16" },
  players = painda.map("string", {
    x = painda.quantized { min = 0, max = 255, bits = 8 },
    y = "float32", hp = "uint16", gold = "varint",
    bag = painda.map("string", "int32"),
  }),
}
local room = server:room("arena", Arena:new { title = "first" }, { resyncInterval = 0, %(room)s })
server:on("disconnection", function(client, reason, code) say("gone", client.id, reason, code) end)
server:on("join", function(client, data, ack) ack(nil, room:join(client)) end)
server:on("leave", function(client, _, ack) ack(nil, room:leave(client)) end)
-- [path…, value]: null removes; a value that does not fit is the answer.
server:on("set", function(client, changes, ack)
  local ok, wrong = pcall(room.update, room, function(state)
    for _, change in ipairs(changes) do
      local at = state
      for i = 1, #change - 2 do at = at[change[i]] end
      local value = change[#change]
      if value == painda.null then value = nil end
      at[change[#change - 1]] = value
    end
  end)
  ack(nil, ok or tostring(wrong))
end)
server:on("view", function(client, view, ack) ack(nil, room:setView(client, view ~= painda.null and view or nil) ~= nil) end)
server:on("state", function(_, _, ack) ack(nil, Arena:toTable(room:getState())) end)
server:on("stats", function(_, _, ack) ack(nil, server:getStats()) end)
server:on("who", function(client, _, ack) ack(nil, client.id) end)
%(extra)s
"""


class App(Lab):
    def __init__(self, server="", room="", extra=""):
        Server.__init__(self, APP % {"server": server, "room": room, "extra": extra})


def patched(state, delta):
    """The state with a JSON delta in it: docs/protocol.md, "Deltas"."""
    if isinstance(delta, dict) and list(delta) == ["__pp_array_ops"]:
        state = list(state)
        for op in delta["__pp_array_ops"]:
            if op["op"] == "splice":
                state[op["index"] : op["index"] + op["deleteCount"]] = op["items"]
            else:
                assert op["op"] == "patch"
                for index, change in op["items"].items():
                    state[int(index)] = patched(state[int(index)], change)
        return state
    if isinstance(delta, dict) and list(delta) == ["__pp_value"]:
        return delta["__pp_value"]
    if not isinstance(delta, dict):
        return delta
    state = dict(state) if isinstance(state, dict) else {}
    for key, change in delta.items():
        if change == {"__pp_deleted": True}:
            del state[key]
        else:
            state[key] = patched(state.get(key), change)
    return state


class View:
    """The room as the frames up to now tell it, in whichever form."""

    def __init__(self):
        self.number = self.name = self.state = self.json = self.version = None
        self.schemas = self.states = self.deltas = self.bytes = 0

    def note(self, found):
        """Takes a frame in; those that are not about the room say nothing."""
        if found.type_id == 0:
            return self.note_envelope(found.envelope)
        number, rest = varint(found.body)
        if found.type_id == ROOM_SCHEMA:
            length, rest = varint(rest)
            self.number, self.name, self.schemas = number, rest[:length].decode(), self.schemas + 1
            self.state = State(rest[length:])
            return
        assert number == self.number, "a frame of a room that nobody named"
        if found.type_id == ROOM_STATE:
            self.states += 1
            self.state.load(rest)
        else:
            assert found.type_id in (ROOM_DELTA, ROOM_VIEW)
            versions, rest = varint(rest) if found.type_id == ROOM_VIEW else (1, rest)
            self.deltas, self.bytes = self.deltas + 1, self.bytes + len(rest)
            self.state.apply(rest, versions)
            assert not self.state.desync
        self.version = self.state.version

    def note_envelope(self, found):
        told = found["payload"]
        if found["type"] == "__pp_room_state":
            self.states, self.json, self.version = self.states + 1, told["state"], told["version"]
        elif found["type"] == "__pp_room_delta":
            assert told.get("from", told["version"] - 1) == self.version, "a gap"
            self.deltas, self.version = self.deltas + 1, told["version"]
            self.json = patched(self.json, told["delta"])

    def plain(self):
        return self.json if self.state is None else self.state.plain()


class Member:
    """A connection that follows the room."""

    def __init__(self, server, frames=True, text=False, caps="state"):
        self.ws = WebSocket(server, query={"pp_caps": caps} if frames else None)
        self.text, self.view, self.asked, self.waiting = text, View(), 0, []

    def read(self):
        """The next message, an envelope or a frame; None for a frame that is none."""
        if not self.waiting:
            message = self.ws.receive()
            if isinstance(message, str):
                found = json.loads(message)
                self.view.note_envelope(found)
                return found
            self.waiting = parse_frames(message)
        found = self.waiting.pop(0)
        self.view.note(found)
        return found.envelope if found.type_id == 0 else None

    def ask(self, type, payload=None):
        self.asked += 1
        if self.text:
            self.ws.send(envelope(type, payload, ack_id=self.asked).decode())
        else:
            self.ws.send(frame(type, payload, ack_id=self.asked))
        while True:
            found = self.read()
            if found and found["type"] == "__pp_ack" and found["payload"]["ackId"] == self.asked:
                return found["payload"]["args"][0]

    def set(self, *changes):
        return self.ask("set", changes)

    def until(self, check):
        while self.view.version is None or not check(self.view.plain()):
            self.read()
        return self.view.plain()


def over(members, round):
    """Ends the round, and returns what each has of the state then."""
    assert members[0].set(["round", round]) is True
    return [member.until(lambda state: state["round"] == round) for member in members]


@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
def test_members_with_and_without_the_capability_see_the_same(text):
    with App() as server:
        ann, bob = Member(server, True, text), Member(server, False, text)
        assert ann.ask("join") is True and bob.ask("join") is True
        assert ann.view.name == "arena" and ann.view.json is None and bob.view.state is None
        assert ann.view.plain() == bob.view.plain()
        assert ann.set(["players", {"p1": {"x": 128, "y": 1.5, "gold": 10**12, "bag": {"key": -1}}}], ["names", ["Ann", "Bob"]]) is True
        assert ann.set(["at", "deep", "y", -128], ["on", True], ["bags", 1, {"n": 1, "list": [1, -1]}]) is True
        assert bob.set(["players", "p1", "bag", "key", None], ["names", 2, None], ["players", "ключ", {}]) is True
        of_ann, of_bob = over([ann, bob], 1)
        assert near(of_ann, of_bob) and near(of_ann, ann.ask("state"))
        assert of_ann["bags"] == [{"n": 1, "list": [1, -1]}] and of_ann["names"] == ["Ann"]
        assert set(of_ann["players"]) == {"p1", "ключ"} and of_ann["players"]["p1"]["bag"] == {}
        assert (ann.view.schemas, ann.view.states, ann.view.deltas) == (1, 1, bob.view.deltas)
        assert ann.view.bytes < 100


@pytest.mark.slow
def test_a_mixed_room_sees_the_same_through_hundreds_of_changes():
    """And through at least three hashes, each of which the reader computes for itself."""
    with App() as server:
        members = [Member(server, caps="batch,state"), Member(server), Member(server, False), Member(server, text=True)]
        for member in members:
            assert member.ask("join") is True
        dice, ids = random.Random(5), [f"p{i}" for i in range(12)]
        here = set()
        for turn in range(250):
            changes = []
            for id in dice.sample(ids, 3):
                if id in here and dice.random() < 0.2:
                    here.discard(id)
                    changes.append(["players", id, None])
                elif id in here:
                    field, value = dice.choice([("x", dice.randrange(256)), ("y", dice.uniform(-1e6, 1e6)), ("hp", dice.randrange(65536)),
                                                ("gold", dice.randrange(2**53)), ("bag", {"a": dice.randrange(-9, 9)})])  # fmt: skip
                    changes.append(["players", id, field, value])
                else:
                    here.add(id)
                    changes.append(["players", id, {"hp": dice.randrange(100), "bag": {dice.choice("ab"): 1}}])
            changes.append(["names", dice.sample(["Ann", "Bob", "Eve", "ünï"], dice.randrange(4))])
            changes.append(["at", "x", dice.choice([0, turn, dice.random(), -1e300])])
            assert members[0].set(*changes) is True
            version = members[0].view.version
            while members[0].view.version == version:
                members[0].read()
        states = over(members, 1)
        assert all(near(state, states[0]) for state in states)
        assert near(states[0], members[0].ask("state"))
        assert members[0].view.version > 192 and members[0].view.states == 1
        late = Member(server)
        assert late.ask("join") is True and late.view.plain() == states[0]


def test_who_sees_a_part_sees_the_same_part_in_either_form():
    """In hundreds of versions, some of which say nothing to them; the reader checks the hashes of what it sees."""
    with App() as server:
        ann, bob, whole = Member(server), Member(server, False), Member(server)
        for member in (ann, bob):
            assert member.ask("view", {"map": "players", "radius": 60, "margin": 10, "at": {"x": 128, "y": 0}}) is True
        for member in (ann, bob, whole):
            assert member.ask("join") is True
        dice = random.Random(3)
        for turn in range(200):
            id = f"p{dice.randrange(30)}"
            at = dice.choice([None, *3 * [{"x": dice.randrange(256), "y": dice.randrange(-9, 9), "hp": turn}]])
            assert whole.set(["players", id, at], ["round", dice.choice([1, 1, 1, turn + 2])]) is True
            if turn % 50 == 49:
                for member in (ann, bob):
                    view = {"map": "players", "radius": 60 + turn, "at": {"x": 128, "y": 0}} if turn < 150 else None
                    assert member.ask("view", view) is True
        states = over([whole, ann, bob], 9999)
        assert near(states[0], states[1]) and near(states[0], states[2]), "in the end they see all"
        assert whole.set(["players", "p1", {"x": 128}]) is True
        for member in (ann, bob):
            assert member.ask("view", {"map": "players", "radius": 30, "at": {"x": 128, "y": 0}}) is True
        assert whole.set(["players", "p2", {"x": 130}], ["players", "p3", {"x": 250}], ["round", 7]) is True
        states = [member.until(lambda state: state["round"] == 7 and "p3" not in state["players"]) for member in (ann, bob)]
        assert near(*states)
        assert all(abs(player["x"] - 128) <= 30 for player in states[0]["players"].values())


def test_a_hash_that_differs_is_told_and_heals():
    with App() as server:
        ann, bob = Member(server), Member(server, False)
        assert ann.ask("join") is True and bob.ask("join") is True
        ann.ws.send(frame("__pp_room_resync", {"room": "arena", "reason": "desync"}))
        while ann.view.states < 2:
            ann.read()
        assert ann.set(["title", "second"]) is True
        assert ann.until(lambda state: state["title"] == "second") == bob.until(lambda state: state["title"] == "second")
        stats = bob.ask("stats")
        assert (stats["roomResyncs"], stats["roomDesyncs"], stats["roomCatchUps"]) == (1, 1, 1)
        assert ann.view.schemas == 1, "the schema is sent once"


def test_what_does_not_fit_is_an_error_that_names_the_place_and_nothing_else_happens():
    with App() as server:
        ann = Member(server)
        assert ann.ask("join") is True
        assert 'room "arena": players.p1.hp: a whole number from 0 to 65535 expected, not 70000' in ann.set(["players", {"p1": {"hp": 70000}}])
        assert 'room "arena": title: a string of at most 1024 bytes of UTF-8 expected, not 5' in ann.set(["title", 5])
        assert 'there is no field "titel", did you mean "title"?' in ann.set(["titel", "x"])
        assert ann.ask("state")["title"] == "first"
        assert ann.set(["title", "x"]) is True and ann.until(lambda state: state["title"] == "x")


NOISE = """
server:on("noise", function(client, on, ack)
  room:off "tick"
  if on then
    room:on("tick", function(state)
      local bytes = {}
      for i = 1, 60000 do bytes[i] = string.char(math.random(97, 122)) end
      state.noise, state.round = table.concat(bytes), state.round + 1
      for id, player in pairs(state.players) do player.hp = state.round end
    end)
  end
  ack(nil, true)
end)
"""


def test_who_does_not_read_is_sent_one_delta_over_what_it_missed():
    """60 KB a tick; what waits stays bounded, and the reader that comes back needs few messages."""
    with App("compression = 'none'", "", NOISE) as server, WebSocket(server) as ws:
        slow, ask = Member(server), Asker(ws)
        assert slow.ask("join") is True
        ask("noise", True)
        eventually(lambda: ask("stats")["roomMembersFellBehind"] == 1, "a member that fell behind", 20)
        begun = ask("stats")["roomDeltas"]
        eventually(lambda: ask("stats")["roomDeltas"] > begun + 50, "fifty more ticks", 20)
        ask("noise", False)
        final = ask("state")
        assert slow.until(lambda state: state["round"] == final["round"]) == final
        assert slow.view.states == 1 and slow.view.deltas < final["round"] - 50
        stats = ask("stats")
        assert (stats["roomCatchUps"], stats["roomResyncs"]) == (0, 0) and stats["roomCatchUpDeltas"] >= 1


def test_a_viewer_that_does_not_read_is_sent_one_delta_of_what_it_sees():
    with App("compression = 'none'", "", NOISE) as server, WebSocket(server) as ws:
        slow, ask = Member(server), Asker(ws)
        pad = {f"k{i}": i for i in range(40)}
        assert slow.set(*(["players", id, {"x": x, "bag": pad}] for id, x in (("near", 1), ("left", 2), ("far", 200)))) is True
        assert slow.ask("view", {"map": "players", "radius": 50, "at": {"x": 0, "y": 0}}) is True
        assert slow.ask("join") is True
        ask("noise", True)
        eventually(lambda: ask("stats")["roomMembersFellBehind"] == 1, "a viewer that fell behind", 20)
        begun = ask("stats")["roomDeltas"]
        ask("set", [["players", "left", "x", 100], ["players", "new", {"x": 3}]])
        eventually(lambda: ask("stats")["roomDeltas"] > begun + 50, "fifty more ticks", 20)
        ask("noise", False)
        final = ask("state")
        state = slow.until(lambda state: state["round"] == final["round"])
        assert state["players"].keys() == {"near", "new"}
        assert near(state, {**final, "players": {id: final["players"][id] for id in ("near", "new")}})
        assert slow.view.states == 1 and slow.view.deltas < final["round"] - 50
        stats = ask("stats")
        assert (stats["roomCatchUps"], stats["roomResyncs"]) == (0, 0) and stats["roomCatchUpDeltas"] >= 1


def test_frames_of_a_client_change_nothing():
    with App() as server:
        ann, bob = Member(server), Member(server)
        assert ann.ask("join") is True
        before = ann.ask("state")
        for type_id in (ROOM_SCHEMA, ROOM_STATE, ROOM_DELTA, 0xFFFF):
            bob.ws.send(raw_frame(b"\x01\x01\xff\xff", flags=8, type_id=type_id))
            assert bob.read()["payload"]["code"] == "SCHEMA_ERROR"
        bob.ws.send(frame("__pp_room_delta", {"room": "arena", "delta": {"round": 9}, "version": 1}))
        bob.ws.send(frame("__pp_room_state", {"room": "arena", "state": {}, "version": 1, "full": True}))
        assert bob.ask("stats")["forbidden"] == 2 and bob.ask("stats")["malformed"] == 4
        assert ann.ask("state") == before


class Returning(Client):
    """One that follows the room through connections."""

    def next_frame(self):
        if not getattr(self, "waiting", None):
            self.waiting = parse_frames(self.ws.receive())
        found = self.waiting.pop(0)
        self.view = getattr(self, "view", None) or View()
        self.view.note(found)
        if found.type_id == 0 and not found.type.startswith("__pp_"):
            self.offset += 1
        return found

    def until(self, check):
        while self.view.version is None or not check(self.view.plain()):
            self.next_frame()


@pytest.mark.parametrize("caps", [("state", "state"), ("state", "batch"), ("batch", "batch,state")], ids=lambda caps: "-".join(caps))
def test_who_comes_back_is_told_the_schema_and_all_of_the_state(caps):
    """Also where the new connection offers something else than the one before. Frames of states do not count."""
    with App("recovery = true") as server, WebSocket(server) as ws:
        other = Asker(ws)
        ann = Returning(server, caps=caps[0])
        assert ann.ask("join") is True
        assert other("set", [["round", 5]]) is True
        ann.until(lambda state: state["round"] == 5)
        ann.cut()
        assert other("set", [["round", 6]]) is True
        ann.view, ann.caps = None, caps[1]
        ann.come_back()
        assert ann.recovery["recovered"] is True and ann.recovery["missedCount"] == 0
        ann.until(lambda state: state["round"] == 6)
        assert ann.view.schemas == (1 if "state" in caps[1] else 0)
        assert other("set", [["round", 7]]) is True
        ann.until(lambda state: state["round"] == 7)
