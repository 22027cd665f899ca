"""painda check: what is said of sources, with file and line, and the exit status."""
import os
import re

import pytest

from painda import ROOT, painda

pytestmark = pytest.mark.asan

GOOD = """
local painda = require "painda"
local server = painda.PPServer { port = 3000 }
server:on("connection", function(client) client:emit("hello", {}) end)
"""
BAD = """local painda = require "painda"
local server = painda.PPServer { prot = 3000 }
server:brodcast { type = "x" }
"""


@pytest.fixture
def write(tmp_path):
    def write(source, name="app.lua"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        return path

    return write


@pytest.fixture
def without_luacheck(tmp_path):
    """An environment whose PATH has what a shell needs, and no luacheck."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "xargs"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    return {**os.environ, "PATH": str(tools)}


def test_a_good_file(write):
    path = write(GOOD)
    result = painda("check", path)
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{path}: ok\n", "")


def test_what_is_wrong_has_file_and_line(write):
    path = write(BAD)
    result = painda("check", path)
    assert result.returncode == 1
    assert result.stdout.splitlines() == [
        f'{path}:2: PPServer has no option "prot", did you mean "port"?',
        f'{path}:3: PPServer has no method "brodcast", did you mean "broadcast"?',
    ]
    assert result.stderr == "painda: 2 found in 1 of 1 files\n"


def test_a_syntax_error(write):
    path = write("local a = 1\nlocal = 2\n")
    result = painda("check", path)
    assert result.returncode == 1
    assert result.stdout == f"{path}:2: '<name>' expected near '='\n"


def test_a_compiled_chunk(tmp_path):
    path = tmp_path / "app.lua"
    path.write_bytes(b"\x1bLJ\x02\x00garbage")
    result = painda("check", path)
    assert result.returncode == 1 and "compiled chunk" in result.stdout


def test_a_folder_is_checked_whole(write, tmp_path):
    write(GOOD, "game/app.lua")
    write(BAD, "game/lib/deep/rooms.lua")
    write("local = 1", "game/spec/a_spec.lua")
    write("local = 1", "game/.painda/types/x.lua")
    write("local = 1", "game/node_modules/x.lua")
    result = painda("check", "game", cwd=tmp_path)
    assert result.returncode == 1
    assert [line.split(": ")[0] for line in result.stdout.splitlines()] == [
        "game/lib/deep/rooms.lua:2",
        "game/lib/deep/rooms.lua:3",
        "game/spec/a_spec.lua:1",
    ]
    assert "3 found in 2 of 3 files" in result.stderr
    here = painda("check", ".", cwd=tmp_path / "game")
    assert here.stdout.startswith("lib/deep/rooms.lua:2: ")


def test_luacheck_is_asked(write):
    path = write("local unused = 1\nundefined()\n")
    result = painda("check", path)
    assert result.returncode == 1
    assert result.stdout.splitlines() == [
        f"{path}:1: unused variable 'unused'",
        f"{path}:2: accessing undefined variable 'undefined'",
    ]


def test_luacheck_has_the_projects_settings(write, tmp_path):
    write('std = "luajit"\nglobals = { "mine" }\n', ".luacheckrc")
    path = write("mine = 1\n", "lib/app.lua")
    assert painda("check", path).returncode == 0
    assert painda("check", tmp_path / "lib").returncode == 0
    assert painda("check", "lib", cwd=tmp_path).returncode == 0


def test_it_is_said_that_luacheck_is_missing(write, without_luacheck):
    result = painda("check", write(GOOD), env=without_luacheck)
    assert result.returncode == 0
    assert re.search(r"^note: .*luacheck is missing \(apt-get install lua-check\)$", result.stdout, re.M)
    assert painda("check", write(BAD), env=without_luacheck).returncode == 1


def test_names_of_files_are_no_commands(write, tmp_path):
    write("local unused = 1\n", "a b'; touch hacked; '.lua")
    result = painda("check", ".", cwd=tmp_path)
    assert "unused variable" in result.stdout, result
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize("path, said", [("nothing.lua", "No such file"), ("empty", "there is no Lua file in")])
def test_nothing_to_check(path, said, tmp_path):
    (tmp_path / "empty").mkdir()
    result = painda("check", tmp_path / path)
    assert (result.returncode, result.stdout) == (1, "")
    assert said in result.stderr and str(tmp_path / path) in result.stderr


@pytest.mark.parametrize("folder", ["examples", "tests/bench/apps", "tests/e2e/apps"])
def test_it_has_nothing_to_say_of_what_is_right(folder):
    result = painda("check", folder, cwd=ROOT)
    assert result.returncode == 0, result.stdout
