"""How fast a run is, and how long it will take, from what control has said of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from tablecopy_cli.common.control_function import Status

_WINDOW_SECONDS = 60.0

# Progress is noted page by page: a shorter time says little.
_MEASURED_SECONDS = 3.0

_COPYING = frozenset({"slice"})
_APPLYING = frozenset({"draining", "ready"})

# Before that the copying has not found its speed: connections are made, and without a budget it rises.
_SETTLING_SECONDS = 10.0


@dataclass(frozen=True)
class Pace:
    """How fast a run is; None where that is not known yet.

    Attributes
    ----------
    items_per_second, bytes_per_second
        What the backfill copied of late.
    changes_per_second
        What the replicator applied of late.
    """

    items_per_second: float | None = None
    bytes_per_second: float | None = None
    changes_per_second: float | None = None


class Measure:
    """Measures what was copied in the last minute of slices, and applied in the last minute of drains.

    The two take turns, so the time of one says nothing of the other. What a look finds in another phase than
    the one before is counted to both.
    """

    def __init__(self) -> None:
        self._run: object = None
        self._copied = _Meter()
        self._applied = _Meter()

    def see(self, status: Status) -> Pace:
        """Take what control says into account."""
        if status.get("run") != self._run:
            self._run = status.get("run")
            self._copied, self._applied = _Meter(), _Meter()
        if status["phase"] == "none":
            return Pace()
        phase, now = status["phase"], status["now"]
        copied = self._copied.see(now, (status["items"], status["bytes"]), counts=phase in _COPYING)
        applied = self._applied.see(now, (status["changes"],), counts=phase in _APPLYING)
        return Pace(*(copied or (None, None)), *(applied or (None,)))


class _Meter:
    """Rates of counters that only move, and only count, at times."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._counted = False
        self._now = 0.0
        # By seconds that counted.
        self._samples: deque[tuple[float, tuple[int, ...]]] = deque()

    def see(self, now: float, values: tuple[int, ...], *, counts: bool) -> tuple[float, ...] | None:
        if self._samples and (counts or self._counted):
            self._seconds += now - self._now
            self._samples.append((self._seconds, values))
            # One that is older than the window stays, so that the window is covered by seldom looks, too.
            while self._samples[1][0] <= self._seconds - _WINDOW_SECONDS:
                self._samples.popleft()
        elif not self._samples:
            self._samples.append((0.0, values))
        self._now, self._counted = now, counts
        took = self._samples[-1][0] - self._samples[0][0]
        if took < _MEASURED_SECONDS:
            return None
        ends = zip(self._samples[-1][1], self._samples[0][1], strict=True)
        return tuple((last - first) / took for last, first in ends)


@dataclass(frozen=True)
class Left:
    """What is left to wait for.

    Attributes
    ----------
    seconds
        About how long it takes; None while that is not known.
    text
        The same for people, or why it is not known.
    """

    seconds: float | None
    text: str


def left(status: Status) -> Left:
    """How long a run still takes, as far as that depends on the run.

    While segments are left: the items left, at the pace since the copying began. That pace has the drains
    between the slices in it, so it is slower than what a slice shows, and truer. Afterwards: until the
    replicator is in step with the source, at the rates that control has measured in the latest drain. With
    ``arriving`` changes a second (w) and ``applying`` (r), what is ``age`` seconds behind is w * age changes,
    worked off, with those that arrive meanwhile, in w * age / (r - w) seconds.
    """
    phase = status["phase"]
    if phase in {"ready", "sealing", "sealed"}:
        return Left(0.0, "nothing")
    if phase in {"none", "preflight", "stopped"} or status.get("blocked"):
        return Left(None, "unknown: it does not go on by itself" if phase != "none" else "unknown")
    if status["segments_done"] < status["segments"]:
        return _copying(status)
    return _catching_up(status)


def _copying(status: Status) -> Left:
    items, estimate = status["items"], status["estimate"]
    if not estimate:
        return Left(None, "unknown: there is no estimate")
    if items >= estimate["items"]:
        return Left(None, "unknown: there are more items than estimated")
    since = status.get("rate_measured_since", 0.0)
    took, copied = status["now"] - since, items - status.get("rate_measured_from", 0)
    if not since or took < _SETTLING_SECONDS or copied <= 0:
        return Left(None, "unknown: nothing is measured yet")
    seconds = (estimate["items"] - items) * took / copied
    first = status["slice"] == 1 and status["phase"] == "slice"
    return Left(seconds, "copying, drains not reckoned in" if first else "copying and drains")


def _catching_up(status: Status) -> Left:
    age, arriving, applying = status["oldest_unapplied_age"], status["arriving"], status["applying"]
    if age and applying > arriving > 0:
        return Left(age * arriving / (applying - arriving), "until it is in step")
    return Left(None, "unknown: it depends on the writers")
