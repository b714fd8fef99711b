"""The worker against other copies: backfill, backfill_overlap and worker_memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from statistics import median

from tools.benchmarks.figures import Bench, Figure, compared, ours
from tools.benchmarks.items import SHAPES, Pages
from tools.benchmarks.server import ServerOptions, loopback
from tools.benchmarks.subject import (
    COPY_DYNAMODB_TABLE,
    Measured,
    Subject,
    SubjectFailed,
    copy_dynamodb_table,
    python,
    run,
    start_run,
)

TABLECOPY = python("tablecopy", "tablecopy_backfill")
CLIENT = python("boto3.client", "client_copy")
RESOURCE = python("boto3.resource", "resource_copy")
ARTICLE = python("article", "article_copy")


def copy(subject: Subject, options: ServerOptions) -> Measured:
    """Have ``subject`` copy the table that ``options`` describe, from a new server.

    Raises
    ------
    SubjectFailed
        It ended with an error, or did not write each item exactly once.
    """
    items, numbers = Pages(options.shape, options.items, options.seed).checksum()
    with loopback(options) as server:
        if subject is TABLECOPY:
            start_run(server, "slice")
        measured = run(subject, server, {"items": items})
    received = (measured.stats or {})["received"]
    if (received["items"], received["sum"]) != (items, numbers):
        raise SubjectFailed(
            f"{subject.name} did not copy each item once: {received['items']} of {items} were written"
        )
    return measured


# How long each call takes where calls are delayed.
_DELAY_MS = 5

# A few seconds' work for each.
_ITEMS = {
    "tablecopy": {"small": 240_000, "medium": 120_000, "large": 16_000},
    "boto3.client": {"small": 18_000, "medium": 12_000, "large": 3_000},
    "boto3.resource": {"small": 15_000, "medium": 9_000, "large": 2_500},
    "article": {"small": 2_500, "medium": 2_000, "large": 1_200},
    COPY_DYNAMODB_TABLE: {"small": 10_000, "medium": 8_000, "large": 2_500},
}


def measure_backfill(bench: Bench) -> Iterator[Figure]:
    """Yield four figures for each shape, one for each baseline: items per CPU second."""
    baselines: dict[str, Subject | SubjectFailed] = {
        subject.name: subject for subject in (CLIENT, RESOURCE, ARTICLE)
    }
    baselines[COPY_DYNAMODB_TABLE] = copy_dynamodb_table()
    usable = [subject for subject in baselines.values() if isinstance(subject, Subject)]
    for shape in SHAPES:

        def take(subject: Subject, shape: str = shape) -> Measured:
            items = _ITEMS[subject.name][shape] * bench.scale
            return copy(subject, ServerOptions(shape, items, bench.seed))

        results = bench.interleaved(
            {subject.name: partial(take, subject) for subject in (TABLECOPY, *usable)}
        )
        mine = results[TABLECOPY.name]
        for name, baseline in baselines.items():
            other = baseline if isinstance(baseline, SubjectFailed) else results[name]
            yield compared("backfill", shape, mine, (name, other), lambda one: one.items_per_cpu_s)


_OVERLAP_ITEMS = {"small": 180_000, "medium": 90_000, "large": 12_000}

_DELAYED = f"{_DELAY_MS} ms"
_AT_ONCE = "no delay"


def measure_overlap(bench: Bench) -> Iterator[Figure]:
    """Yield a figure for each shape: items per second with 5 ms for each call, over those without delay."""
    for shape in SHAPES:
        items = _OVERLAP_ITEMS[shape] * bench.scale
        results = bench.interleaved(
            {
                _DELAYED: partial(copy, TABLECOPY, ServerOptions(shape, items, bench.seed, _DELAY_MS)),
                _AT_ONCE: partial(copy, TABLECOPY, ServerOptions(shape, items, bench.seed)),
            }
        )
        yield compared(
            "backfill_overlap",
            shape,
            results[_DELAYED],
            (_AT_ONCE, results[_AT_ONCE]),
            lambda one: one.items_per_wall_s,
            delay_ms=_DELAY_MS,
        )


_SMALLER = {"small": 60_000, "medium": 25_000, "large": 3_000}
_TIMES = 10

_BARE = python("import boto3", "bare")


def measure_memory(bench: Bench) -> Iterator[Figure]:
    """Yield a figure for each shape: peak memory for two sizes of a table, over that of a bare boto3."""
    for shape in SHAPES:
        smaller = _SMALLER[shape] * bench.scale
        # A worker that reads ahead holds most while it waits for answers.
        options = ServerOptions(shape, smaller, bench.seed, _DELAY_MS)
        # One repetition: peaks hardly differ from one run to the next.
        results = replace(bench, repetitions=1).interleaved(
            {
                _BARE.name: partial(run, _BARE, None, {}),
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
            yield _memory_figure(shape, smaller, peaks, results["ten times"])


def _memory_figure(
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
