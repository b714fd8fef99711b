"""Control at size: how long a look at all shards takes, and how soon after the last write a run is ready.

The reconciler's own code runs on a virtual clock against a stream by formula (tools/simulation/size.py). Its
CPU time is measured here and scaled to the function's memory. The HTTP calls that the simulation leaves out
are measured against a server on loopback and added.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from typing import Any

from botocore.session import Session

from tablecopy.dynamodb.client import DynamoDBClient
from tablecopy.handlers.context import Aws
from tools.benchmarks.figures import Bench, Figure
from tools.benchmarks.meter import peak_rss_mb
from tools.benchmarks.server import ServerOptions, loopback
from tools.simulation import names
from tools.simulation.journal_load import measure as measure_journal
from tools.simulation.size import ControlCase, ControlResult, measure

# Shards, changes a second of all of them, the reconciler's memory in MB, and for how long changes arrive
# steadily. Virtual seconds of thousands of shards take long, so these have one slice and a short warm-up.
_CASES = (
    (16, 160.0, 256, 130.0),
    (100, 1_000.0, 256, 130.0),
    (1_000, 10_000.0, 512, 130.0),
    (4_000, 40_000.0, 1_769, 60.0),
)
_MOST_IN_FULL = 1_000

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
        is_short = shards > _MOST_IN_FULL
        slices = 1 if is_short else 2
        case = ControlCase(shards, changes, memory_mb, call, slices, steady, is_short=is_short)
        yield measured_figure(shape, case, bench.seed)
    for batches, records, letters in _LOADS:
        shape = f"{records:,} changes a batch, {letters:,} dead letters"
        print(f"  journal: {shape}", file=sys.stderr, flush=True)
        load = asdict(measure_journal(batches, records, _CHANGES_PER_SECOND, letters))
        yield Figure("journal_load", shape, "goal", None, items=batches * records, more=load)


def measured_figure(shape: str, case: ControlCase, seed: int) -> Figure:
    """Measure a case. What was not reached has no value, and a case that fails has an error."""
    began = time.monotonic()
    rss: float | None = None
    more: dict[str, Any] = {"memory_mb": case.memory_mb, "call_cpu_us": case.call_cpu_seconds * 1e6}
    try:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            result, rss = pool.submit(_measured, case, seed).result()
    except Exception as error:
        # Whatever has failed, the other cases can be measured.
        more["error"] = f"{type(error).__name__}: {error}"
    else:
        values = asdict(result).items()
        more |= {name: None if value != value else value for name, value in values}
    return Figure("control", shape, "goal", None, wall_s=time.monotonic() - began, peak_rss_mb=rss, more=more)


def _measured(case: ControlCase, seed: int) -> tuple[ControlResult, float]:
    # This process ends with the measurement. Clients need a region, which Lambda sets.
    os.environ["AWS_DEFAULT_REGION"] = names.REGION
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
