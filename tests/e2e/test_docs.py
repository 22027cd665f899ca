"""The programs in the README and in docs/: every block of Lua that requires painda is one, and runs without a complaint. Also: no
link leads nowhere."""
import re
import subprocess

import pytest

from painda import BINARY, PATIENCE, ROOT, Server, WebSocket, frame, painda

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
BLOCK = re.compile(r"^```lua([^\n]*)\n(.*?)^```$", re.M | re.S)


def programs():
    for page in PAGES:
        text = page.read_text()
        for found in BLOCK.finditer(text):
            if 'require "painda"' in found.group(2) and "file=" not in found.group(1):  # those: test_first_hour.py
                line = text.count("\n", 0, found.start()) + 1
                yield pytest.param(*found.groups(), id=f"{page.relative_to(ROOT)}:{line}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the programs expect beside them: a folder of files, a certificate."""
    path = tmp_path_factory.mktemp("docs")
    (path / "public").mkdir()
    (path / "public" / "index.html").write_text("<!doctype html>")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-subj", "/CN=localhost", "-keyout", path / "key.pem", "-out", path / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def hello():
    """Whom the clients in the documents talk to."""
    with Server(ROOT / "examples" / "hello" / "app.lua") as server:
        yield server


@pytest.mark.parametrize("options, source", programs())
def test_the_program_runs(options, source, folder, hello):
    if "spec" in options:
        return run_spec(source, folder)
    listens = "PPServer" in source or "HttpServer" in source
    app = folder / "app.lua"
    ran = 'painda.after(50, function() painda.log.info("ran a moment") end)'
    app.write_text(source.replace("ws://localhost:3000", hello.url()) + f"\n{ran}\n")
    with Server(app, listens=listens, cwd=folder) as server:
        server.wait_for("ran a moment")
        if "PPServer {" in source and "tls" not in source:
            with WebSocket(server) as ws:  # a client makes the handlers of connections run
                ws.send(frame("hello", "documents"))
                ws.send_close()
                ws.expect_close()
    assert not re.search(r"(?m)^\S+Z error ", server.log), server.log


def run_spec(source, folder):
    path = folder / "example_spec.lua"
    path.write_text(source)
    result = painda("test", path)
    assert result.returncode == 0, result.stdout + result.stderr


def anchors(page):
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```$", "", page.read_text()))
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"(?ms)^```.*?^```$", "", page.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), target


def test_the_commands_of_the_command_line_are_documented():
    text = (ROOT / "docs" / "api" / "cli.md").read_text()
    listed = subprocess.run([BINARY, "help"], capture_output=True, text=True, timeout=PATIENCE).stdout
    commands = re.findall(r"(?m)^  ([a-z]+)(?: \S+)?  +[a-z]", listed)
    assert {"run", "check", "test", "version", "help"} <= set(commands)
    for command in commands:
        assert f"painda {command}" in text, command
        for option in re.findall(r"--[a-z-]+", painda(command, "--help").stdout):
            assert option in text, f"{command} {option}"
