"""The golden vectors of declared state, read by a program that was written from the protocol's description alone."""
import json
import subprocess

import pytest

from declared import ROOM_DELTA, ROOM_SCHEMA, ROOM_STATE, ROOM_VIEW, State, varint
from painda import BINARY, ROOT

VECTORS = json.loads((ROOT / "sdk" / "vectors" / "state.json").read_text())
ROOMS = json.loads((ROOT / "sdk" / "vectors" / "rooms.json").read_text())


def near(a, b):
    """Equal, but for what JSON's digits of a float32 or of a step leave out."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(near(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(near, a, b))
    if isinstance(a, float) or isinstance(b, float):
        return a == pytest.approx(b, rel=1e-6, abs=5e-3)
    return a == b and isinstance(a, bool) == isinstance(b, bool)


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_a_state_is_what_its_bytes_say(case):
    state = State(bytes.fromhex(case["schema"]))
    state.load(bytes.fromhex(case["begin"]["snapshot"]))
    for step in [case["begin"], *case["steps"]]:
        if "delta" in step:
            state.apply(bytes.fromhex(step["delta"]))
            assert state.version == step["version"] and not state.desync
        assert "state" not in step or near(state.plain(), step["state"])
        assert state.hash() == step["hash"]
        if "snapshot" not in step:
            continue
        again = State(bytes.fromhex(case["schema"]))
        again.load(bytes.fromhex(step["snapshot"]))
        assert again.plain() == state.plain() and again.hash() == state.hash()


@pytest.mark.parametrize("what", ["state", "rooms"])
def test_the_vectors_are_what_this_program_writes(what):
    folder = ROOT / "sdk" / "vectors"
    maker = subprocess.run([BINARY, "run", folder / f"make_{what}.lua"], capture_output=True, text=True, timeout=60, check=True)
    assert maker.stdout == (folder / f"{what}.json").read_text()


class Rooms:
    """What a client makes of the frames of rooms: each is answered with what it tells its application, or asks."""

    def __init__(self):
        self.known = {}

    def take(self, type_id, payload):
        number, rest = varint(payload)
        if type_id == ROOM_SCHEMA:
            length, rest = varint(rest)
            self.known[number] = {"room": rest[:length].decode(), "state": State(rest[length:]), "asked": False}
        elif number in self.known and type_id == ROOM_STATE:
            return self.whole(self.known[number], rest)
        elif number in self.known and type_id in (ROOM_DELTA, ROOM_VIEW):
            versions, rest = varint(rest) if type_id == ROOM_VIEW else (1, rest)
            return self.change(self.known[number], rest, versions)

    def tell(self, event, known):
        state = known["state"]
        return {"event": event, "room": known["room"], "version": state.version, "state": state.plain()}

    def whole(self, known, snapshot):
        known["state"].load(snapshot)
        known["asked"] = False
        return self.tell("roomState", known)

    def change(self, known, delta, versions):
        state = known["state"]
        if known["asked"]:
            return None
        try:
            reason = "gap" if state.version is None or delta[0] != (state.version + versions) % 256 else state.apply(delta, versions)
        except AssertionError:
            reason = "delta"
        reason = reason or ("desync" if state.desync else None)
        known["asked"] = reason is not None
        return {"event": "resync", "room": known["room"], "reason": reason} if reason else self.tell("roomDelta", known)


@pytest.mark.parametrize("talk", ROOMS, ids=lambda talk: talk["what"])
def test_a_room_is_what_its_frames_say(talk):
    rooms = Rooms()
    for step in talk["steps"]:
        told = rooms.take(step["typeId"], bytes.fromhex(step["payload"]))
        wanted = step["told"] and {key: value for key, value in step["told"].items() if key != "delta"}
        assert told == wanted
