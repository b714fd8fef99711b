"""What a command and all the processes it starts take together: memory at a moment, CPU when they end."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PROCESSES = Path("/proc")

_MB = 1024 * 1024
_SECONDS_BETWEEN_LOOKS = 0.05

# prctl(2): orphans of what this process starts become its own children.
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of each descendant whose own parent ends: its CPU seconds would be lost otherwise."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap() -> None:
    """Wait until no child is left."""
    with suppress(ChildProcessError):
        while True:
            os.wait()


def reaped_cpu_seconds() -> float:
    """User and system seconds of all descendants that have ended and been waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def resident_mb(ancestor: int) -> float:
    """What the descendants of the process ``ancestor`` have resident, in MB; 0 if the system does not tell.

    The sum of their resident sets. Pages that several of them share count for each: never less than what is
    there.
    """
    children: dict[int, list[int]] = {}
    for process, parent in _parents():
        children.setdefault(parent, []).append(process)
    pages, found = 0, list(children.get(ancestor, ()))
    while found:
        process = found.pop()
        found += children.get(process, ())
        # It may have ended meanwhile.
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
    """Look at the descendants' memory again and again while the body runs, twenty times a second."""
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
