"""A run's figures in few words, for the live display and the log of a pipeline."""

from __future__ import annotations

from tablecopy.text import duration_text, size_text
from tablecopy_cli.common.control_function import Status
from tablecopy_cli.run.progress import Left, Pace
from tablecopy_cli.run.status_text import age_text, transferred


def items_text(status: Status) -> str:
    """How many items are copied, of how many where the estimate is of use, and how large they are."""
    copied, estimate = status["items"], status["estimate"]
    megabytes = transferred(status["bytes"])
    if not estimate:
        return f"{copied:,}, {megabytes}"
    if estimate["items"] < copied:
        return f"{copied:,}, more than the {estimate['items']:,} estimated, {megabytes}"
    return f"{copied:,} of about {estimate['items']:,}, {megabytes}"


def rate_text(status: Status, pace: Pace) -> str:
    """What the run does at the moment, and how fast."""
    if status["phase"] in {"slice", "resuming"}:
        if pace.items_per_second is None or pace.bytes_per_second is None:
            return "not measured yet"
        return f"{pace.items_per_second:,.0f} items/s, {size_text(pace.bytes_per_second)}/s"
    if status["phase"] in {"draining", "ready"}:
        if pace.changes_per_second is None:
            return "not measured yet"
        return f"{pace.changes_per_second:,.0f} changes/s applied"
    return "nothing is written in this phase"


def left_text(left: Left) -> str:
    """How long it still takes, or that this is not known."""
    return left.text if not left.seconds else f"about {duration_text(left.seconds)} ({left.text})"


def changes_text(status: Status) -> str:
    """How many changes are applied, and the lag."""
    return f"{status['changes']:,} applied, oldest unapplied {age_text(status['oldest_unapplied_age'])}"
