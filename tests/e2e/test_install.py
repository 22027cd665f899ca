"""An installed painda is one file that works from anywhere: run by scripts/test with the binary it installed."""
import os
import subprocess
from pathlib import Path

from painda import Server, WebSocket, frame, painda

INSTALLED = os.environ.get("PAINDA_INSTALLED", "")
HELLO = """
local painda = require "painda"
local server = painda.PPServer { port = 3000 }
server:on("connection", function(client)
    client:on("hello", function(payload) client:emit("hello", payload) end)
end)
"""


def test_the_environment_says_which():
    assert os.access(INSTALLED, os.X_OK), "PAINDA_INSTALLED names no program; use scripts/test install"


def test_it_is_the_same_version(tmp_path):
    result = subprocess.run([INSTALLED, "version"], capture_output=True, text=True, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, painda("version").stdout)


def test_it_runs_an_application_from_another_directory(tmp_path):
    with Server(HELLO, binary=INSTALLED, cwd=tmp_path) as server, WebSocket(server) as ws:
        ws.send(frame("hello", {"from": "elsewhere"}))
        assert ws.receive_frame("hello").payload == {"from": "elsewhere"}


def test_what_luacheck_wants_to_know_comes_with_it(tmp_path):
    config = Path(INSTALLED).parents[1] / "share" / "painda" / "luacheckrc"
    app = tmp_path / "app.lua"
    app.write_text(HELLO)
    command = ["luacheck", "--no-config", "--default-config", config, app]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    app.write_text(HELLO + "\nsurver:close()\n")
    assert b"undefined variable" in subprocess.run(command, capture_output=True, timeout=60).stdout


def test_the_editor_types_come_with_it():
    types = Path(INSTALLED).parents[1] / "share" / "painda" / "types"
    assert list(types.glob("*.lua")), f"no LuaLS types in {types}"
