#!/usr/bin/env python3
"""Measures Painda and its peers in one session and in turn, and prints ratios. scripts/bench starts it.

A group is a set of contenders that are measured one after the other, once a round (A B C A B C …), and the rows that
are drawn from their figures. A row's value in a round is a quotient of two figures of that same round.
"""
import argparse
import os
import pathlib
import signal
import sys
from dataclasses import dataclass
from typing import Callable

import quiet
import report
from servers import (ROOT, Failure, Server, Tools, codec_times, declared_ticks, deltas, reload_waits, rooms_held,
                     rooms_ticks, start_ms, view_ticks, virtual_clients, work_quotient)

IDLE = 5000
STORM = 5000
ROOMS = 200  # of the row "rooms"
RELOADED = 1000  # clients that are connected while the application is reloaded
RELOADS = 200
SLEEPS = 30  # ms that the row "middleware" sleeps for each message: as many in flight are a thousand a second
OUTSIDE = 9000  # connected, but not in the room: apps/room.lua and peers/socketio.mjs have the same number


@dataclass
class Row:
    key: str  # for --only
    title: str
    value: Callable  # figures by contender -> number
    uses: tuple  # the contenders it is drawn from
    least: float = None  # the goal, one of the two; neither: the row is there to compare with
    most: float = None
    unit: str = "x"


@dataclass
class Group:
    contenders: dict  # name -> function of the bench that measures it once and returns its figures
    rows: list


@dataclass
class Bench:
    tools: Tools
    seconds: float
    warmup: float
    disturbance: float = 0  # the greatest share of a core that other programs had in a measurement

    def load(self, server, work, **options):
        with Server(self.tools, server, work) as running:
            return running.load(seconds=self.seconds, warmup=self.warmup, **options)

    def memory(self, server, work="idle"):
        with Server(self.tools, server, work) as running:
            return {"bytes": running.memory_per_connection(IDLE)}

    def storm(self, server):
        with Server(self.tools, server, "storm") as running:
            return running.storm(STORM)

    def reloads(self):
        return {**reload_waits(self.tools, RELOADED, RELOADS), **start_ms(self.tools)}

    def beside(self, name, other):
        return {"quotient": work_quotient(self.tools, name, other, self.seconds / 6)}

    def virtual(self):
        return virtual_clients(self.tools)

    def delta(self, name):
        return deltas(self.tools, name)

    def rooms(self, *what):
        return rooms_ticks(self.tools, *what, self.seconds)

    def held(self, *what):
        return rooms_held(self.tools, *what)

    def codec(self, name):
        return codec_times(self.tools, name)

    def views(self, *what):
        return view_ticks(self.tools, *what)

    def declared(self, *what):
        return declared_ticks(self.tools, *what)


def echo(server, work="echo", **options):
    return lambda bench: bench.load(server, work, connections=100, inflight=16, **options)


def beside(name, other):
    return lambda bench: bench.beside(name, other)


def single(server, connections):
    return lambda bench: bench.load(server, "echo", connections=connections, inflight=1, spin=True)


def broadcast(server, work="broadcast"):
    return lambda bench: bench.load(server, work, mode="broadcast", connections=1000, inflight=8)


def room(server):
    return lambda bench: bench.load(server, "room", mode="broadcast", connections=1000, inflight=8, idle=OUTSIDE)


def middleware(server):
    return lambda bench: bench.load(server, "middleware", connections=1, inflight=SLEEPS)


def memory(server, work="idle"):
    return lambda bench: bench.memory(server, work)


def storm(server):
    return lambda bench: bench.storm(server)


def delta(name):
    return lambda bench: bench.delta(name)


def delta_rows(case, title, bytes_goal=None):
    """What the case takes, of the fastest and of the smallest of the others."""
    others = ("jsondiffpatch", "fast-json-patch")

    def of_best(figure):
        return lambda f: f["painda"][f"{case}_{figure}"] / min(f[name][f"{case}_{figure}"] for name in others)

    uses = ("painda", *others)
    yield Row("delta", f"{title}: time, of the fastest of two libraries", of_best("ns"), uses, most=0.4)
    if bytes_goal:
        yield Row("delta", "the same: bytes, of the smaller one's", of_best("bytes"), uses, most=bytes_goal)


def rooms(*what):
    return lambda bench: bench.rooms(*what)


def held(*what):
    return lambda bench: bench.held(*what)


def codec(name):
    return lambda bench: bench.codec(name)


def declared(*what):
    return lambda bench: bench.declared(*what)


def views(*what):
    return lambda bench: bench.views(*what)


def declared_group(kind, players, moving, *more, title=None, sends=True):
    """Declared state beside @colyseus/schema: the rows that all have, and `more`; without bytes where nothing is sent."""
    title = title or f"{moving} of {players:,} players move, {kind}"
    size = [ratio("declared", "the same: bytes", "bytes", "painda", "colyseus", most=0.75)] if sends else []
    return Group({name: declared(name, kind, players, moving) for name in ("painda", "colyseus")},
                 [ratio("declared", f"{title}: time of @colyseus/schema's", "tick_ns", "painda", "colyseus", most=1),
                  *size, *more])


def quotient(ours, theirs):
    if theirs == 0:
        raise Failure("there is nothing to compare with: the other's figure is 0")
    return ours / theirs


def ratio(key, title, figure, ours, theirs, **goal):
    """The row ours / theirs, of one figure."""
    return Row(key, title, lambda f: quotient(f[ours][figure], f[theirs][figure]), (ours, theirs), **goal)


def figure(key, title, name, contender, unit="x", **goal):
    """The row of one figure."""
    return Row(key, title, lambda f: f[contender][name], (contender,), unit=unit, **goal)


def slept(title, figure, name, **goal):
    """The time that a message took, of what its middlewares slept."""
    return Row("middleware", title, lambda f: f[name][figure] / (SLEEPS * 1000), (name,), **goal)


def all_values(name):
    """A codec that leaves values out, or puts them off, is not measured against one that does not."""
    def check(figures):
        ours, wanted = figures[name]["leaves"], figures["node"]["leaves"]
        if ours != wanted:
            raise Failure(f"{name} decoded {ours} values where node finds {wanted}")
        return figures
    return check


def codec_row(key, title, figure, name, **goal):
    check = all_values(name)
    return Row(key, title, lambda f: check(f)[name][figure] / f["node"][figure], (name, "node"), **goal)


GROUPS = [
    Group({"painda echo": echo("painda"), "limit": echo("limit"), "painda relay": echo("painda", "relay"),
           "socket.io": echo("socket.io"), "ws": echo("ws")},
          [ratio("echo", "echo through a Lua handler, of the limit", "rate", "painda echo", "limit", least=0.5),
           ratio("echo", "echo through a Lua handler, of socket.io", "rate", "painda echo", "socket.io", least=12),
           ratio("echo", "echo through a Lua handler, of ws", "rate", "painda echo", "ws"),
           ratio("relay", "relay of an unread payload, of the limit", "rate", "painda relay", "limit", least=0.6)]),
    Group({"painda 1": single("painda", 1), "ws 1": single("ws", 1),
           "painda 100": single("painda", 100), "ws 100": single("ws", 100)},
          [ratio("latency", "latency p50, 1 connection, of ws", "p50_us", "painda 1", "ws 1", most=1),
           ratio("latency", "latency p99, 1 connection, of ws", "p99_us", "painda 1", "ws 1", most=1),
           ratio("latency", "latency p50, 100 connections, of ws", "p50_us", "painda 100", "ws 100", most=1),
           ratio("latency", "latency p99, 100 connections, of ws", "p99_us", "painda 100", "ws 100", most=1)]),
    Group({"painda": broadcast("painda"), "limit": broadcast("limit"), "socket.io": broadcast("socket.io")},
          [ratio("broadcast", "broadcast to 1,000, of the limit", "rate", "painda", "limit", least=0.9),
           ratio("broadcast", "broadcast to 1,000, of socket.io", "rate", "painda", "socket.io", least=9)]),
    Group({"painda": broadcast("painda"), "painda room": room("painda"), "socket.io room": room("socket.io")},
          [ratio("room", "1,000 in a room, 10,000 connected, of broadcast to 1,000", "rate", "painda room", "painda",
                 least=0.9),
           ratio("room", "the same room, of socket.io's", "rate", "painda room", "socket.io room", least=9)]),
    Group({"painda": middleware("painda"), "socket.io": middleware("socket.io")},
          [slept("1,000 messages/s through 3 sleeping middlewares: p50, of the sleep", "p50_us", "painda", most=1.2),
           slept("the same: p99, of the sleep", "p99_us", "painda", most=1.5),
           slept("the same, socket.io: p50", "p50_us", "socket.io"),
           slept("the same, socket.io: p99", "p99_us", "socket.io")]),
    Group({"painda": echo("painda"), "painda + idle": echo("painda", idle=IDLE),
           "limit": echo("limit"), "limit + idle": echo("limit", idle=IDLE)},
          [ratio("idle", f"echo beside {IDLE:,} idle, of itself without", "rate", "painda + idle", "painda",
                 least=0.85),
           ratio("idle", "the same, the limit server", "rate", "limit + idle", "limit")]),
    Group({"painda": memory("painda"), "ws": memory("ws")},
          [Row("memory", "memory per idle connection", lambda f: f["painda"]["bytes"], ("painda",), most=3072,
               unit="B"),
           Row("memory", "the same, ws", lambda f: f["ws"]["bytes"], ("ws",), unit="B")]),
    Group({"painda": broadcast("painda"), "painda recovery": broadcast("painda", "recovery")},
          [ratio("recovery", "broadcast to 1,000 with recovery, of without", "rate", "painda recovery", "painda",
                 least=0.9)]),
    Group({"painda": memory("painda"), "painda history": memory("painda", "history")},
          [Row("history", "memory of a session with 100 messages kept, beyond one without",
               lambda f: f["painda history"]["bytes"] - f["painda"]["bytes"], ("painda", "painda history"), most=4096,
               unit="B")]),
    Group({"painda": storm("painda"), "socket.io": storm("socket.io")},
          [Row("storm", f"{STORM:,} clients are cut and all come back", lambda f: f["painda"]["seconds"] * 1000,
               ("painda",), unit="ms"),
           ratio("storm", "the same, of socket.io's time", "seconds", "painda", "socket.io", most=0.5),
           Row("storm", "another client waits at most", lambda f: f["painda"]["stall_ms"], ("painda",), unit="ms"),
           ratio("storm", "the same, of socket.io's", "stall_ms", "painda", "socket.io"),
           Row("storm", "the most memory that the server had", lambda f: f["painda"]["peak_mb"], ("painda",), unit="MB"),
           ratio("storm", "the same, of socket.io's", "peak_mb", "painda", "socket.io", most=0.5)]),
    Group({"painda": lambda bench: bench.reloads()},
          [Row("reload", f"1,000 handlers reloaded, {RELOADED:,} connected: a client waits, p99",
               lambda f: f["painda"]["wait_p99_ms"], ("painda",), most=20, unit="ms"),
           figure("reload", "the same, p50", "wait_p50_ms", "painda", "ms"),
           figure("reload", "the same without a reload, p99", "quiet_p99_ms", "painda", "ms"),
           Row("reload", "the same: connections closed, messages lost or answered twice",
               lambda f: f["painda"]["closed"] + f["painda"]["lost"] + f["painda"]["double"], ("painda",), most=0, unit=""),
           Row("reload", "start to the first connection", lambda f: f["painda"]["start_ms"], ("painda",), most=100,
               unit="ms")]),
    Group({"painda --watch": beside("painda --watch", "painda"), "painda + console": beside("painda + console", "painda")},
          [figure("reload", "echo with --watch: messages a processor second, of without", "quotient", "painda --watch",
                  least=0.98),
           figure("reload", "echo with a console attached: the same, of without", "quotient", "painda + console", least=0.98)]),
    Group({"painda": lambda bench: bench.virtual()},
          [Row("virtual", "10,000 virtual clients connect and join a room", lambda f: f["painda"]["connect_ms"],
               ("painda",), unit="ms"),
           Row("virtual", "a message to the room reaches them all", lambda f: f["painda"]["broadcast_ms"],
               ("painda",), unit="ms"),
           Row("virtual", "memory of each, its server side included", lambda f: f["painda"]["bytes"], ("painda",),
               most=8192, unit="B")]),
    Group({name: delta(name) for name in ("painda", "jsondiffpatch", "fast-json-patch")},
          [Row("delta", "state of 100 players (32 KB), 10 move: what changed, as JSON",
               lambda f: f["painda"]["moved_ns"] / 1000,
               ("painda",), most=60, unit="µs"),
           *delta_rows("moved", "the same", bytes_goal=1),
           *delta_rows("large", "1,000 players, 100 move", bytes_goal=1),
           *delta_rows("insert", "one more in front of 100", bytes_goal=1),
           *delta_rows("same", "nothing changed"),
           Row("delta", "a room of 100 that nothing touched: a tick, of what changed's time",
               lambda f: f["painda"]["untouched_ns"] / f["painda"]["moved_ns"], ("painda",), most=0.05),
           *delta_rows("all", "each of 100 players changed", bytes_goal=1)]),
    Group({"painda": rooms("painda", "declared", ROOMS), "painda tables": rooms("painda", "tables", ROOMS),
           "colyseus": rooms("colyseus", "declared", ROOMS), "limit": rooms("limit", "declared", ROOMS)},
          [ratio("rooms", f"{ROOMS} rooms of 20, 10 of 20 move 60 times a second: bytes, of Colyseus", "tick_bytes",
                 "painda", "colyseus", most=0.75),
           ratio("rooms", "the same: messages that arrive, of the limit", "rate", "painda", "limit", least=0.8),
           figure("rooms", "the same: p99 of what ticks are late", "p99_ms", "painda", "ms"),
           figure("rooms", "the same, Colyseus", "p99_ms", "colyseus", "ms"),
           figure("rooms", "the same: share of a core", "server_cpu", "painda"),
           figure("rooms", "the same, Colyseus", "server_cpu", "colyseus"),
           figure("rooms", "the same: of all ticks there were", "kept", "painda"),
           figure("rooms", "the same, Colyseus", "kept", "colyseus"),
           figure("rooms", "the same: a client is sent in a second", "bytes", "painda", "B"),
           figure("rooms", "the same, where the state is tables", "bytes", "painda tables", "B"),
           figure("rooms", "the same, Colyseus", "bytes", "colyseus", "B")]),
    Group({"painda": held("painda", "declared", 250), "colyseus": held("colyseus", "declared", 150)},
          [figure("held", "such rooms that one core holds, ticks late by 4 ms at most (p99)", "rooms", "painda"),
           ratio("held", "the same, of Colyseus", "rooms", "painda", "colyseus", least=1.5)]),
    Group({"painda": codec("painda"), "node": codec("node"), "cjson": codec("cjson")},
          [codec_row("json", "JSON decode of 26 KB, of node's time", "decode_ns", "painda", most=1.0),
           codec_row("json", "JSON encode of 26 KB, of node's time", "encode_ns", "painda", most=0.8),
           codec_row("json", "the same decode, lua-cjson", "decode_ns", "cjson"),
           codec_row("json", "the same encode, lua-cjson", "encode_ns", "cjson")]),
    declared_group("float32", 100, 10),
    declared_group("float32", 1000, 100),
    declared_group("float32", 100, 100, title="each of 100 players moves, float32"),
    declared_group("float32", 100, 0, title="nobody of 100 players moves", sends=False),
    declared_group("float32", 100, "row", title="100 players in a row: one comes in front, the last goes"),
    declared_group("quantized", 100, 10,
                   Row("declared", "the same: bytes a player that moved", lambda f: f["painda"]["bytes"] / 10, ("painda",),
                       most=4, unit="B")),
    Group({"painda float32": views("painda", "float32"), "colyseus float32": views("colyseus", "float32"),
           "painda quantized": views("painda", "quantized"), "colyseus quantized": views("colyseus", "quantized"),
           "painda plain": views("painda", "plain")},
          [ratio("views", "500 members see 100 of 1,000 that move, float32: time of @colyseus/schema's", "tick_ns",
                 "painda float32", "colyseus float32", most=1),
           ratio("views", "the same: bytes", "bytes", "painda float32", "colyseus float32", most=1),
           ratio("views", "the same, quantized: time", "tick_ns", "painda quantized", "colyseus quantized", most=1),
           ratio("views", "the same: bytes", "bytes", "painda quantized", "colyseus quantized", most=1),
           ratio("views", "plain tables, JSON: time of @colyseus/schema's float32", "tick_ns", "painda plain",
                 "colyseus float32", most=1),
           ratio("views", "the same: bytes", "bytes", "painda plain", "colyseus float32"),
           Row("views", "a tick of float32", lambda f: f["painda float32"]["tick_ns"] / 1e6, ("painda float32",), unit="ms"),
           Row("views", "bytes a member", lambda f: f["painda float32"]["bytes"], ("painda float32",), unit="B")]),
]
KEYS = sorted({row.key for group in GROUPS for row in group.rows})


def selected(only):
    """The groups with the rows asked for and the contenders that these need."""
    for group in GROUPS:
        rows = [row for row in group.rows if not only or row.key in only]
        names = {name for row in rows for name in row.uses}
        if rows:
            yield Group({name: group.contenders[name] for name in group.contenders if name in names}, rows)


def run_round(bench, group, failed):
    """The figures of every contender that still runs. One that failed once is not tried again, and is reported."""
    figures = {}
    for name, measure in group.contenders.items():
        if name not in failed:
            try:
                figures[name], others = quiet.measured(lambda: measure(bench))
                bench.disturbance = max(bench.disturbance, others)
            except Failure as failure:
                failed[name] = str(failure)
                report.say(f"FAILED: {failure}")
    return figures


def run_group(bench, group, rounds):
    """Yields one report.Line a row, and leaves the figures in group.figures."""
    failed, history = {}, []
    for number in range(rounds):
        report.say(f"round {number + 1} of {rounds}: {', '.join(group.contenders)}")
        history.append(run_round(bench, group, failed))
    group.figures = {name: [f[name] for f in history if name in f] for name in group.contenders}
    for row in group.rows:
        reasons = list(dict.fromkeys(failed[name] for name in row.uses if name in failed))
        try:
            values = [] if reasons else [row.value(figures) for figures in history]
        except Failure as failure:
            values, reasons = [], [str(failure)]
        yield report.Line(row.title, values, row.least, row.most, row.unit, "; ".join(reasons))


def arguments():
    about = "Measures Painda beside its peers, in turn, and prints ratios. A whole run writes docs/benchmarks.md."
    parser = argparse.ArgumentParser(prog="scripts/bench", description=about)
    parser.add_argument("--rounds", type=int, default=5, help="times that every contender is measured (5)")
    parser.add_argument("--seconds", type=float, default=3, help="length of one measurement (3)")
    parser.add_argument("--only", action="append", choices=KEYS, metavar="ROW", help=f"{', '.join(KEYS)}; repeatable")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that all runs; writes nothing")
    parser.add_argument("--painda", default=ROOT / "build/painda", help="the program measured (build/painda)")
    parser.add_argument("--tools", default=ROOT / "build/tests/bench", help="where bench_load and bench_limit are")
    parser.add_argument("--output", type=pathlib.Path, help="write the report here, of a partial run too")
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds have to be above 0")
    if options.quick:
        options.rounds, options.seconds = 1, min(options.seconds, 1)
    return options


def stop(*_):
    raise KeyboardInterrupt


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, stop)
    tools = Tools(options.painda, options.tools)
    if not os.access(tools.folder / "bench_load", os.X_OK):
        sys.exit(f"bench: {tools.folder}/bench_load is missing; build it with scripts/build bench_load bench_limit")
    bench = Bench(tools, options.seconds, 0.5 if options.quick else 1)
    groups = list(selected(options.only))
    lines = [line for group in groups for line in run_group(bench, group, options.rounds)]
    print(report.table(lines))
    if bench.disturbance > quiet.DISTURBED:
        report.say(f"other programs had up to {bench.disturbance:.0%} of a core: expect wide ranges")
    whole = not options.only and not options.quick
    output = options.output or (ROOT / "docs/benchmarks.md" if whole else None)
    if output:
        output.parent.mkdir(exist_ok=True)
        output.write_text(report.document(lines, groups, options, bench))
        report.say(f"written to {output}")
    return 1 if any(line.failure for line in lines) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
