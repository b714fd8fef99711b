"""The settings that fit a table's size, where the module's defaults or the present settings do not.

Memory is not among them: at 512 MB, a worker copies ten times the items and bytes that a partition of the
destination accepts (docs/benchmarks.md, figure backfill), whatever the size of the table and of its items.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace

from tablecopy.control.bounds import PARTITION_WRITE_UNITS, Bound, Work, slowest, without_workers, workers
from tablecopy.dynamodb.client import Json
from tablecopy.settings import CopySettings
from tablecopy.text import duration_text

SEGMENT_BYTES = 20_000_000_000
"""The largest segment to use: two partitions. With larger ones, some workers end hours before the others."""

# Terraform allows up to 10,000 of each (modules/copy, backfill).
_MOST = 10_000

# More workers need more of the account's Lambda concurrency, so they must save time that matters.
_LONG_SECONDS = 3_600.0
_WORTHWHILE = 0.8


@dataclass(frozen=True)
class Recommendation:
    """Settings to use in place of the present ones.

    Attributes
    ----------
    segments, concurrency
        Values for ``backfill.segments`` and ``backfill.concurrency``.
    seconds
        Copy time with them.
    text
        The same for people, without the last period.
    """

    segments: int
    concurrency: int
    seconds: float
    text: str

    def as_json(self) -> Json:
        """Return the fields by their names."""
        return asdict(self)


def recommendation(
    source: Json, destination: Json, work: Work, settings: CopySettings, present: Bound
) -> Recommendation | None:
    """Return better settings for a backfill that ``present`` limits; ``None`` if the present ones fit.

    See `bounds.slowest` for the parameters.
    """
    least = math.ceil(work.bytes / SEGMENT_BYTES)
    more = _with_workers(settings, _useful_workers(source, destination, work, settings), least)
    better = slowest(source, destination, work, more)
    if present.seconds < _LONG_SECONDS or better.seconds > _WORTHWHILE * present.seconds:
        if settings.total_segments >= min(least, _MOST):
            return None
        more = _with_workers(settings, workers(settings), least)
        better = slowest(source, destination, work, more)
    return Recommendation(
        more.total_segments,
        more.concurrency,
        round(better.seconds, 1),
        _text(settings, more, present.seconds, better.seconds),
    )


def _useful_workers(source: Json, destination: Json, work: Work, settings: CopySettings) -> int:
    """Return with how many workers something else becomes the limit, and at least the present number."""
    other = without_workers(source, destination, work, settings)
    needed = work.table_units / other.seconds / PARTITION_WRITE_UNITS if other.seconds else 1.0
    # The division is not exact, and must not call for one more worker.
    return min(_MOST, max(workers(settings), math.ceil(needed - 1e-6)))


def _with_workers(settings: CopySettings, count: int, least_segments: int) -> CopySettings:
    """Return settings with ``count`` workers and as many segments as they need."""
    segments = max(settings.total_segments, count, least_segments)
    if segments % count:
        # So that no worker has nothing to do at the end.
        segments = math.ceil(segments / count) * count
    return replace(settings, total_segments=min(_MOST, segments), concurrency=count)


def _text(now: CopySettings, better: CopySettings, seconds: float, better_seconds: float) -> str:
    changed = [
        f"backfill.{name} = {value}"
        for name, value, before in (
            ("segments", better.total_segments, now.total_segments),
            ("concurrency", better.concurrency, now.concurrency),
        )
        if value != before
    ]
    text = f"set {' and '.join(changed)}"
    if better.total_segments != now.total_segments:
        text += " before the run starts, because a run keeps its segments"
    if better_seconds > _WORTHWHILE * seconds:
        return f"{text}. A segment then holds at most {SEGMENT_BYTES // 10**9} GB"
    return f"{text}. Copying then takes {duration_text(better_seconds)} instead of {duration_text(seconds)}"
