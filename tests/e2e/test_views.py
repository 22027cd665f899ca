"""Views over sockets: what a client puts together from what it is sent is what it should see, and no more."""
import random

import pytest

from painda import WebSocket, eventually, frame
from test_typed_rooms import App, Member, Returning

pytestmark = pytest.mark.asan

MORE = """
server:on("entity", function(client, change)
  room:update(function(state)
    state.players[change.id] = change.at ~= painda.null and change.at or nil
  end)
end)
server:on("view", function(client, view, ack)
  if view == painda.null then
    view = nil
  elseif view.odd then
    view = { map = "players", filter = function(id) return tonumber(id:sub(2)) % 2 == 1 end }
  end
  room:setView(client, view)
  ack(nil, true)
end)
server:on("room", function(_, _, ack) ack(nil, room:getStats()) end)
server:on("noise", function(client, on, ack)
  room:off "tick"
  if on then
    room:on("tick", function(state)
      local bytes = {}
      for i = 1, 60000 do bytes[i] = string.char(math.random(97, 122)) end
      state.players.near = { x = 0, y = 0, noise = table.concat(bytes) }
      state.players.far = { x = 5000, y = 0, noise = table.concat(bytes):reverse() }
      state.round = state.round + 1
    end)
  end
  ack(nil, true)
end)
"""


def app(server="", room=""):
    return App(server, room, MORE)


def within(radius, players, x=0, y=0):
    return {name: at for name, at in players.items() if (at["x"] - x) ** 2 + (at["y"] - y) ** 2 <= radius**2}


@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
def test_a_view_given_before_joining_shows_nothing_else(text):
    with app() as server, WebSocket(server) as a, WebSocket(server) as b:
        ann, bob = Member(a, text), Member(b, text)
        bob.ask("set", {"players": {"p1": {"x": 1, "y": 1}, "p2": {"x": 90, "y": 0}}})
        assert ann.ask("view", {"map": "players", "radius": 10, "at": {"x": 0, "y": 0}}) is True
        assert ann.ask("join") is True and bob.ask("join") is True
        assert (ann.view.state["players"].keys(), ann.view.states) == ({"p1"}, 1)
        bob.ask("set", {"players": {"p1": {"x": 2, "y": 1}, "p2": {"x": 91, "y": 0}}, "round": 1})
        ann.until(lambda state: state["round"] == 1)
        assert ann.view.state == {"round": 1, "players": {"p1": {"x": 2, "y": 1}}}
        bob.until(lambda state: state["round"] == 1)
        assert bob.view.state["players"].keys() == {"p1", "p2"}


def test_many_members_and_moves_end_in_what_each_sees():
    with app() as server:
        members = [Member(WebSocket(server)) for _ in range(8)]
        dice, views = random.Random(11), {}
        for i, each in enumerate(members):
            assert each.ask("join") is True
        for step in range(60):
            for _ in range(5):
                number = dice.randrange(40)
                at = None if dice.randrange(5) == 0 else {"x": dice.randrange(100), "y": dice.randrange(100), "n": step}
                members[0].ws.send(frame("entity", {"id": f"p{number}", "at": at}))
            each = dice.choice(members[1:])
            view = dice.choice([None, {"odd": True}, {"map": "players", "radius": dice.randrange(80),
                                                      "at": {"x": dice.randrange(100), "y": dice.randrange(100)}}])
            views[each] = view
            each.ask("view", view)
        members[0].ask("set", {"round": "over"})
        state = members[0].until(lambda state: state["round"] == "over")
        for each in members[1:]:
            each.until(lambda state: state["round"] == "over")
            view, players = views.get(each), state["players"]
            if view and "odd" in view:
                players = {name: at for name, at in players.items() if int(name[1:]) % 2}
            elif view:
                players = within(view["radius"], players, **view["at"])
            assert each.view.state == {**state, "players": players}
            assert each.view.states == 1
        for each in members:
            each.ws.close()


def test_a_viewer_that_does_not_read_is_told_one_delta_of_what_it_sees():
    with app("compression = 'none'") as server, WebSocket(server) as other, WebSocket(server) as ws:
        slow, fast = Member(ws), Member(other)
        fast.ask("set", {"players": {"still": {"x": 0, "y": 1, "pad": "x" * 1000}}})
        slow.ask("view", {"map": "players", "radius": 100, "at": {"x": 0, "y": 0}})
        assert slow.ask("join") is True
        fast.ask("noise", True)
        eventually(lambda: fast.ask("room")["fellBehind"] == 1, "a viewer that fell behind", 20)
        begun = fast.ask("room")["deltas"]
        eventually(lambda: fast.ask("room")["deltas"] > begun + 30, "thirty more ticks", 20)
        fast.ask("noise", False)
        final = fast.ask("state")
        slow.until(lambda state: state["round"] == final["round"])
        assert slow.view.state == {**final, "players": within(100, final["players"])}
        assert (slow.view.states, slow.view.over_several) == (1, 1)
        stats = fast.ask("room")
        assert (stats["catchUpDeltas"], stats["catchUps"], stats["viewers"]) == (1, 0, 1)


def test_a_viewer_that_asks_is_told_what_it_sees():
    with app() as server, WebSocket(server) as a:
        ann = Member(a)
        ann.ask("set", {"players": {"p1": {"x": 1, "y": 1}, "p2": {"x": 90, "y": 0}}})
        ann.ask("view", {"map": "players", "radius": 10, "of": "p2"})
        assert ann.ask("join") is True
        a.send(frame("__pp_room_resync", {"room": "arena"}))
        assert ann.take() == "__pp_room_state"
        assert ann.view.state["players"].keys() == {"p2"}


def test_a_viewer_that_comes_back_is_told_what_it_sees():
    with app("recovery = true") as server:
        client, other = Returning(server), Returning(server)
        other.ask("set", {"players": {"p1": {"x": 1, "y": 1}, "p2": {"x": 90, "y": 0}}})
        client.ask("view", {"map": "players", "radius": 10, "of": "p2"})
        assert client.ask("join") is True
        client.cut()
        eventually(lambda: other.ask("count") == [0, 0])
        other.ask("set", {"round": 1, "players": {"p1": {"x": 1, "y": 1}, "p2": {"x": 95, "y": 0}, "p3": {"x": 99, "y": 0}}})
        client.come_back()
        client.until(lambda state: state["round"] == 1)
        assert client.view.state["players"].keys() == {"p2", "p3"}
        other.ask("set", {"round": 2})
        client.until(lambda state: state["round"] == 2)
        assert client.view.state["players"].keys() == {"p2", "p3"}
