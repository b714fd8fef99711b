"""verify_memory, verify_scaling: what becomes of memory and time when the tables are ten times as large."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from tools.benchmarks.bench import Bench, compared
from tools.benchmarks.comparing import PROCESSES, VERIFY, compare
from tools.benchmarks.figure import Figure
from tools.benchmarks.server import ServerOptions
from tools.benchmarks.subject import Measured, SubjectFailed

_SHAPE = "medium"

# Of each table.
_ITEMS = 1_000_000
_FULL_TIMES = 10
_TIMES = 10

_EMPTY, _TENTH, _ALL = "empty tables", "a tenth", "all"

# Nothing pairs before nearly all of both is read; and nothing pairs at all.
_COPIES: dict[Literal["mirrored", "disjoint"], str] = {"mirrored": "other order", "disjoint": "other keys"}


def measure(bench: Bench) -> Iterator[Figure]:
    """Two figures for tables in another order, and two for tables with other keys; each measured once."""
    items = _ITEMS * (_FULL_TIMES if bench.scale > 1 else 1)
    for copy, difference in _COPIES.items():
        results = replace(bench, repetitions=1).interleaved(
            {
                f"{name}, {difference}": partial(
                    compare, VERIFY, ServerOptions(_SHAPE, size, bench.seed, copy=copy)
                )
                for name, size in ((_EMPTY, 0), (_TENTH, items // _TIMES), (_ALL, items))
            }
        )
        empty, tenth, whole = results.values()
        against = f"{_TENTH}, {difference}"
        yield compared(
            "verify_memory",
            _SHAPE,
            _told(whole),
            (against, _told(tenth)),
            lambda one: one.peak_rss_mb,
            processes=PROCESSES,
        )
        yield compared(
            "verify_scaling",
            _SHAPE,
            whole,
            (against, tenth),
            lambda one: one.wall_s,
            **_beyond_start_up(whole, tenth, empty),
        )


def _told(taken: list[Measured] | SubjectFailed) -> list[Measured] | SubjectFailed:
    if not isinstance(taken, SubjectFailed) and not all(one.peak_rss_mb for one in taken):
        return SubjectFailed("this system does not tell how much memory several processes have")
    return taken


def _beyond_start_up(*taken: list[Measured] | SubjectFailed) -> dict[str, Any]:
    """The ratio less what the command needs for nothing, which hides a part of the growth."""
    walls = [one[0].wall_s for one in taken if not isinstance(one, SubjectFailed)]
    if len(walls) < len(taken):
        return {}
    whole, tenth, empty = walls
    return {"start_up_wall_s": empty, "ratio_without_start_up": (whole - empty) / (tenth - empty)}
