"""One invocation's part of the work on a segment: what its kinds share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tablecopy.clock import Machine
from tablecopy.comparison.differences import fitting
from tablecopy.comparison.items import KeySchema
from tablecopy.dynamodb.client import DynamoDB
from tablecopy.journal.verifications import Compared, Verification, Verifications
from tablecopy.throughput.limits import Usage
from tablecopy.throughput.rate import TokenBucket
from tablecopy.verifier.keys import MOST_KEYS, KeyReader
from tablecopy.verifier.recheck import Judged, Recheck

MOST_LISTED = 1_000
"""Differences of a segment that are listed. The others are counted."""

MOST_OPEN = 10_000
"""Open keys of a segment that are kept to be read again. With more, the segment stays undecided."""

# What is saved at a time must fit into one transaction: 100 items and 4 MB. What does not fit is counted.
MOST_UNSAVED = 200
_LISTED_CHARACTERS = 1_000_000
_OPEN_CHARACTERS = 2_000_000

SAVE_SECONDS = 10.0

# Reading ends so long before the function does that what was read can be judged and saved.
JUDGE_MARGIN_SECONDS = 8.0

# A unit of a consistent read (API reference, Scan).
UNIT_BYTES = 4096

# So long the units of the keys that are read at a time last at most.
_KEYS_SECONDS = 5.0


class NoProgress(Exception):
    """An invocation has ended and could not compare anything."""


class Result(StrEnum):
    """What the state machine does after a worker's invocation."""

    CONTINUE = "continue"
    """Invoke again: the function's time was up."""
    DONE = "done"
    """The segment is compared."""
    STOP = "stop"
    """There is nothing to do: the verification has ended, or another one has begun."""


@dataclass(frozen=True)
class Table:
    """A table that is compared.

    Attributes
    ----------
    name
        Name of the table.
    capacity
        The worker's limit on its throughput.
    usage
        Counts what was used.
    """

    client: DynamoDB
    name: str
    capacity: TokenBucket
    usage: Usage


class Part:
    """One invocation's part of the work on a segment: what was saved before it, and last."""

    def __init__(
        self,
        verifications: Verifications,
        verification: Verification,
        compared: Compared,
        tables: tuple[Table, Table],
        machine: Machine,
    ) -> None:
        self._verifications = verifications
        self._verification = verification
        self._base = self._saved = compared
        self._tables = tables
        self._machine = machine
        self._keys = KeySchema(verification.key_names)
        self._recheck = _recheck(verification, tables, machine)

    def _write(self, reached: Compared, found: Judged, *, rechecking: bool = False) -> bool:
        """Write how far the segment is, with what was found. Returns whether this worker may continue."""
        saved = _saved(
            self._verifications, self._verification.verification_id, reached, found, rechecking=rechecking
        )
        if saved is None:
            return False
        self._saved = saved
        return True


def rate_of(tables: Sequence[Table]) -> float:
    """Return the read units a second that both tables allow now."""
    return min(table.capacity.rate for table in tables)


def keys_at_once(tables: Sequence[Table], item_bytes: float) -> int:
    """Return how many keys may be read so that their units are there within a few seconds."""
    units = rate_of(tables) * _KEYS_SECONDS
    return max(1, int(min(MOST_KEYS, units / max(1.0, item_bytes / UNIT_BYTES))))


def no_progress(seconds: float) -> str:
    """Return why an invocation of so many seconds could not compare anything."""
    return (
        f"in {seconds:.0f} s nothing was compared. A table has no read capacity left, or the read budget is "
        "too small. Raise the read capacity of both tables, or the budgets of the verification"
    )


def _recheck(verification: Verification, tables: Sequence[Table], machine: Machine) -> Recheck:
    keys = KeySchema(verification.key_names)
    source, destination = (
        KeyReader(table.client, table.name, keys, table.capacity, table.usage, machine) for table in tables
    )
    return Recheck(
        (source, destination),
        keys,
        machine,
        expiry=verification.expiry,
        writes_stopped=verification.counts_at_once,
    )


def _saved(
    verifications: Verifications,
    verification_id: str,
    compared: Compared,
    found: Judged,
    *,
    rechecking: bool = False,
) -> Compared | None:
    """Save a segment with what was found; return it as saved, or None if another worker was first."""
    kinds = Counter(difference.kind.value for difference in found.standing)
    listed = found.standing[: max(0, MOST_LISTED - compared.listed)]
    listed = listed[: fitting(listed, _LISTED_CHARACTERS)]
    kept = found.open[: max(0, MOST_OPEN - compared.open)]
    kept = kept[: fitting(kept, _OPEN_CHARACTERS)]
    counted = replace(
        compared,
        equal=compared.equal + found.equal,
        missing=compared.missing + kinds["missing"],
        changed=compared.changed + kinds["changed"],
        extra=compared.extra + kinds["extra"],
        expired=compared.expired + kinds["expired"],
        listed=compared.listed + len(listed),
        open=compared.open + len(kept),
        undecided=compared.undecided + len(found.open) - len(kept),
    )
    return verifications.save_segment(verification_id, counted, listed, kept, rechecking=rechecking)
