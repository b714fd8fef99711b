"""Reads the pages of a segment, each as soon as the read limit allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from botocore.exceptions import ClientError

from tablecopy.clock import Machine
from tablecopy.dynamodb import errors
from tablecopy.dynamodb.client import DynamoDB, Json, encode
from tablecopy.dynamodb.pages import BadPage, Page, parse
from tablecopy.metrics import log
from tablecopy.throughput.limits import Usage
from tablecopy.throughput.rate import RateLimit


class _Page(Protocol):
    @property
    def last_key(self) -> Json | None: ...
    @property
    def consumed(self) -> float: ...


P = TypeVar("P", bound=_Page)


class Scan:
    """A consistent scan of one segment.

    Parameters
    ----------
    client
        Client of the source.
    table, segment, total_segments
        Table name, segment number, and number of segments of the scan.
    capacity
        Limit on the table's throughput.
    usage
        Counts what was used.
    until
        Seconds since the epoch after which nothing is read.
    """

    def __init__(
        self,
        client: DynamoDB,
        table: str,
        segment: int,
        total_segments: int,
        capacity: RateLimit,
        usage: Usage,
        machine: Machine,
        until: float,
    ) -> None:
        self._client = client
        self._request: Json = {
            "TableName": table,
            "ConsistentRead": True,
            "Segment": segment,
            "TotalSegments": total_segments,
            "ReturnConsumedCapacity": "TOTAL",
        }
        self._capacity = capacity
        self._usage = usage
        self._machine = machine
        self._until = until
        self._jitter = machine.random()

    def end_by(self, moment: float) -> None:
        """Read nothing after ``moment`` (seconds since the epoch), if that is sooner."""
        self._until = min(self._until, moment)

    def read(self, start: Json | None, limit: int | None = None) -> Page:
        """Return the page that begins after the key ``start``, with at most ``limit`` items.

        Raises as ``read_with`` does.
        """
        return self.read_with(parse, start, limit)

    def read_with(self, parser: Callable[[bytes], P], start: Json | None, limit: int | None = None) -> P:
        """Return what ``parser`` makes of the body of that page. It raises BadPage if the body is not whole.

        Raises
        ------
        OutOfTime
            ``until`` came before a page.
        botocore.exceptions.ClientError
            The source cannot be read.
        """
        request = dict(self._request)
        if limit is not None:
            request["Limit"] = limit
        if start is not None:
            request["ExclusiveStartKey"] = start
        body = encode(request)
        backoff = errors.Backoff(self._jitter)
        while True:
            taken = self._capacity.acquire(self._until)
            consumed = 0.0
            try:
                page = parser(self._client.send("Scan", body))
                if start is not None and page.last_key == start:
                    raise BadPage("it ends where it began")
                consumed = self._usage.consumed([{"CapacityUnits": page.consumed}])
                return page
            except ClientError as error:
                if not errors.is_transient(error):
                    raise
                if errors.is_throttled(error):
                    self._capacity.throttled()
                    self._usage.throttled(error)
                log.event("source_retry", code=errors.code(error))
            except (*errors.NO_ANSWER, BadPage) as error:
                # It has most likely been read, at an unknown cost.
                consumed = taken
                log.event("source_no_answer", error=type(error).__name__)
            finally:
                self._capacity.settle(taken, consumed)
            self._machine.sleep(min(backoff.next(), max(0.0, self._until - self._machine.now())))
