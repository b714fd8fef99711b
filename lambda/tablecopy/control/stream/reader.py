"""Reads the records of one shard after control's position, and counts the ones that follow."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tablecopy.journal.applied_batches import batch_name
from tablecopy.journal.shards import Shard

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams.client import DynamoDBStreamsClient

PAGE_RECORDS = 1_000
"""Most records that GetRecords returns (API reference)."""

# GetRecords may take several calls to reach a shard's records (API reference). A new reader starts at a
# position that may be hours old, so it trusts only the last of this many empty pages.
_EMPTY_PAGES_AT_FIRST = 3


class IteratorExpired(Exception):
    """An iterator, or the record it points at, is too old. Begin again at the position."""


@dataclass(frozen=True)
class StreamRecord:
    """A record as control uses it; ``created`` is in seconds since the epoch."""

    sequence_number: str
    created: float
    event_id: str

    @property
    def name(self) -> str:
        """The name of a batch that begins with this record."""
        return batch_name(self.sequence_number, self.event_id)


class Reader:
    """Reads one shard from a position and keeps the records that are not known to be applied.

    Attributes
    ----------
    ahead
        Records that were read and are not known to be applied, in order.
    from_horizon
        The reader had no position to start from, or the position has left the stream.
    saved
        When the reader's result was last written to the journal, in seconds since the epoch.
    """

    def __init__(self, client: DynamoDBStreamsClient, stream_arn: str, shard: Shard, now: float) -> None:
        self._client = client
        self._stream_arn = stream_arn
        self._shard_id = shard.shard_id
        self.from_horizon = False
        self.ahead: deque[StreamRecord] = deque()
        self.saved = now
        self._iterator = shard.iterator or self._open(shard.position)
        self._first_unapplied_page = ""
        self._patience = _EMPTY_PAGES_AT_FIRST
        self._backlog_count: _BacklogCount | None = None

    @property
    def at_closed_end(self) -> bool:
        """Whether the shard is closed and read to its end."""
        return self._iterator is None

    @property
    def resume_iterator(self) -> str:
        """The iterator at which another reader finds the records ahead, without empty pages before them."""
        return self._first_unapplied_page if self.ahead else self._iterator or ""

    def read(self, enough: int) -> bool:
        """Read pages until ``enough`` records are ahead or a page is empty. Returns whether any came.

        Raises
        ------
        IteratorExpired
            This reader cannot continue.
        """
        brought = False
        while self._iterator is not None and len(self.ahead) < enough:
            if not self.ahead:
                self._first_unapplied_page = self._iterator
            records, self._iterator = _page(self._client, self._iterator)
            self.ahead += records
            if records:
                brought = True
                continue
            self._patience -= 1
            if self._patience <= 0:
                break
        return brought

    def drop_to(self, position: str) -> int:
        """Drop the records up to ``position`` and return how many they were."""
        dropped = 0
        while position and self.ahead and int(self.ahead[0].sequence_number) <= int(position):
            self.ahead.popleft()
            dropped += 1
        if dropped:
            self._backlog_count = None
        return dropped

    def is_gone(self, record: StreamRecord) -> bool:
        """Return whether a record has left the stream since it was read."""
        try:
            self._iterator_at("AT_SEQUENCE_NUMBER", record.sequence_number)
        except (self._client.exceptions.TrimmedDataAccessException, self._gone):
            return True
        return False

    def count(self, shard: Shard, enough: int, pages: int) -> tuple[str, int]:
        """Count the records after the position. Returns the last one counted, and how many up to it.

        After the first ``enough`` records, each record is read once and not kept, ``pages`` pages a call.
        """
        if len(self.ahead) < enough:
            return "", len(self.ahead)
        if self._backlog_count is None:
            known = (shard.counted_to, shard.waiting) if shard.counted_to else None
            self._backlog_count = _BacklogCount(*(known or (self.ahead[-1].sequence_number, len(self.ahead))))
        if self._backlog_count.iterator == "":
            self._backlog_count.iterator = self._iterator_at(
                "AFTER_SEQUENCE_NUMBER", self._backlog_count.counted_to
            )
        for _ in range(pages):
            if self._backlog_count.iterator is None:
                break
            records, self._backlog_count.iterator = _page(self._client, self._backlog_count.iterator)
            if not records:
                break
            self._backlog_count.counted_to = records[-1].sequence_number
            self._backlog_count.count += len(records)
        return self._backlog_count.counted_to, self._backlog_count.count

    @property
    def _gone(self) -> type[Exception]:
        return self._client.exceptions.ResourceNotFoundException

    def _open(self, position: str) -> str | None:
        if position:
            try:
                return self._iterator_at("AFTER_SEQUENCE_NUMBER", position)
            except (self._client.exceptions.TrimmedDataAccessException, self._gone):
                # The applied record itself has expired. Time shows whether later records have as well.
                pass
        self.from_horizon = True
        try:
            return self._client.get_shard_iterator(
                StreamArn=self._stream_arn, ShardId=self._shard_id, ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
        except self._gone:
            # The shard has expired with all its records.
            return None

    def _iterator_at(self, kind: str, sequence_number: str) -> str:
        return self._client.get_shard_iterator(
            StreamArn=self._stream_arn,
            ShardId=self._shard_id,
            ShardIteratorType=kind,  # type: ignore[arg-type]
            SequenceNumber=sequence_number,
        )["ShardIterator"]


@dataclass
class _BacklogCount:
    """How far records are counted. ``iterator`` is empty before the first page, None at a closed end."""

    counted_to: str
    count: int
    iterator: str | None = ""


def _page(client: DynamoDBStreamsClient, iterator: str) -> tuple[list[StreamRecord], str | None]:
    try:
        page = client.get_records(ShardIterator=iterator, Limit=PAGE_RECORDS)
    except (
        client.exceptions.ExpiredIteratorException,
        client.exceptions.TrimmedDataAccessException,
        client.exceptions.ResourceNotFoundException,
    ) as error:
        raise IteratorExpired from error
    seen = [
        StreamRecord(
            record["dynamodb"]["SequenceNumber"],
            record["dynamodb"]["ApproximateCreationDateTime"].timestamp(),
            record["eventID"],
        )
        for record in page["Records"]
    ]
    return seen, page.get("NextShardIterator")
