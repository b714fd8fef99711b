"""Whole runs at given rates, by a clock that the test moves: no change is applied later than promised."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import pytest
from mypy_boto3_lambda.client import LambdaClient
from mypy_boto3_sqs.client import SQSClient
from mypy_boto3_stepfunctions.client import SFNClient

from tablecopy.control.commands import Commands
from tablecopy.control.pace import SliceLimits
from tablecopy.control.proof import Proof
from tablecopy.control.reconciler import Reconciler
from tablecopy.control.services import Executions, FailureQueue, SourceMapping
from tablecopy.control.steps import Dependencies
from tablecopy.control.stream.notes import SourceNotes
from tablecopy.control.stream.progress import Stream
from tablecopy.control.tables import TableChecks
from tablecopy.dynamodb.streams import StreamClient
from tablecopy.journal.applied_batches import AppliedBatch, AppliedBatches
from tablecopy.journal.dead_letters import DeadLetters
from tablecopy.journal.leases import Leases
from tablecopy.journal.run import REPLICATING, Phase, Run, RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.journal.shards import Shards
from tests.unit.tablecopy.control.test_reconciler import FakeQueue
from tests.unit.tablecopy.fakes import (
    MACHINE_ARN,
    STREAM_ARN,
    FakeClock,
    FakeLambda,
    FakeShard,
    FakeStates,
    FakeStreams,
    MemoryStore,
    name_of,
)

TICK = 10.0
SWITCHING = 30.0
BATCH = 1_000

# A twentieth of a day, so that a run of many slices has some ten thousand changes and not millions.
PACE = SliceLimits(longest=3_000.0, fraction=0.05)
PROMISE = 4_320.0

Rate = Callable[[float], float]
"""Changes per second, by the seconds since the run began."""


@dataclass
class Lane:
    """A shard: who writes to it, and how fast the replicator applies what was written."""

    shard: str
    arriving: Rate
    applying: float
    written: int = 0
    applied: int = 0
    due: float = 0.0
    credit: float = 0.0


class World:
    """Writers, replicator, workers and mapping around a real reconciler and its real journal's classes."""

    def __init__(self, *lanes: Lane, backfill_seconds: float = 4_000.0) -> None:
        self.clock = FakeClock()
        self.began = self.clock.time
        self.lanes = lanes
        self.store = MemoryStore()
        self.streams = FakeStreams(page_size=BATCH)
        for lane in lanes:
            self.streams.shards[lane.shard] = FakeShard()
        self.lambda_ = FakeLambda()
        self.states = FakeStates()
        self.queue = FakeQueue()
        self.run = RunRecord(self.store)
        self.segments = Segments(self.store)
        self.marks = AppliedBatches(self.store, self.clock)
        self.letters = DeadLetters(self.store, self.clock)
        self.commands = Commands(
            self.run, self.segments, Shards(self.store), self.letters, self.clock, STREAM_ARN, 1, 60
        )
        self.backfill_left = backfill_seconds
        self.oldest_applied = 0.0
        self.slices: list[float] = []
        self.switching_since: float | None = None
        self.next_number = 10**24

    def reconciler(self) -> Reconciler:
        dependencies = Dependencies(
            run=self.run,
            segments=self.segments,
            leases=Leases(self.store, self.clock),
            dead_letters=self.letters,
            mapping=SourceMapping(cast(LambdaClient, self.lambda_), "mine", self.clock),
            executions=Executions(cast(SFNClient, self.states), MACHINE_ARN, self.clock),
            stream=Stream(
                StreamClient(self.streams, STREAM_ARN, self.clock),
                Shards(self.store),
                self.marks,
                SourceNotes(self.store, self.clock),
                self.clock,
                drained_after=60,
            ),
            queue=FailureQueue(cast(SQSClient, self.queue), "url"),
            tables=TableChecks(self.clock, [], self.letters),
            preflight=lambda run: [],
            inspect_tables=lambda: {"key_names": ("pk",)},
            publish_age=lambda seconds: None,
            proof=Proof(self.store, self.clock),
        )
        return Reconciler(dependencies, self.clock, PACE, 1)

    def now(self) -> Run:
        run = self.run.read()
        assert run is not None
        return run

    def go(self, until: Callable[[Run], bool], at_most: float) -> Run:
        """Tick until the run is as wanted, with a new invocation of control each minute."""
        end = self.clock.time + at_most
        while self.clock.time < end:
            reconciler = self.reconciler()
            for _ in range(int(50 / TICK)):
                before = self.now()
                reconciler.step()
                after = self.now()
                if before.phase is Phase.SLICE and after.phase is not Phase.SLICE:
                    self.slices.append(self.clock.time - before.slice_began)
                if until(after):
                    return after
                self.tick()
            self.tick()
        return self.now()

    def tick(self) -> None:
        self.clock.time += TICK
        self.switch()
        run = self.now()
        for lane in self.lanes:
            self.write(lane)
            if run.phase in REPLICATING and self.lambda_.mapping["State"] == "Enabled":
                self.apply(lane)
            else:
                lane.credit = 0.0
        if run.phase is Phase.SLICE and self.states.executions:
            self.backfill_left -= TICK
            done = self.backfill_left <= 0
            segment = self.segments.read(0, run.segments_id)
            self.segments.save(replace(segment, items=int(1e6 - self.backfill_left), done=done))

    def switch(self) -> None:
        state = self.lambda_.mapping["State"]
        if not state.endswith("ing"):
            self.switching_since = None
            return
        if self.switching_since is None:
            self.switching_since = self.clock.time
        if self.clock.time - self.switching_since >= SWITCHING:
            self.lambda_.mapping["State"] = {"Enabling": "Enabled", "Disabling": "Disabled"}[state]

    def write(self, lane: Lane) -> None:
        lane.due += lane.arriving(self.clock.time - self.began) * TICK
        records = self.streams.shards[lane.shard].records
        while lane.due >= 1:
            lane.due -= 1
            self.next_number += 1
            records.append((str(self.next_number), self.clock.time))

    def apply(self, lane: Lane) -> None:
        records = self.streams.shards[lane.shard].records
        lane.credit = lane.credit + lane.applying * TICK
        batch = records[lane.applied : lane.applied + min(BATCH, int(lane.credit))]
        if lane.applied == len(records):
            lane.credit = 0.0
        if not batch:
            return
        lane.credit -= len(batch)
        lane.applied += len(batch)
        self.oldest_applied = max(self.oldest_applied, self.clock.time - batch[0][1])
        names = [name_of(number) for number, _ in batch]
        self.marks.put(AppliedBatch(names[0], batch[-1][0], len(batch), len(batch), 0), names)


def constant(rate: float) -> Rate:
    return lambda _: rate


def has_ended(run: Run) -> bool:
    return run.phase in {Phase.READY, Phase.STOPPED} or (
        run.phase is Phase.DRAINING and run.slice > 0 and run.reason.startswith("changes are still")
    )


def test_the_promise_is_what_this_file_says() -> None:
    assert PACE.max_change_age == PROMISE


@pytest.mark.parametrize(
    ("arriving", "applying"), [(0.0, 5.0), (0.01, 5.0), (0.5, 5.0), (2.5, 5.0), (3.25, 5.0), (4.0, 40.0)]
)
def test_at_steady_rates_the_promise_holds_and_slices_are_long(arriving: float, applying: float) -> None:
    # The first slice is a trial, the last one ends with the work. Those between are as long as they may be:
    # the formula's, less its margin and what the mapping's delay makes of a measurement.
    ideal = min(PACE.longest, PROMISE * (1 - arriving / applying) - PACE.margin)
    world = World(Lane("a", constant(arriving), applying), backfill_seconds=600 + 3 * ideal)
    world.commands.start()
    run = world.go(has_ended, at_most=200_000)
    assert run.phase is not Phase.STOPPED, run.reason
    assert world.now().slice >= 4
    assert world.oldest_applied <= PROMISE
    assert world.slices[0] == pytest.approx(600, abs=2 * TICK)
    assert all(length >= 0.8 * ideal for length in world.slices[1:-1]), (ideal, world.slices)
    assert all(length <= ideal + 60 for length in world.slices[1:]), (ideal, world.slices)


@pytest.mark.parametrize("share", [0.75, 0.9, 1.0, 1.02, 3.0])
def test_a_replicator_that_cannot_keep_up_stops_the_run_in_time(share: float) -> None:
    world = World(Lane("a", constant(5.0 * share), 5.0), backfill_seconds=1e9)
    world.commands.start()
    run = world.go(has_ended, at_most=400_000)
    assert run.phase is Phase.STOPPED
    assert run.resumable
    assert world.oldest_applied <= PROMISE
    for what in (
        "write capacity",
        "memory",
        "batch_size",
        "reduce the writes",
        "record_age_fraction",
        "changes per second",
    ):
        assert what in run.reason
    print(run.reason)
    # Raised, it goes on, and is not held to what was measured before.
    world.lanes[0].applying = 50.0
    world.backfill_left = 1_500.0
    world.commands.start()
    run = world.go(has_ended, at_most=200_000)
    assert run.phase is not Phase.STOPPED, run.reason


def test_a_replicator_that_does_nothing_is_told_from_a_slow_one() -> None:
    world = World(Lane("a", constant(1.0), 0.0))
    world.commands.start()
    run = world.go(has_ended, at_most=100_000)
    assert run.phase is Phase.STOPPED
    assert "applied nothing" in run.reason
    assert "log group" in run.reason
    assert PROMISE - 120 < world.clock.time - run.scan_began < PROMISE


def test_a_burst_within_a_slice_ends_it_early() -> None:
    def burst(at: float) -> float:
        return 20.0 if 2_000 <= at < 2_600 else 0.5

    calm = World(Lane("a", constant(0.5), 5.0))
    calm.commands.start()
    calm.go(has_ended, at_most=200_000)
    world = World(Lane("a", burst, 5.0))
    world.commands.start()
    run = world.go(has_ended, at_most=200_000)
    assert run.phase is not Phase.STOPPED, run.reason
    assert world.oldest_applied <= PROMISE
    # It was the slice from some 700 seconds on.
    assert world.slices[1] < calm.slices[1] - 500


def test_the_slowest_shard_sets_the_pace() -> None:
    world = World(Lane("hot", constant(2.5), 5.0), Lane("cold", constant(0.1), 50.0))
    world.commands.start()
    run = world.go(has_ended, at_most=200_000)
    assert run.phase is not Phase.STOPPED, run.reason
    assert world.oldest_applied <= PROMISE
    assert max(world.slices) < PROMISE * 0.5


@pytest.mark.parametrize("seed", range(4))
def test_at_rates_that_come_and_go_the_promise_holds(seed: int) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    applying = chance.uniform(3, 8)
    rates = [applying * chance.choice([0, 0.05, 0.3, 0.6, 0.9, 2.0, 4.0]) for _ in range(400)]
    hold = chance.uniform(200, 3_000)
    world = World(Lane("a", lambda at: rates[int(at / hold) % len(rates)], applying), backfill_seconds=8_000)
    world.commands.start()
    run = world.go(has_ended, at_most=40_000)
    print(run.phase, run.reason, world.slices)
    assert world.oldest_applied <= PROMISE
    assert run.resumable
