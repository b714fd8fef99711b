"""How far a comparison is, in one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tablecopy.text import count_text, duration_text
from tablecopy_cli.common.text import bar
from verify.comparison.results import Progress

# The first pages say nothing of the speed: connections are being made.
_SETTLING_SECONDS = 3.0


def progress_text(progress: Progress, encoding: str | None = None) -> str:
    """Say in one line how far a comparison is; what matters most comes first, since terminals are narrow.

    Parameters
    ----------
    progress
        How far it is.
    encoding
        Of the stream that shows the line; the bar is ``#`` where it has no blocks. That of stderr unless
        given.
    """
    return ", ".join(_parts(progress, encoding or sys.stderr.encoding))


def _parts(progress: Progress, encoding: str) -> Iterator[str]:
    if progress.stage == "scan":
        yield from _scan(progress, encoding)
    elif progress.stage == "match":
        yield "matching what was read"
        yield _read(progress)
        yield f"{count_text(progress.candidates, 'candidate')} so far"
    elif progress.stage == "recheck":
        done, total = min(progress.rechecked, progress.candidates), progress.candidates
        yield f"recheck {progress.generation} {_bar(done, total, encoding)}" if total else "rechecking"
        yield f"{done:,} of {count_text(total, 'candidate')}"
    else:
        yield f"recheck {progress.generation} in {duration_text(progress.wait_seconds)}"
        yield f"{count_text(progress.candidates, 'candidate')} may be changes underway"
    units = progress.source_units + progress.destination_units
    if units:
        yield f"{units:,.0f} read units"


def _scan(progress: Progress, encoding: str) -> Iterator[str]:
    # The estimate of a table that has just been filled is 0, and any may be too low. A side whose estimate is
    # of no use says nothing of the whole: the other one, scanned at the same time, stands for both.
    sides = (
        (progress.source_items, progress.source_total),
        (progress.destination_items, progress.destination_total),
    )
    known = [(items, total) for items, total in sides if 0 < total >= items]
    done, total = sum(items for items, _ in known), sum(total for _, total in known)
    yield f"scanning {_bar(done, total, encoding)}" if known else "scanning"
    left = _seconds_left(progress, done, total)
    if left is not None:
        yield f"{duration_text(left)} left"
    yield _read(progress)
    estimate = progress.source_total + progress.destination_total
    if not known and estimate:
        yield f"more than the {estimate:,} estimated"
    rate = _items_per_second(progress)
    if rate:
        yield f"{rate:,.0f} items/s"


def _read(progress: Progress) -> str:
    text = count_text(progress.source_items + progress.destination_items, "item")
    return f"{text} ({progress.resumed_items:,} by an earlier run)" if progress.resumed_items else text


def _items_per_second(progress: Progress) -> float:
    fresh = progress.source_items + progress.destination_items - progress.resumed_items
    return fresh / max(progress.seconds, 0.001)


def _seconds_left(progress: Progress, done: int, total: int) -> float | None:
    rate, items = _items_per_second(progress), progress.source_items + progress.destination_items
    if progress.seconds < _SETTLING_SECONDS or not done or rate <= 0:
        return None
    # Where one side alone is known, its share of the speed is its share of the items.
    return (total - done) / (rate * done / items)


def _bar(done: int, total: int, encoding: str) -> str:
    return f"{bar(done, total, encoding)} {100 * done // total}%"
