"""Measures time and memory, inside a subject's process and around a command with all its processes.

The server has one core and the subjects have the others. The share that other programs take is measured too.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MB = 1024 * 1024

# Of ru_oublock (getrusage(2)).
_BLOCK_BYTES = 512


def measure(parts: Iterable[Callable[[], int]]) -> None:
    """Print ``ready``, wait for a line, do the ``parts`` of the work and print what they used.

    Each part returns its number of items. Time between the parts, while the next one is made, does not count,
    and what the parts print is discarded.

    The printed line is ``{"items", "cpu_s", "wall_s", "peak_rss_mb", "disk_bytes"}``: CPU seconds are user
    and system of all threads, and disk bytes are what was written to file systems.
    """
    results = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    print("ready", file=results, flush=True)
    sys.stdin.readline()
    items, cpu, wall, blocks = 0, 0.0, 0.0, 0
    for part in parts:
        cpu_before, before, blocks_before = time.process_time(), time.perf_counter(), _blocks_written()
        items += part()
        blocks += _blocks_written() - blocks_before
        cpu, wall = cpu + time.process_time() - cpu_before, wall + time.perf_counter() - before
    measured = {
        "items": items,
        "cpu_s": cpu,
        "wall_s": wall,
        "peak_rss_mb": peak_rss_mb(),
        "disk_bytes": blocks * _BLOCK_BYTES,
    }
    print(json.dumps(measured), file=results, flush=True)


def _blocks_written() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_oublock


def peak_rss_mb() -> float:
    """Return the peak of this process's resident memory, in MB.

    Linux carries ru_maxrss over from the process that started this one; its VmHWM is this process's own.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / _MB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MB


_PROCESSES = Path("/proc")

_SECONDS_BETWEEN_LOOKS = 0.05

# prctl(2): orphans of what this process starts become its own children.
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of each descendant whose own parent ends, to count its CPU seconds."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap() -> None:
    """Wait until no child is left."""
    with suppress(ChildProcessError):
        while True:
            os.wait()


def reaped_cpu_seconds() -> float:
    """Return user and system seconds of all descendants that have ended and been waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def resident_mb(ancestor: int) -> float:
    """Return the resident memory of the descendants of ``ancestor``, in MB; 0 if the system does not show it.

    Pages that several processes share count for each of them, so the sum is never too small.
    """
    children: dict[int, list[int]] = {}
    for process, parent in _parents():
        children.setdefault(parent, []).append(process)
    pages, found = 0, list(children.get(ancestor, ()))
    while found:
        process = found.pop()
        found += children.get(process, ())
        # It may have ended by now.
        with suppress(OSError):
            pages += int((_PROCESSES / str(process) / "statm").read_text().split()[1])
    return pages * resource.getpagesize() / _MB


class Peak:
    """The most memory seen at one moment, in MB."""

    def __init__(self) -> None:
        self.mb = 0.0

    def look(self) -> None:
        """Look at the descendants of this process."""
        self.mb = max(self.mb, resident_mb(os.getpid()))


@contextmanager
def watching() -> Iterator[Peak]:
    """Sample the memory of all descendants twenty times a second while the body runs."""
    peak, done = Peak(), threading.Event()

    def watch() -> None:
        while not done.wait(_SECONDS_BETWEEN_LOOKS):
            peak.look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _parents() -> Iterator[tuple[int, int]]:
    """Each process with its parent. (A process' ``children`` are not listed by every kernel.)"""
    if not _PROCESSES.exists():
        return
    for name in os.listdir(_PROCESSES):
        if name.isdigit():
            with suppress(OSError):
                fields = (_PROCESSES / name / "stat").read_text(errors="replace").rpartition(")")[2].split()
                yield int(name), int(fields[1])


def _usable() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []


def _split(cores: list[int]) -> tuple[list[int], list[int]]:
    return (cores[:1], cores[1:]) if len(cores) > 1 else (cores, cores)


SERVER_CORES, SUBJECT_CORES = _split(_usable())

CORES = len(_usable()) or os.cpu_count() or 1


def pin(cores: list[int]) -> Callable[[], None]:
    """For Popen's ``preexec_fn``: keeps the new process on ``cores``, where the system can do that."""

    def keep() -> None:
        if cores and sys.platform == "linux":
            os.sched_setaffinity(0, cores)

    return keep


_STATISTICS = Path("/proc/stat")

# Columns of a core's line in /proc/stat that are not work: idle, iowait; and guest time, which user time
# holds already.
_NOT_WORK = frozenset({3, 4, 8, 9})


def busy_seconds() -> float:
    """Return the CPU seconds of all programs on these cores; 0 if the system does not show them."""
    if not _STATISTICS.exists():
        return 0.0
    return busy_ticks(_STATISTICS.read_text(), {*SERVER_CORES, *SUBJECT_CORES}) / os.sysconf("SC_CLK_TCK")


def busy_ticks(statistics: str, cores: set[int]) -> int:
    """Return the clock ticks for which ``cores`` were busy, from the text of /proc/stat."""
    ticks = 0
    for line in statistics.splitlines():
        name, *columns = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in cores:
            ticks += sum(int(ticks_) for place, ticks_ in enumerate(columns) if place not in _NOT_WORK)
    return ticks
