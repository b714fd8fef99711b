"""The metrics in CloudWatch: name, unit and dimensions of each.

modules/alarms, modules/dashboard and docs/reference.md use these names; tests compare them with this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NAMESPACE = "DynamoDBAccountCopy"

COPY = "Copy"
"""The dimension that every metric has: the copy's name in Terraform."""
TABLE = "Table"
INDEX = "Index"
PHASE = "Phase"


class Unit(StrEnum):
    """A unit as CloudWatch spells it."""

    COUNT = "Count"
    BYTES = "Bytes"
    SECONDS = "Seconds"


# Compared by identity, because a metric is hashed for each call of DynamoDB.
@dataclass(frozen=True, eq=False)
class Metric:
    """A metric, and the sets of dimensions it is published with.

    If there are several sets, the value with fewer dimensions includes those with more. Never add them up.
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

# Both functions that write to the destination.
WRITES_REFUSED = Metric("WritesRefused")
CONSUMED_WRITE_UNITS = Metric("ConsumedWriteUnits", dimensions=_BY_TABLE_AND_INDEX)
WRITE_THROTTLES = Metric("WriteThrottles", dimensions=_BY_TABLE_AND_INDEX)

# The verifier, whose reads of the source count as those of the backfill.
DESTINATION_READ_UNITS = Metric("DestinationReadUnits", dimensions=((COPY, TABLE),))
DESTINATION_READ_THROTTLES = Metric("DestinationReadThrottles", dimensions=((COPY, TABLE),))

# Control.
OLDEST_UNAPPLIED_CHANGE_AGE = Metric("OldestUnappliedChangeAge", Unit.SECONDS)
DEAD_LETTERS = Metric("DeadLetters")
RECONCILIATIONS = Metric("Reconciliations")
RUN_STOPPED = Metric("RunStopped")
EMPTY_SLICES = Metric("EmptySlices")
FAILED_WORKERS = Metric("FailedWorkers")
RUN_PHASE = Metric("RunPhase", dimensions=((COPY, PHASE),))

# The latest verification, also by control.
VERIFICATION_RUNNING = Metric("VerificationRunning")
VERIFICATION_FAILED = Metric("VerificationFailed")
VERIFICATION_IDLE = Metric("VerificationIdle", Unit.SECONDS)
FAILED_VERIFIERS = Metric("FailedVerifiers")
ITEMS_COMPARED = Metric("ItemsCompared")
DIFFERENCES_FOUND = Metric("DifferencesFound")

# The tracker.
TOUCHED_KEYS_LEFT = Metric("TouchedKeysLeft")
TOUCHED_DIFFERENCES = Metric("TouchedDifferences")
VERIFIED_THROUGH_AGE = Metric("VerifiedThroughAge", Unit.SECONDS)

METRICS = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
