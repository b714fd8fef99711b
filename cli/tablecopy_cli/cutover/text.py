"""What ``tablecopy cutover`` says: the prediction, the question, the verdict and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from tablecopy.control.status import CutoverStatus, PartStatus, Status
from tablecopy.text import duration_text, timestamp
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.terminal import Style
from tablecopy_cli.common.text import escaped
from tablecopy_cli.run.status_text import GRADES

# Both policies are written and read again (`cutover.fence`).
_FENCE_SECONDS = 5.0


def fenced(found: CutoverStatus) -> CutoverStatus:
    """Return a prediction that begins with the fence."""
    part = PartStatus(
        what="deny writes to both tables",
        seconds=_FENCE_SECONDS,
        advice="stop the writers yourself, and leave out --fence",
    )
    seconds = found["seconds"]
    return {
        **found,
        "parts": [part, *found["parts"]],
        "seconds": None if seconds is None else seconds + _FENCE_SECONDS,
    }


def tables_text(arns: list[str]) -> str:
    """Return the names of tables with their accounts: ``orders (111111111111)``."""
    return " and ".join(
        f"{arn.partition('/')[2]} ({arn.split(':')[4]})" if arn.count(":") == 5 else arn for arn in arns
    )


def prediction_lines(found: CutoverStatus) -> Iterator[str]:
    """Yield how long writers would stop now, part by part."""
    yield f"Writers stop for about {seconds_text(found['seconds'])}:"
    for part in found["parts"]:
        yield f"  {seconds_text(part['seconds']):>12}  {part['what']}"


def shorter_lines(found: CutoverStatus, max_stop: float) -> Iterator[str]:
    """Yield why a cutover is refused, and what would shorten the stop: the longest part first."""
    yield (
        f"Cannot cut over now: writers would stop for about {seconds_text(found['seconds'])}, longer than "
        f"--max-stop {max_stop:g}s. To shorten the stop:"
    )
    parts = [part for part in found["parts"] if part["seconds"] is None or part["seconds"] >= 1]
    for part in sorted(parts, key=lambda part: -(part["seconds"] or float("inf"))):
        yield f"  {seconds_text(part['seconds'])} to {part['what']}: {part['advice']}."


def seconds_text(seconds: float | None) -> str:
    """Return a time, or that it is not known."""
    return "unknown" if seconds is None else duration_text(seconds)


def question_lines(source: Side | None, destination: Side | None, *, fenced: bool) -> Iterator[str]:
    """Yield what a cutover does, for the question."""
    if source is not None and destination is not None:
        yield "This ends the copy"
        yield f"  from  {_location(source)}"
        yield f"  to    {_location(destination)}"
    if fenced:
        yield "It denies all writes to the source table, and all except those of the copy to the destination."
    else:
        yield "Stop all writers of the source table now, and scheduled jobs that write to it."
    yield "If the tables are not proved equal in time, the copy continues, and you can start the writers."


def verdict_lines(found: CutoverStatus, run: Status, stop: float | None, style: Style) -> Iterator[str]:
    """Yield the verdict of a sealed run, and what it rests on.

    ``stop`` are the seconds from the request to the seal, if they are known.
    """
    took = "" if stop is None else f", {seconds_text(stop)} after the request"
    paint = style.red if found["grade"] == "different" else style.green
    yield paint(f"Sealed: {GRADES[found['grade']]}") + f" at {timestamp(run['phase_since'])}{took}"
    if found["grade"] == "different":
        yield "The audit after the seal found differences. List them with tablecopy audit --report."
        return
    if found["grade"] == "audited":
        yield "Both tables were scanned after the seal. Later writes were judged by their old images."
        return
    yield f"Every key was compared by the verification that ended at {timestamp(found['compared'])}."
    yield "Every key that was written since, to either table, was compared again with consistent reads."
    yield (
        f"It rests on this: both streams showed their last records within {found['quiet']:g} s. "
        "tablecopy audit scans both tables and does not need that."
    )


def failure_lines(found: CutoverStatus, style: Style) -> Iterator[str]:
    """Yield how a request has ended without a seal."""
    headline = {
        "different": style.red("Not sealed: the tables differ."),
        "late": style.yellow("Not sealed: the source table was written to."),
        "timeout": style.yellow("Not sealed: not proved in time."),
        "cancelled": style.yellow("Not sealed: cancelled."),
        "stopped": style.red("Not sealed: the run has stopped."),
    }
    yield headline.get(found["outcome"], style.yellow("Not begun."))
    if found["reason"]:
        yield f"  {escaped(found['reason'])}"
    if found["outcome"] != "stopped":
        yield "The copy continues. You can start the writers again."


def _location(side: Side) -> str:
    where = ", ".join(
        f"{label} {value}" for label, value in (("region", side.region), ("profile", side.profile)) if value
    )
    return escaped(f"{side.table_name}" + (f" ({where})" if where else ""))
