"""The stream as control sees it: which changes have been applied, and how old the oldest other one is.

Lambda does not tell the replicator which shard a batch is of. Control reads the shards itself, as their
second reader, and finds the replicator's marks in them. A batch is a contiguous run of its shard, and the
batches of a shard follow one another, so that the marks make a chain from position to position.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tablecopy.clock import Clock
from tablecopy.journal.marks import Mark, Marks, sortable
from tablecopy.journal.shards import Shard, Shards

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams.client import DynamoDBStreamsClient

RETENTION_SECONDS = 86_400
"""A stream keeps a record for 24 hours (Streams developer guide)."""

# A batch holds at most 1,000 records (modules/copy, replicator.batch_size), so that this many ahead are
# enough to know where the chain of marks goes on. While everything read turns out to be applied, a look
# goes on for this many rounds: a stream of many shards must not keep control from its other work.
_LOOK_AHEAD = 1_000
_ROUNDS = 10

# GetRecords may take several calls to get to where a shard has records (API reference). A new reader starts
# at a position that may lie hours back, and so believes only the last of this many empty pages.
_EMPTY_PAGES_AT_FIRST = 3


class RecordsExpired(Exception):
    """Records left the stream before they were applied: the copy lacks changes and cannot get them back."""


@dataclass(frozen=True)
class Backlog:
    """What of the stream is not applied.

    Attributes
    ----------
    oldest_age
        Seconds since the oldest change that is not known to be applied; 0 when there is none.
    drained
        Every shard is applied to its closed end or has been empty for long enough.
    records, puts, deletes
        What has been applied so far.
    """

    oldest_age: float
    drained: bool
    records: int
    puts: int
    deletes: int


@dataclass(frozen=True)
class _Seen:
    sequence_number: str
    created: float


class _Reader:
    """Reads one shard onwards from a position and keeps what is not known to be applied."""

    def __init__(self, client: DynamoDBStreamsClient, stream_arn: str, shard: Shard) -> None:
        self._client = client
        self._stream_arn = stream_arn
        self._shard_id = shard.shard_id
        self.from_horizon = False
        self.ahead: deque[_Seen] = deque()
        self._iterator: str | None = self._open(shard.position)
        self._patience = _EMPTY_PAGES_AT_FIRST

    @property
    def at_closed_end(self) -> bool:
        return self._iterator is None

    def read(self, enough: int) -> bool:
        """Read pages until ``enough`` records are ahead or nothing comes. True if any record came."""
        brought = False
        while self._iterator is not None and len(self.ahead) < enough:
            page = self._client.get_records(ShardIterator=self._iterator, Limit=1000)
            self._iterator = page.get("NextShardIterator")
            for record in page["Records"]:
                change = record["dynamodb"]
                self.ahead.append(
                    _Seen(change["SequenceNumber"], change["ApproximateCreationDateTime"].timestamp())
                )
            if page["Records"]:
                brought = True
                continue
            self._patience -= 1
            if self._patience <= 0:
                break
        return brought

    def drop_to(self, position: str) -> None:
        while position and self.ahead and int(self.ahead[0].sequence_number) <= int(position):
            self.ahead.popleft()

    def _open(self, position: str) -> str | None:
        gone = self._client.exceptions.ResourceNotFoundException
        if position:
            try:
                return self._client.get_shard_iterator(
                    StreamArn=self._stream_arn,
                    ShardId=self._shard_id,
                    ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                    SequenceNumber=position,
                )["ShardIterator"]
            except (self._client.exceptions.TrimmedDataAccessException, gone):
                # The applied record itself has expired. Whether others have is a matter of time.
                pass
        self.from_horizon = True
        try:
            return self._client.get_shard_iterator(
                StreamArn=self._stream_arn, ShardId=self._shard_id, ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
        except gone:
            # The shard has expired with all it held.
            return None


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
        marks: Marks,
        clock: Clock,
        drained_after: float,
    ) -> None:
        self._client = client
        self._stream_arn = stream_arn
        self._shards = shards
        self._marks = marks
        self._clock = clock
        self._drained_after = drained_after
        self._readers: dict[str, _Reader] = {}

    def observe(self, covered_to: float) -> Backlog:
        """Look at all shards once.

        Parameters
        ----------
        covered_to
            The backfill has read, or will read, what changes made before this moment (seconds since the
            epoch) have led to: it does no harm when they expire.

        Raises
        ------
        RecordsExpired
            A record expired before it was applied.
        """
        now = self._clock.now()
        known = self._shards.read_all()
        current: list[Shard] = []
        overtaken: list[str] = []
        certain = True
        for shard_id in self._shard_ids(known):
            before = known.get(shard_id) or Shard(shard_id, applied_to=now)
            shard = self._follow(before, covered_to)
            if shard != known.get(shard_id):
                # Overtaken by another reconciler, a look proves nothing. Nor does it where a shard has just
                # come to its end: the shards that follow it may be younger than the list.
                saved = self._shards.save(shard)
                certain = certain and saved is not None and shard.finished == before.finished
                if saved is None:
                    overtaken.append(shard_id)
            current.append(shard)
        followed = {shard.shard_id for shard in current}
        counted = [*current, *(shard for shard_id, shard in known.items() if shard_id not in followed)]
        ages = [now - self._oldest(shard).created for shard in current if self._has_backlog(shard)]
        for shard_id in overtaken:
            self._readers.pop(shard_id, None)
        return Backlog(
            oldest_age=max([0.0, *ages]),
            drained=certain and bool(current) and all(self._is_drained(shard, now) for shard in current),
            records=sum(shard.records for shard in counted),
            puts=sum(shard.puts for shard in counted),
            deletes=sum(shard.deletes for shard in counted),
        )

    def _follow(self, shard: Shard, covered_to: float) -> Shard:
        if shard.finished:
            return shard
        now = self._clock.now()
        reader = self._reader(shard, covered_to)
        # Another reconciler may have moved the position on.
        reader.drop_to(shard.position)
        newest = shard.applied_to
        brought = False
        for _ in range(_ROUNDS):
            more = reader.read(_LOOK_AHEAD)
            brought = brought or more
            reader.drop_to(shard.position)
            newest = reader.ahead[-1].created if reader.ahead else newest
            shard = self._advance(shard, reader)
            if reader.ahead or not more:
                break
        if reader.ahead:
            applied_to = max(shard.applied_to, reader.ahead[0].created)
            _check_not_expired(shard.shard_id, max(applied_to, covered_to), now)
            return replace(shard, applied_to=applied_to, empty_since=None)
        if reader.at_closed_end:
            return replace(shard, applied_to=now, finished=True)
        if brought:
            return replace(shard, applied_to=max(shard.applied_to, newest), empty_since=None)
        empty_since = now if shard.empty_since is None else shard.empty_since
        # One empty answer proves nothing. To believe it would hide a change that expires unapplied.
        empty = now - empty_since >= self._drained_after
        return replace(shard, applied_to=now if empty else shard.applied_to, empty_since=empty_since)

    def _advance(self, shard: Shard, reader: _Reader) -> Shard:
        """Follow the marks from batch to batch: each begins where the one before it ended."""
        if not reader.ahead:
            return shard
        begin = shard.batch_first or reader.ahead[0].sequence_number
        marks = self._marks.between(begin, reader.ahead[-1].sequence_number)
        chain: list[Mark] = []
        while reader.ahead and (mark := _leading_on(marks, reader.ahead)):
            chain.append(mark)
            reader.drop_to(mark.last)
        if not chain:
            return shard
        return replace(
            shard,
            position=chain[-1].last,
            batch_first=chain[-1].first,
            records=shard.records + sum(mark.records for mark in chain),
            puts=shard.puts + sum(mark.puts for mark in chain),
            deletes=shard.deletes + sum(mark.deletes for mark in chain),
        )

    def _reader(self, shard: Shard, covered_to: float) -> _Reader:
        reader = self._readers.get(shard.shard_id)
        if reader is None:
            reader = _Reader(self._client, self._stream_arn, shard)
            if reader.from_horizon:
                _check_not_expired(shard.shard_id, max(shard.applied_to, covered_to), self._clock.now())
            self._readers[shard.shard_id] = reader
        return reader

    def _oldest(self, shard: Shard) -> _Seen:
        return self._readers[shard.shard_id].ahead[0]

    def _has_backlog(self, shard: Shard) -> bool:
        return not shard.finished and bool(self._readers[shard.shard_id].ahead)

    def _is_drained(self, shard: Shard, now: float) -> bool:
        if shard.finished:
            return True
        return shard.empty_since is not None and now - shard.empty_since >= self._drained_after

    def _shard_ids(self, known: dict[str, Shard]) -> list[str]:
        """The shards of the stream, and those that left it unfinished: what they held may be lost."""
        unfinished = (shard_id for shard_id, shard in known.items() if not shard.finished)
        return list(dict.fromkeys([*self._listed(), *unfinished]))

    def _listed(self) -> Iterator[str]:
        page = self._client.describe_stream(StreamArn=self._stream_arn)["StreamDescription"]
        while True:
            for shard in page["Shards"]:
                yield shard["ShardId"]
            if "LastEvaluatedShardId" not in page:
                return
            page = self._client.describe_stream(
                StreamArn=self._stream_arn, ExclusiveStartShardId=page["LastEvaluatedShardId"]
            )["StreamDescription"]


def _leading_on(marks: Mapping[str, Mark], ahead: deque[_Seen]) -> Mark | None:
    """The mark that covers the first record ahead.

    Mostly it is that record's own. But a batch that was applied and not acknowledged may be delivered again
    in other portions, and the one after it then begins before the record and ends behind it. Its last
    record tells that it is of this shard.
    """
    own = marks.get(sortable(ahead[0].sequence_number))
    if own:
        return own
    start = int(ahead[0].sequence_number)
    here = {seen.sequence_number for seen in ahead}
    return next((mark for mark in marks.values() if int(mark.first) < start and mark.last in here), None)


def _check_not_expired(shard_id: str, applied_to: float, now: float) -> None:
    if applied_to < now - RETENTION_SECONDS:
        hours = (now - applied_to) / 3600
        raise RecordsExpired(
            f"shard {shard_id}: changes made {hours:.0f} hours ago were not applied within the 24 hours "
            "that a stream keeps them. The copy lacks them: empty the destination and start a new copy"
        )
