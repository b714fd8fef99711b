"""Two tables with streams, a replicator that tests lead astray, control, and the tracker."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from tablecopy.comparison.items import Side
from tablecopy.control.stream.notes import SourceNotes
from tablecopy.control.stream.progress import Stream
from tablecopy.dynamodb.client import Json
from tablecopy.dynamodb.streams import StreamClient
from tablecopy.journal.applied_batches import AppliedBatch, AppliedBatches
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.shards import Shards
from tablecopy.journal.touched import PARTITIONS, Checked, TouchedKeys, Tracking, TrackingRecord
from tablecopy.journal.verifications import State, Verification, Verifications
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import read_limit, read_usage
from tablecopy.tracker.tracker import Found, Tracker
from tablecopy.verifier.part import Table
from tests.unit.tablecopy.fakes import NOON, FakeClock, FakeShard, FakeStreams, MemoryStore, name_of
from tests.unit.tablecopy.verifier.tables import HostileTable

STREAM = "arn:aws:dynamodb:eu-west-1:222222222222:table/copy/stream/1"


class StreamedTable(HostileTable):
    """A table with a description and a stream of one shard, whose records have the keys that are written."""

    def __init__(self, name: str, rng: random.Random, clock: FakeClock, faults: float = 0.0) -> None:
        super().__init__(name, rng, faults=faults, respells=True, clock=clock)
        self.stream = FakeStreams(page_size=1_000, clock=clock)
        self.stream.shards["s0"] = FakeShard()
        self.shard = "s0"
        self.arn: str | None = STREAM
        self.records = 0
        self._ticks = clock

    def call(self, operation: str, body: object) -> Json:
        assert (operation, body) == ("describe_table", {"TableName": self._name})
        on = {"StreamSpecification": {"StreamEnabled": True}, "LatestStreamArn": self.arn}
        return {"Table": on if self.arn else {}}

    def write(self, key: str, item: Json | None) -> str:
        """Change an item; return the sequence number of its record."""
        before = self.items.get(key)
        if item is None:
            self.items.pop(key, None)
        else:
            self.items[key] = item
        self.records += 1
        number = str(10**24 + self.records)
        self.stream.keys[number] = key
        self.stream.befores[number] = before
        self.stream.shards[self.shard].records.append((number, self._ticks.time // 1))
        return number

    def split(self) -> None:
        """The shard ends, and has a child."""
        self.stream.shards[self.shard].closed = True
        child = f"s{len(self.stream.shards)}"
        self.stream.shards[child] = FakeShard(parent=self.shard)
        self.shard = child


@dataclass
class Change:
    """A change of the source on its way."""

    shard: str
    number: str
    key: str
    item: Json | None


class Scene:
    """A copy in sync whose verification has been requested."""

    def __init__(self, seed: int = 1, faults: float = 0.0, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.rng = random.Random(seed)
        self.source = StreamedTable("source", self.rng, self.clock, faults)
        self.destination = StreamedTable("copy", self.rng, self.clock, faults)
        self.store = MemoryStore()
        self.record = TrackingRecord(self.store)
        self.runs = RunRecord(self.store)
        self.shards = Shards(self.store)
        self.batches = AppliedBatches(self.store, self.clock)
        self.verifications = Verifications(self.store, self.clock)
        self.waiting: list[Change] = []
        self.runs.create(Run("run", "arn:stream", 2, NOON, Phase.DRAINING, NOON))
        self.control = self.controls()
        self.tracker = self.trackers()
        self.look()
        self.request()

    def controls(self) -> Stream:
        """A new execution environment of control."""
        client = StreamClient(self.source.stream, "arn:stream", self.clock)
        notes = SourceNotes(self.store, self.clock)
        return Stream(client, self.shards, self.batches, notes, self.clock, 60.0)

    def trackers(self) -> Tracker:
        """A new execution environment of the tracker."""
        metrics = MetricsBuffer(self.clock, "orders")
        source, destination = (
            Table(table, name, read_limit(self.clock, 100_000.0), read_usage(metrics, name))
            for table, name in ((self.source, "source"), (self.destination, "copy"))
        )
        budgets = (100_000.0, 100_000.0)
        return Tracker(
            self.store, (source, destination), budgets, lambda: self.destination.stream, self.clock
        )

    def request(self, name: str = "v-1") -> None:
        """A verification is requested. Its scans begin when its keys are tracked."""
        verification = Verification(name, 2, 2, self.clock.time, state=State.SCANNING, key_names=("pk",))
        self.verifications.save(verification, is_new=True)
        assert self.record.save(Tracking(name, "run", self.clock.time), is_new=True)

    @property
    def tracking(self) -> Tracking:
        found = self.record.read()
        assert found is not None
        return found

    @property
    def checked(self) -> Checked:
        return TouchedKeys(self.store, self.clock, "v-1").checked()

    def change_run(self, **changes: object) -> None:
        run = self.runs.read()
        assert run is not None
        changed = replace(run, **changes)  # type: ignore[arg-type]
        if changed.run_id == run.run_id:
            assert self.runs.save(changed)
            return
        # A run is never replaced by another one: the journal is.
        self.store.delete("run", "state")
        assert self.runs.create(changed)

    def put(self, key: str, value: int | None) -> None:
        """A writer changes an item of the source."""
        item = None if value is None else {"pk": {"S": key}, "v": {"N": str(value)}}
        number = self.source.write(key, item)
        self.waiting.append(Change(self.source.shard, number, key, item))

    def replicate(self, changes: int | None = None, *, lose: str = "") -> None:
        """The replicator applies the next changes, except the one of a key that it loses."""
        due, self.waiting = self.waiting[:changes], self.waiting[len(self.waiting[:changes]) :]
        for shard in dict.fromkeys(change.shard for change in due):
            batch = [change for change in due if change.shard == shard]
            for change in batch:
                if change.key != lose:
                    self.destination.write(change.key, change.item)
            names = [name_of(change.number) for change in batch]
            self.batches.put(AppliedBatch(names[0], batch[-1].number, len(batch), len(batch), 0), names)

    def look(self) -> None:
        """Control looks at the source's stream."""
        self.control.observe(NOON - 100, self.clock.time + 8)

    def step(self) -> Found | None:
        """A second passes; control looks, and the tracker takes a step."""
        self.clock.tick(1)
        self.look()
        return self.tracker.step()

    def steps(self, seconds: int) -> Found | None:
        found = None
        for _ in range(seconds):
            found = self.step()
        return found

    def left(self) -> set[str]:
        keys = TouchedKeys(self.store, self.clock, "v-1")
        return {
            key["pk"]["S"]
            for side in Side
            for partition in range(PARTITIONS)
            for chunk in keys.chunks(side, partition)
            for key in chunk.unpacked()
        }

    def differ(self) -> set[str]:
        keys = self.source.items.keys() | self.destination.items.keys()
        return {key for key in keys if self.source.items.get(key) != self.destination.items.get(key)}
