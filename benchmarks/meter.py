"""Measures a subject from inside its process: wall clock and CPU of the work alone, and peak memory."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

_MB = 1024 * 1024


def measure(work: Callable[[], int]) -> None:
    """Say ``ready``, wait for a line, do ``work`` and print what it took; it returns how many items it did.

    The line printed is ``{"items", "cpu_s", "began", "ended", "peak_rss_mb"}``: CPU seconds are user and
    system of all threads, began and ended seconds since the epoch. What ``work`` itself prints goes nowhere.
    """
    results = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    print("ready", file=results, flush=True)
    sys.stdin.readline()
    began, cpu = time.time(), time.process_time()
    items = work()
    measured = {
        "items": items,
        "cpu_s": time.process_time() - cpu,
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
