"""A run's status for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from operate.function import Status
from sides.output import Style, printable

_MEANING = {
    "none": "no run yet",
    "preflight": "checking whether the copy can begin",
    "pausing": "holding the replicator before the next slice",
    "slice": "copying segments, replicator paused",
    "resuming": "slice over, waiting for its last writes",
    "draining": "applying changes",
    "ready": "everything is copied and applied; ready for cutover",
    "sealing": "waiting for the replicator's last writes",
    "sealed": "nothing that happens at the source reaches the destination any more",
    "stopped": "the run cannot go on by itself",
}

_NEXT = {
    "none": "tablecopy start",
    "ready": "stop the writers, verify --writes-stopped, tablecopy seal, move the writers",
    "sealed": "move the writers to the destination",
}


def lines(status: Status, style: Style) -> Iterator[str]:
    """The lines that show ``status``: a headline, the figures, what it waits for, what to do next."""
    phase = status["phase"]
    yield _headline(phase, style)
    if phase != "none":
        yield from _figures(status)
    for problem in status.get("problems", []):
        yield style.yellow("  waits for  ") + printable(problem)
    if status.get("reason"):
        yield style.yellow("  note       ") + printable(status["reason"])
    if phase in _NEXT:
        yield f"  next       {_NEXT[phase]}"


def _headline(phase: str, style: Style) -> str:
    text = f"{phase}: {_MEANING[phase]}"
    if phase == "stopped":
        return style.red(text)
    return style.green(text) if phase in {"ready", "sealed"} else style.bold(text)


def _figures(status: Status) -> Iterator[str]:
    yield f"  run        {status['run']}, since {_moment(status['started'])}"
    slice_ = f", slice {status['slice']}" if status["slice"] else ""
    yield (
        f"  backfill   {status['segments_done']} of {status['segments']} segments{slice_}, "
        f"{status['items']:,} items, {status['bytes'] / 1e6:,.1f} MB"
    )
    yield (
        f"  changes    {status['changes']:,} applied as {status['puts']:,} puts and {status['deletes']:,} "
        f"deletes, oldest unapplied {_age(status['oldest_unapplied_age'])}"
    )


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _age(seconds: float) -> str:
    if not seconds:
        return "none"
    return f"{seconds:.0f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"
