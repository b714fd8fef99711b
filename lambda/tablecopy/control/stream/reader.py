"""Reads the records of one shard: in front of control's position, and how many there are behind that."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tablecopy.journal.shards import Shard

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams.client import DynamoDBStreamsClient

PAGE_RECORDS = 1_000
"""What a call of GetRecords answers with at most (API reference)."""

# GetRecords may take several calls to get to where a shard has records (API reference). A new reader starts
# at a position that may lie hours back, and so believes only the last of this many empty pages.
_EMPTY_PAGES_AT_FIRST = 3


class IteratorExpired(Exception):
    """An iterator, or what it points at, is too old to be read on: begin again at the position."""


@dataclass(frozen=True)
class StreamRecord:
    """A record, as far as control looks at it; ``created`` in seconds since the epoch."""

    sequence_number: str
    created: float


class Reader:
    """Reads one shard onwards from a position and keeps what is not known to be applied.

    Attributes
    ----------
    ahead
        The records read and not known to be applied, in their order.
    from_horizon
        There was no position to start from, or it has left the stream.
    saved
        When what this reader found was last written to the journal, seconds since the epoch.
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
        """The shard is closed and was read to its end."""
        return self._iterator is None

    @property
    def resume_iterator(self) -> str:
        """Where another reader may read on: it finds what is ahead, and no empty pages before that."""
        return self._first_unapplied_page if self.ahead else self._iterator or ""

    def read(self, enough: int) -> bool:
        """Read pages until ``enough`` records are ahead or nothing comes. True if any record came.

        Raises
        ------
        IteratorExpired
            This reader is of no more use.
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
        """Forget the records up to ``position``; returns how many these were."""
        dropped = 0
        while position and self.ahead and int(self.ahead[0].sequence_number) <= int(position):
            self.ahead.popleft()
            dropped += 1
        if dropped:
            self._backlog_count = None
        return dropped

    def is_gone(self, record: StreamRecord) -> bool:
        """Whether a record that was read has left the stream since."""
        try:
            self._iterator_at("AT_SEQUENCE_NUMBER", record.sequence_number)
        except (self._client.exceptions.TrimmedDataAccessException, self._gone):
            return True
        return False

    def count(self, shard: Shard, enough: int, pages: int) -> tuple[str, int]:
        """Count the records behind the position: the last one counted, and how many up to it.

        Behind the first ``enough`` of them every record is read once and not kept, ``pages`` a call.
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
                # The applied record itself has expired. Whether others have is a matter of time.
                pass
        self.from_horizon = True
        try:
            return self._client.get_shard_iterator(
                StreamArn=self._stream_arn, ShardId=self._shard_id, ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
        except self._gone:
            # The shard has expired with all it held.
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
    """How far records were counted. ``iterator`` is empty before the first page, None at a closed end."""

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
    changes = (record["dynamodb"] for record in page["Records"])
    seen = [
        StreamRecord(each["SequenceNumber"], each["ApproximateCreationDateTime"].timestamp())
        for each in changes
    ]
    return seen, page.get("NextShardIterator")
