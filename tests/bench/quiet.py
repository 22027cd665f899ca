"""Tells how much of the machine other programs took during a measurement, and measures again where it was much."""
import os
import pathlib
import time

TICKS = os.sysconf("SC_CLK_TCK")
KTHREADD = 2  # the parent of the kernel's own threads, which work for us too
DISTURBED = 0.04  # of one core
ATTEMPTS = 3


def others_seconds():
    """Processor seconds of all programs but this one and its children, and what a host took from a virtual machine.

    A process that ends passes its time on to its parent, so the sum only grows, however short-lived the processes are.
    """
    total = 0
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(stat.parent.name) != os.getpid() and int(fields[1]) not in (os.getpid(), KTHREADD):
            total += sum(map(int, fields[11:15]))
    stolen = int(pathlib.Path("/proc/stat").read_text().split(maxsplit=9)[8])
    return (total + stolen) / TICKS


def measured(measure):
    """Calls measure() until nothing else ran meanwhile, at most ATTEMPTS times.

    Returns the figures of the quietest call and the share of one core that others had in it.
    """
    tries = []
    while len(tries) < ATTEMPTS and (not tries or min(share for share, _ in tries) > DISTURBED):
        before, begin = others_seconds(), time.monotonic()
        figures = measure()
        tries.append(((others_seconds() - before) / (time.monotonic() - begin), figures))
    share, figures = min(tries, key=lambda entry: entry[0])
    return figures, max(share, 0)
