"""At any rate of the destination, nearly all that an invocation writes is acknowledged by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from tablecopy.data.replicator import Replicator
from tablecopy.data.writer import BatchWriter
from tablecopy.journal.applied_batches import AppliedBatches
from tablecopy.journal.dead_letters import DeadLetters
from tablecopy.journal.leases import Leases
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import write_usage
from tablecopy.throughput.rate import Unlimited
from tests.unit.tablecopy.fakes import STREAM_ARN, MemoryStore, record, sequence_number
from tests.unit.tablecopy.throttling import Bucket, ThrottledTable, virtual_time
from tools.simulation.machine import SimMachine
from tools.simulation.scheduler import START

TIMEOUT = 60.0

# Lambda hands over 1,000 records at most, and 6 MB of them (Lambda Developer Guide, quotas).
RECORDS = 1000
EVENT_BYTES = 5_500_000


@dataclass(frozen=True)
class Invocation:
    """What an invocation has written and acknowledged, in KB."""

    ended: float
    written: int
    acknowledged: int


class Backlog:
    """A shard with more changes than its replicator can apply, each of another key, and of ``kb`` KB."""

    def __init__(
        self, machine: SimMachine, table: ThrottledTable, kb: float, name: str = "", *, cold: bool = False
    ) -> None:
        self.machine = machine
        self.table = table
        self.name = name
        self.cold = cold
        self.text = {"S": "x" * int(kb * 1024 - 30)}
        self.batch = min(RECORDS, int(EVENT_BYTES / (kb * 1024)))
        self.usage = write_usage(MetricsBuffer(machine, "move"), "copy")
        self.store = MemoryStore()
        run = Run("run", STREAM_ARN, 1, START, Phase.DRAINING, START, key_names=("pk",))
        RunRecord(self.store).create(run)
        self.replicator = self.environment()
        self.invocations: list[Invocation] = []

    def environment(self) -> Replicator:
        """A new execution environment of the function."""
        return Replicator(
            RunRecord(self.store),
            Leases(self.store, self.machine),
            AppliedBatches(self.store, self.machine),
            DeadLetters(self.store, self.machine),
            self.writer,
            MetricsBuffer(self.machine, "move"),
            self.machine,
        )

    def writer(self, key_names: Sequence[str], until: float) -> BatchWriter:
        return BatchWriter(
            self.table, "copy", key_names, Unlimited(self.machine), self.usage, self.machine, until
        )

    def replay(self, seconds: float) -> None:
        """Deliver the changes, each batch from the first change that is not acknowledged."""
        position = 0
        while self.machine.now() < START + seconds:
            if self.cold:
                self.replicator = self.environment()
            places = range(position, position + self.batch)
            before = len(self.table.writes)
            answer = self.replicator.apply(
                [record(place, f"{self.name}{place}", self.text, START) for place in places],
                f"r{position}",
                self.machine.now() + TIMEOUT,
            )
            failed = [each["itemIdentifier"] for each in answer["batchItemFailures"]]
            numbers = [sequence_number(place) for place in places]
            position = places[numbers.index(failed[0])] if failed else places[-1] + 1
            written = [write for write in self.table.writes[before:] if write.key.startswith(self.name)]
            self.invocations.append(
                Invocation(self.machine.now() - START, len(written), position - places[0])
            )

    def acknowledged(self) -> int:
        return sum(each.acknowledged for each in self.invocations)


def replayed(
    buckets: Callable[[str], Sequence[Bucket]],
    kb: float,
    seconds: float,
    *,
    shards: int = 1,
    cold: bool = False,
) -> tuple[ThrottledTable, list[Backlog]]:
    """Replay the backlogs of some shards for a time."""
    with virtual_time() as machine:
        table = ThrottledTable(machine, buckets)
        backlogs = [Backlog(machine, table, kb, f"{shard}/", cold=cold) for shard in range(shards)]
        for backlog in backlogs:
            machine.world.spawn(machine.host, backlog.replay, seconds)
        machine.world.run(START + seconds + TIMEOUT)
    return table, backlogs


def assert_acknowledged(backlogs: Sequence[Backlog]) -> None:
    """Every invocation acknowledges nearly all that it has written, and never nothing of it."""
    for each in (each for backlog in backlogs for each in backlog.invocations):
        assert each.acknowledged >= 0.9 * each.written
        assert each.acknowledged or not each.written


# How long is simulated depends on what that costs.
RATES = [(5, 150), (20, 150), (200, 60), (2_000, 8), (50_000, 0.5)]
SIZES = [0.1, 1.0, 10.0, 100.0]


@pytest.mark.parametrize("kb", SIZES)
@pytest.mark.parametrize(("rate", "seconds"), RATES)
def test_what_is_written_is_acknowledged_and_the_rate_is_used(rate: float, seconds: float, kb: float) -> None:
    bucket = Bucket(rate)
    table, [backlog] = replayed(lambda key: [bucket], kb, seconds)
    assert_acknowledged([backlog])
    units = max(1.0, kb) * backlog.acknowledged()
    # What was saved before is used as well.
    assert units >= 0.8 * rate * backlog.invocations[-1].ended
    assert table.used(0, seconds) >= 0.8 * rate


@pytest.mark.parametrize("kb", [1.0, 100.0])
@pytest.mark.parametrize("rate", [5, 20, 200])
def test_a_new_execution_environment_learns_it_within_one_invocation(rate: float, kb: float) -> None:
    bucket = Bucket(rate)
    table, [backlog] = replayed(lambda key: [bucket], kb, 60, cold=True)
    assert_acknowledged([backlog])
    assert table.used(0, 60) >= 0.8 * rate


@pytest.mark.parametrize("kb", [1.0, 100.0])
def test_saved_capacity_that_ends_within_an_invocation_does_no_harm(kb: float) -> None:
    bucket = Bucket(5, saved_seconds=300)
    table, [backlog] = replayed(lambda key: [bucket], kb, 150)
    assert_acknowledged([backlog])
    assert table.used(0, 150) >= 0.8 * (5 + 1500 / 150)


@pytest.mark.parametrize(("part", "kb"), [(0.01, 10.0), (0.1, 1.0), (0.5, 1.0), (0.5, 10.0), (1.0, 1.0)])
def test_an_index_that_throttles_a_part_of_the_writes(part: float, kb: float) -> None:
    bucket, index = Bucket(50_000), Bucket(20)
    chosen = {place for place in range(10_000) if (place * 7919) % 10_000 < part * 10_000}

    def buckets(key: str) -> list[Bucket]:
        place = int(key.rpartition("/")[2])
        return [bucket, index] if place % 10_000 in chosen else [bucket]

    _, [backlog] = replayed(buckets, kb, 60)
    assert_acknowledged([backlog])
    # All of a part's writes go through the index: in order, the others cannot be faster.
    assert backlog.acknowledged() * kb >= 0.8 * 20 / part * backlog.invocations[-1].ended


@pytest.mark.parametrize(("rate", "kb"), [(20, 1.0), (200, 1.0), (200, 100.0)])
def test_many_shards_share_the_rate(rate: float, kb: float) -> None:
    bucket = Bucket(rate)
    table, backlogs = replayed(lambda key: [bucket], kb, 30, shards=10)
    assert_acknowledged(backlogs)
    assert table.used(0, 30) >= 0.8 * rate


def test_the_rate_may_change() -> None:
    bucket = Bucket(20)
    with virtual_time() as machine:
        table = ThrottledTable(machine, lambda key: [bucket])
        backlog = Backlog(machine, table, 1.0)
        machine.world.spawn(machine.host, backlog.replay, 140.0)
        machine.world.run(START + 60)
        bucket.rate = 500
        machine.world.run(START + 80)
        bucket.rate = 5
        machine.world.run(START + 200)
    assert table.used(70, 80) >= 0.8 * 500
    assert table.used(80, 140) >= 0.8 * 5
    assert sum(each.acknowledged for each in backlog.invocations) >= 0.9 * len(table.writes)


def test_nothing_is_sent_in_the_last_seconds_of_the_function() -> None:
    bucket = Bucket(5)
    table, [backlog] = replayed(lambda key: [bucket], 1.0, 10)
    [invocation] = backlog.invocations
    assert 40 <= invocation.ended <= 46
    assert max(write.at for write in table.writes) <= START + 45.1
