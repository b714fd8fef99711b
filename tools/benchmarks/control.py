"""Control at size: how long a look at all shards takes, and how soon after the last write a run is ready.

The reconciler's own code runs on a virtual clock against a stream by formula (tools/simulation/size.py). Its
CPU time is measured here and scaled to the function's memory. The HTTP calls that the simulation leaves out
are measured against a server on loopback and added.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context

from botocore.session import Session

from tablecopy.dynamodb.client import DynamoDBClient
from tablecopy.handlers.context import Aws
from tools.benchmarks.figures import Bench, Figure
from tools.benchmarks.meter import peak_rss_mb
from tools.benchmarks.server import ServerOptions, loopback
from tools.simulation.journal_load import measure as measure_journal
from tools.simulation.size import ControlCase, ControlResult, measure

# Shards, changes a second of all of them, the reconciler's memory in MB, and for how long changes arrive
# steadily. Virtual seconds of thousands of shards take long, so these have one slice.
_CASES = (
    (16, 160.0, 256, 130.0),
    (100, 1_000.0, 256, 130.0),
    (1_000, 10_000.0, 512, 130.0),
    (4_000, 40_000.0, 1_769, 60.0),
)
_MOST_WITH_TWO_SLICES = 1_000

_CALLS = 2_000

# Batches, changes a batch, and open dead letters, at 40,000 changes a second of 4,000 shards.
_LOADS = ((1_000, 10, 0), (1_000, 10, 1_000), (20, 1_000, 0))
_CHANGES_PER_SECOND = 40_000.0


def measure_control(bench: Bench) -> Iterator[Figure]:
    """Measure each size in a process of its own, whose memory is the function's at most."""
    call = _call_cpu_seconds()
    for shards, changes, memory_mb, steady in _CASES:
        shape = f"{shards:,} shards, {changes:,.0f} changes/s"
        print(f"  {shape}", file=sys.stderr, flush=True)
        slices = 2 if shards <= _MOST_WITH_TWO_SLICES else 1
        case = ControlCase(shards, changes, memory_mb, call, slices, steady)
        began = time.monotonic()
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            result, rss = pool.submit(_measured, case, bench.seed).result()
        more = {**asdict(result), "memory_mb": memory_mb, "call_cpu_us": call * 1e6}
        yield Figure(
            "control", shape, "goal", None, wall_s=time.monotonic() - began, peak_rss_mb=rss, more=more
        )
    for batches, records, letters in _LOADS:
        shape = f"{records:,} changes a batch, {letters:,} dead letters"
        print(f"  journal: {shape}", file=sys.stderr, flush=True)
        load = asdict(measure_journal(batches, records, _CHANGES_PER_SECOND, letters))
        yield Figure("journal_load", shape, "goal", None, items=batches * records, more=load)


def _measured(case: ControlCase, seed: int) -> tuple[ControlResult, float]:
    aws = Aws()
    # The simulation has none of these, and they take memory in the function.
    clients = [aws.lambda_(), aws.states(), aws.queues(), aws.streams()]
    result = measure(case, seed, partial(print, "   ", file=sys.stderr, flush=True))
    assert clients
    return result, peak_rss_mb()


def _call_cpu_seconds() -> float:
    """Return the CPU time of one signed call, with its small answer."""
    with loopback(ServerOptions("medium", 100, seed=1)) as server:
        session = Session()
        session.set_credentials("AKIABENCHMARK", "secret")
        client = DynamoDBClient(session, "eu-west-1", endpoint_url=server.url)
        request = b'{"TableName":"source"}'
        for _ in range(_CALLS // 10):
            client.send("DescribeTable", request)
        began = time.thread_time()
        for _ in range(_CALLS):
            client.send("DescribeTable", request)
        return (time.thread_time() - began) / _CALLS
