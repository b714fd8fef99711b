"""Reads one shard from its position to its end."""

from __future__ import annotations

import logging
from typing import Any

from botocore.exceptions import ClientError

from tools.local.mapping.record import Record

logger = logging.getLogger(__name__)

PAGE_LIMIT = 1000


class ShardReader:
    """The position in a shard, and the way on from there.

    Parameters
    ----------
    streams
        DynamoDB Streams client that leaves records as they came (see `Clients`).
    stream_arn, shard_id : str
        What to read.
    starting_position : str
        ``TRIM_HORIZON`` or ``LATEST``.
    """

    def __init__(self, streams: Any, stream_arn: str, shard_id: str, starting_position: str) -> None:
        self._streams = streams
        self._stream_arn = stream_arn
        self._shard_id = shard_id
        self._starting_position = starting_position
        self._last_read: str | None = None
        self._iterator: str | None = None
        self.is_at_end = False

    def read(self) -> list[Record]:
        """The next records; none does not mean the end.

        An expired iterator is replaced at the same position. If the records there are gone already,
        reading goes on with the oldest that are left.
        """
        if self.is_at_end:
            return []
        try:
            if self._iterator is None:
                self._iterator = self._new_iterator()
            page = self._streams.get_records(ShardIterator=self._iterator, Limit=PAGE_LIMIT)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in ("ExpiredIteratorException", "TrimmedDataAccessException"):
                raise
            self._iterator = None
            # LATEST is another place by now. Too many records are better than too few.
            self._starting_position = "TRIM_HORIZON"
            if code == "TrimmedDataAccessException":
                logger.warning("%s: records were trimmed before they were read", self._shard_id)
                self._last_read = None
            return []
        records = [Record.from_stream(raw, self._stream_arn) for raw in page["Records"]]
        if records:
            self._last_read = records[-1].sequence_number
        self._iterator = page.get("NextShardIterator")
        self.is_at_end = self._iterator is None
        return records

    def _new_iterator(self) -> str:
        place = (
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._last_read}
            if self._last_read
            else {"ShardIteratorType": self._starting_position}
        )
        answer = self._streams.get_shard_iterator(StreamArn=self._stream_arn, ShardId=self._shard_id, **place)
        iterator: str = answer["ShardIterator"]
        return iterator
