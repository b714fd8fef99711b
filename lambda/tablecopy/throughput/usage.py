"""Usage: what DynamoDB says a table's calls have cost, and how often it has held them back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from tablecopy.metrics.buffer import Meter
from tablecopy.metrics.definitions import (
    CONSUMED_READ_UNITS,
    CONSUMED_WRITE_UNITS,
    READ_THROTTLES,
    WRITE_THROTTLES,
    WRITES_REFUSED,
    Metric,
)

_INDEXES = ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")


class Usage:
    """Counts one side's units and throttles. A table's values hold those of its indexes."""

    def __init__(self, meter: Meter, table: str, units: Metric, throttles: Metric) -> None:
        self._meter = meter
        self._table = table
        self._units = units
        self._throttles = throttles

    def consumed(self, capacities: Iterable[Mapping[str, Any]]) -> float:
        """Count a call's ``ConsumedCapacity`` (a list of API type ConsumedCapacity); all of its units."""
        total = 0.0
        for capacity in capacities:
            total += capacity["CapacityUnits"]
            for kind in _INDEXES:
                for index, part in capacity.get(kind, {}).items():
                    self._meter.add(self._units, part["CapacityUnits"], self._table, index)
        self._meter.add(self._units, total, self._table)
        return total

    def throttled(self, error: ClientError | None = None) -> None:
        """Count a call that DynamoDB did not take, or not wholly, with its ``error`` if there was one."""
        self._meter.add(self._throttles, 1, self._table)
        for index in _throttled_indexes(error):
            self._meter.add(self._throttles, 1, self._table, index)

    def refused(self) -> None:
        """Count a write that the destination refuses for good; one that is tried again counts again."""
        self._meter.add(WRITES_REFUSED, 1)


def reads(meter: Meter, table: str) -> Usage:
    """Of a table that is read."""
    return Usage(meter, table, CONSUMED_READ_UNITS, READ_THROTTLES)


def writes(meter: Meter, table: str) -> Usage:
    """Of a table that is written."""
    return Usage(meter, table, CONSUMED_WRITE_UNITS, WRITE_THROTTLES)


def _throttled_indexes(error: ClientError | None) -> set[str]:
    """The names of the indexes that were the reason, where DynamoDB says so (ThrottlingReasons)."""
    reasons: Any = error.response.get("ThrottlingReasons", ()) if error else ()
    # A reason's resource is the ARN of the table, or of one of its indexes: TABLE-ARN/index/NAME.
    arns = (reason.get("resource") or "" for reason in reasons)
    return {arn.rpartition("/index/")[2] for arn in arns if "/index/" in arn}
