"""Cores: one for the server and the others for the subjects, and how busy others keep them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path


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
    """CPU seconds that all programs have had of these cores; 0 if the system does not tell."""
    if not _STATISTICS.exists():
        return 0.0
    return busy_ticks(_STATISTICS.read_text(), {*SERVER_CORES, *SUBJECT_CORES}) / os.sysconf("SC_CLK_TCK")


def busy_ticks(statistics: str, cores: set[int]) -> int:
    """Clock ticks that ``cores`` were at work, as told by /proc/stat."""
    ticks = 0
    for line in statistics.splitlines():
        name, *columns = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in cores:
            ticks += sum(int(ticks_) for place, ticks_ in enumerate(columns) if place not in _NOT_WORK)
    return ticks
