"""DynamoDB Streams: shards, iterators and records, of which only what control needs is read.

Control follows every shard, and needs three members of a record. Decoding the images with them would take a
hundred times as long, so the members are found in the answer's bytes. Item data cannot pass for them: the
value of an attribute is always an object (API reference, AttributeValue), the three members are a string or
a number, and a quotation mark within a string is escaped. Keys are found in the same way where they are
needed: their values are strings in objects, and an attribute that is called "Keys" holds either a string, or
objects of objects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeVar

from botocore.exceptions import ClientError, ResponseStreamingError

from tablecopy.clock import Machine
from tablecopy.dynamodb import errors
from tablecopy.dynamodb.client import DynamoDB, Json, document, encode

BETWEEN_READS_SECONDS = 0.5
"""Least time between two calls for a shard.

A reader of a shard may call GetRecords five times a second, and a shard has two (Developer Guide, DynamoDB
Streams). Control leaves most of that to the mapping.
"""

READERS = 32
"""Shards that are read at the same time."""

PAGE_RECORDS = 1_000
"""Most records that GetRecords returns (API reference, GetRecords). A page also has at most 1 MB."""

PAGE_BYTES = 1_000_000

EMPTY_PAGES = 4
"""Only the last of this many empty pages shows that nothing follows a place that was just looked up.

GetRecords may take several calls to reach a shard's records (API reference), and no page says how many.
"""

RECENT_SECONDS = 60.0
"""The end of a page with a record this new is near the shard's end."""

_SEQUENCE_NUMBER = re.compile(rb'"SequenceNumber"\s*:\s*"(\d+)"')
_EVENT_ID = re.compile(rb'"eventID"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"')
_CREATED = re.compile(rb'"ApproximateCreationDateTime"\s*:\s*([-+.\deE]+)')
# One or two attributes, each a string, a number or binary (Streams API reference, StreamRecord).
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_KEY = rb'%b\s*:\s*\{\s*"[SNB]"\s*:\s*%b\s*\}' % (_STRING, _STRING)
_KEYS = re.compile(rb'"Keys"\s*:\s*(\{\s*%b(?:\s*,\s*%b)?\s*\})' % (_KEY, _KEY))
_NEXT_ITERATOR = re.compile(rb'"NextShardIterator"\s*:\s*"((?:[^"\\]|\\.)*)"')

T = TypeVar("T")

_BACKOFF_BASE_SECONDS = 0.1
_BACKOFF_CAP_SECONDS = 2.0


class StreamNotFound(Exception):
    """The stream does not exist, or it has no such shard: ResourceNotFoundException is the error for both."""


class IteratorExpired(Exception):
    """The iterator is older than 15 minutes, or the record that it points at has left the stream."""


class Unavailable(Exception):
    """The service throttles or does not answer. The same call may succeed later."""


class StreamRecord(NamedTuple):
    """A record as control uses it; ``created`` is in seconds since the epoch."""

    sequence_number: str
    event_id: str
    created: float


@dataclass(frozen=True)
class RecordsPage:
    """An answer of GetRecords.

    Attributes
    ----------
    records
        The records, in the order of the shard.
    iterator
        Iterator of the next page; ``None`` at the end of a closed shard.
    size
        Bytes of the answer.
    limit
        Most records that it could have.
    keys
        The records' ``Keys`` as they are in the answer, JSON text in DynamoDB JSON; empty unless requested.
    body
        The whole answer; empty unless requested.
    """

    records: list[StreamRecord]
    iterator: str | None
    size: int
    limit: int = PAGE_RECORDS
    keys: Sequence[bytes] = ()
    body: bytes = b""

    @property
    def is_full(self) -> bool:
        """Whether the page has about as much as one may have, so that more is likely to follow."""
        return len(self.records) >= self.limit or self.size >= PAGE_BYTES // 2


@dataclass(frozen=True)
class ListedShard:
    """A shard of DescribeStream. ``parent`` is empty if the stream does not report it."""

    shard_id: str
    parent: str
    closed: bool


@dataclass(frozen=True)
class ShardPage:
    """An answer of DescribeStream.

    Attributes
    ----------
    shards
        At most 100 shards, open ones and those that ended within the last 24 hours.
    last
        Shard after which the next page begins; empty on the last page.
    enabled
        Whether the stream is on.
    """

    shards: list[ListedShard]
    last: str
    enabled: bool


class StreamClient:
    """Reads one stream. Safe to use from several threads."""

    def __init__(self, client: DynamoDB, stream_arn: str, machine: Machine) -> None:
        self._client = client
        self._machine = machine
        self._jitter = machine.random()
        self.stream_arn = stream_arn

    def describe(self, *, after: str = "", children_of: str = "") -> ShardPage:
        """Return a page of the stream's shards: one call, which is not repeated.

        Parameters
        ----------
        after
            Shard after which the page begins.
        children_of
            Return only the children of this shard (API reference, ShardFilter).

        Raises
        ------
        StreamNotFound
            There is no such stream, or no shard ``children_of``.
        Unavailable
            DynamoDB throttles, or does not answer.
        botocore.exceptions.ClientError
            Another error, for example a denied call.
        """
        request: Json = {"StreamArn": self.stream_arn}
        if after:
            request["ExclusiveStartShardId"] = after
        if children_of:
            request["ShardFilter"] = {"Type": "CHILD_SHARDS", "ShardId": children_of}
        return self._call("DescribeStream", request, 0, _shard_page)

    def iterator(self, shard_id: str, kind: str, until: float, sequence_number: str = "") -> str:
        """Return an iterator of a shard.

        Parameters
        ----------
        kind
            "TRIM_HORIZON", "LATEST", "AT_SEQUENCE_NUMBER" or "AFTER_SEQUENCE_NUMBER".
        until
            The call is repeated until this moment, in seconds since the epoch, and sent once at least.
        sequence_number
            For the last two kinds.

        Raises
        ------
        IteratorExpired
            The record with ``sequence_number`` has left the stream.
        StreamNotFound
            The shard has left the stream, or there is no such stream.
        Unavailable, botocore.exceptions.ClientError
            As for ``describe``.
        """
        request: Json = {"StreamArn": self.stream_arn, "ShardId": shard_id, "ShardIteratorType": kind}
        if sequence_number:
            request["SequenceNumber"] = sequence_number
        return self._call("GetShardIterator", request, until, _shard_iterator)

    def records(
        self,
        iterator: str,
        until: float,
        limit: int = PAGE_RECORDS,
        *,
        keys: bool = False,
        body: bool = False,
    ) -> RecordsPage:
        """Return at most ``limit`` records at ``iterator``, or none although there are some further on.

        With their ``keys``, or the ``body`` of the answer with their images, if requested. The call is
        repeated until ``until``. Raises what ``iterator`` raises.
        """
        request = {"ShardIterator": iterator, "Limit": limit}
        return self._call("GetRecords", request, until, partial(parse, limit=limit, keys=keys, body_too=body))

    def _call(self, operation: str, request: Json, until: float, read: Callable[[bytes], T]) -> T:
        body = encode(request)
        backoff = errors.Backoff(self._jitter, _BACKOFF_BASE_SECONDS, _BACKOFF_CAP_SECONDS)
        while True:
            try:
                return read(self._client.send(operation, body))
            except ClientError as error:
                code = errors.code(error)
                if code == errors.RESOURCE_NOT_FOUND:
                    raise StreamNotFound(f"{operation} finds no such stream or shard") from error
                if code in errors.EXPIRED_ITERATOR:
                    raise IteratorExpired(code) from error
                if not errors.is_transient(error):
                    raise
                failure: Exception = error
            except errors.NO_ANSWER as error:
                failure = error
            wait = max(BETWEEN_READS_SECONDS, backoff.next())
            if self._machine.now() + wait >= until:
                raise Unavailable(str(failure)) from failure
            self._machine.sleep(wait)


def parse(
    body: bytes, limit: int = PAGE_RECORDS, *, keys: bool = False, body_too: bool = False
) -> RecordsPage:
    """Return the page in the body of an answer of GetRecords, which was asked for ``limit`` records.

    ``keys`` is whether to find the records' keys as well, and ``body_too`` whether to keep the body.

    Raises
    ------
    botocore.exceptions.ResponseStreamingError
        The body is not a whole answer of GetRecords.
    """
    following = _NEXT_ITERATOR.search(body)
    numbers, ids, created = (pattern.findall(body) for pattern in (_SEQUENCE_NUMBER, _EVENT_ID, _CREATED))
    if b'"Records"' not in body or not len(numbers) == len(ids) == len(created):
        raise ResponseStreamingError(error="the answer is cut short or is not DynamoDB's JSON")
    records = [
        StreamRecord(number.decode(), _string(event_id), float(at))
        for number, event_id, at in zip(numbers, ids, created, strict=True)
    ]
    found = _KEYS.findall(body) if keys else ()
    if keys and len(found) != len(records):
        raise ResponseStreamingError(error="records without a key, or with several, are not DynamoDB's JSON")
    iterator = _string(following[1]) if following else None
    return RecordsPage(records, iterator, len(body), limit, found, body if body_too else b"")


def _string(escaped: bytes) -> str:
    """Return the string of which JSON has this between its quotation marks. Most need no decoder of JSON."""
    if b"\\" in escaped:
        return str(json.loads(b'"%b"' % escaped))
    return escaped.decode("utf-8", "surrogatepass")


def _shard_iterator(body: bytes) -> str:
    iterator: str = document(body)["ShardIterator"]
    return iterator


def _shard_page(body: bytes) -> ShardPage:
    description = document(body)["StreamDescription"]
    return ShardPage(
        shards=[
            ListedShard(
                shard["ShardId"],
                shard.get("ParentShardId", ""),
                "EndingSequenceNumber" in shard.get("SequenceNumberRange", {}),
            )
            for shard in description["Shards"]
        ],
        last=description.get("LastEvaluatedShardId") or "",
        enabled=description.get("StreamStatus") not in {"DISABLED", "DISABLING"},
    )
