"""Starts servers pinned to one core and the load pinned to another, and ends them again, whatever happens."""
import contextlib
import json
import os
import pathlib
import pty
import re
import select
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
START_SECONDS = 15


class Failure(Exception):
    """A measurement that did not come off; its text names the program and says what happened."""


class Tools:
    """Where the programs are and on which cores they run."""

    def __init__(self, painda, folder):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise SystemExit("bench: needs two processor cores, one for the server and one for the load")
        self.server_core, self.load_core = cores[:2]
        self.painda = pathlib.Path(painda).resolve()
        self.folder = pathlib.Path(folder).resolve()
        self.node = shutil.which("node") or "node"

    def server_command(self, name, work, port):
        """What starts the server `name` for the work echo, relay, broadcast, room, middleware or idle."""
        if name in ("painda", "painda --watch", "painda + console"):
            words = ["--watch"] if name == "painda --watch" else []
            return [self.painda, "run", HERE / "apps" / f"{work}.lua", "--port", port, *words]
        if name == "limit":
            return [self.folder / "bench_limit", port, work]
        return [self.node, HERE / "peers" / f"{name.replace('.', '')}.mjs", port, work]


# What the load speaks with each server. The limit server takes any frame; it gets those that Painda gets.
FORMATS = {"painda": "painda", "painda --watch": "painda", "painda + console": "painda", "limit": "painda",
           "ws": "json", "socket.io": "socketio", "colyseus": "colyseus"}


def pinned(core, command):
    """The command on one core. It dies with us even where we are killed, so nothing is ever left behind."""
    return ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", str(core), *map(str, command)]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def last_line(text, fallback):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else fallback


def end(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


class Server:
    """A running server. Used in a `with` block, at whose end it is gone."""

    def __init__(self, tools, name, work, **settings):
        if name == "painda" and not os.access(tools.painda, os.X_OK):
            raise Failure(f"painda: {tools.painda} is not there; scripts/build makes it")
        self.tools, self.format, self.port = tools, FORMATS[name], free_port()
        self.name = f"{name} ({work})"
        self.has_console, self.console, self.terminal = name == "painda + console", None, None
        self.log = tempfile.TemporaryFile("a+")  # the server goes on at its end, wherever we read
        command = pinned(tools.server_core, tools.server_command(name, work, self.port))
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        env={**os.environ, **settings})

    def __enter__(self):
        try:
            self.wait_for_port()
            if self.has_console:
                self.attach_console()
        except BaseException:
            self.__exit__()
            raise
        return self

    def attach_console(self):
        """A console on a terminal of its own, which waits for somebody to type."""
        self.terminal, inside = pty.openpty()
        command = [self.tools.painda, "console", "--pid", str(self.process.pid)]
        self.console = subprocess.Popen(command, cwd=ROOT, stdin=inside, stdout=inside, stderr=inside)
        os.close(inside)
        shown = b""
        while b"> " not in shown:
            if not select.select([self.terminal], [], [], START_SECONDS)[0]:
                raise Failure(f"{self.name}: the console shows no prompt, but {shown!r}")
            shown += os.read(self.terminal, 4096)

    def __exit__(self, *_):
        if self.console:
            end(self.console)
        if self.terminal is not None:
            os.close(self.terminal)
        end(self.process)
        self.log.close()

    def last_words(self):
        """What the server said last, or with what code it ended."""
        self.log.seek(0)
        return last_line(self.log.read(), f"exit code {self.process.poll()}")

    def close(self):
        self.__exit__()

    def wait_for_port(self, pause=0.05):
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise Failure(f"{self.name} did not start: {self.last_words()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(pause)
        raise Failure(f"{self.name} did not listen within {START_SECONDS} seconds: {self.last_words()}")

    def load_command(self, options):
        options = {"port": self.port, "format": self.format, "server-pid": self.pid, **options}
        words = [f"--{key}" if value is True else f"--{key}={value}" for key, value in options.items()]
        return pinned(self.tools.load_core, [self.tools.folder / "bench_load", *words])

    def failure(self, said):
        """Why a load failed: because the server ended, or as the load said."""
        if self.process.poll() is not None:
            return Failure(f"{self.name} ended with code {self.process.returncode}: {self.last_words()}")
        return Failure(f"{self.name}: {last_line(said, 'the load failed without a word').removeprefix('bench_load: ')}")

    def load(self, **options):
        """Runs the load to its end and returns what it counted."""
        limit = float(options.get("seconds", 3)) + float(options.get("warmup", 1)) + 60
        try:
            done = subprocess.run(self.load_command(options), capture_output=True, text=True, timeout=limit)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name}: the load did not end within {limit:.0f} seconds") from None
        if done.returncode:
            raise self.failure(done.stderr)
        result = json.loads(done.stdout)
        if result["missing"]:
            raise Failure(f"{self.name}: {result['missing']} messages never arrived")
        return result

    def storm(self, count):
        """Cuts `count` clients at once: the figures of storm.py, and the most memory that the server ever had."""
        words = ["python3", HERE / "storm.py", self.port, "painda" if self.format == "painda" else "socketio", count]
        try:
            done = subprocess.run(pinned(self.tools.load_core, words), capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name}: the storm did not end within 120 seconds") from None
        if done.returncode:
            raise self.failure(done.stderr)
        figures = json.loads(done.stdout)
        if figures["recovered"] < (count if self.format == "painda" else 0.99 * count):
            raise Failure(f"{self.name}: {figures['recovered']} of {count} came back to their session")
        return {**figures, "peak_mb": self.status("VmHWM") / 1e6}

    def reloads(self, handlers, count, times):
        """Reloads it so many times under `count` clients, with other `handlers`: the figures of reload.py."""
        words = ["python3", HERE / "reload.py", self.port, self.pid, handlers, count, times]
        try:
            done = subprocess.run(pinned(self.tools.load_core, words), capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name}: the reloads did not end within 120 seconds") from None
        if done.returncode:
            raise self.failure(done.stderr)
        return json.loads(done.stdout)

    @property
    def pid(self):
        """The process that serves: of Painda it is the child of the one that was started."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else self.process.pid

    @contextlib.contextmanager
    def holding(self, options):
        """Connections that stay open and say nothing, from when all of them are there to the end of the block."""
        holder = subprocess.Popen(self.load_command({"mode": "hold", **options}), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            if not holder.stdout.readline():
                raise self.failure(holder.stderr.read())
            yield
            if holder.poll() is not None:
                raise self.failure(holder.stderr.read())
        finally:
            holder.stdin.close()
            end(holder)
            holder.stdout.close()
            holder.stderr.close()

    def printed(self, seconds):
        """The figures that the server prints, within so many seconds from now."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.log.seek(0)
            figures = re.search(r"^\{.*\}$", self.log.read(), re.MULTILINE)
            if figures:
                return json.loads(figures.group(0))
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise self.failure("it printed no figures")

    def status(self, name):
        """A size from /proc, in bytes."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"{name}:\s+(\d+)", status).group(1)) * 1024

    def resident(self):
        """Bytes of resident memory."""
        return self.status("VmRSS")

    def processor_ns(self):
        """Nanoseconds that its thread has worked. /proc/PID/stat counts in hundredths of a second."""
        return int(pathlib.Path(f"/proc/{self.pid}/schedstat").read_text().split()[0])

    def settled(self):
        """Resident memory once it has not changed by a hundredth for a second, or after ten."""
        seen = [self.resident()]
        while len(seen) < 40:
            time.sleep(0.25)
            seen.append(self.resident())
            if len(seen) > 4 and max(seen[-5:]) - min(seen[-5:]) < 0.01 * seen[-1]:
                break
        return seen[-1]

    def memory_per_connection(self, count):
        """Resident bytes that each of `count` silent connections adds."""
        before = self.settled()
        with self.holding({"connections": count}):
            return (self.settled() - before) / count


MEMBERS = 20  # of each room, in apps/rooms.lua and peers/colyseus.mjs
CLIMB_SECONDS = 25


@contextlib.contextmanager
def rooms_server(tools, name, kind, count, **settings):
    """A server with so many rooms, and what the load needs to fill them."""
    with tempfile.NamedTemporaryFile() as paths:
        work = {"BENCH_KIND": kind, "BENCH_ROOMS": str(count), "BENCH_PATHS": paths.name, **settings}
        with Server(tools, name, "rooms", **work) as running:
            options = {"connections": count * MEMBERS, "spin": True}
            options.update({"paths": paths.name} if name == "colyseus" else {"path": "/?pp_caps=state"})
            yield running, options


def rooms_ticks(tools, name, kind, count, seconds):
    """How late the ticks of so many rooms are, what the server takes for them, and what a member is sent a second."""
    with rooms_server(tools, name, kind, count) as (running, options):
        heard = running.load(mode="listen", seconds=seconds, warmup=1.5, **options)
        figures = running.printed(5) if name != "limit" else {}
        return {**figures, "rate": heard["rate"], "server_cpu": heard["server_cpu"], "load_cpu": heard["load_cpu"],
                "bytes": heard["bytes_in"] / heard["seconds"] / options["connections"],
                "tick_bytes": heard["bytes_in"] / heard["messages"]}


def rooms_held(tools, name, kind, most):
    """How many rooms one core holds before one tick in a hundred is later than 4 ms."""
    with rooms_server(tools, name, kind, most, BENCH_CLIMB="1") as (running, options):
        with running.holding(options):
            return running.printed(CLIMB_SECONDS)


PAIRS = 12


def work_quotient(tools, name, other, seconds):
    """Messages that `name` echoes in a second of processor time, of what `other` does: the median of pairs of short
    loads, of two servers that both stay. What other programs do meanwhile is in neither's time, and pairs that are
    seconds apart have the machine in the same state."""
    with Server(tools, name, "echo") as ours, Server(tools, other, "echo") as theirs:
        quotients = []
        for pair in range(PAIRS + 1):
            taken = {}
            for server in (ours, theirs) if pair % 2 else (theirs, ours):
                before = server.processor_ns()
                messages = server.load(seconds=seconds, warmup=0, connections=100, inflight=16)["messages"]
                taken[server] = (server.processor_ns() - before) / messages
            quotients.append(taken[theirs] / taken[ours])
        return statistics.median(quotients[1:])  # the first is spent on LuaJIT's compiling


HANDLER = """
server:on("type%(n)d", function(client, payload, ack)
  local data = client.data
  data.count%(n)d = (data.count%(n)d or 0) + 1
  if payload.to then
    client:to("room%(n)d"):emit("moved", { id = client.id, x = payload.x, y = payload.y })
  end
  ack(nil, { n = payload.n, load = loads })
end)"""


def reload_waits(tools, count, times):
    """What a client waits while a server of a thousand handlers, which change, is reloaded."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as handlers:
        handlers.writelines(HANDLER % {"n": n} for n in range(1, 1001))
        handlers.flush()
        with Server(tools, "painda", "reload", BENCH_HANDLERS=handlers.name) as running:
            return running.reloads(handlers.name, count, times)


def start_ms(tools, times=9):
    """Milliseconds from starting a server to its first connection, the median."""
    taken = []
    for _ in range(times):
        begun = time.monotonic()
        with contextlib.closing(Server(tools, "painda", "echo")) as server:
            server.wait_for_port(0.0005)
            taken.append((time.monotonic() - begun) * 1000)
    return {"start_ms": sorted(taken)[times // 2]}


def codec_times(tools, name):
    """Nanoseconds of JSON decode and encode of state.json, of node, painda or cjson."""
    app = HERE / "apps" / "json.lua"
    command = {"node": [tools.node, HERE / "peers" / "json.mjs", HERE / "state.json"],
               "painda": [tools.painda, "run", app], "cjson": ["luajit", app]}[name]
    if not os.access(command[0], os.X_OK) and not shutil.which(command[0]):
        raise Failure(f"{name}: {command[0]} is not there")
    return printed_figures(tools, name, command)


def deltas(tools, name):
    """Nanoseconds and bytes of what changed in a state, of painda or a library of node's."""
    command = [tools.node, HERE / "peers" / "delta.mjs", name, HERE / "state.json"]
    if name == "painda":
        command = [tools.painda, "run", HERE / "apps" / "delta.lua"]
    return printed_figures(tools, name, command)


def virtual_clients(tools):
    """What ten thousand clients within the server's process cost."""
    return printed_figures(tools, "painda", [tools.painda, "run", HERE / "apps" / "virtual.lua"])


def declared_ticks(tools, name, kind, players, moving):
    """Nanoseconds and bytes of a tick of a declared state, of painda or @colyseus/schema."""
    command = {"painda": [tools.painda, "run", HERE / "apps" / "declared.lua"],
               "colyseus": [tools.node, HERE / "peers" / "declared.mjs"]}[name]
    return printed_figures(tools, name, command, BENCH_KIND=kind, BENCH_PLAYERS=str(players), BENCH_MOVING=str(moving))


def view_ticks(tools, name, form):
    """Nanoseconds of a tick in which 500 members see 100 of 1,000 entities each, and bytes a member; of painda or
    @colyseus/schema."""
    command = {"painda": [tools.painda, "run", HERE / "apps" / "views.lua"],
               "colyseus": [tools.node, HERE / "peers" / "views.mjs"]}[name]
    return printed_figures(tools, name, command, BENCH_FORM=form)


def printed_figures(tools, name, command, **settings):
    """The figures that a program prints, as JSON, before it ends."""
    environment = {**os.environ, "BENCH_STATE": str(HERE / "state.json"), **settings}
    try:
        done = subprocess.run(pinned(tools.server_core, command), capture_output=True, text=True, timeout=60, cwd=ROOT,
                              env=environment, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise Failure(f"{name} did not end within a minute") from None
    answer = re.search(r"^\{.*\}$", done.stdout, re.MULTILINE)
    if done.returncode or not answer:
        raise Failure(f"{name}: {last_line(done.stderr, f'no figures, exit code {done.returncode}')}")
    return json.loads(answer.group(0))
