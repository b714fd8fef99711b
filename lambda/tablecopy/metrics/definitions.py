"""The metrics in CloudWatch: what each is called, what it is counted in, and which dimensions it has.

modules/alarms, modules/dashboard and docs/reference.md use these names; tests hold all of them to this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NAMESPACE = "DynamoDBAccountCopy"

COPY = "Copy"
"""The dimension that every metric has: what Terraform calls the copy."""
TABLE = "Table"
INDEX = "Index"
PHASE = "Phase"


class Unit(StrEnum):
    """A unit as CloudWatch spells it."""

    COUNT = "Count"
    BYTES = "Bytes"
    SECONDS = "Seconds"


# Compared by identity: counting hashes a metric for each call of DynamoDB.
@dataclass(frozen=True, eq=False)
class Metric:
    """A metric, and the sets of dimensions it is published with.

    Where there are several sets, the value with fewer dimensions holds those with more: they are never to be
    added up.
    """

    name: str
    unit: Unit = Unit.COUNT
    dimensions: tuple[tuple[str, ...], ...] = ((COPY,),)


_BY_TABLE_AND_INDEX = ((COPY, TABLE), (COPY, TABLE, INDEX))

# The backfill.
ITEMS_COPIED = Metric("ItemsCopied")
BYTES_COPIED = Metric("BytesCopied", Unit.BYTES)
CONSUMED_READ_UNITS = Metric("ConsumedReadUnits", dimensions=((COPY, TABLE),))
READ_THROTTLES = Metric("ReadThrottles", dimensions=((COPY, TABLE),))

# The replicator.
RECORDS_APPLIED = Metric("RecordsApplied")
PUTS_APPLIED = Metric("PutsApplied")
DELETES_APPLIED = Metric("DeletesApplied")

# Whoever writes to the destination.
WRITES_REFUSED = Metric("WritesRefused")
CONSUMED_WRITE_UNITS = Metric("ConsumedWriteUnits", dimensions=_BY_TABLE_AND_INDEX)
WRITE_THROTTLES = Metric("WriteThrottles", dimensions=_BY_TABLE_AND_INDEX)

# Control.
OLDEST_UNAPPLIED_CHANGE_AGE = Metric("OldestUnappliedChangeAge", Unit.SECONDS)
DEAD_LETTERS = Metric("DeadLetters")
RECONCILIATIONS = Metric("Reconciliations")
RUN_STOPPED = Metric("RunStopped")
EMPTY_SLICES = Metric("EmptySlices")
FAILED_WORKERS = Metric("FailedWorkers")
RUN_PHASE = Metric("RunPhase", dimensions=((COPY, PHASE),))

METRICS = (
    ITEMS_COPIED,
    BYTES_COPIED,
    CONSUMED_READ_UNITS,
    READ_THROTTLES,
    RECORDS_APPLIED,
    PUTS_APPLIED,
    DELETES_APPLIED,
    WRITES_REFUSED,
    CONSUMED_WRITE_UNITS,
    WRITE_THROTTLES,
    OLDEST_UNAPPLIED_CHANGE_AGE,
    DEAD_LETTERS,
    RECONCILIATIONS,
    RUN_STOPPED,
    EMPTY_SLICES,
    FAILED_WORKERS,
    RUN_PHASE,
)
