"""segments_scaling: throughput of 1, 2, 4 and 8 workers, a segment each, and what keeps it from growing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tools.benchmarks.bench import Bench, compared
from tools.benchmarks.copying import TABLECOPY, copy
from tools.benchmarks.cores import SUBJECT_CORES
from tools.benchmarks.figure import Figure
from tools.benchmarks.server import ServerOptions
from tools.benchmarks.subject import Measured, SubjectFailed

_WORKERS = (1, 2, 4, 8)

# DynamoDB nearby, and far away or busy.
_DELAYS_MS = (5, 50)

_SHAPE = "medium"
_ITEMS_PER_WORKER = 20_000

# A core that is used more than this has no room left worth speaking of.
_BUSY = 0.85

# Where other programs take more than this, it is they that are waited for.
_DISTURBED = 0.2


def measure(bench: Bench) -> Iterator[Figure]:
    """A figure for each delay and number of workers, against one worker."""
    for delay in _DELAYS_MS:
        results = bench.interleaved({number: partial(_copy, bench, number, delay) for number in _WORKERS})
        for number, taken in results.items():
            yield compared(
                "segments_scaling",
                _SHAPE,
                taken,
                ("1 worker", results[1]),
                lambda one: one.items_per_wall_s,
                delay_ms=delay,
                workers=number,
                **({} if isinstance(taken, SubjectFailed) else _limit(taken[-1])),
            )


def _copy(bench: Bench, workers: int, delay_ms: float) -> Measured:
    items = _ITEMS_PER_WORKER * workers * bench.scale
    return copy(TABLECOPY, ServerOptions(_SHAPE, items, bench.seed, delay_ms), workers)


def _limit(measured: Measured) -> dict[str, float | str]:
    """How busy the cores were, and so what more workers would have to wait for."""
    cores = max(1, len(SUBJECT_CORES))
    workers = measured.cpu_s / measured.wall_s / cores
    server = measured.server_cpu_s / measured.wall_s
    limit = "waiting for answers"
    if measured.others_busy > _DISTURBED:
        limit = "other programs on these cores"
    elif max(workers, server) > _BUSY:
        limit = f"the workers' {cores} core(s)" if workers >= server else "the server's core"
    return {
        "items_per_wall_s": measured.items_per_wall_s,
        "worker_cores_busy": workers,
        "server_core_busy": server,
        "limit": limit,
    }
