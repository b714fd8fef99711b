"""Which cores the server and the subjects run on: one for the server and the others for the subjects."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def _usable() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []


def _split(cores: list[int]) -> tuple[list[int], list[int]]:
    return (cores[:1], cores[1:]) if len(cores) > 1 else (cores, cores)


SERVER_CORES, SUBJECT_CORES = _split(_usable())


def pin(cores: list[int]) -> Callable[[], None]:
    """For Popen's ``preexec_fn``: keeps the new process on ``cores``, where the system can do that."""

    def keep() -> None:
        if cores and sys.platform == "linux":
            os.sched_setaffinity(0, cores)

    return keep
