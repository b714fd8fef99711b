"""For how long the writers would stop for a cutover now: part by part, each with what shortens it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from tablecopy.control.status import PartStatus
from tablecopy.journal.run import Run
from tablecopy.journal.shards import StreamSummary
from tablecopy.journal.touched import Checked
from tablecopy.text import count_text

# Looks of the reconciler and rounds of the tracker that follow one another: each takes one to two seconds.
_LOOKS_SECONDS = 4.0


def predicted_parts(
    run: Run, checked: Checked, summary: StreamSummary, quiet: float, now: float
) -> list[PartStatus]:
    """Return the parts of the stop.

    Parameters
    ----------
    checked, summary
        What the tracker and the reconciler have found last.
    quiet
        Seconds for which both streams must show nothing new.
    now
        Seconds since the epoch.
    """
    return list(_parts(run, checked, summary, quiet, now))


def total(parts: Sequence[PartStatus]) -> float | None:
    """Return the seconds of all parts; None if one of them is not known."""
    known = [part["seconds"] for part in parts if part["seconds"] is not None]
    return math.fsum(known) if len(known) == len(parts) else None


def _parts(
    run: Run, checked: Checked, summary: StreamSummary, quiet: float, now: float
) -> Iterator[PartStatus]:
    lag = max(0.0, now - summary.unapplied_since) if summary.unapplied_since else 0.0
    # Changes of so many seconds are applied at the replicator's own rate, if that was measured.
    share = min(1.0, run.arriving / run.applying) if run.applying and run.arriving else 1.0
    yield PartStatus(
        what="apply the last changes",
        # What is applied within the quiet time takes no time of its own.
        seconds=max(0.0, lag * share - quiet),
        advice="wait until the copy has caught up, or raise the destination's write capacity",
    )
    yield PartStatus(
        what="see that both streams are quiet",
        seconds=quiet,
        advice="pass a shorter --quiet. The proof then rests on a shorter time",
    )
    left, rate = checked.left, checked.rate
    yield PartStatus(
        what=f"compare {count_text(left, 'written key')} again",
        seconds=left / rate if rate else None if left else 0.0,
        advice="wait until fewer keys are left, or raise the read budgets of verification",
    )
    yield PartStatus(
        what="look at all shards, and seal",
        seconds=_LOOKS_SECONDS,
        advice="raise control.memory_mb if the stream has many shards",
    )
