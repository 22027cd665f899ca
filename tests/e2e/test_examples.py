"""The examples that need no browser, run as their READMEs say."""
import json
import subprocess

from painda import BINARY, PATIENCE, ROOT, Server, WebSocket, envelope, frame, painda

HELLO = ROOT / "examples" / "hello"


def run_client(server):
    return subprocess.run(
        [BINARY, "run", HELLO / "client.lua"], env={"PAINDA_URL": server.url()}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip


def test_hello_greets_its_client():
    with Server(HELLO / "app.lua") as server:
        client = run_client(server)
        assert (client.returncode, client.stdout, client.stderr) == (0, "server says\tWorld\n", "")
    assert "received\tgreet\tHello\n" in server.log + "\n"


def test_hello_is_the_quick_start_of_the_readme():
    code = (HELLO / "app.lua").read_text()
    assert f"```lua\n{code}```" in (ROOT / "README.md").read_text()


def test_hello_answers_both_kinds_of_message():
    with Server(HELLO / "app.lua") as server, WebSocket(server) as ws:
        ws.send(frame("greet", "frame"))
        assert ws.receive_frame().envelope == {"type": "hello", "payload": "World"}
        ws.send(envelope("greet", "text").decode())
        assert ws.receive_json() == {"type": "hello", "payload": "World"}


def test_cursors_tells_each_where_the_others_are():
    with Server(ROOT / "examples" / "cursors" / "app.lua") as server, WebSocket(server) as ann, WebSocket(server) as bob:
        for ws, name in ((ann, "Ann"), (bob, "  Bob ")):
            ws.send(envelope("hello", {"name": name}, ack_id=1).decode())
            ws.me = ws.receive_json("__pp_ack")["payload"]["args"][0]["id"]
        bob.send(envelope("move", {"x": 0.25, "y": 1}).decode())
        bob.send(envelope("move", {"x": 2, "y": 1}).decode())  # no place on the page
        known = {}
        while known.get(bob.me, {}).get("x") is None:
            message = ann.receive_json()
            for entry in message["payload"].get("presences", []) + message["payload"].get("changes", []):
                known[entry["clientId"]] = entry["data"]
        assert (known[ann.me]["name"], known[bob.me]["name"]) == ("Ann", "Bob")
        assert (known[bob.me]["x"], known[bob.me]["y"]) == (0.25, 1)
        ann.send(envelope("hello", {"name": "\n"}, ack_id=2).decode())
        while (message := ann.receive_json())["type"] != "__pp_ack":
            pass
        assert message["payload"]["error"]["code"] == "BAD_NAME"


def test_arena_moves_its_bots_and_who_comes():
    with Server(ROOT / "examples" / "arena" / "app.lua") as server, WebSocket(server) as ann:
        ann.send(envelope("hello", None, ack_id=1).decode())
        state = ann.receive_json("__pp_room_state")["payload"]["state"]
        assert len(state["players"]) == 100
        me = ann.receive_json("__pp_ack")["payload"]["args"][0]["id"]
        ann.send(envelope("aim", {"x": "far", "y": 1}).decode())  # no place in the arena
        ann.send(envelope("aim", {"x": 0, "y": 0}).decode())
        moved = []  # how many, in each delta: the first may be of a tick in which nobody but the new one was
        while (delta := ann.receive_json("__pp_room_delta")["payload"])["delta"]["players"].get(me, {}).get("x") != 0:
            moved.append(len(delta["delta"]["players"]))
        assert max(moved) > 50, "most of them move"


def test_bots_play_by_its_own_tests():
    result = painda("test", ROOT / "examples" / "bots")
    assert result.returncode == 0, result.stdout + result.stderr


def test_bots_come_to_who_is_alone():
    with Server(ROOT / "examples" / "bots" / "app.lua") as server, WebSocket(server) as ann:
        ann.send(envelope("play", {"name": "Ann"}, ack_id=1).decode())
        assert ann.receive_json("__pp_ack")["payload"] == {"ackId": 1, "args": [{"patience": 2000}]}
        first = ann.receive_json("round")["payload"]
        assert (first["number"], first["score"]) == (1, [0, 0])
        ann.send(envelope("throw", "paper").decode())
        result = ann.receive_json("result")["payload"]
        assert (result["mine"], result["theirs"] in ("rock", "paper", "scissors")) == ("paper", True)


def test_recovery_numbers_its_news_without_a_gap():
    with Server(ROOT / "examples" / "recovery" / "app.lua") as server:
        with WebSocket(server) as ws:
            session = ws.receive_frame("__pp_session").payload
            assert ws.receive_frame("welcome").payload == {"recovered": False}
            first = ws.receive_frame("news").payload["n"]
            ws.reset()
        query = {"pp_sid": session["sid"], "pp_offset": 2, "pp_rtoken": session["rtoken"]}
        with WebSocket(server, query=query) as ws:
            assert ws.receive_frame("__pp_recovery").payload["recovered"]
            numbers = [ws.receive_frame("news").payload["n"] for _ in range(3)]
            assert numbers == [first + 1, first + 2, first + 3]
            ws.send(envelope("say", {"text": ""}, ack_id=1).decode())
            while not isinstance(said := ws.receive(), str) or (message := json.loads(said))["type"] != "__pp_ack":
                pass  # news that were on their way, in frames
            assert message["payload"]["error"]["code"] == "BAD_TEXT"
