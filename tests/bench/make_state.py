#!/usr/bin/env python3
"""Writes state.json: a game's state of 100 players, about 26 KB, the same on every run.

Positions are rounded as games round them before they send, angles are full doubles as physics leaves them. All is
ASCII, which is the case that node is fastest at.
"""
import json
import math
import pathlib
import random

ITEMS = ["sword", "shield", "bow", "arrow", "potion", "torch", "rope", "map", "helmet", "boots"]
NAMES = ["Aldric", "Brenna", "Caspian", "Delphine", "Eirik", "Fenna", "Gareth", "Hilda", "Ivor", "Juno"]


def inventory(dice):
    items = dice.sample(ITEMS, dice.choice([1, 2, 2, 3, 3]))
    return [{"item": item, "count": dice.randint(1, 20)} for item in items]


def player(dice, number):
    return {
        "id": f"p{number:03d}{dice.getrandbits(32):08x}",
        "name": f"{dice.choice(NAMES)}{number}",
        "x": round(dice.uniform(-2048, 2048), 3),
        "y": round(dice.uniform(-2048, 2048), 3),
        "vx": round(dice.uniform(-8, 8), 2),
        "vy": round(dice.uniform(-8, 8), 2),
        "angle": dice.uniform(-math.pi, math.pi),
        "hp": dice.randint(1, 100),
        "team": dice.choice(["red", "blue"]),
        "inventory": inventory(dice),
        "flags": {"alive": dice.random() < 0.9, "crouched": dice.random() < 0.2},
        "target": None if dice.random() < 0.5 else f"p{dice.randrange(100):03d}",
    }


def main():
    dice = random.Random(2)
    state = {"tick": 184467, "map": "ridge", "players": [player(dice, number) for number in range(100)]}
    text = json.dumps(state, separators=(",", ":"))
    pathlib.Path(__file__).with_name("state.json").write_text(text)
    print(f"state.json: {len(text)} bytes")


main()
