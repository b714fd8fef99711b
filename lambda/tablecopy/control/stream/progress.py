"""The progress of the stream: which changes are applied, and how old the oldest unapplied change is.

Lambda does not name the shard of a batch to the replicator. Control reads the shards itself, as their
second reader, and finds the batches that the replicator has recorded as applied. A batch is a contiguous
part of its shard, and the batches of a shard follow each other, so that they form a chain of positions.
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

# A batch holds at most 1,000 records (modules/copy, replicator.batch_size), so this many records ahead are
# enough to find the next batch of the chain. While all records read are applied, reading continues for this
# many rounds: a stream of many shards must not keep control from its other work.
_LOOK_AHEAD = PAGE_RECORDS
_ROUNDS = 10

# A shard takes at most 1,000 writes a second, and control reads it about once a second.
_PAGES_COUNTED = 5

# Values that change a little with every read are written to the journal this often.
_SAVE_EVERY_SECONDS = 30.0

# Changes from before a shard began are in its parent. If the parent was empty to its end, the child counts as
# empty once it has been read for this long.
_CHILD_EMPTY_SECONDS = 5.0

# Maximum age of the list of shards. An account may call DescribeStream ten times a second (Streams API
# reference) for all its copies. A page of the list has up to 100 shards.
_LIST_EVERY_SECONDS = 60.0
_BETWEEN_PAGES_SECONDS = 0.2

# Interval between requests for the children of shards that have ended.
_CHILDREN_EVERY_SECONDS = 1.0

# At the beginning of a stream, the mapping and control may see a record expire at different moments.
_HORIZON_SECONDS = 3600


class StreamGone(Exception):
    """The stream no longer exists."""


@dataclass(frozen=True)
class Backlog:
    """The unapplied changes of the stream.

    Attributes
    ----------
    oldest_age
        Age in seconds of the oldest change that is not known to be applied; 0 when there is none.
    drained
        Every shard is applied to its closed end or has been empty for long enough.
    records, puts, deletes
        Records that are applied, and the writes that they led to.
    waiting
        Number of unapplied changes: up to 1,000 of each shard, or all if ``observe`` counted them.
    changed
        A shard was found not to be empty. That is more than an unproved ``drained``.
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
        batches: AppliedBatches,
        clock: Clock,
        drained_after: float,
    ) -> None:
        self._client = client
        self._stream_arn = stream_arn
        self._shards = shards
        self._batches = batches
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
        """Read all shards once.

        Parameters
        ----------
        covered_to
            The backfill has read, or will read, the result of changes made before this moment (seconds since
            the epoch). See expiry.check_not_expired.
        count
            Count all unapplied changes.

        Raises
        ------
        RecordsExpired
            A record expired before it was applied.
        StreamGone
            The stream does not exist.
        """
        if self._known is None:
            self._known = self._shards.read_all()
        known = dict(self._known)
        shards = dict(known)
        outdated: list[str] = []
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
            if self._must_save(known.get(shard_id), shard) and not self._save(shard):
                outdated.append(shard_id)
            shards[shard_id] = shard
        self._followed = frozenset(current)
        # If another reconciler was first, or a shard may be unknown, this read proves nothing.
        certain = not outdated and not self._ended
        if outdated:
            self._known = None
        backlog = self._backlog(
            shards,
            known,
            now,
            certain=certain and bool(current) and all(self._is_drained(shards[id_], now) for id_ in current),
        )
        for shard_id in [*outdated, *(id_ for id_ in self._readers if shards[id_].finished)]:
            self._readers.pop(shard_id, None)
        return backlog

    def is_complete(self) -> bool:
        """List the shards now, and return whether the latest ``observe`` has read each of them.

        The list that ``observe`` uses may be a minute old. A permanent decision needs a new list.

        Raises
        ------
        StreamGone
            The stream does not exist.
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
            # A new reader far back in the shard may see nothing for a while, even if there are records.
            shard = replace(shard, empty_since=now)
        reader = self._reader(shard, covered_to, shards)
        # Another reconciler may have advanced the position.
        reader.drop_to(shard.position)
        newest = shard.applied_to
        expired_to = min(covered_to, now - RETENTION_SECONDS + _HORIZON_SECONDS)
        brought = False
        for _ in range(_ROUNDS):
            more = reader.read(_LOOK_AHEAD)
            brought = brought or more
            reader.drop_to(shard.position)
            newest = reader.ahead[-1].created if reader.ahead else newest
            shard = advance(shard, reader, self._batches, expired_to)
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
        # One empty answer proves nothing. Trusting it would hide a change that expires unapplied.
        empty = now - empty_since >= self._drained_after
        return replace(shard, applied_to=now if empty else shard.applied_to, empty_since=empty_since)

    def _empty_since(self, shard: Shard, shards: Mapping[str, Shard], now: float) -> float:
        """Return since when an empty shard counts as empty."""
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

    def _must_save(self, before: Shard | None, shard: Shard) -> bool:
        """Return whether to write a shard to the journal now."""
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
        """Return the shards of the stream, and the unfinished shards that have left it.

        Returns
        -------
        dict
            The parent of each, or an empty text.
        """
        unfinished = {id_: shard.parent for id_, shard in known.items() if not shard.finished}
        return {**unfinished, **self._listed}

    def _list_what_is_due(self) -> None:
        """Update the list of shards once a minute, and sooner after a shard has ended."""
        if self._clock.now() >= self._list_due:
            self._list_all()
        elif self._ended and self._clock.now() >= self._children_due:
            self._list_children(min(self._ended))

    def _list_children(self, parent: str) -> None:
        try:
            children = dict(self._pages(ShardFilter={"Type": "CHILD_SHARDS", "ShardId": parent}))
        except StreamGone:
            # The same error reports a parent that has left the stream.
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
        """Raise StreamGone if the stream itself is gone, and not only an iterator."""
        if not self._is_list_new:
            self._list_all()

    def _pages(self, **request: object) -> Iterator[tuple[str, str]]:
        while True:
            try:
                page = self._client.describe_stream(StreamArn=self._stream_arn, **request)  # type: ignore[arg-type]
            except self._client.exceptions.ResourceNotFoundException as gone:
                raise StreamGone(f"stream {self._stream_arn} no longer exists. Start a new copy") from gone
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
