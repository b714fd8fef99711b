"""A run's status for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from operate.function import Status
from operate.outcome import lacks_changes
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
    yield from state_lines(status, style)
    # A run that was ready is not when letters have come since; control is about to say so.
    if lacks_changes(status):
        yield "  next       verify --writes-stopped, and mend what it finds, before the writers move"
    elif status["phase"] in _NEXT and not status.get("letters"):
        yield f"  next       {_NEXT[status['phase']]}"


def state_lines(status: Status, style: Style) -> Iterator[str]:
    """The lines that show ``status``, but for what to do next."""
    phase = status["phase"]
    yield in_colour(status, style)(headline(phase))
    if phase != "none":
        yield from _figures(status)
    if status.get("letters"):
        letters = count_of(status["letters"], "dead letter")
        when = ", tried again in the next slice" if status["redrive"] else ""
        yield style.yellow("  refused    ") + f"{letters}{when}, see tablecopy letters"
    for problem in status.get("problems", []):
        yield style.yellow("  waits for  ") + printable(problem)
    if status.get("reason"):
        yield style.yellow("  note       ") + printable(status["reason"])


def headline(phase: str) -> str:
    """The phase and what it means."""
    return f"{phase}: {_MEANING[phase]}"


def in_colour(status: Status, style: Style) -> Callable[[str], str]:
    """What paints the headline."""
    if status["phase"] == "stopped" or lacks_changes(status):
        return style.red
    return style.green if status["phase"] in {"ready", "sealed"} else style.bold


def redrive_line(status: Status) -> str:
    """What a redrive that was just asked for will do."""
    return (
        f"{count_of(status['letters'], 'dead letter')} will be tried again in a slice: the replicator "
        "pauses, each key is read from the source again, and what the destination takes then is settled."
    )


def count_of(count: int, thing: str) -> str:
    """``1 thing``, ``2 things``."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def moment(seconds: float) -> str:
    """A moment in seconds since the epoch, for people."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _figures(status: Status) -> Iterator[str]:
    yield f"  run        {status['run']}, since {moment(status['started'])}"
    if status.get("estimate"):
        yield from _estimate(status["estimate"])
    yield (
        f"  backfill   {status['segments_done']} of {status['segments']} segments{slice_text(status)}, "
        f"{status['items']:,} items, {status['bytes'] / 1e6:,.1f} MB"
    )
    yield (
        f"  changes    {status['changes']:,} applied as {status['puts']:,} puts and {status['deletes']:,} "
        f"deletes, oldest unapplied {age_text(status['oldest_unapplied_age'])}"
    )


def _estimate(estimate: dict[str, Any]) -> Iterator[str]:
    cost, currency = estimate["cost"], printable(estimate["currency"])
    money = f"about {cost:,.2f} {currency}" if cost >= 0.01 else f"less than 0.01 {currency}"
    yield (
        f"  estimate   {estimate['items']:,} items, {estimate['bytes'] / 1e6:,.1f} MB: "
        f"{estimate['read_units']:,.0f} read units, {estimate['write_units']:,.0f} write units, {money}"
    )
    copying = duration(estimate["seconds"])
    yield f"             {copying} of copying; the limit is {printable(estimate['limit_reason'])}"


def slice_text(status: Status) -> str:
    """Which slice, how long it is and what is left of it; begins with a comma, empty before the first one."""
    if not status["slice"]:
        return ""
    if status["phase"] != "slice":
        return f", slice {status['slice']}"
    length = status["slice_ends"] - status["phase_since"]
    left = max(0.0, status["slice_ends"] - status["now"])
    return f", slice {status['slice']} of {duration(length)} ({duration(left)} left)"


def duration(seconds: float) -> str:
    """A duration for people."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def age_text(seconds: float) -> str:
    """An age of a change for people; ``none`` for 0."""
    if not seconds:
        return "none"
    return f"{seconds:.0f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"
