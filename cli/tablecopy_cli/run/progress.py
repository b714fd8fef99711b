"""How fast a run is, and how long it still takes, calculated from the statuses that control returned."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from tablecopy.control.status import Status
from tablecopy.journal.run import Phase

_WINDOW_SECONDS = 60.0

# Workers report progress page by page, so a shorter time says little.
_MEASURED_SECONDS = 3.0

_COPYING = frozenset({Phase.SLICE})
_APPLYING = frozenset({Phase.DRAINING, Phase.READY})

# Copying reaches its speed after that: connections are made, and without a budget the rate rises.
_SETTLING_SECONDS = 10.0


@dataclass(frozen=True)
class Rates:
    """How fast a run is; ``None`` until a rate is measured.

    Attributes
    ----------
    items_per_second, bytes_per_second
        What the backfill copied in the last minute of copying.
    changes_per_second
        What the replicator applied in the last minute of applying changes.
    """

    items_per_second: float | None = None
    bytes_per_second: float | None = None
    changes_per_second: float | None = None


class RateTracker:
    """Measures what was copied in the last minute of slices, and applied in the last minute of drains.

    Slices and drains alternate, so the time of one is left out of the rate of the other. The time between two
    statuses of different phases counts for both.
    """

    def __init__(self) -> None:
        self._run: object = None
        self._copied = _Counters()
        self._applied = _Counters()

    def update(self, status: Status) -> Rates:
        """Add a status and return the rates."""
        if status["phase"] == "none":
            return Rates()
        if status["run"] != self._run:
            self._run = status["run"]
            self._copied, self._applied = _Counters(), _Counters()
        phase, now = status["phase"], status["now"]
        copied = self._copied.update(now, (status["items"], status["bytes"]), counts=phase in _COPYING)
        applied = self._applied.update(now, (status["changes"],), counts=phase in _APPLYING)
        return Rates(*(copied or (None, None)), *(applied or (None,)))


class _Counters:
    """Rates of counters that grow, and whose time counts, in some phases only."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._counted = False
        self._now = 0.0
        # The seconds that counted until then, and the counters.
        self._samples: deque[tuple[float, tuple[int, ...]]] = deque()

    def update(self, now: float, values: tuple[int, ...], *, counts: bool) -> tuple[float, ...] | None:
        if self._samples and (counts or self._counted):
            self._seconds += now - self._now
            self._samples.append((self._seconds, values))
            # One sample older than the window stays, so that rare statuses cover the window as well.
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
class TimeLeft:
    """How long a run still takes.

    Attributes
    ----------
    seconds
        An estimate; ``None`` while it is not known.
    text
        What the seconds cover, or why they are not known.
    """

    seconds: float | None
    text: str


def time_left(status: Status) -> TimeLeft:
    """Estimate how long a run still takes, as far as that depends on the run.

    While segments are left: the items left, at the rate since copying began. That rate includes the drains
    between the slices, so it is lower than the rate within a slice. Afterwards: until the replicator has
    caught up with the source, at the rates that control measured in the latest drain. With ``arriving``
    changes a second (w) and ``applying`` (r), a replicator that is ``age`` seconds behind has w * age changes
    to apply while more arrive, which takes w * age / (r - w) seconds.
    """
    phase = status["phase"]
    if phase == "none":
        return TimeLeft(None, "unknown")
    if phase in {Phase.READY, Phase.SEALING, Phase.SEALED}:
        return TimeLeft(0.0, "nothing")
    if phase in {Phase.PREFLIGHT, Phase.STOPPED} or status["blocked"]:
        return TimeLeft(None, "unknown: the run waits for you")
    if status["segments_done"] < status["segments"]:
        return _copying(status)
    return _catching_up(status)


def _copying(status: Status) -> TimeLeft:
    items, estimate = status["items"], status["estimate"]
    if not estimate:
        return TimeLeft(None, "unknown: there is no estimate")
    if items >= estimate["items"]:
        return TimeLeft(None, "unknown: there are more items than estimated")
    since = status["rate_measured_since"]
    took, copied = status["now"] - since, items - status["rate_measured_from"]
    if not since or took < _SETTLING_SECONDS or copied <= 0:
        return TimeLeft(None, "unknown: nothing is measured yet")
    seconds = (estimate["items"] - items) * took / copied
    first = status["slice"] == 1 and status["phase"] == Phase.SLICE
    return TimeLeft(seconds, "copying only" if first else "copying and applying changes")


def _catching_up(status: Status) -> TimeLeft:
    age, arriving, applying = status["oldest_unapplied_age"], status["arriving"], status["applying"]
    if age and applying > arriving > 0:
        return TimeLeft(age * arriving / (applying - arriving), "until changes are caught up")
    return TimeLeft(None, "unknown: it depends on your writers")
