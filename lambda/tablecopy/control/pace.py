"""The pace of slices: so that no change grows older than was promised before it is applied.

While a slice lasts nothing is applied. A change made at its beginning waits for its end; what has piled up
by then takes the replicator a while. With ``arriving`` changes a second (w) and ``applying`` a second (r), a
slice of L seconds leaves w * L changes, worked off, with those that arrive meanwhile, in w * L / (r - w)
seconds. So L + w * L / (r - w) = L * r / (r - w) must not exceed the promised age, and L not that age times
(r - w) / r. Both rates are measured in each drain: everything made between the beginning of the slice and
the moment at which the replicator is in step again was applied within the drain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tablecopy.control.stream.expiry import RETENTION_SECONDS
from tablecopy.control.stream.progress import Backlog
from tablecopy.journal.run import Run

# As long as nothing was measured, a change waits at most this long for the end of a slice.
_UNMEASURED_SECONDS = 600.0

# A slice costs more than itself: the mapping takes a minute or two to be switched off and on, and the
# leases of lost invocations end with the longest time a function may run, 900 s (Lambda quotas), before and
# after it.
_MARGIN_SECONDS = 1_800.0

# Pausing for less is not worth it.
_USEFUL_SECONDS = 60.0

# A drain is judged by stretches of this length: longer than any batch may take.
_WINDOW_SECONDS = 1_800.0

_RAISE = (
    "give the destination more write capacity, or the replicator more memory (replicator.memory_mb) or "
    "larger batches (replicator.batch_size), let the source change less, or let changes get older "
    "(control.record_age_fraction); then start the run again"
)


@dataclass(frozen=True)
class Pace:
    """Decides how long a slice may be, when one has to end, and when a run cannot keep its promise.

    Attributes
    ----------
    longest
        Seconds that a slice lasts at most whatever the rates are.
    fraction
        The part of the 24 hours for which a stream keeps a change that none may grow older than.
    """

    longest: float
    fraction: float

    @property
    def promise(self) -> float:
        """The age in seconds that no change may reach unapplied."""
        return self.fraction * RETENTION_SECONDS

    @property
    def margin(self) -> float:
        """Seconds kept for switching the mapping and for leases to end."""
        return min(_MARGIN_SECONDS, self.promise / 4)

    @property
    def useful(self) -> float:
        """The shortest slice worth pausing for, in seconds."""
        return min(_USEFUL_SECONDS, self.promise / 24, self.longest)

    def slice_length(self, run: Run) -> float:
        """How long the next slice may be, in seconds; less than ``useful`` when there should be none."""
        if run.slice == 0:
            return min(self.longest, self._unmeasured)
        share = 1 - run.arriving / run.applying if run.applying else 1.0
        return min(self.longest, self.promise * share - self.margin)

    def is_over(self, run: Run, backlog: Backlog, now: float) -> bool:
        """Whether a slice has to end at once for what it keeps waiting to be applied in time.

        The last change that waits is applied when all before it are, so none gets older than the oldest is
        now and all of them take.
        """
        # What is older than the first slice is in what the slices read.
        age = min(backlog.oldest_age, now - run.scan_began)
        if not run.applying:
            return age >= self._unmeasured
        return age > 0 and age + self.margin + backlog.waiting / run.applying >= self.promise

    def is_measured(self, run: Run, now: float) -> bool:
        """Whether a stretch of a drain has been long enough to judge it."""
        return now - run.window_since >= self._window

    def measured(self, run: Run, backlog: Backlog, now: float) -> dict[str, Any]:
        """The rates of the present stretch of a drain, as fields of the run; none if it tells nothing."""
        took = now - run.window_since
        worked_off = took + run.window_age - backlog.oldest_age
        applied = backlog.records - run.window_records
        if run.window_age < self.useful or took <= 0 or worked_off <= 0:
            # Nothing had piled up: that little was applied says that little was there.
            return {}
        if applied <= 0:
            return {"arriving": 0.0} if backlog.oldest_age == 0 else {}
        return {"arriving": applied / worked_off, "applying": applied / took}

    def no_slice(self, run: Run) -> str:
        """Why no slice can be begun; empty when one can."""
        length = self.slice_length(run)
        if length >= self.useful:
            return ""
        return (
            f"the source makes {run.arriving:.1f} changes a second and the replicator applies "
            f"{run.applying:.1f} at most: a slice could last only {max(length, 0):.0f} s for no change to "
            f"get older than {_hours(self.promise)}. To go on, {_RAISE}"
        )

    def cannot_catch_up(self, run: Run, backlog: Backlog, now: float, *, slices_left: bool) -> str:
        """Why a drain will not be in time; empty as long as it may be.

        It is given up shortly before the promise breaks, if the oldest change has got older than it was at
        the beginning of the stretch. A run that was started again with older ones has a stretch to show
        that they get younger. Where another slice waits for a drain, it must not take for ever either.
        """
        near = self.promise - self._window / 4
        age = backlog.oldest_age
        if age < run.window_age:
            return ""
        breaks = age >= near and (run.window_age < near or self.is_measured(run, now))
        too_long = slices_left and now - run.phase_since >= self.promise and self.is_measured(run, now)
        if not breaks and not too_long:
            return ""
        took = max(now - run.window_since, 1.0)
        applied = backlog.records - run.window_records
        worked_off = took + run.window_age - age
        minutes = f"in the last {took / 60:.0f} minutes"
        if applied <= 0:
            what = f"the replicator applied nothing {minutes}; its log group says why"
        elif worked_off <= 0:
            what = f"the replicator applied {applied / took:.1f} changes a second {minutes}"
        else:
            what = (
                f"the replicator applied {applied / took:.1f} changes a second {minutes}, of a time in "
                f"which the source made {applied / worked_off:.1f} a second"
            )
        return (
            f"after {_hours(now - run.phase_since)} of draining the oldest change that is not applied is "
            f"{_hours(age)} old and does not get younger, and none may get older than "
            f"{_hours(self.promise)}: {what}. To go on, {_RAISE}"
        )

    @property
    def _unmeasured(self) -> float:
        return min(_UNMEASURED_SECONDS, self.promise / 4)

    @property
    def _window(self) -> float:
        return min(_WINDOW_SECONDS, self.promise / 24)


def begin_window(backlog: Backlog, now: float, age: float) -> dict[str, Any]:
    """The fields of the run with which a stretch of a drain begins, ``age`` seconds behind the source."""
    return {"window_since": now, "window_age": age, "window_records": backlog.records}


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.0f} minutes"
