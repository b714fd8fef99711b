"""A copy that was sealed with a proof, writers that write to its destination, and an audit of it."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace

from tablecopy.comparison.differences import Difference
from tablecopy.comparison.items import are_equal
from tablecopy.control.audit import Audits
from tablecopy.control.tracking import TrackingCommands
from tablecopy.control.verification import VerificationCommands
from tablecopy.dynamodb.client import Json
from tablecopy.journal.run import Phase, Run
from tablecopy.journal.segments import Segments
from tablecopy.journal.touched import TrackingState
from tablecopy.journal.verifications import State, Verification
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.settings import CommandSettings
from tablecopy.throughput.limits import read_usage
from tablecopy.throughput.rate import AdaptiveRate
from tablecopy.tracker.auditor import Auditor
from tablecopy.verifier.lag import Lag
from tablecopy.verifier.part import NoProgress, Result, Table
from tablecopy.verifier.progress import Next, Progress
from tablecopy.verifier.tables import Described, NotComparable, Tables
from tablecopy.verifier.worker import Worker
from tests.unit.tablecopy.fakes import MACHINE_ARN, STREAM_ARN, FakeClock, FakeShard, FakeStates
from tests.unit.tablecopy.tracker.scene import STREAM, Scene
from tests.unit.tablecopy.verifier.test_worker import AtOnce, Killed

SEGMENTS = 3
QUIET = 8.0


class OneThread(FakeClock):
    """A machine on which nothing happens at the same time, so that a seed always reads the same."""

    def pool(self, size: int) -> Executor:
        return AtOnce()


class FakeTables(Tables):
    """Both tables' descriptions."""

    def __init__(self) -> None:
        self.described = Described(
            ("pk",), "expires", 0.0, 0.0, "one two", 12, destination_stream=STREAM, shows_old_images=True
        )

    def describe(self) -> Described:
        if not self.described.key_names:
            raise NotComparable("no key")
        return self.described


@dataclass
class Hidden:
    """A record that is shown later."""

    due: float
    shard: str
    record: tuple[str, float]


class Audited(Scene):
    """A copy in sync, its seal, and its audit.

    Attributes
    ----------
    at_seal
        What the destination held at the seal.
    meanwhile
        Called before each read of a table: what the new writers do.
    """

    def __init__(self, seed: int = 1, items: int = 30) -> None:
        super().__init__(seed, clock=OneThread())
        self.tables = FakeTables()
        self.states = FakeStates()
        self.hidden: list[Hidden] = []
        self.delay: Callable[[], float] = lambda: 0.0
        self.meanwhile: Callable[[], None] = lambda: None
        self.kill_in = 0
        self.children: dict[str, tuple[str, str]] = {}
        self.at_seal: dict[str, Json] = {}
        for number in range(items):
            self.put(f"k{number}", number)
        self.replicate()
        while self.tracking.state is not TrackingState.ON:
            self.step()
        for table in (self.source, self.destination):
            table.before_call = self._before_call

    def _before_call(self) -> None:
        self.clock.tick(0.2)
        self.meanwhile()
        if self.kill_in:
            self.kill_in -= 1
            if not self.kill_in:
                raise Killed

    # The cutover

    def seal(self) -> None:
        """The copy is sealed, after a time in which nothing wrote."""
        self.steps(3)
        fenced_at = self.clock.time
        self.clock.tick(QUIET)
        verification = self.verifications.read()
        assert verification is not None
        self.verifications.save(replace(verification, state=State.DONE, ended=self.clock.time))
        self.change_run(
            phase=Phase.SEALED, phase_since=self.clock.time, seal_grade="seen", fenced_at=fenced_at
        )
        self.clock.tick(1)
        self.tracker.step()
        assert self.tracking.state is TrackingState.OFF
        self.at_seal = dict(self.destination.items)

    # The new writers

    def write(self, key: str, value: int | None, **more: Json) -> None:
        """A new writer puts an item into the destination, or deletes it."""
        item = None if value is None else {"pk": {"S": key}, "v": {"N": str(value)}, **more}
        before = self.destination.items.get(key)
        if before is None and item is None:
            return
        if before is not None and item is not None and are_equal(before, item):
            # A put that changes nothing leaves no record.
            return
        self.destination.shard = self.shard_of(key)
        self.destination.write(key, item)
        record = self.destination.stream.shards[self.destination.shard].records.pop()
        due = max([self.clock.time + self.delay(), *(each.due for each in self.hidden)])
        self.hidden.append(Hidden(due, self.destination.shard, record))
        self.show()

    def show(self) -> None:
        """Show the records that are due, in their order."""
        while self.hidden and self.hidden[0].due <= self.clock.time:
            each = self.hidden.pop(0)
            self.destination.stream.shards[each.shard].records.append(each.record)

    def shard_of(self, key: str) -> str:
        """The open shard that gets the records of a key."""
        shard, bits = "s0", zlib.crc32(key.encode())
        while shard in self.children:
            shard, bits = self.children[shard][bits % 2], bits // 2
        return shard

    def split(self, key: str = "k1") -> None:
        """The shard of a key ends, and has two children, whose names say nothing about the order.

        All of its records are shown by then.
        """
        while self.hidden:
            self.clock.time = max(self.clock.time, self.hidden[0].due)
            self.show()
        parent = self.shard_of(key)
        self.destination.stream.shards[parent].closed = True
        made = len(self.children)
        self.children[parent] = (f"a{998 - 2 * made}", f"a{997 - 2 * made}")
        for child in self.children[parent]:
            self.destination.stream.shards[child] = FakeShard(parent=parent)

    # The audit

    def auditor(self) -> Auditor:
        """A new execution environment of the tracker."""
        return Auditor(self.store, lambda: self.destination.stream, self.clock)

    def worker(self) -> Worker:
        """A new execution environment of the verifier."""
        metrics = MetricsBuffer(self.clock, "copy")
        source, destination = (
            Table(client, name, AdaptiveRate(self.clock, 16.0), read_usage(metrics, name))
            for client, name in ((self.source, "source"), (self.destination, "copy"))
        )
        return Worker(self.verifications, (source, destination), (None, None), self.lag(), self.clock)

    def lag(self) -> Lag:
        return Lag(self.runs, self.shards, self.clock)

    def commands(self) -> VerificationCommands:
        settings = CommandSettings(
            journal_table="journal",
            stream_arn=STREAM_ARN,
            total_segments=2,
            drained_after_seconds=60,
            reconciler_function="reconciler",
            verification_machine_arn=MACHINE_ARN,
            verification_segments=SEGMENTS,
            verification_concurrency=SEGMENTS,
        )
        return VerificationCommands(
            self.runs,
            Segments(self.store),
            self.verifications,
            TrackingCommands(self.store, self.clock),
            self.audits,
            lambda: self.states,  # type: ignore[arg-type, return-value]
            settings,
            self.clock,
        )

    @property
    def audits(self) -> Audits:
        return Audits(self.runs, self.verifications, self.record, self.clock)

    @property
    def run(self) -> Run:
        found = self.runs.read()
        assert found is not None
        return found

    @property
    def audit(self) -> Verification:
        found = self.verifications.read()
        assert found is not None
        return found

    def tick(self, seconds: float, auditor: Auditor) -> None:
        """Time passes, in which the tracker reads."""
        end = self.clock.time + seconds
        while self.clock.time < end:
            self.clock.tick(1)
            self.meanwhile()
            self.show()
            auditor.step()

    def finish(self, rng: random.Random, kills: float = 0.0) -> None:
        """Run the state machine and the tracker to the end of the audit; some of them die on the way."""
        progress = Progress(self.verifications, self.tables, self.lag(), self.record, self.clock)
        auditor = self.auditor()
        for _ in range(400):
            if rng.random() < kills:
                auditor = self.auditor()
            step = progress.advance(self.audit.verification_id)
            match step.next:
                case Next.END:
                    return
                case Next.WAIT:
                    self.tick(step.seconds, auditor)
                case Next.SCAN | Next.RECHECK:
                    for segment in range(SEGMENTS):
                        self._work(segment, step.generation, rng, kills)
                        self.tick(1, auditor)
        raise AssertionError("the audit never ends")

    def _work(self, segment: int, generation: int, rng: random.Random, kills: float) -> None:
        name = self.audit.verification_id
        for _ in range(300):
            self.kill_in = rng.randint(1, 20) if rng.random() < kills else 0
            until = self.clock.time + rng.choice([40.0, 900.0])
            with suppress(Killed, NoProgress):
                worker = self.worker()
                result = (
                    worker.recheck(name, segment, generation, until)
                    if generation
                    else worker.scan(name, segment, until)
                )
                if result is not Result.CONTINUE:
                    self.kill_in = 0
                    return
        raise AssertionError("a worker never ends")

    def found(self) -> dict[str, str]:
        """What the audit lists, by key."""
        segments = self.verifications.segments(self.audit)
        listed = [
            difference
            for segment in segments
            for difference in self.verifications.standing(self.audit.verification_id, segment)
        ]
        counted = sum(each.missing + each.changed + each.extra + each.expired for each in segments)
        assert len(listed) == counted, listed
        return {_key(each): each.kind.value for each in listed}

    def expected(self) -> dict[str, str]:
        """What the reference judge finds: what was at the seal, compared with the source."""
        kinds = {}
        for key in self.source.items.keys() | self.at_seal.keys():
            here, there = self.source.items.get(key), self.at_seal.get(key)
            if here is None:
                kinds[key] = "extra"
            elif there is None:
                kinds[key] = "missing"
            elif not are_equal(here, there):
                kinds[key] = "changed"
        return kinds

    def check(self) -> None:
        """The audit has found what the reference judge finds, and the run has its grade."""
        assert self.audit.state is State.DONE, self.audit.reason
        assert self.found() == self.expected()
        segments = self.verifications.segments(self.audit)
        differing = sum(kind != "extra" for kind in self.expected().values())
        assert sum(each.equal for each in segments) == len(self.source.items) - differing
        self.audits.settle()
        assert self.run.seal_grade == ("different" if self.expected() else "audited")


def _key(difference: Difference) -> str:
    key: str = difference.key["pk"]["S"]
    return key
