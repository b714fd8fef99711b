"""Measures a subject from inside its process: wall clock and CPU of the work alone, and peak memory."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

_MB = 1024 * 1024


def measure(parts: Iterable[Callable[[], int]]) -> None:
    """Say ``ready``, wait for a line, do the ``parts`` of the work and print what they took.

    Each part returns how many items it did. What happens in between, while ``parts`` is asked for the next
    one, is not counted, and what is printed meanwhile goes nowhere.

    The line printed is ``{"items", "cpu_s", "wall_s", "began", "ended", "peak_rss_mb"}``: CPU seconds are
    user and system of all threads, began and ended seconds since the epoch.
    """
    results = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    print("ready", file=results, flush=True)
    sys.stdin.readline()
    items, cpu, wall, began = 0, 0.0, 0.0, time.time()
    for part in parts:
        cpu_before, before = time.process_time(), time.perf_counter()
        items += part()
        cpu, wall = cpu + time.process_time() - cpu_before, wall + time.perf_counter() - before
    measured = {
        "items": items,
        "cpu_s": cpu,
        "wall_s": wall,
        "began": began,
        "ended": time.time(),
        "peak_rss_mb": peak_rss_mb(),
    }
    print(json.dumps(measured), file=results, flush=True)


def peak_rss_mb() -> float:
    """The most memory this process has had resident, in MB.

    Linux carries ru_maxrss over from the process that started this one; its VmHWM is this process's own.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / _MB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MB
