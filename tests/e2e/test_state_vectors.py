"""The golden vectors of declared state, read by a program that was written from the protocol's description alone."""
import json

import pytest

from declared import State
from painda import ROOT

VECTORS = json.loads((ROOT / "sdk" / "vectors" / "state.json").read_text())


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
