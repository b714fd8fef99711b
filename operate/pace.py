"""How fast a run is, and how long it will take, from what control has said of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from operate.function import Status

_WINDOW_SECONDS = 60.0

# Before that the copying has not found its speed: connections are made, and without a budget it rises.
_SETTLING_SECONDS = 10.0


@dataclass(frozen=True)
class Pace:
    """How fast a run is within its present phase; None where that is not known yet.

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


@dataclass(frozen=True)
class _Sample:
    now: float
    items: int
    bytes: int
    changes: int


class Measure:
    """Measures the pace over the last minute, each phase by itself: slices and drains take turns."""

    def __init__(self) -> None:
        self._stage: tuple[object, ...] = ()
        self._samples: deque[_Sample] = deque()

    def see(self, status: Status) -> Pace:
        """Take what control says into account."""
        if status["phase"] == "none":
            return Pace()
        stage = (status["run"], status["phase"], status["slice"])
        if stage != self._stage:
            self._stage = stage
            self._samples.clear()
        last = _Sample(status["now"], status["items"], status["bytes"], status["changes"])
        self._samples.append(last)
        # One that is older than the window stays, so that it is covered by polls that are further apart, too.
        while len(self._samples) > 2 and self._samples[1].now <= last.now - _WINDOW_SECONDS:
            self._samples.popleft()
        first = self._samples[0]
        took = last.now - first.now
        if took <= 0:
            return Pace()
        return Pace(
            (last.items - first.items) / took,
            (last.bytes - first.bytes) / took,
            (last.changes - first.changes) / took,
        )


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
    if phase in {"none", "preflight", "stopped"} or status.get("held"):
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
    since = status.get("paced_since", 0.0)
    took, copied = status["now"] - since, items - status.get("paced_from", 0)
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
