"""What the end-to-end tests in Python share: a server process; frames (wire.py) and a raw client (raw.py) come with it.

    with Server("examples/hello/app.lua") as server:            # port 0: a free one, read from the server's log
        with WebSocket(server) as ws:
            ws.send(frame("ping", {"n": 1}))
            assert ws.receive_frame().envelope == {"type": "pong", "payload": {"n": 1}}
"""
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

from raw import *  # noqa: F401,F403: a test imports all it needs from here
from raw import PATIENCE
from wire import *  # noqa: F401,F403

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("PAINDA_BIN", str(ROOT / "build" / "painda"))


def painda(*args, timeout=PATIENCE, **options):
    """Runs `painda ARGS…` to its end; returns subprocess.CompletedProcess with text in stdout and stderr."""
    return subprocess.run(
        [BINARY, *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, **options
    )


def eventually(condition, what="the condition", patience=PATIENCE):
    """Waits until `condition()` is true and returns what it returned."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {patience} s"
        time.sleep(0.01)


class Server:
    """`painda run APP` on a free port, as a context manager that ends it with SIGTERM and wants exit status 0.

    app      a path, or Lua source (anything with a newline), which gets a file of its own
    args     more options for `painda run`; env: more environment variables
    binary   another program than the one under test (an installed one)
    listens  False where the application opens no port
    """

    def __init__(self, app, *args, port=0, env=None, cwd=ROOT, binary=None, listens=True, host="127.0.0.1"):
        self._scratch = tempfile.TemporaryDirectory(prefix="painda-test-")
        if "\n" in str(app):
            source, app = app, Path(self._scratch.name) / "app.lua"
            app.write_text(source)
        self.app = Path(app)
        options = [] if port is None else ["--port", str(port)]
        self.command = [binary or BINARY, "run", str(app), *options, *map(str, args)]
        self.host = host
        self.port = None
        self.returncode = None
        self._env = {**os.environ, **(env or {})}
        self._cwd = cwd
        self._listens = listens
        self._lines = []
        self._news = threading.Condition()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, exc_type, exc, traceback):
        try:
            self.stop()
            if exc_type is None:
                assert self.returncode == 0, f"exit status {self.returncode}\n{self.log}"
        finally:
            if exc_type is not None:
                print(f"--- log of {' '.join(self.command)}\n{self.log}")
            self._scratch.cleanup()

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="backslashreplace", env=self._env, cwd=self._cwd, start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if self._listens:
            try:
                self.port = int(self.wait_for(r"\blistening\b.*?\bport=(\d+)").group(1))
            except BaseException:
                self.kill()
                raise

    def wait_to_accept(self):
        """Waits until the port that was asked for is open, where the log does not tell."""
        asked = self.command[self.command.index("--port") + 1]
        self.port = int(asked)

        def accepts():
            try:
                socket.create_connection((self.host, self.port), 1).close()
                return True
            except ConnectionRefusedError:
                assert self.process.poll() is None, f"the server ended\n{self.log}"

        eventually(accepts, f"port {asked}")

    def _read(self):
        for line in self.process.stdout:
            with self._news:
                self._lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._lines.append(None)  # the end
            self._news.notify_all()

    @property
    def pid(self):
        """The process that serves: the worker, where a supervisor keeps it."""
        return worker_of(self.process.pid) or self.process.pid

    @property
    def log(self):
        """All that the server wrote to stdout and stderr so far."""
        with self._news:
            return "\n".join(line for line in self._lines if line is not None)

    def wait_for(self, pattern, *, after=0, patience=PATIENCE):
        """Waits for a line of the log (from line number `after` on) that `pattern` is found in; returns the match."""
        deadline = time.monotonic() + patience
        with self._news:
            while True:
                for line in self._lines[after:]:
                    match = line is not None and re.search(pattern, line)
                    if match:
                        return match
                ended = self._lines and self._lines[-1] is None
                if ended or not self._news.wait(deadline - time.monotonic()):
                    text = "\n".join(line for line in self._lines if line is not None)
                    why = "the server ended" if ended else f"not within {patience} s"
                    raise AssertionError(f"no line with {pattern!r}: {why}\n{text}")

    def mark(self):
        """The number of log lines so far, for wait_for(after=…)."""
        with self._news:
            return len(self._lines)

    def send_signal(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        """Asks the server to end and waits for it; afterwards nothing of it may be left."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self, patience=PATIENCE):
        """Waits until the server has ended by itself; returns its exit status."""
        try:
            self.returncode = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not end within {patience} s\n{self.log}") from None
        self._reader.join(PATIENCE)
        left = processes_of_session(self.process.pid)
        self.kill()
        assert not left, f"left running by the server: {left}"
        return self.returncode

    def kill(self):
        """Ends the server's own session of processes, whatever state they are in."""
        worker = worker_of(self.process.pid)
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(PATIENCE)
        eventually(lambda: worker is None or not Path(f"/proc/{worker}").exists(), "the end of the worker, which follows")
        self._reader.join(PATIENCE)

    def rss(self):
        """Bytes of memory resident now."""
        return int(re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text(), re.M).group(1)) * 1024

    def descriptors(self):
        """The number of open file descriptors."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def url(self, path="/", scheme="ws", **query):
        """The address for a client, e.g. of the `websockets` package."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}{path}" + (f"?{urlencode(query)}" if query else "")


def worker_of(pid):
    """The worker that the supervisor with that process id has now, or None."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    return int(children[0]) if children else None


def processes_of_session(session):
    """Command lines of the live processes that belong to a session."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append((entry / "cmdline").read_text().replace("\0", " ").strip())
        except (OSError, IndexError):
            continue
    return found


def free_port():
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
