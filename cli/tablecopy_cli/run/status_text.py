"""A run's status for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tablecopy.text import count_text, duration_text, size_text, timestamp
from tablecopy_cli.advice import Step, step_lines
from tablecopy_cli.common.control_function import Status
from tablecopy_cli.common.terminal import Style
from tablecopy_cli.common.text import escaped
from tablecopy_cli.run.outcome import lacks_changes

_MEANING = {
    "none": "no run yet",
    "preflight": "checking whether the copy can begin",
    "pausing": "stopping the replicator before the next slice",
    "slice": "copying segments, replicator paused",
    "resuming": "the slice has ended, waiting for its last writes",
    "draining": "applying changes",
    "ready": "everything is copied and applied; ready for cutover",
    "sealing": "waiting for the replicator's last writes",
    "sealed": "the copy has ended, later changes in the source table are not copied",
    "stopped": "the run cannot continue by itself",
}

# How control's reason begins while nothing but changes keeps a run from being ready.
_APPLYING = "changes are still being applied"
_IN_SYNC = "in sync, applying changes as they arrive"


def lines(status: Status, steps: Sequence[Step], style: Style) -> Iterator[str]:
    """The lines that show ``status``: a headline, the figures, what it waits for, and the next steps."""
    yield from state_lines(status, style)
    yield ""
    yield from step_lines(steps, style)


def state_lines(status: Status, style: Style) -> Iterator[str]:
    """The lines that show ``status``, without the next steps."""
    yield in_colour(status, style)(headline(status))
    if status["phase"] != "none":
        yield from _figures(status)
    if status.get("dead_letters"):
        letters = count_text(status["dead_letters"], "dead letter")
        when = ", tried again in the next slice" if status["redrive"] else ""
        yield style.yellow("  rejected   ") + f"{letters}{when}"
    for problem in status.get("problems", []):
        yield style.yellow("  waits for  ") + escaped(problem)
    note = note_of(status)
    if note:
        yield style.yellow("  note       ") + escaped(note)


def headline(status: Status) -> str:
    """The phase and what it means."""
    phase = status["phase"]
    if phase == "draining" and status["segments_done"] >= status["segments"]:
        return f"{phase}: {_IN_SYNC}"
    # Control may be of another version than this command.
    return f"{phase}: {_MEANING[phase]}" if phase in _MEANING else str(phase)


def note_of(status: Status) -> str:
    """What a person has to know of the run; empty if there is nothing to say.

    A run that is quiet but not yet for long enough waits for nothing but time, so this is said in place of
    control's reason that changes are being applied. Any other reason is something to settle.
    """
    reason = str(status.get("reason") or "")
    quiet, needed = status.get("quiet_for"), status.get("quiet_needed")
    if quiet is None or not needed or not reason.startswith(_APPLYING):
        return reason
    return f"quiet for {min(quiet, needed):.0f} of {needed:.0f} s, then the run is ready for cutover"


def in_colour(status: Status, style: Style) -> Callable[[str], str]:
    """What paints the headline."""
    if status["phase"] == "stopped" or lacks_changes(status):
        return style.red
    return style.green if status["phase"] in {"ready", "sealed"} else style.bold


def redrive_line(status: Status) -> str:
    """What a redrive that was just asked for will do."""
    return (
        f"{count_text(status['dead_letters'], 'dead letter')} will be tried again in a slice: the replicator "
        "pauses, each key is read from the source again, and what the destination accepts is settled."
    )


def _figures(status: Status) -> Iterator[str]:
    yield f"  run        {status['run']}, since {timestamp(status['started'])}"
    if status.get("estimate"):
        yield from _estimate(status["estimate"])
    yield (
        f"  backfill   {status['segments_done']} of {status['segments']} segments{slice_text(status)}, "
        f"{status['items']:,} items, {transferred(status['bytes'])}"
    )
    yield (
        f"  changes    {status['changes']:,} applied as {status['puts']:,} puts and {status['deletes']:,} "
        f"deletes, oldest unapplied {age_text(status['oldest_unapplied_age'])}"
    )


def _estimate(estimate: dict[str, Any]) -> Iterator[str]:
    cost, currency = estimate["cost"], escaped(estimate["currency"])
    money = f"about {cost:,.2f} {currency}" if cost >= 0.01 else f"less than 0.01 {currency}"
    yield (
        f"  estimate   {estimate['items']:,} items, table size {size_text(estimate['bytes'])}: "
        f"{estimate['read_units']:,.0f} read units, {estimate['write_units']:,.0f} write units, {money}"
    )
    copying = duration_text(estimate["seconds"])
    yield f"             {copying} of copying; the limit is {escaped(estimate['limit_reason'])}"


def slice_text(status: Status) -> str:
    """Which slice, how long it is and what is left of it; begins with a comma, empty before the first one."""
    if not status["slice"]:
        return ""
    if status["phase"] != "slice":
        return f", slice {status['slice']}"
    length = status["slice_ends"] - status["phase_since"]
    left = max(0.0, status["slice_ends"] - status["now"])
    return f", slice {status['slice']} ({duration_text(left)} left of {duration_text(length)})"


def transferred(size: float) -> str:
    """Bytes as they crossed the network in DynamoDB's JSON, which are more than those of the table's size."""
    return f"{size_text(size)} transferred"


def age_text(seconds: float) -> str:
    """An age of a change for people; ``none`` for 0."""
    if not seconds:
        return "none"
    return f"{duration_text(seconds)} ago"
