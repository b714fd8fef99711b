"""worker_memory: a worker's peak memory above an interpreter with boto3, however large the table is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from statistics import median

from tools.benchmarks.bench import Bench
from tools.benchmarks.copying import TABLECOPY, copy
from tools.benchmarks.figure import Figure, ours
from tools.benchmarks.server import ServerOptions
from tools.benchmarks.shapes import SHAPES
from tools.benchmarks.subject import Measured, SubjectFailed, python, run

# Answers that take their time are when a worker that reads ahead has most in its hands.
_DELAY_MS = 5

_SMALLER = {"small": 60_000, "medium": 25_000, "large": 3_000}
_TIMES = 10

_BARE = python("import boto3", "bare")


def measure(bench: Bench) -> Iterator[Figure]:
    """A figure for each shape."""
    for shape in SHAPES:
        smaller = _SMALLER[shape] * bench.scale
        options = ServerOptions(shape, smaller, bench.seed, _DELAY_MS)
        # One repetition: peaks hardly differ from one run to the next.
        results = replace(bench, repetitions=1).interleaved(
            {
                _BARE.name: partial(run, _BARE, None, [{}]),
                "a table": partial(copy, TABLECOPY, options),
                "ten times": partial(copy, TABLECOPY, replace(options, items=smaller * _TIMES)),
            }
        )
        peaks: dict[str, float] = {}
        for name, taken in results.items():
            if isinstance(taken, SubjectFailed):
                yield Figure("worker_memory", shape, _BARE.name, None, more={"error": str(taken)})
                break
            peaks[name] = median(one.peak_rss_mb for one in taken)
        else:
            yield _figure(shape, smaller, peaks, results["ten times"])


def _figure(
    shape: str, smaller: int, peaks: dict[str, float], largest: list[Measured] | SubjectFailed
) -> Figure:
    assert not isinstance(largest, SubjectFailed)
    bare, table, ten_times = peaks.values()
    more = {
        "above_baseline_mb": ten_times - bare,
        "smaller_items": smaller,
        "smaller_above_baseline_mb": table - bare,
        "growth_mb": ten_times - table,
        "baseline_peak_rss_mb": bare,
    }
    return Figure("worker_memory", shape, _BARE.name, ten_times / bare, **ours(largest), more=more)
