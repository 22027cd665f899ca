"""server.presence over sockets: what the tracked are sent, in frames and as text."""
import signal

import pytest

from lab import Asker
from painda import Server, WebSocket, envelope, eventually, frame

pytestmark = pytest.mark.asan

APP = """
local painda = require "painda"
local server = painda.PPServer { port = 3000, maxConnectionsPerIp = 0, presence = { %(options)s } }
server:on("track", function(client, payload, ack)
  local ok, why = server.presence:track(client, payload)
  ack(why, ok)
end)
server:on("update", function(client, payload, ack)
  local ok, why = server.presence:update(client, payload)
  ack(why, ok)
end)
server:on("burst", function(client, n, ack)
  for i = 1, n do
    server.presence:update(client, { n = i })
  end
  ack(nil, true)
end)
server:on("untrack", function(client, _, ack) ack(nil, server.presence:untrack(client)) end)
server:on("list", function(_, _, ack) ack(nil, painda.array(server.presence:list())) end)
server:on("count", function(_, _, ack) ack(nil, server:getStats().presenceTracked) end)
"""


def app(tmp_path, options):
    path = tmp_path / "app.lua"
    path.write_text(APP % {"options": options})
    return path


def listed(payload):
    return {entry["clientId"]: entry["data"] for entry in payload["presences"]}


@pytest.fixture
def full(tmp_path):
    with Server(app(tmp_path, "syncInterval = 20")) as server:
        yield server


def test_the_tracked_are_sent_the_list_in_their_own_form(full):
    with WebSocket(full) as ann, WebSocket(full) as bob, WebSocket(full) as stranger:
        assert Asker(ann)("track", {"name": "Ann"}) is True
        first = ann.receive_frame("__pp_presence").payload["presences"]
        assert [entry["data"] for entry in first] == [{"name": "Ann"}]
        assert set(first[0]) == {"clientId", "data", "joinedAt", "updatedAt"}
        bob.send(envelope("track", {"name": "Bob"}).decode())
        for payload in (ann.receive_frame("__pp_presence").payload, bob.receive_json("__pp_presence")["payload"]):
            assert [entry["data"]["name"] for entry in payload["presences"]] == ["Ann", "Bob"]
        bob.send_close()
        assert [entry["data"]["name"] for entry in ann.receive_frame("__pp_presence").payload["presences"]] == ["Ann"]
        assert Asker(stranger)("count") == 1


def test_data_may_be_any_json(full):
    with WebSocket(full) as ws:
        ask = Asker(ws)
        for data in ({"a": [1, 2.5, None, True, "ü\n\"\\\u2028😀"], "b": {}, "c": []}, "text", 5, False, [], [[]]):
            ask("track", data)
            eventually(lambda: list(listed(ws.receive_frame("__pp_presence").payload).values()) == [data])
            assert ask("list")[0]["data"] == data


def test_what_is_bad_is_refused_and_nothing_changes(full):
    with WebSocket(full) as ws:
        ask = Asker(ws)
        deep = {}
        for _ in range(61):
            deep = {"d": deep}
        ask("track", {"name": "Ann"})
        for bad, why in (({"text": "x" * 20000}, "maxMetadataSize"), (deep, "nested deeper")):
            for call in ("track", "update"):
                with pytest.raises(Exception, match=why):
                    ask(call, bad)
        assert [entry["data"] for entry in ask("list")] == [{"name": "Ann"}]


def test_differences_are_as_the_protocol_says(tmp_path):
    with Server(app(tmp_path, 'syncInterval = 20, syncMode = "diff"')) as server:
        with WebSocket(server) as ann, WebSocket(server) as bob:
            assert Asker(ann)("track", {"name": "Ann"})
            (ann_id,) = listed(ann.receive_frame("__pp_presence").payload)
            ask = Asker(bob)
            ask("track", {"name": "Bob"})
            (change,) = ann.receive_frame("__pp_presence_diff").payload["changes"]
            bob_id = change["clientId"]
            assert change == {"type": "join", "clientId": bob_id, "data": {"name": "Bob"}}
            assert set(listed(bob.receive_frame("__pp_presence").payload)) == {ann_id, bob_id}
            ask("update", {"x": 1})
            for ws in (ann, bob):
                assert ws.receive_frame("__pp_presence_diff").payload["changes"] == [
                    {"type": "update", "clientId": bob_id, "data": {"name": "Bob", "x": 1}}]
            bob.send_close()
            assert ann.receive_frame("__pp_presence_diff").payload["changes"] == [
                {"type": "leave", "clientId": bob_id, "data": {"name": "Bob", "x": 1}}]


def test_a_burst_of_updates_is_one_message(tmp_path):
    with Server(app(tmp_path, "syncInterval = 200")) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        ask("track", {"n": 0})
        assert list(listed(ws.receive_frame("__pp_presence").payload).values()) == [{"n": 0}]
        ask("burst", 1000)
        assert list(listed(ws.receive_frame("__pp_presence").payload).values()) == [{"n": 1000}]


def test_presence_and_who_is_told_stay_through_a_reload(tmp_path):
    path = app(tmp_path, "syncInterval = 20")
    with Server(path) as server, WebSocket(server) as ann, WebSocket(server) as bob:
        ask = Asker(ann)
        ask("track", {"name": "Ann"})
        ann.receive_frame("__pp_presence")
        path.write_text(APP % {"options": 'syncInterval = 20, syncMode = "diff", maxMetadataSize = 50'})
        mark = server.mark()
        server.send_signal(signal.SIGHUP)
        server.wait_for(r"\breloaded\b", after=mark)
        assert ask("count") == 1
        Asker(bob)("track", {"name": "Bob"})
        assert ann.receive_frame("__pp_presence_diff").payload["changes"][0]["data"] == {"name": "Bob"}
        with pytest.raises(Exception, match="maxMetadataSize is 50"):
            ask("update", {"text": "x" * 50})


def test_many_join_and_leave(tmp_path):
    with Server(app(tmp_path, 'syncInterval = 20, syncMode = "diff"')) as server, WebSocket(server) as watcher:
        ask = Asker(watcher)
        ask("track", {"i": -1})
        known = {}

        def hear():
            got = watcher.receive_frame()
            if got.type == "__pp_presence":
                known.clear()
                known.update(listed(got.payload))
            elif got.type == "__pp_presence_diff":
                for change in got.payload["changes"]:
                    if change["type"] == "leave":
                        del known[change["clientId"]]
                    else:
                        known[change["clientId"]] = change["data"]

        peers = [WebSocket(server) for _ in range(100)]
        for i, peer in enumerate(peers):
            peer.send(frame("track", {"i": i}))
        while len(known) < 101:
            hear()
        assert sorted(data["i"] for data in known.values()) == list(range(-1, 100))
        for peer in peers[:60]:
            peer.close()
        while len(known) > 41:
            hear()
        for peer in peers[60:]:
            peer.close()
        eventually(lambda: ask("count") == 1)


