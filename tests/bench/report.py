"""What a run of the bench says: progress, the table of ratios, and docs/benchmarks.md."""
import datetime
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass

from servers import HERE, ROOT


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


@dataclass
class Line:
    """A row as measured: one value a round, or the reason why there is none."""
    title: str
    values: list
    least: float
    most: float
    unit: str
    failure: str

    def number(self, value):
        if self.unit == "B":
            return f"{value:,.0f} B"
        if self.unit in ("ms", "MB"):
            return f"{value:.1f} {self.unit}"
        return f"{value:.2f}" if value < 10 else f"{value:.1f}"

    def cells(self):
        if self.failure:
            return [self.title, "–", "–", "–", self.goal(), f"failed: {self.failure}"]
        values = (min(self.values), statistics.median(self.values), max(self.values))
        return [self.title, *map(self.number, values), self.goal(), self.verdict()]

    def goal(self):
        if self.least is not None:
            return f"≥ {self.number(self.least)}"
        return f"≤ {self.number(self.most)}" if self.most is not None else ""

    def verdict(self):
        """By the median."""
        middle = statistics.median(self.values)
        if self.least is None and self.most is None:
            return ""
        met = middle >= self.least if self.least is not None else middle <= self.most
        return "met" if met else "missed"


HEAD = ["row", "min", "median", "max", "goal", ""]


def table(lines):
    """For a terminal: columns in line."""
    rows = [HEAD, *(line.cells() for line in lines)]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    text = []
    for title, *numbers, result in rows:
        right = "  ".join(f"{number:>{width}}" for number, width in zip(numbers, widths[1:]))
        text.append(f"{title:<{widths[0]}}  {right}  {result}".rstrip())
    return "\n".join(text)


def markdown(rows):
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] + ["---:"] * (len(head) - 1), *body])


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=ROOT)
        return (done.stdout or done.stderr).strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "not there"


def package_version(name):
    manifest = HERE / "peers" / "node_modules" / name / "package.json"
    found = re.search(r'"version":\s*"([^"]+)"', manifest.read_text()) if manifest.exists() else None
    return found.group(1) if found else "not there"


def machine(options, bench):
    """Where the figures come from, as a list of points."""
    tools = bench.tools
    cpu = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    congestion = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")
    points = {
        "date": datetime.date.today().isoformat(),
        "commit": first_line("git", "describe", "--always", "--dirty"),
        "processor": f"{cpu.group(1) if cpu else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}, TCP congestion control {congestion.read_text().strip()}",
        "painda": first_line(tools.painda, "version"),
        "libwebsockets": first_line("pkg-config", "--modversion", "libwebsockets"),
        "libuv": first_line("pkg-config", "--modversion", "libuv"),
        "LuaJIT": first_line("pkg-config", "--modversion", "luajit"),
        "node": first_line(tools.node, "--version"),
        "ws": package_version("ws"),
        "socket.io": package_version("socket.io"),
        "compiler": first_line("cc", "--version"),
        "run": f"{options.rounds} rounds of {options.seconds:g} s, server on core {tools.server_core}, "
               f"load on core {tools.load_core}",
        "quiet": f"other programs had at most {bench.disturbance:.0%} of a core in any measurement",
    }
    return "\n".join(f"- {name}: {value}" for name, value in points.items())


COUNT, SHARE = "{:,.0f}", "{:.0%}"
FIGURES = {"rate": ("messages/s", COUNT), "p50_us": ("p50 µs", COUNT), "p99_us": ("p99 µs", COUNT),
           "server_cpu": ("server's core", SHARE), "load_cpu": ("load's core", SHARE), "bytes": ("bytes", COUNT),
           "decode_ns": ("decode ns", COUNT), "encode_ns": ("encode ns", COUNT)}


def figures(group):
    """The absolute figures behind a group's rows: the median of each."""
    seen = next((runs[0] for runs in group.figures.values() if runs), {})
    keys = [key for key in FIGURES if key in seen]
    rows = [["contender", *(FIGURES[key][0] for key in keys)]]
    for name, runs in group.figures.items():
        rows.append([name, *(FIGURES[key][1].format(statistics.median(run[key] for run in runs)) if runs else "failed"
                             for key in keys)])
    return markdown(rows)


INTRO = """# Benchmarks

Written by `scripts/bench`, which measures Painda and its peers in one session and in turn, over loopback, with the
server pinned to one core and the load to another. A value is a quotient of two figures of the same round; the goal is
judged by the median. *The limit* is `tests/bench/limit.c`: a bare epoll loop that turns frames round and does nothing
else, so 1.00 is what the kernel alone leaves."""


def document(lines, groups, options, bench):
    ratios = markdown([HEAD[:5] + ["result"], *(line.cells() for line in lines)])
    behind = [f"**{', '.join(dict.fromkeys(row.key for row in group.rows))}**\n\n{figures(group)}" for group in groups]
    parts = [INTRO, "## Ratios", ratios, "## Machine", machine(options, bench), "## The figures behind them",
             "Medians. On another machine these differ, and the ratios much less.", *behind,
             (HERE / "rows.md").read_text().strip()]
    return "\n\n".join(parts) + "\n"
