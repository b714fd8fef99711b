"""Cutover: for how long writers stop, at sizes that differ by three powers of ten, and what tracking costs.

The product's own functions and its command run against services in memory (tools/simulation/stop.py). All of
it shares one core. The comparison before the cutover is in virtual time. The stop is in seconds of this
machine.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from multiprocessing import get_context

from tools.benchmarks.figures import Bench, Figure
from tools.benchmarks.meter import peak_rss_mb
from tools.simulation.stop import StopCase, StopResult, measure

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)

CHANGES_PER_SECOND = 500.0

# The stop in virtual time, by changes a second and shards.
RATES = (10.0, 500.0, 5_000.0)
SHARDS = (1, 16, 100, 1_000)

MOST_PER_SHARD = 1_000.0
"""A shard takes the writes of a partition, so many a second."""

_HOW = "services in memory on the machine's clock, one core for all; comparison before it in virtual time"
_VIRTUAL = "virtual time"


def measure_cutover(bench: Bench) -> Iterator[Figure]:
    """Yield a figure for each size, one for their slope, and with ``BENCH=full`` one for each rate."""
    stops = {}
    for items in SIZES:
        result, rss = _measured(StopCase(items, CHANGES_PER_SECOND, paced=True), bench.seed)
        stops[items] = result
        yield _figure(f"{items:,} items", items, result, rss, _HOW)
    slopes = [stops[more].stop_s - stops[fewer].stop_s for fewer, more in pairwise(SIZES)]
    whole = (stops[SIZES[-1]].stop_s - stops[SIZES[0]].stop_s) / math.log10(SIZES[-1] / SIZES[0])
    yield Figure("cutover_slope", "a tenfold", "goal", whole, more={"slope_s": whole, "slopes_s": slopes})
    for shards in SHARDS if bench.scale > 1 else ():
        for rate in RATES:
            if rate > MOST_PER_SHARD * shards:
                continue
            case = StopCase(SIZES[1], rate, shards)
            result, rss = _measured(case, bench.seed)
            yield _figure(f"{shards} shards, {rate:,.0f} changes/s", case.items, result, rss, _VIRTUAL)


def _measured(case: StopCase, seed: int) -> tuple[StopResult, float]:
    print(f"  {case.items:,} items, {case.changes:,.0f} changes/s, {case.shards} shards", file=sys.stderr)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_in_process, case, seed).result()


def _in_process(case: StopCase, seed: int) -> tuple[StopResult, float]:
    result = measure(case, seed, partial(print, "   ", file=sys.stderr, flush=True))
    return result, peak_rss_mb()


def _figure(shape: str, items: int, result: StopResult, rss: float, how: str) -> Figure:
    per_million = 1e6 / max(1, result.keys)
    more = {
        "stop_s": result.stop_s,
        "predicted_s": result.predicted_s,
        "sealed": int(result.exit_code == 0),
        "changed": result.changed,
        "backfill_units": result.backfill_units,
        "journal_writes_per_million_keys": result.write_units * per_million,
        "journal_bytes_per_million_keys": result.written_bytes * per_million,
        "recheck_reads_per_million_keys": result.recheck_units * per_million,
        "list_reads_per_hour": result.list_units_per_hour,
        "baseline_cpu_s": result.baseline_cpu_s,
        "stop_cpu_s": result.stop_cpu_s,
        "how": how,
        **({"reason": result.reason} if result.reason else {}),
    }
    return Figure("cutover", shape, "goal", result.stop_s, items=items, peak_rss_mb=rss, more=more)
