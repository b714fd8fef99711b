"""What one worker may use of both tables' throughput, and what its calls have used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from tablecopy.clock import Clock
from tablecopy.metrics.definitions import (
    CONSUMED_READ_UNITS,
    CONSUMED_WRITE_UNITS,
    DESTINATION_READ_THROTTLES,
    DESTINATION_READ_UNITS,
    READ_THROTTLES,
    WRITE_THROTTLES,
    WRITES_REFUSED,
    Metric,
)
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.rate import AdaptiveRate, FixedRate, TokenBucket

# The expected cost of a small page, and of a KB written to a table without indexes, before an answer.
_PAGE_UNITS = 16.0
_KB_UNITS = 1.0

_INDEXES = ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")


class WorkerLimits:
    """A worker's rate limits on both sides.

    Parameters
    ----------
    read_total, write_total
        Capacity units a second over all workers, or None to adapt to what the table accepts.
    """

    def __init__(self, clock: Clock, read_total: float | None, write_total: float | None) -> None:
        self._read_total = read_total
        self._write_total = write_total
        self.read = _limit(clock, read_total, _PAGE_UNITS)
        self.write = _limit(clock, write_total, _KB_UNITS)

    def update(self, workers: int, read_ceiling: float) -> None:
        """Take this worker's part of the totals.

        Parameters
        ----------
        workers
            Number of workers that share the totals, at least 1.
        read_ceiling
            Read units a second of all workers that apply without a total; 0 for no ceiling.
        """
        read_total = self._read_total or read_ceiling
        if read_total:
            self.read.set_limit(read_total / workers)
        if self._write_total:
            self.write.set_limit(self._write_total / workers)


class Usage:
    """Counts the units and throttles of one table. A table's values include those of its indexes."""

    def __init__(self, metrics: MetricsBuffer, table: str, units: Metric, throttles: Metric) -> None:
        self._metrics = metrics
        self._table = table
        self._units = units
        self._throttles = throttles

    def consumed(self, capacities: Iterable[Mapping[str, Any]]) -> float:
        """Count a call's ``ConsumedCapacity`` (a list of API type ConsumedCapacity); return the units."""
        total = 0.0
        for capacity in capacities:
            total += capacity["CapacityUnits"]
            for kind in _INDEXES:
                for index, part in capacity.get(kind, {}).items():
                    self._metrics.add(self._units, part["CapacityUnits"], self._table, index)
        self._metrics.add(self._units, total, self._table)
        return total

    def throttled(self, error: ClientError | None = None) -> None:
        """Count a call that DynamoDB rejected at least in part, with its ``error`` if there was one."""
        self._metrics.add(self._throttles, 1, self._table)
        for index in _throttled_indexes(error):
            self._metrics.add(self._throttles, 1, self._table, index)

    def publish_if_due(self) -> None:
        """Publish what was counted unless that was done recently. For work that takes minutes."""
        self._metrics.publish_if_due()

    def rejected(self) -> None:
        """Count a write that the destination permanently rejects. One that is tried again counts again."""
        self._metrics.add(WRITES_REFUSED, 1)


def read_limit(clock: Clock, total: float | None) -> TokenBucket:
    """Return the limit of a table that is read, with ``total`` units a second or None to adapt."""
    return _limit(clock, total, _PAGE_UNITS)


def read_usage(metrics: MetricsBuffer, table: str) -> Usage:
    """Return the usage of the source, which is read."""
    return Usage(metrics, table, CONSUMED_READ_UNITS, READ_THROTTLES)


def destination_read_usage(metrics: MetricsBuffer, table: str) -> Usage:
    """Return the usage of the destination if it is read. Both tables may have the same name."""
    return Usage(metrics, table, DESTINATION_READ_UNITS, DESTINATION_READ_THROTTLES)


def write_usage(metrics: MetricsBuffer, table: str) -> Usage:
    """Return the usage of a table that is written."""
    return Usage(metrics, table, CONSUMED_WRITE_UNITS, WRITE_THROTTLES)


def _limit(clock: Clock, total: float | None, guess: float) -> TokenBucket:
    return AdaptiveRate(clock, guess) if total is None else FixedRate(clock, total, guess)


def _throttled_indexes(error: ClientError | None) -> list[str]:
    """Return the names of the indexes that were the reason, if DynamoDB names them (ThrottlingReasons)."""
    reasons: Any = error.response.get("ThrottlingReasons", ()) if error else ()
    # A reason's resource is the ARN of the table, or of one of its indexes: TABLE-ARN/index/NAME.
    arns = (reason.get("resource") or "" for reason in reasons)
    return list(dict.fromkeys(arn.rpartition("/index/")[2] for arn in arns if "/index/" in arn))
