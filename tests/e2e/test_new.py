"""painda new: each template is a project whose tests pass, that runs, and that an editor and luacheck know."""
import json
import shutil
import subprocess

import pytest

from painda import ROOT, Server, WebSocket, frame, painda

pytestmark = pytest.mark.asan

TEMPLATES = ["chat", "arena", "empty"]


@pytest.fixture(params=TEMPLATES)
def project(request, tmp_path):
    result = painda("new", "first-game", "--template", request.param, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, ""), result
    return request.param, tmp_path / "first-game"


def files_below(path):
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_its_tests_pass(project):
    _, path = project
    result = painda("test", cwd=path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 failures / 0 errors / 0 pending" in result.stdout


def test_luacheck_has_nothing_to_say(project):
    _, path = project
    result = subprocess.run(["luacheck", "."], cwd=path, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_an_editor_finds_the_types(project):
    _, path = project
    settings = json.loads((path / ".luarc.json").read_text())
    (library,) = settings["workspace.library"]
    assert files_below(path / library) == files_below(ROOT / "lua" / "painda" / "types")


def test_the_name_is_put_in(project):
    _, path = project
    assert (path / "README.md").read_text().startswith("# first-game\n")
    assert not any(b"{{" in text for text in files_below(path).values())


def test_it_runs(project):
    template, path = project
    talks = {"chat": talk_chat, "arena": talk_arena, "empty": talk_empty}
    with Server(path / "app.lua", cwd=path) as server, WebSocket(server) as ws:
        talks[template](ws)


def ask(ws, kind, payload):
    ws.send(frame(kind, payload, ack_id=1))
    answer = ws.receive_frame("__pp_ack").payload
    assert "error" not in answer, answer
    return answer["args"][0] if answer["args"] else None


def talk_chat(ws):
    assert ask(ws, "join", {"name": "Ann"}) == {"history": []}
    ws.send(frame("say", {"text": "hello"}))
    assert ws.receive_frame("said").payload == {"name": "Ann", "text": "hello"}


def talk_arena(ws):
    ws.send(frame("play", {"name": "Ann"}, ack_id=1))
    state = ws.receive_frame("__pp_room_state").payload["state"]
    assert state == {"players": {}} or [one["name"] for one in state["players"].values()] == ["Ann"]
    ws.send(frame("aim", {"x": 0, "y": 0}))
    assert ws.receive_frame("__pp_room_delta").payload["delta"]["players"]


def talk_empty(ws):
    assert ws.receive_frame("welcome").payload == {"clients": 1}
    assert ask(ws, "hello", "Ann") == "Hello, Ann"


def test_the_empty_one_is_what_one_gets(tmp_path):
    painda("new", "a", cwd=tmp_path)
    painda("new", "b", "--template", "empty", cwd=tmp_path)
    shutil.rmtree(tmp_path / "a" / ".painda")
    assert (tmp_path / "a" / "greeting.lua").read_bytes() == (tmp_path / "b" / "greeting.lua").read_bytes()


def test_here(tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    result = painda("new", ".", cwd=folder)
    assert result.returncode == 0, result
    assert (folder / "README.md").read_text().startswith("# here\n")


@pytest.mark.parametrize("there", ["app.lua", "LICENSE", ".env"])
def test_nothing_is_overwritten(there, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / there).write_text("precious")
    result = painda("new", "mine", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert "mine is there already and not empty" in result.stderr
    assert files_below(folder) == {there: b"precious"}


def test_a_new_repository_is_as_good_as_empty(tmp_path):
    (tmp_path / "mine" / ".git").mkdir(parents=True)
    assert painda("new", ".", cwd=tmp_path / "mine").returncode == 0
    assert (tmp_path / "mine" / "app.lua").exists()


def test_a_file_is_in_the_way(tmp_path):
    (tmp_path / "mine").write_text("precious")
    result = painda("new", "mine", cwd=tmp_path)
    assert result.returncode == 1 and "there already" in result.stderr
    assert (tmp_path / "mine").read_text() == "precious"


@pytest.mark.parametrize("name", ["", "a b", "..", "-x", "a\nb", "<b>", "/", "nowhere/deep"])
def test_names_that_are_none(name, tmp_path):
    result = painda("new", name, cwd=tmp_path)
    assert result.returncode == 1 or name == "-x"
    assert result.stderr.startswith("painda: ")
    assert files_below(tmp_path) == {}


def test_an_unknown_template(tmp_path):
    result = painda("new", "x", "--template", "chta", cwd=tmp_path)
    assert result.returncode == 2
    assert "chat, arena, empty" in result.stderr
    assert files_below(tmp_path) == {}


def test_types_anew(tmp_path):
    painda("new", "x", cwd=tmp_path)
    types = tmp_path / "x" / ".painda" / "types"
    (types / "server.lua").write_text("old")
    (tmp_path / "x" / "app.lua").write_text("mine")
    assert painda("new", "x", "--types", cwd=tmp_path).returncode == 0
    assert files_below(types) == files_below(ROOT / "lua" / "painda" / "types")
    assert (tmp_path / "x" / "app.lua").read_text() == "mine"
    assert painda("new", "nowhere", "--types", cwd=tmp_path).returncode == 1


@pytest.mark.parametrize("name", ["-x", ".x", "a b", "é"])
def test_a_name_that_cannot_be_is_told_the_rule(name, tmp_path):
    result = painda("new", name, cwd=tmp_path)
    assert result.returncode == 1
    assert "it begins with a letter, a digit or _, and goes on with those, - and ." in result.stderr
    assert list(tmp_path.iterdir()) == []
