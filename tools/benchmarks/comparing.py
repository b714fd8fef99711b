"""The comparison against other comparisons, and on tables ten times as large."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any, Literal

from tools.benchmarks.figures import Bench, Figure, compared
from tools.benchmarks.items import SHAPES
from tools.benchmarks.server import ServerOptions, loopback
from tools.benchmarks.service import DESTINATION, SOURCE
from tools.benchmarks.subject import DIFF_TABLES, Measured, Subject, SubjectFailed, diff_tables, python, run

VERIFY = python("verify", "verify_command")
SCAN = python("boto3.resource scan", "resource_scan")
DEEPDIFF = python("boto3 and DeepDiff", "deepdiff")

SEGMENTS = 8

# On every machine, so that memory is that of as many everywhere.
PROCESSES = 2

# Far above the usual time.
_LEAST_TIMEOUT_SECONDS = 600
_SECONDS_PER_ITEM = 2e-4


def command(url: str) -> list[str]:
    """Return the command of ``verify`` for both tables at ``url``; a work directory must follow."""
    arguments = [sys.executable, "-m", "verify", "--format", "jsonl", "--writes-stopped"]
    for side, table in (("source", SOURCE), ("destination", DESTINATION)):
        arguments += [f"--{side}", table, f"--{side}-region", "eu-west-1", f"--{side}-endpoint-url", url]
    return [*arguments, "--segments", str(SEGMENTS), "--processes", str(PROCESSES), "--work-dir"]


def compare(subject: Subject, options: ServerOptions) -> Measured:
    """Have ``subject`` compare the tables that ``options`` describe; `SCAN` only reads the first.

    Raises
    ------
    SubjectFailed
        It ended with an error, did not read all items, or did not find all differences.
    """
    total = options.items if subject is SCAN else 2 * options.items
    with loopback(options) as server:
        task = {"items": total, "command": command(server.url)}
        measured = run(subject, server, task, timeout_s=_LEAST_TIMEOUT_SECONDS + total * _SECONDS_PER_ITEM)
    read = min(measured.items, (measured.stats or {})["served"]["items"])
    if read < total or measured.items > total:
        raise SubjectFailed(f"{subject.name} did not read each item once: {read} of {total}")
    if subject is VERIFY:
        _check(measured.result, options)
    return measured


def _check(result: Mapping[str, Any], options: ServerOptions) -> None:
    """Check the summary that the command printed."""
    unpaired = options.items if options.copy == "disjoint" else 0
    expected = {
        "verdict": "different" if unpaired else "equal",
        "source_items": options.items,
        "destination_items": options.items,
        "missing": unpaired,
        "changed": 0,
        "extra": unpaired,
    }
    summary = result["summary"]
    for name, value in expected.items():
        if summary.get(name) != value:
            raise SubjectFailed(f"verify printed {name} {summary.get(name)} instead of {value}")
    if result["lines"] <= 2 * unpaired:
        raise SubjectFailed(f"verify listed {result['lines'] - 1} of {2 * unpaired} differences")


# Of each table. A few seconds' work for each.
_ITEMS = {
    VERIFY.name: {"small": 200_000, "medium": 200_000, "large": 40_000},
    SCAN.name: {"small": 100_000, "medium": 20_000, "large": 5_000},
    DEEPDIFF.name: {"small": 8_000, "medium": 2_500, "large": 500},
    DIFF_TABLES: {"small": 5_000, "medium": 3_000, "large": 1_200},
}

_EMPTY = "verify, empty tables"


def measure_verify(bench: Bench) -> Iterator[Figure]:
    """Yield three figures for each shape, one for each baseline: items of both tables per CPU second."""
    baselines: dict[str, Subject | SubjectFailed] = {subject.name: subject for subject in (SCAN, DEEPDIFF)}
    baselines[DIFF_TABLES] = diff_tables()
    usable = [subject for subject in baselines.values() if isinstance(subject, Subject)]
    for shape in SHAPES:

        def take(subject: Subject, shape: str = shape) -> Measured:
            items = _ITEMS[subject.name][shape] * bench.scale
            return compare(subject, ServerOptions(shape, items, bench.seed, copy="mirrored"))

        results = bench.interleaved(
            {
                VERIFY.name: partial(take, VERIFY),
                _EMPTY: partial(compare, VERIFY, ServerOptions(shape, 0, bench.seed, copy="mirrored")),
                **{subject.name: partial(take, subject) for subject in usable},
            }
        )
        mine = without_start_up(results[VERIFY.name], results[_EMPTY])
        more = _start_up(results[VERIFY.name], results[_EMPTY])
        for name, baseline in baselines.items():
            other = baseline if isinstance(baseline, SubjectFailed) else results[name]
            yield compared("verify", shape, mine, (name, other), lambda one: one.items_per_cpu_s, **more)


def without_start_up(
    taken: list[Measured] | SubjectFailed, empty: list[Measured] | SubjectFailed
) -> list[Measured] | SubjectFailed:
    """Return ``taken`` without the CPU seconds of the same command for empty tables."""
    if isinstance(taken, SubjectFailed) or isinstance(empty, SubjectFailed):
        return taken if isinstance(taken, SubjectFailed) else empty
    return [replace(one, cpu_s=one.cpu_s - idle.cpu_s) for one, idle in zip(taken, empty, strict=True)]


def _start_up(taken: list[Measured] | SubjectFailed, empty: list[Measured] | SubjectFailed) -> dict[str, Any]:
    if isinstance(taken, SubjectFailed) or isinstance(empty, SubjectFailed):
        return {}
    return {
        "start_up_cpu_s": median(one.cpu_s for one in empty),
        "items_per_cpu_s_with_start_up": median(one.items_per_cpu_s for one in taken),
    }


_SIZE_SHAPE = "medium"

# Of each table.
_SIZE_ITEMS = 1_000_000
_FULL_TIMES = 10
_TIMES = 10

_NONE, _TENTH, _ALL = "empty tables", "a tenth", "all"

# Nothing pairs before nearly all of both is read; and nothing pairs at all.
_COPIES: dict[Literal["mirrored", "disjoint"], str] = {"mirrored": "other order", "disjoint": "other keys"}


def measure_size(bench: Bench) -> Iterator[Figure]:
    """Yield memory and time over those for a tenth of the items, for another order and for other keys."""
    items = _SIZE_ITEMS * (_FULL_TIMES if bench.scale > 1 else 1)
    for copy, difference in _COPIES.items():
        results = replace(bench, repetitions=1).interleaved(
            {
                f"{name}, {difference}": partial(
                    compare, VERIFY, ServerOptions(_SIZE_SHAPE, size, bench.seed, copy=copy)
                )
                for name, size in ((_NONE, 0), (_TENTH, items // _TIMES), (_ALL, items))
            }
        )
        empty, tenth, whole = results.values()
        against = f"{_TENTH}, {difference}"
        yield compared(
            "verify_memory",
            _SIZE_SHAPE,
            _with_memory(whole),
            (against, _with_memory(tenth)),
            lambda one: one.peak_rss_mb,
            processes=PROCESSES,
        )
        yield compared(
            "verify_scaling",
            _SIZE_SHAPE,
            whole,
            (against, tenth),
            lambda one: one.wall_s,
            **_beyond_start_up(whole, tenth, empty),
        )


def _with_memory(taken: list[Measured] | SubjectFailed) -> list[Measured] | SubjectFailed:
    if not isinstance(taken, SubjectFailed) and not all(one.peak_rss_mb for one in taken):
        return SubjectFailed("this system does not show the memory of other processes")
    return taken


def _beyond_start_up(*taken: list[Measured] | SubjectFailed) -> dict[str, Any]:
    """Return the ratio without the command's start, which hides a part of the growth."""
    walls = [one[0].wall_s for one in taken if not isinstance(one, SubjectFailed)]
    if len(walls) < len(taken):
        return {}
    whole, tenth, empty = walls
    return {"start_up_wall_s": empty, "ratio_without_start_up": (whole - empty) / (tenth - empty)}
