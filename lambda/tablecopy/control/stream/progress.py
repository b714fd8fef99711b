"""The stream as control sees it: which changes have been applied, and how old the oldest other one is.

Lambda does not tell the replicator which shard a batch is of. Control reads the shards itself, as their
second reader, and finds the replicator's marks in them. A batch is a contiguous run of its shard, and the
batches of a shard follow one another, so that the marks make a chain from position to position.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tablecopy.clock import Clock
from tablecopy.control.stream.chain import advance
from tablecopy.control.stream.expiry import RETENTION_SECONDS, check_not_expired, is_touched
from tablecopy.control.stream.reader import PAGE_RECORDS, IteratorExpired, Reader
from tablecopy.journal.applied_batches import AppliedBatches
from tablecopy.journal.shards import Shard, Shards

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams.client import DynamoDBStreamsClient

# A batch holds at most 1,000 records (modules/copy, replicator.batch_size), so that this many ahead are
# enough to know where the chain of marks goes on. While everything read turns out to be applied, a look
# goes on for this many rounds: a stream of many shards must not keep control from its other work.
_LOOK_AHEAD = PAGE_RECORDS
_ROUNDS = 10

# A shard takes at most 1,000 writes a second, and control looks about once a second.
_PAGES_COUNTED = 5

# What only moves on a little from look to look is written to the journal this often.
_SAVE_EVERY_SECONDS = 30.0

# All that was changed before a shard began is in the one that it follows. Where that one was quiet to its
# end, its child is quiet as well once it was read for this long.
_CHILD_EMPTY_SECONDS = 5.0

# The list of shards is as old as this at most; an account may call DescribeStream ten times a second (Streams
# API reference), for all its copies. A page of the list has up to 100 shards.
_LIST_EVERY_SECONDS = 60.0
_BETWEEN_PAGES_SECONDS = 0.2

# The children of shards that end are asked for one by one.
_CHILDREN_EVERY_SECONDS = 1.0

# Where a stream begins, the mapping and control do not see the same record expire at the same moment.
_HORIZON_SECONDS = 3600


class StreamGone(Exception):
    """The stream does not exist any more."""


@dataclass(frozen=True)
class Backlog:
    """What of the stream is not applied.

    Attributes
    ----------
    oldest_age
        Age in seconds of the oldest change that is not known to be applied; 0 when there is none.
    drained
        Every shard is applied to its closed end or has been empty for long enough.
    records, puts, deletes
        What has been applied so far.
    waiting
        How many changes are not applied: of each shard up to 1,000, or all where control was asked to count.
    changed
        A shard was found not to be empty. Less than that drained is not proved.
    """

    oldest_age: float
    drained: bool
    records: int
    puts: int
    deletes: int
    waiting: int = 0
    changed: bool = False


class Stream:
    """Follows every shard of the stream.

    Parameters
    ----------
    drained_after
        Seconds for which repeated reads of a shard must find nothing before it counts as empty.
    """

    def __init__(
        self,
        client: DynamoDBStreamsClient,
        stream_arn: str,
        shards: Shards,
        marks: AppliedBatches,
        clock: Clock,
        drained_after: float,
    ) -> None:
        self._client = client
        self._stream_arn = stream_arn
        self._shards = shards
        self._marks = marks
        self._clock = clock
        self._drained_after = drained_after
        self._readers: dict[str, Reader] = {}
        # The shards as they are in the journal, until another reconciler writes one of them.
        self._known: dict[str, Shard] | None = None
        # The parent of each shard of the stream, or an empty text.
        self._listed: dict[str, str] = {}
        self._list_due = self._children_due = clock.now()
        self._is_list_new = False
        # Shards that have ended since they were listed: what follows them is not in the list yet.
        self._ended: set[str] = set()
        # What the latest look has looked at.
        self._followed: frozenset[str] = frozenset()

    def observe(self, covered_to: float, *, count: bool = False) -> Backlog:
        """Look at all shards once.

        Parameters
        ----------
        covered_to
            The backfill has read, or will read, what changes made before this moment (seconds since the
            epoch) have led to: see expiry.check_not_expired.
        count
            Count all changes that are not applied.

        Raises
        ------
        RecordsExpired
            A record expired before it was applied.
        StreamGone
            There is no such stream.
        """
        if self._known is None:
            self._known = self._shards.read_all()
        known = dict(self._known)
        shards = dict(known)
        overtaken: list[str] = []
        self._is_list_new = False
        self._list_what_is_due()
        now = self._clock.now()
        current = self._shard_ids(known)
        for shard_id, parent in current.items():
            before = known.get(shard_id) or Shard(shard_id, applied_to=now, parent=parent)
            try:
                shard = self._follow(before, covered_to, shards, count=count)
            except IteratorExpired:
                self._readers.pop(shard_id, None)
                self._check_there()
                shard = self._follow(replace(before, iterator=""), covered_to, shards, count=count)
            if shard.finished and not before.finished:
                self._ended.add(shard_id)
            if self._is_news(known.get(shard_id), shard) and not self._save(shard):
                overtaken.append(shard_id)
            shards[shard_id] = shard
        self._followed = frozenset(current)
        # Overtaken by another reconciler, a look proves nothing. Nor does it while a shard may be unknown.
        certain = not overtaken and not self._ended
        if overtaken:
            self._known = None
        backlog = self._backlog(
            shards,
            known,
            now,
            certain=certain and bool(current) and all(self._is_drained(shards[id_], now) for id_ in current),
        )
        for shard_id in [*overtaken, *(id_ for id_ in self._readers if shards[id_].finished)]:
            self._readers.pop(shard_id, None)
        return backlog

    def is_complete(self) -> bool:
        """List the shards now, and return whether the latest look has followed each of them.

        The list that a look goes by may be a minute old. What is said for good needs a new one.

        Raises
        ------
        StreamGone
            There is no such stream.
        """
        self._list_all()
        return self._followed.issuperset(self._listed)

    def _backlog(
        self, shards: Mapping[str, Shard], known: Mapping[str, Shard], now: float, *, certain: bool
    ) -> Backlog:
        behind = {shards[id_]: reader.ahead for id_, reader in self._readers.items() if reader.ahead}
        ages = (now - ahead[0].created for ahead in behind.values())
        return Backlog(
            oldest_age=max([0.0, *ages]),
            drained=certain,
            records=sum(shard.records for shard in shards.values()),
            puts=sum(shard.puts for shard in shards.values()),
            deletes=sum(shard.deletes for shard in shards.values()),
            waiting=sum(max(shard.waiting, len(ahead)) for shard, ahead in behind.items()),
            changed=any(_has_changed(known.get(id_), shard) for id_, shard in shards.items()),
        )

    def _follow(self, shard: Shard, covered_to: float, shards: Mapping[str, Shard], *, count: bool) -> Shard:
        if shard.finished:
            return shard
        now = self._clock.now()
        if shard.shard_id not in self._readers and not shard.iterator and shard.empty_since is not None:
            # A reader that begins anew far back may see nothing for a while, whatever there is.
            shard = replace(shard, empty_since=now)
        reader = self._reader(shard, covered_to, shards)
        # Another reconciler may have moved the position on.
        reader.drop_to(shard.position)
        newest = shard.applied_to
        expired_to = min(covered_to, now - RETENTION_SECONDS + _HORIZON_SECONDS)
        brought = False
        for _ in range(_ROUNDS):
            more = reader.read(_LOOK_AHEAD)
            brought = brought or more
            reader.drop_to(shard.position)
            newest = reader.ahead[-1].created if reader.ahead else newest
            shard = advance(shard, reader, self._marks, expired_to)
            if reader.ahead or not more:
                break
        shard = replace(shard, iterator=reader.resume_iterator)
        if reader.ahead:
            oldest = reader.ahead[0]
            check_not_expired(
                shard,
                oldest.created,
                now,
                covered_to,
                touched=is_touched(shard, shards),
                gone=lambda: reader.is_gone(oldest),
            )
            shard = replace(shard, applied_to=oldest.created, empty_since=None)
            if count:
                counted_to, waiting = reader.count(shard, _LOOK_AHEAD, _PAGES_COUNTED)
                shard = replace(shard, counted_to=counted_to, waiting=waiting)
            return shard
        if brought:
            shard = replace(shard, applied_to=max(shard.applied_to, newest), empty_since=None)
        if reader.at_closed_end:
            return replace(shard, applied_to=now, finished=True)
        if brought:
            return shard
        empty_since = self._empty_since(shard, shards, now)
        # One empty answer proves nothing. To believe it would hide a change that expires unapplied.
        empty = now - empty_since >= self._drained_after
        return replace(shard, applied_to=now if empty else shard.applied_to, empty_since=empty_since)

    def _empty_since(self, shard: Shard, shards: Mapping[str, Shard], now: float) -> float:
        """Since when an empty shard counts as empty."""
        if shard.empty_since is not None:
            return shard.empty_since
        parent = shards.get(shard.parent)
        if shard.version or parent is None or not parent.finished or parent.empty_since is None:
            return now
        return min(now, max(parent.empty_since, now - self._drained_after + _CHILD_EMPTY_SECONDS))

    def _reader(self, shard: Shard, covered_to: float, shards: Mapping[str, Shard]) -> Reader:
        reader = self._readers.get(shard.shard_id)
        if reader is None:
            now = self._clock.now()
            reader = Reader(self._client, self._stream_arn, shard, now)
            if reader.from_horizon:
                touched = is_touched(shard, shards)
                check_not_expired(
                    shard, shard.applied_to, now, covered_to, touched=touched, gone=lambda: touched
                )
            self._readers[shard.shard_id] = reader
        return reader

    def _is_news(self, before: Shard | None, shard: Shard) -> bool:
        """Whether a shard is to be written to the journal now."""
        if before is None:
            return True
        if shard == before:
            return False
        slow = {"applied_to", "iterator", "counted_to", "waiting"}
        if replace(shard, **{name: getattr(before, name) for name in slow}) != before:
            return True
        reader = self._readers.get(shard.shard_id)
        return (
            reader is None
            or shard.applied_to - before.applied_to >= _SAVE_EVERY_SECONDS
            or self._clock.now() - reader.saved >= _SAVE_EVERY_SECONDS
        )

    def _save(self, shard: Shard) -> bool:
        if shard.shard_id in self._readers:
            self._readers[shard.shard_id].saved = self._clock.now()
        saved = self._shards.save(shard)
        if saved is not None and self._known is not None:
            self._known[shard.shard_id] = saved
        return saved is not None

    def _is_drained(self, shard: Shard, now: float) -> bool:
        if shard.finished:
            return True
        return shard.empty_since is not None and now - shard.empty_since >= self._drained_after

    def _shard_ids(self, known: Mapping[str, Shard]) -> dict[str, str]:
        """The shards of the stream, and those that left it unfinished: what they held may be lost.

        Returns
        -------
        dict
            The parent of each, or an empty text.
        """
        unfinished = {id_: shard.parent for id_, shard in known.items() if not shard.finished}
        return {**unfinished, **self._listed}

    def _list_what_is_due(self) -> None:
        """Bring the list of shards up to date: once a minute, and sooner behind a shard that has ended."""
        if self._clock.now() >= self._list_due:
            self._list_all()
        elif self._ended and self._clock.now() >= self._children_due:
            self._list_children(min(self._ended))

    def _list_children(self, parent: str) -> None:
        try:
            children = dict(self._pages(ShardFilter={"Type": "CHILD_SHARDS", "ShardId": parent}))
        except StreamGone:
            # A parent that has left the stream is not found either.
            self._list_all()
            return
        self._listed |= children
        self._ended.remove(parent)
        self._children_due = self._clock.now() + _CHILDREN_EVERY_SECONDS

    def _list_all(self) -> None:
        self._listed = dict(self._pages())
        self._is_list_new = True
        self._ended.clear()
        self._list_due = self._clock.now() + _LIST_EVERY_SECONDS
        self._children_due = self._clock.now() + _CHILDREN_EVERY_SECONDS

    def _check_there(self) -> None:
        """Raise StreamGone if not only a place in the stream is lost, but the stream."""
        if not self._is_list_new:
            self._list_all()

    def _pages(self, **request: object) -> Iterator[tuple[str, str]]:
        while True:
            try:
                page = self._client.describe_stream(StreamArn=self._stream_arn, **request)  # type: ignore[arg-type]
            except self._client.exceptions.ResourceNotFoundException as gone:
                raise StreamGone(f"the stream {self._stream_arn} does not exist any more") from gone
            for shard in page["StreamDescription"]["Shards"]:
                yield shard["ShardId"], shard.get("ParentShardId", "")
            last = page["StreamDescription"].get("LastEvaluatedShardId")
            if last is None:
                return
            request["ExclusiveStartShardId"] = last
            self._clock.sleep(_BETWEEN_PAGES_SECONDS)


def _has_changed(before: Shard | None, shard: Shard) -> bool:
    already_finished = before is not None and before.finished
    return shard.empty_since is None and not already_finished
