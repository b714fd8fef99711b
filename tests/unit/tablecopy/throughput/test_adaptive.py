"""Workers that know nothing of each other use a table's capacity, and are rarely throttled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import pytest

from tablecopy.data.writer import BatchWriter, Unwritten
from tablecopy.dynamodb.client import encode
from tablecopy.dynamodb.requests import put, total_size
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import write_usage
from tablecopy.throughput.rate import AdaptiveRate, FixedRate, TokenBucket
from tests.unit.tablecopy.throttling import Bucket, ThrottledTable, virtual_time
from tools.simulation.machine import SimMachine
from tools.simulation.scheduler import START

PARTITION_UNITS = 1000


@dataclass(frozen=True)
class Load:
    """A table, and the workers that fill it.

    Attributes
    ----------
    rate, saved_seconds
        Units a second of the table, and for how long unused capacity is kept.
    workers
        Each writes to one partition at a time, as a worker does, because a scan is in the order of the hash.
    cost
        Units of each item, which has 1 KB.
    busy_before
        Nothing has been saved when the workers begin.
    """

    rate: float
    workers: int
    saved_seconds: float = 300.0
    cost: float = 1.0
    busy_before: bool = False
    writers: int = 4


class Run:
    """The workers of a load, from the start on."""

    def __init__(self, machine: SimMachine, load: Load, rates: Sequence[TokenBucket]) -> None:
        self.machine = machine
        self.rates = rates
        self.bucket = Bucket(load.rate, load.saved_seconds, empty=load.busy_before)
        self.partitions = [
            Bucket(PARTITION_UNITS, load.saved_seconds, empty=load.busy_before)
            for _ in range(max(1, -(-int(load.rate) // PARTITION_UNITS)))
        ]
        self.table = ThrottledTable(machine, self.buckets, units_per_kb=load.cost)
        for worker, rate in enumerate(rates):
            for writer in range(load.writers):
                machine.world.spawn(machine.host, self.write, f"{worker}/{writer}", rate)

    def buckets(self, key: str) -> list[Bucket]:
        return [self.bucket, self.partitions[int(key.partition("/")[0]) % len(self.partitions)]]

    def write(self, name: str, rate: TokenBucket) -> None:
        """Write until the end, as one of a worker's threads."""
        usage = write_usage(MetricsBuffer(self.machine, "move"), "copy")
        writer = BatchWriter(self.table, "copy", ["pk"], rate, usage, self.machine, START + 1e9)
        number = count()
        while True:
            each = total_size([_request(name, 0)])
            requests = [
                _request(name, next(number)) for _ in range(max(1, min(25, int(writer.call_size() / each))))
            ]
            try:
                writer.write(requests)
            except Unwritten:
                return


def _request(name: str, number: int) -> bytes:
    return put(encode({"pk": {"S": f"{name}/{number}"}, "v": {"S": "x" * 900}}))


def adapting(machine: SimMachine, load: Load) -> Run:
    return Run(machine, load, [AdaptiveRate(machine, 1.0) for _ in range(load.workers)])


LOADS = [
    (Load(5, 1), 600),
    (Load(5, 1, saved_seconds=1.0), 600),
    (Load(20, 4), 600),
    (Load(80, 16, saved_seconds=1.0), 600),
    (Load(1_000, 4, cost=20.0, busy_before=True), 600),
    (Load(4_000, 4, cost=50.0, busy_before=True), 600),
]


@pytest.mark.parametrize(("load", "seconds"), LOADS, ids=str)
def test_a_tables_capacity_is_used_with_few_throttles(load: Load, seconds: float) -> None:
    with virtual_time() as machine:
        run = adapting(machine, load)
        machine.world.run(START + seconds)
    # Within a minute, and from then on.
    assert run.table.used(45, 75) >= 0.95 * load.rate
    assert run.table.used(60, seconds) >= 0.95 * load.rate
    assert run.table.throttled(seconds / 2, seconds) < 0.01


@pytest.mark.parametrize("rate", [5, 80, 1_000])
def test_a_budget_is_used_without_throttles(rate: float) -> None:
    workers = min(40, rate // 5)
    load = Load(2 * rate, workers, cost=max(1.0, rate / 100))
    with virtual_time() as machine:
        run = Run(machine, load, [FixedRate(machine, rate / workers, 1.0) for _ in range(workers)])
        machine.world.run(START + 120)
    assert 0.95 * rate <= run.table.used(0, 60) <= 1.1 * rate
    assert 0.95 * rate <= run.table.used(60, 120) <= 1.02 * rate
    assert run.table.throttled(0, 120) == 0.0


@pytest.mark.parametrize(("factor", "within"), [(2.0, 150), (0.5, 10)])
def test_it_follows_a_capacity_that_changes_after_five_minutes(factor: float, within: float) -> None:
    rate, changed = 1_000, 300.0
    with virtual_time() as machine:
        run = adapting(machine, Load(rate, 4, cost=20.0, saved_seconds=1.0))
        run.partitions = [Bucket(1e9)]
        machine.world.run(START + changed)
        run.bucket.rate = factor * rate
        machine.world.run(START + changed + 400)
    assert run.table.used(changed + within, changed + 400) >= 0.95 * factor * rate
    assert run.table.throttled(changed + 200, changed + 400) < 0.01


def test_a_hot_partition_slows_only_its_worker() -> None:
    with virtual_time() as machine:
        run = adapting(machine, Load(4_000, 4, cost=50.0, saved_seconds=1.0))
        run.partitions[0].rate = 250
        machine.world.run(START + 600)
    assert run.table.used(0, 60) >= 0.9 * 3_250
    assert run.table.used(60, 600) >= 0.95 * 3_250
    assert run.table.throttled(300, 600) < 0.01


@pytest.mark.parametrize("workers", [1, 4])
def test_it_follows_the_table_down_and_up_again(workers: int) -> None:
    with virtual_time() as machine:
        run = adapting(machine, Load(4_000, workers, cost=20.0, saved_seconds=1.0))
        run.partitions = [Bucket(1e9)]
        machine.world.run(START + 60)
        run.bucket.rate = 1_000
        machine.world.run(START + 90)
        run.bucket.rate = 4_000
        machine.world.run(START + 200)
    assert run.table.used(30, 60) >= 0.95 * 4_000
    assert run.table.used(65, 90) >= 0.95 * 1_000
    assert run.table.used(150, 200) >= 0.95 * 4_000
