"""verify: items of both tables compared per CPU second, against what people use today, for each shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

from tools.benchmarks.bench import Bench, compared
from tools.benchmarks.comparing import DEEPDIFF, SCAN, VERIFY, compare
from tools.benchmarks.figure import Figure
from tools.benchmarks.npm import DIFF_TABLES, diff_tables
from tools.benchmarks.server import ServerOptions
from tools.benchmarks.shapes import SHAPES
from tools.benchmarks.subject import Measured, Subject, SubjectFailed

# Of each table. A few seconds' work for each.
_ITEMS = {
    VERIFY.name: {"small": 200_000, "medium": 200_000, "large": 40_000},
    SCAN.name: {"small": 100_000, "medium": 20_000, "large": 5_000},
    DEEPDIFF.name: {"small": 8_000, "medium": 2_500, "large": 500},
    DIFF_TABLES: {"small": 5_000, "medium": 3_000, "large": 1_200},
}

_EMPTY = "verify, empty tables"


def measure(bench: Bench) -> Iterator[Figure]:
    """Three figures for each shape: one for each baseline."""
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
    """``taken`` less the CPU seconds that the same command needs for nothing, measured beside each."""
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
