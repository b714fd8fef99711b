"""The age of stream records: which records of a batch are not applied, and which are applied together."""

from __future__ import annotations

from collections.abc import Sequence

from tablecopy.dynamodb.client import Json

EXPIRING_SECONDS = 23 * 3600.0
"""From this age on, a record is not applied any more.

A stream keeps a record for 24 hours (Streams developer guide). If Lambda begins again at the oldest record
that is left, this may lie inside a batch that was applied a day ago, and nothing shows it.
"""

SPAN_SECONDS = 1800.0
"""Only records that were made within this time of the first one are one batch.

So when the first record of an applied batch leaves the stream, all others of the batch are too old as well.
"""


def leading(records: Sequence[Json], before: float) -> int:
    """Return how many records, counted from the first one, were made before ``before``.

    ``records`` are those of a Lambda event; ``before`` is in seconds since the epoch. The time of a record is
    in whole seconds, rounded down (API reference, StreamRecord).
    """
    for index, record in enumerate(records):
        if created(record) >= before:
            return index
    return len(records)


def created(record: Json) -> float:
    """Return when a record was made, in seconds since the epoch."""
    return float(record["dynamodb"]["ApproximateCreationDateTime"])
