"""How far a comparison is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Stage: TypeAlias = Literal["scan", "match", "recheck", "wait"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a comparison is.

    Parameters
    ----------
    stage
        ``"scan"``: both tables are being read. ``"match"``: what was read of both is brought together.
        ``"recheck"``: candidates are read again. ``"wait"``: until the next recheck may begin.
    source_items, destination_items
        Items scanned so far, those of an earlier run included.
    source_total, destination_total
        Items that DynamoDB estimates for the table, about every six hours; 0 where it does not know any.
    source_units, destination_units
        Read capacity units consumed so far.
    candidates, rechecked
        Keys to read again, and how many of them have been in this generation.
    generation
        The recheck that is underway or waited for, from 1.
    wait_seconds
        For ``"wait"``: until it ends.
    seconds
        Since the start, by a monotonic clock.
    resumed_items
        Of `source_items` and `destination_items`: those that an earlier run had read.
    """

    stage: Stage
    source_items: int = 0
    destination_items: int = 0
    source_total: int = 0
    destination_total: int = 0
    source_units: float = 0.0
    destination_units: float = 0.0
    candidates: int = 0
    rechecked: int = 0
    generation: int = 0
    wait_seconds: float = 0.0
    seconds: float = 0.0
    resumed_items: int = 0
