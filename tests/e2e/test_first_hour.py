"""docs/first-hour.md, done: its commands are run, its files written, its JavaScript typed, in the order of the page."""
import json
import os
import re
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from painda import BINARY, PATIENCE, ROOT, Server, eventually

pytestmark = pytest.mark.asan

PAGE = ROOT / "docs" / "first-hour.md"
STEP = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$|^<!-- edit (\S+): (.*?) => (.*?) -->$", re.M | re.S)


class Browser:
    """A console of JavaScript, and what it wrote."""

    def __init__(self):
        self.process = subprocess.Popen(
            ["node", Path(__file__).parent / "first_hour.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.output = ""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.output += line

    def type(self, code):
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()

    def close(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)


class Hour:
    def __init__(self, folder, env):
        self.cwd, self.env = folder, env
        self.server = self.browser = None
        self.mark = 0  # the line of the log from which on a text is looked for
        self.said = lambda: ""  # what the last step has written so far

    def sh(self, options, code):
        if options == "run":
            command = code.split()
            assert command[:2] == ["painda", "run"]
            self.server = Server(self.cwd / command[2], *command[3:], cwd=self.cwd, env=self.env)
            self.server.start()
            return
        where = Path(self.env["TMPDIR"], "cwd")
        result = subprocess.run(
            ["bash", "-ec", f"{code}\npwd > {where}"], cwd=self.cwd, env=self.env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        assert (result.returncode == 0) == (options != "fails"), result.stdout + result.stderr
        if result.returncode == 0:
            self.cwd = Path(where.read_text().strip())
        self.said = lambda: result.stdout + result.stderr

    def console(self, _, code):
        result = subprocess.run(
            [BINARY, "console"], input=code, capture_output=True, text=True, timeout=PATIENCE, env=self.env
        )
        assert result.returncode == 0, result.stderr
        self.said = lambda: result.stdout

    def js(self, _, code):
        self.browser = self.browser or Browser()
        before = len(self.browser.output)
        # A name of one piece is seen by the next, as in a browser.
        self.browser.type(code.replace("ws://localhost:3000", self.server.url()))
        self.said = lambda: self.browser.output[before:]

    def lua(self, options, code):
        path = self.cwd / options.removeprefix("file=")
        self.write(path, code)

    def write(self, path, text):
        self.mark = self.server.mark()
        path.write_text(text)
        self.said = None

    def edit(self, name, old, new):
        path = self.cwd / name
        old, new = old.replace("\\n", "\n"), new.replace("\\n", "\n")
        text = path.read_text()
        assert text.count(old) >= 1, f"{name} has no {old!r}:\n{text}"
        before, _, after = text.rpartition(old)
        self.write(path, before + new + after)

    def text(self, options, expected):
        for line in expected.splitlines():
            if options == "log":
                self.server.wait_for(re.escape(line), after=self.mark)
            else:
                wanted = line.split("…")
                eventually(lambda wanted=wanted: all(part in self.said() for part in wanted), line)

    def close(self):
        if self.browser:
            self.browser.close()
        if self.server:
            self.server.kill()


@pytest.fixture
def hour():
    with tempfile.TemporaryDirectory(prefix="pp-") as folder:
        tools = Path(folder, "bin")
        tools.mkdir()
        (tools / "painda").symlink_to(BINARY)
        env = {
            **os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "TMPDIR": folder,
            "PAINDA_CONTROL_DIR": f"{folder}/c",
        }  # fmt: skip
        hour = Hour(Path(folder), env)
        yield hour
        hour.close()


def test_the_hour(hour):
    steps = list(STEP.finditer(PAGE.read_text()))
    assert len(steps) > 30
    for step in steps:
        kind, options, code, name, old, new = step.groups()
        if name:
            hour.edit(name, old, new)
        else:
            getattr(hour, kind)(options.strip(), code)
    assert hour.server.stop() == 0, hour.server.log
