"""Typed rooms over sockets: the state at the joining and a delta a tick, for members that read, that don't, and that come back."""
import random
import signal

import pytest

from lab import Asker, Lab
from painda import Server, WebSocket, envelope, eventually, frame
from recovering import Client

pytestmark = pytest.mark.asan

APP = """
local painda, json = require "painda", require "painda.json"
io.stdout:setvbuf "no"
local function say(...) print("say " .. json.encode { ... }) end
local server = painda.PPServer { port = 3000, %(server)s }
local room = server:room("arena", { round = 0, players = {} }, { %(room)s })
server:on("disconnection", function(client, reason, code) say("gone", client.id, reason, code) end)
room:on("join", function(client) say("joined", client.id) end)
room:on("leave", function(client, reason) say("left", client.id, reason) end)
server:on("join", function(client, data, ack)
  local joined, why = room:join(client, data)
  ack(nil, joined or why)
end)
server:on("leave", function(client, _, ack) ack(nil, room:leave(client)) end)
server:on("set", function(client, fields, ack)
  room:update(function(state)
    for key, value in pairs(fields) do state[key] = value end
  end)
  ack(nil, true)
end)
server:on("move", function(client, at) room:update(function(state) state.players[client.id] = at end) end)
server:on("state", function(_, _, ack) ack(nil, room:getState()) end)
server:on("count", function(_, _, ack) ack(nil, { room.clientCount, #room:getClients() }) end)
server:on("stats", function(_, _, ack) ack(nil, server:getStats()) end)
server:on("who", function(client, _, ack) ack(nil, client.id) end)
server:on("hello", function(_, n, ack) ack(nil, room:broadcast { type = "hello", payload = n }) end)
server:on("all", function(_, n, ack) ack(nil, server:emit("n", { n = n })) end)
%(extra)s
"""


class App(Lab):
    def __init__(self, server="", room="", extra=""):
        Server.__init__(self, APP % {"server": server, "room": room, "extra": extra})


def patched(state, delta):
    """The state with a delta of maps in it; of arrays there are none here."""
    if isinstance(delta, dict) and list(delta) == ["__pp_value"]:
        return delta["__pp_value"]
    if not (isinstance(state, dict) and isinstance(delta, dict)):
        return delta
    state = dict(state)
    for key, change in delta.items():
        if change == {"__pp_deleted": True}:
            del state[key]
        else:
            state[key] = patched(state.get(key), change)
    return state


class View:
    """The room's state, as the messages up to now make it."""

    def __init__(self):
        self.state = self.version = None
        self.states = self.deltas = self.over_several = 0

    def note(self, type, told):
        """True where the message is the room's."""
        if type == "__pp_room_state":
            assert (told["room"], told["full"]) == ("arena", True)
            self.states += 1
            self.state, self.version = told["state"], told["version"]
        elif type == "__pp_room_delta":
            assert (told["room"], told.get("from", told["version"] - 1)) == ("arena", self.version), "a gap"
            self.over_several += "from" in told
            self.deltas += 1
            self.state, self.version = patched(self.state, told["delta"]), told["version"]
        else:
            return False
        return True


class Member:
    """A connection that follows the room."""

    def __init__(self, ws, text=False):
        self.ws, self.text, self.view, self.asked = ws, text, View(), 0

    def read(self):
        found = self.ws.receive_json() if self.text else self.ws.receive_frame().envelope
        self.view.note(found["type"], found["payload"])
        return found

    def take(self):
        """Reads up to the room's next message, and returns its type."""
        while True:
            type = self.read()["type"]
            if type.startswith("__pp_room_"):
                return type

    def until(self, check):
        while self.view.state is None or not check(self.view.state):
            self.read()
        return self.view.state

    def ask(self, type, payload=None):
        self.asked += 1
        make = (lambda *a, **b: envelope(*a, **b).decode()) if self.text else frame
        self.ws.send(make(type, payload, ack_id=self.asked))
        while True:
            found = self.read()
            if found["type"] == "__pp_ack" and found["payload"]["ackId"] == self.asked:
                return found["payload"]["args"][0]


class Returning(Client):
    """One that follows the room through connections."""

    def next_frame(self):
        found = super().next_frame()
        self.view = getattr(self, "view", None) or View()
        self.view.note(found.type, found.payload)
        return found

    def until(self, check):
        while self.view.state is None or not check(self.view.state):
            self.next_frame()


@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
def test_members_are_told_the_state_and_then_what_changes(text):
    with App() as server, WebSocket(server) as a, WebSocket(server) as b:
        ann, bob = Member(a, text), Member(b)
        assert ann.ask("join") is True
        assert (ann.view.state, ann.view.version) == ({"round": 0, "players": {}}, 0)
        assert bob.ask("join") is True
        bob.ask("set", {"round": 1, "map": "caves"})
        assert ann.until(lambda state: state["round"] == 1) == bob.until(lambda state: state["round"] == 1)
        assert ann.view.state == {"round": 1, "players": {}, "map": "caves"}
        assert (ann.view.states, ann.view.deltas) == (1, 1)
        assert bob.ask("hello", 5) == 2


def test_many_members_and_moves_end_in_one_state():
    with App() as server:
        members = [Member(WebSocket(server)) for _ in range(8)]
        for each in members:
            assert each.ask("join") is True
        dice = random.Random(7)
        for _ in range(50):
            for each in members:
                each.ws.send(frame("move", {"x": dice.randrange(100), "y": dice.randrange(100)}))
        for each in members:
            each.ask("who")
        members[0].ask("set", {"round": "over"})
        states = [each.until(lambda state: state["round"] == "over") for each in members]
        assert all(state == states[0] for state in states)
        assert len(states[0]["players"]) == 8
        for each in members:
            each.ws.close()
        eventually(lambda: len(server.says("left")) == 8)


def test_a_connection_that_ends_leaves():
    with App() as server, WebSocket(server) as other:
        ask = Asker(other)
        with WebSocket(server) as ws:
            ann = Asker(ws)
            me = ann("who")
            assert ann("join") is True and ask("count") == [1, 1]
        assert server.said("left", me) == [me, "transport close"]
        assert ask("count") == [0, 0]


def test_who_does_not_read_is_sent_no_old_deltas_and_then_one_to_the_newest_state():
    """A delta of 60 KB a tick that does not compress: what waits stays bounded, and the reader that comes back needs few messages."""
    extra = """
    local names = {}
    server:on("noise", function(client, on, ack)
      if on then
        room:on("tick", function(state)
          local bytes = {}
          for i = 1, 60000 do bytes[i] = string.char(math.random(97, 122)) end
          state.noise, state.round = table.concat(bytes), state.round + 1
        end)
      else
        room:off "tick"
      end
      ack(nil, true)
    end)
    """
    with App("compression = 'none'", "", extra) as server, WebSocket(server) as other, WebSocket(server) as ws:
        slow, ask = Member(ws), Asker(other)
        assert slow.ask("join") is True
        ask("noise", True)
        eventually(lambda: ask("stats")["roomMembersFellBehind"] == 1, "a member that fell behind", 20)
        memory = server.rss()
        begun = ask("stats")["roomDeltas"]
        eventually(lambda: ask("stats")["roomDeltas"] > begun + 50, "fifty more ticks", 20)
        assert server.rss() < memory + 8 * 1024 * 1024 or server.rss() < memory * 1.5
        assert ask("count") == [1, 1], "it was not closed"
        ask("noise", False)
        final = ask("state")
        slow.until(lambda state: state["round"] == final["round"])
        assert slow.view.state == final
        assert (slow.view.states, slow.view.over_several) == (1, 1) and slow.view.deltas < final["round"] - 50
        stats = ask("stats")
        assert (stats["roomCatchUps"], stats["roomCatchUpDeltas"]) == (0, 1)
        ask("set", {"noise": "quiet"})  # and deltas go on
        slow.until(lambda state: state["noise"] == "quiet")


def test_a_member_may_ask_for_the_state_and_no_stranger_may():
    with App() as server, WebSocket(server) as a, WebSocket(server) as b:
        ann, eve = Member(a), Asker(b)
        assert ann.ask("join") is True
        a.send(frame("__pp_room_resync", {"room": "arena"}))
        assert ann.take() == "__pp_room_state"
        for _ in range(20):
            a.send(frame("__pp_room_resync", {"room": "arena"}))
        b.send(frame("__pp_room_resync", {"room": "arena"}))
        b.send(frame("__pp_room_delta", {"room": "arena", "delta": {"round": 9}, "version": 1}))
        stats = eve("stats")
        assert stats["forbidden"] == 2
        assert eve("state")["round"] == 0
        assert ann.take() == "__pp_room_state"  # one, when the second is over
        eve("set", {"round": 1})
        assert ann.take() == "__pp_room_delta"
        stats = eve("stats")
        assert (stats["roomResyncs"], stats["roomCatchUps"]) == (21, 2)


def test_who_comes_back_to_its_session_is_a_member_still_and_told_the_state():
    with App("recovery = true") as server:
        client, other = Returning(server), Client(server)
        assert client.ask("join") is True
        assert client.view.state["round"] == 0
        client.cut()
        eventually(lambda: other.ask("count") == [0, 0])
        other.ask("set", {"round": 1})
        other.ask("all", 1)
        eventually(lambda: other.ask("stats")["roomDeltas"] == 1)
        client.come_back()
        assert client.recovery == {**client.recovery, "recovered": True, "missedCount": 1}
        client.until(lambda state: state["round"] == 1)
        assert (client.view.states, client.view.deltas) == (2, 0)
        assert other.ask("count") == [1, 1]
        other.ask("set", {"round": 2})
        client.until(lambda state: state["round"] == 2)
        assert (client.view.states, client.view.deltas) == (2, 1)
        client.cut()  # what the protocol sends counts for nobody
        client.come_back()
        assert client.recovery == {**client.recovery, "recovered": True, "missedCount": 0}
        assert client.catch_up() == [1]
        assert server.says("left") == []


def test_presence_counts_for_nobody_either():
    extra = """
    server:on("track", function(client, data, ack) ack(nil, server.presence:track(client, data)) end)
    """
    with App("recovery = true, presence = { syncInterval = 10 }", "", extra) as server:
        client, other = Client(server), Client(server)
        client.ask("track", {"n": 1})
        client.receive_frame("__pp_presence")
        other.ask("all", 1)
        assert client.catch_up() == [1]
        client.cut()
        client.come_back()
        assert client.recovery == {**client.recovery, "recovered": True, "missedCount": 0}
        assert client.catch_up() == [1]


def test_a_reload_keeps_members_and_state(tmp_path):
    path = tmp_path / "app.lua"
    path.write_text(APP % {"server": "", "room": "", "extra": ""})
    with Server(path) as server, WebSocket(server) as ws:
        ann = Member(ws)
        assert ann.ask("join") is True
        ann.ask("set", {"round": 1})
        ann.until(lambda state: state["round"] == 1)
        path.write_text(APP % {"server": "", "room": "maxClients = 1", "extra": """
        room:on("tick", function(state) if state.round == 1 then state.round = "new code" end end)
        """})
        mark = server.mark()
        server.send_signal(signal.SIGHUP)
        server.wait_for(r"\breloaded\b", after=mark)
        ann.until(lambda state: state["round"] == "new code")
        assert ann.view.states == 1, "nothing was told twice"
        with WebSocket(server) as other:
            assert Asker(other)("join") == "full"
