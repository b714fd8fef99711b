"""What a run's status means: the lines and figures for people, and how it ends a watch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from tablecopy.control.status import DeadLetterStatus, EstimateStatus, RunPhase, Status
from tablecopy.journal.run import Phase
from tablecopy.text import count_text, duration_text, size_text, times_text, timestamp
from tablecopy_cli.advice import Step, is_only_compared, phase_text, step_lines
from tablecopy_cli.common.errors import EXIT_DIFFERENT, EXIT_ERROR, EXIT_OK, EXIT_UNSETTLED
from tablecopy_cli.common.items import key_text, quoted
from tablecopy_cli.common.terminal import Style
from tablecopy_cli.common.text import escaped
from tablecopy_cli.common.verification_text import state_text, tracking_text
from tablecopy_cli.run.progress import Rates, TimeLeft

_MEANING: Mapping[RunPhase, str] = {
    Phase.PREFLIGHT: "copying starts when every check passes",
    Phase.PAUSING: "the replicator is being paused",
    Phase.SLICE: "the replicator is paused",
    Phase.RESUMING: "waiting for the workers' last writes",
    Phase.DRAINING: "copying continues when the replicator has caught up",
    Phase.READY: "everything is copied and applied",
    Phase.SEALING: "waiting for the replicator's last writes",
    Phase.SEALED: "later changes in the source table are not copied",
    Phase.STOPPED: "the run does not continue by itself",
}

GRADES = {"seen": "equal (seen)", "audited": "equal (audited)", "different": "different (audited)"}
"""The grades of a proof, as every text names them."""

# How control's reason begins while nothing but changes keeps a run from being ready.
_APPLYING = "changes are still being applied"


def status_lines(status: Status, steps: Sequence[Step], style: Style) -> Iterator[str]:
    """Yield the lines that show ``status``: a headline, figures, problems, and the next steps."""
    yield from state_lines(status, style)
    yield ""
    yield from step_lines(steps, style)


def state_lines(status: Status, style: Style) -> Iterator[str]:
    """Yield the lines that show ``status``, without the next steps."""
    paint = getattr(style, tone(status))
    yield paint(headline(status))
    if status["phase"] != "none":
        yield from _figures(status)
    if "verification" in status:
        yield f"  verify     {state_text(status['verification'])}"
        if written := tracking_text(status["verification"]):
            yield f"  written    {written}"
    for label, text in warnings(status):
        yield style.yellow(f"  {label:<11}") + text


def headline(status: Status) -> str:
    """Return the phase and what it means."""
    if status["phase"] == "none":
        return phase_text(status)
    meaning = _MEANING[status["phase"]]
    if status["phase"] == Phase.DRAINING and status["segments_done"] >= status["segments"]:
        meaning = "changes are applied as they arrive"
    if grade := status.get("seal_grade"):
        meaning = f"{GRADES[grade]} at {timestamp(status['phase_since'])}. {meaning.capitalize()}"
    return f"{phase_text(status)}: {meaning}"


def tone(status: Status) -> str:
    """Return the method of `Style` that paints the headline: ``"red"``, ``"green"`` or ``"bold"``."""
    if status["phase"] == Phase.STOPPED or lacks_changes(status):
        return "red"
    return "green" if status["phase"] in {Phase.READY, Phase.SEALED} else "bold"


def warnings(status: Status) -> Iterator[tuple[str, str]]:
    """Yield a label and a text for everything that needs attention; nothing in them steers a terminal."""
    if status["phase"] == "none":
        return
    if status["dead_letters"]:
        when = ", retried in the next slice" if status["redrive"] else ""
        yield "rejected", f"{count_text(status['dead_letters'], 'dead letter')}{when}"
    if status.get("cutting_over"):
        yield "cutover", "in progress. tablecopy cutover follows it"
    for table in status.get("denied", []):
        yield (
            "fence",
            f"the resource policy of {escaped(table)} denies writes for a cutover. To allow them again, run "
            "tablecopy cutover --lift-fence",
        )
    for problem in status["problems"]:
        yield "problem", escaped(problem)
    note = _note(status)
    if note:
        yield "note", escaped(note)


def _note(status: Status) -> str:
    # A run that is quiet, but not yet for long enough, waits for time only. Any other reason needs a person.
    quiet, needed, reason = status["quiet_for"], status["quiet_needed"], status["reason"]
    if quiet is None or not needed or not reason.startswith(_APPLYING):
        return reason
    return f"no changes for {min(quiet, needed):.0f} s; ready for cutover after {needed:.0f} s"


# Figures


def items_text(status: Status) -> str:
    """Return how many items are copied, of how many if the estimate is of use, and their size."""
    copied, estimate = status["items"], status["estimate"]
    megabytes = transferred(status["bytes"])
    if not estimate:
        return f"{copied:,}, {megabytes}"
    if estimate["items"] < copied:
        return f"{copied:,}, more than the {estimate['items']:,} estimated, {megabytes}"
    return f"{copied:,} of about {estimate['items']:,}, {megabytes}"


def rate_text(status: Status, rates: Rates) -> str:
    """Return how fast the run copies or applies changes."""
    if status["phase"] in {Phase.SLICE, Phase.RESUMING}:
        if rates.items_per_second is None or rates.bytes_per_second is None:
            return "not measured yet"
        return f"{rates.items_per_second:,.0f} items/s, {size_text(rates.bytes_per_second)}/s"
    if status["phase"] in {Phase.DRAINING, Phase.READY}:
        if rates.changes_per_second is None:
            return "not measured yet"
        return f"{rates.changes_per_second:,.0f} changes/s applied"
    return "nothing is written in this phase"


def left_text(left: TimeLeft) -> str:
    """Return how long the run still takes, or why that is not known."""
    return left.text if not left.seconds else f"about {duration_text(left.seconds)} ({left.text})"


def changes_text(status: Status) -> str:
    """Return how many changes are applied, and the lag."""
    return f"{status['changes']:,} applied, oldest unapplied {age_text(status['oldest_unapplied_age'])}"


def slice_text(status: Status) -> str:
    """Return ``, slice 2`` with its length and what is left of it; empty before the first slice."""
    if not status["slice"]:
        return ""
    if status["phase"] != Phase.SLICE:
        return f", slice {status['slice']}"
    length = status["slice_ends"] - status["phase_since"]
    left = max(0.0, status["slice_ends"] - status["now"])
    return f", slice {status['slice']} ({duration_text(left)} left of {duration_text(length)})"


def transferred(size: float) -> str:
    """Return bytes as they crossed the network in DynamoDB's JSON, which are more than the table's size."""
    return f"{size_text(size)} transferred"


def age_text(seconds: float) -> str:
    """Return the age of a change; ``none`` for 0."""
    return f"{duration_text(seconds)} ago" if seconds else "none"


def _figures(status: Status) -> Iterator[str]:
    yield f"  run        {status['run']}, since {timestamp(status['started'])}"
    if status["estimate"]:
        yield from _estimate(status["estimate"], copied=status["segments_done"] >= status["segments"])
    yield (
        f"  backfill   {status['segments_done']} of {status['segments']} segments{slice_text(status)}, "
        f"{count_text(status['items'], 'item')}, {transferred(status['bytes'])}"
    )
    yield (
        f"  changes    {status['changes']:,} applied as {count_text(status['puts'], 'put')} and "
        f"{count_text(status['deletes'], 'delete')}, "
        f"oldest unapplied {age_text(status['oldest_unapplied_age'])}"
    )


def _estimate(estimate: EstimateStatus, *, copied: bool) -> Iterator[str]:
    cost, currency = estimate["cost"], escaped(estimate["currency"])
    money = f"about {cost:,.2f} {currency}" if cost >= 0.01 else f"less than 0.01 {currency}"
    yield (
        f"  estimate   {estimate['items']:,} items, table size {size_text(estimate['bytes'])}: "
        f"{estimate['read_units']:,.0f} read units, {estimate['write_units']:,.0f} write units, {money}"
    )
    copying = duration_text(estimate["seconds"])
    yield f"             {copying} of copying; the limit is {escaped(estimate['limit_reason'])}"
    # A run of an earlier version has none.
    advice = estimate.get("recommendation")
    if advice and not copied:
        yield f"  advice     {escaped(advice['text'])}"


# Dead letters


def redrive_line(status: Status) -> str:
    """Return what a redrive that was just requested will do."""
    letters = count_text(status["dead_letters"], "dead letter")
    return (
        f"The next slice retries {letters}: the replicator pauses, each "
        "key is read from the source again, and a dead letter whose item the destination accepts is closed."
    )


def dead_letter_lines(count: int, found: Sequence[DeadLetterStatus], style: Style) -> Iterator[str]:
    """Yield the lines that show dead letters: how many, and what was rejected and why.

    Parameters
    ----------
    count
        How many dead letters there are in all.
    found
        Those that fit into control's answer; their images are shown if it has them.
    style
        Colours of the stream.
    """
    if not count:
        yield style.green("no dead letters")
        return
    yield style.red(f"{count_text(count, 'dead letter')}: the destination rejects these items")
    for letter in found:
        yield f"  {key_text(letter['key'])}"
        since = timestamp(letter["first_seen"])
        number = f", sequence number {letter['sequence_number']}" if letter["sequence_number"] else ""
        what = escaped(f"{letter['action']} from the {letter['origin']}{number}")
        yield f"      {what}, rejected {times_text(letter['attempts'])} since {since}"
        yield f"      {escaped(letter['code'])}: {escaped(letter['message'])}"
        if "image" in letter:
            yield f"      {quoted(letter['image'])}"
    if len(found) < count:
        yield style.dim(f"  ... and {count - len(found):,} more. Fix these first.")


def dead_letter_records(count: int, found: Sequence[DeadLetterStatus]) -> Iterator[dict[str, Any]]:
    """Yield the objects of the JSON Lines: each dead letter, the summary last."""
    for letter in found:
        yield {"type": "dead_letter", **letter}
    yield {"type": "summary", "dead_letters": count, "listed": len(found)}


# The end of a watch


class Outcome(Enum):
    """How a watch ended: a word for programs, and the exit code. The worst comes first.

    The codes are those of ``verify`` where they mean the same: 1 is a definite no, and 3 means that a later
    look may show more. 4 is neither: nothing has failed, but time alone does not help.
    """

    FAILED = ("failed", EXIT_ERROR)
    """The control function of one of several copies cannot be asked."""
    STOPPED = ("stopped", EXIT_DIFFERENT)
    """The run has stopped and does not continue by itself."""
    LATE = ("late", EXIT_DIFFERENT)
    """The run is sealed, but the source changed after it was ready: the destination lacks these changes."""
    HELD = ("held", 4)
    """Everything is copied and applied except dead letters or batches in the failure queue."""
    TIMED_OUT = ("timed_out", EXIT_UNSETTLED)
    """The run continues, but the phase was not reached in time."""
    REACHED = ("reached", EXIT_OK)
    """The phase was reached."""

    def __init__(self, word: str, exit_code: int) -> None:
        self.word = word
        self.exit_code = exit_code


UNTIL = ("slice", "ready", "sealed")
"""The phases to wait for: a run passes each of them, or stays in it, once."""


def outcome_of(status: Status, until: str) -> Outcome | None:
    """Return how a watch ends with ``status``; ``None`` while it continues.

    Parameters
    ----------
    status
        The run, as control describes it.
    until
        One of `UNTIL`; a later phase counts as well.
    """
    if status["phase"] == "none":
        # Without a copy there is nothing to wait for.
        return Outcome.FAILED if is_only_compared(status) else None
    if status["phase"] == Phase.STOPPED:
        return Outcome.STOPPED
    if lacks_changes(status):
        return Outcome.LATE
    if _is_reached(status, until):
        return Outcome.REACHED
    # A redrive that was requested is about to retry them.
    return Outcome.HELD if status["blocked"] and not status["redrive"] else None


def lacks_changes(status: Status) -> bool:
    """Whether the run was sealed too early: control gives a sealed run no other reason."""
    return status["phase"] == Phase.SEALED and bool(status["reason"])


def _is_reached(status: Status, until: str) -> bool:
    phase = status["phase"]
    if until == "slice":
        return bool(status["slice"])
    if phase == Phase.SEALED or until == "sealed":
        return phase == Phase.SEALED
    # A dead letter that was recorded since then ends ready; control is about to notice.
    return phase == Phase.SEALING or (phase == Phase.READY and not status["dead_letters"])
