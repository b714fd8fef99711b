"""backfill_overlap: what a worker keeps of its throughput when every call takes 5 ms."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tools.benchmarks.bench import Bench, compared
from tools.benchmarks.copying import TABLECOPY, copy
from tools.benchmarks.figure import Figure
from tools.benchmarks.server import ServerOptions
from tools.benchmarks.shapes import SHAPES

DELAY_MS = 5

_ITEMS = {"small": 180_000, "medium": 90_000, "large": 12_000}

_DELAYED = f"{DELAY_MS} ms"
_AT_ONCE = "no delay"


def measure(bench: Bench) -> Iterator[Figure]:
    """A figure for each shape: items per second of wall clock, with the delay over without."""
    for shape in SHAPES:
        items = _ITEMS[shape] * bench.scale
        results = bench.interleaved(
            {
                _DELAYED: partial(copy, TABLECOPY, ServerOptions(shape, items, bench.seed, DELAY_MS)),
                _AT_ONCE: partial(copy, TABLECOPY, ServerOptions(shape, items, bench.seed)),
            }
        )
        yield compared(
            "backfill_overlap",
            shape,
            results[_DELAYED],
            (_AT_ONCE, results[_AT_ONCE]),
            lambda one: one.items_per_wall_s,
            delay_ms=DELAY_MS,
        )
