"""How close an estimate of ``verify`` came to the run that followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def ratio(estimate: Mapping[str, Any], summary: Mapping[str, Any], wall_seconds: float) -> float:
    """Return the time that was estimated over the time it took: 1 is exact, 2 is twice as long as it took.

    Parameters
    ----------
    estimate
        The record of ``verify estimate --format jsonl``.
    summary
        The last record of ``verify --format jsonl`` over the same tables with the same flags. Each recheck
        after the first one waits, which the estimate gives apart.
    wall_seconds
        Seconds the command took, from its start to its end.

    Raises
    ------
    ValueError
        The records are not those of an estimate and of a comparison.
    """
    if (estimate.get("type"), summary.get("type")) != ("estimate", "summary"):
        raise ValueError("pass the record of verify estimate and the summary of verify")
    waits = max(0, int(summary["generations"]) - 1)
    return float(estimate["seconds"] + waits * estimate["recheck_seconds"]) / wall_seconds


def is_close(
    estimate: Mapping[str, Any], summary: Mapping[str, Any], wall_seconds: float, factor: float = 2.0
) -> bool:
    """Return whether the estimate is within ``factor`` of what it took."""
    return 1 / factor <= ratio(estimate, summary, wall_seconds) <= factor
