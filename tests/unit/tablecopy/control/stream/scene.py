"""A stream, a journal, a clock, and any number of control's invocations."""

from __future__ import annotations

from tablecopy.control.stream.backlog import Backlog
from tablecopy.control.stream.notes import SourceNotes
from tablecopy.control.stream.progress import Stream
from tablecopy.dynamodb.streams import StreamClient
from tablecopy.journal.applied_batches import AppliedBatch, AppliedBatches
from tablecopy.journal.shards import Shard, Shards
from tablecopy.journal.store import Store
from tests.unit.tablecopy.fakes import FakeClock, FakeShard, FakeStreams, MemoryStore, name_of

DRAINED_AFTER = 60.0
HOUR = 3600.0
LOOK = 8.0


def number(value: int) -> str:
    return str(10**24 + value)


class Scene:
    """The first slice of the run began before anything that the tests do, unless they note first."""

    def __init__(self, clock: FakeClock, store: Store | None = None) -> None:
        self.clock = clock
        self.streams = FakeStreams(clock=clock)
        self.store = store or MemoryStore()
        self.shards = Shards(self.store)
        self.batches = AppliedBatches(self.store, clock)
        self.covered_to = clock.time - 1
        self.stream = self.environment()

    def environment(self) -> Stream:
        """An execution environment of control that has seen nothing yet."""
        client = StreamClient(self.streams, "arn:stream", self.clock)
        notes = SourceNotes(self.store, self.clock)
        return Stream(client, self.shards, self.batches, notes, self.clock, DRAINED_AFTER)

    def add(self, shard_id: str, *values: int, closed: bool = False, **more: object) -> FakeShard:
        """Add records that are made now."""
        shard = self.streams.shards.setdefault(shard_id, FakeShard(**more))  # type: ignore[arg-type]
        shard.records += [(number(value), self.clock.time) for value in values]
        shard.closed = closed
        return shard

    def follow_up(self, shard_id: str, *children: str) -> None:
        """A shard ends, and its children are listed."""
        self.streams.shards[shard_id].closed = True
        for child in children:
            self.add(child, parent=shard_id)

    def apply(
        self, last: int, records: int = 1, puts: int = 1, deletes: int = 0, *, first: int | None = None
    ) -> None:
        """Record a batch that ends with ``last``; its first record is ``records`` numbers back."""
        start = last - records + 1 if first is None else first
        names = [name_of(number(value)) for value in range(start, last + 1)]
        self.batches.put(AppliedBatch(names[0], number(last), records, puts, deletes), names)

    def look(self, stream: Stream | None = None, **how: bool) -> Backlog:
        return (stream or self.stream).observe(self.covered_to, self.clock.time + LOOK, **how)

    def again(self, stream: Stream | None = None, **how: bool) -> Backlog:
        """Look a second later."""
        self.clock.tick(1)
        return self.look(stream, **how)

    def look_for(self, seconds: float) -> Backlog:
        """Look once a second, and a last time after ``seconds``."""
        end = self.clock.time + seconds
        while self.clock.time < end:
            self.look()
            self.clock.tick(1)
        return self.look()

    def note(self) -> Backlog:
        """Look before the copy has begun."""
        return self.stream.observe(self.clock.time - 30, self.clock.time + LOOK, noting=True)

    def shard(self, shard_id: str = "a") -> Shard:
        """The row of a shard in the journal."""
        return self.shards.read_all()[shard_id]

    def row(self, shard_id: str = "a") -> Shard:
        """The row of a shard as the environment has it, which the journal may get later."""
        return self.stream._rows.current[shard_id]


def lists(scene: Scene) -> list[str]:
    """What was asked for: the parent of the children, or an empty text for a page of the whole list."""
    return [request.get("ShardFilter", {}).get("ShardId", "") for request in scene.streams.described]


def followed(scene: Scene) -> set[str]:
    """The shards of the journal that are not retired."""
    return {shard_id for shard_id, row in scene.shards.read_all().items() if not row.retired}
