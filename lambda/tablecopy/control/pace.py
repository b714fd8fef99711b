"""The length of slices, so that no change gets older than the limit before it is applied.

Nothing is applied during a slice. A change made at its beginning waits for its end, and the replicator needs
time for the backlog. With ``arriving`` changes a second (w) and ``applying`` a second (r), a slice of L
seconds leaves w * L changes. Together with those that arrive while the replicator works, they take
w * L / (r - w) seconds. So L + w * L / (r - w) = L * r / (r - w) must not exceed the maximum age, and L must
not exceed that age times (r - w) / r. Both rates are measured in each drain: every change made between the
beginning of the slice and the moment at which the replicator is in sync again was applied within the drain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tablecopy.control.stream.backlog import Backlog
from tablecopy.control.stream.expiry import RETENTION_SECONDS
from tablecopy.journal.run import Run
from tablecopy.text import duration_text

# Until the rates are measured, a change waits at most this long for the end of a slice.
_UNMEASURED_SECONDS = 600.0

# A slice delays changes for longer than it lasts: switching the mapping off and on takes a minute or two, and
# the leases of lost invocations end after the longest time a function may run, 900 s (Lambda quotas), before
# and after the slice.
_MARGIN_SECONDS = 1_800.0

# A shorter slice is not worth the pause.
_MIN_SLICE_SECONDS = 60.0

# A drain is measured in windows of this length, which is longer than any batch may take.
_WINDOW_SECONDS = 1_800.0

_REMEDIES = (
    "Raise the destination's write capacity, replicator.memory_mb, replicator.batch_size or "
    "control.record_age_fraction, or reduce the writes to the source. Then start the run again"
)


@dataclass(frozen=True)
class SliceLimits:
    """Decides how long a slice may be, when it must end, and when the replicator cannot catch up.

    Attributes
    ----------
    longest
        The longest slice in seconds, whatever the rates are.
    fraction
        The maximum age of a change, as a part of the 24 hours for which the stream keeps it.
    """

    longest: float
    fraction: float

    @property
    def max_change_age(self) -> float:
        """The age in seconds that no unapplied change may reach."""
        return self.fraction * RETENTION_SECONDS

    @property
    def margin(self) -> float:
        """Seconds reserved for switching the mapping and for leases to end."""
        return min(_MARGIN_SECONDS, self.max_change_age / 4)

    @property
    def min_slice_seconds(self) -> float:
        """The shortest slice worth pausing for, in seconds."""
        return min(_MIN_SLICE_SECONDS, self.max_change_age / 24, self.longest)

    def slice_length(self, run: Run) -> float:
        """Return how many seconds the next slice may last; below ``min_slice_seconds`` there is no slice."""
        if run.slice == 0:
            return min(self.longest, self._unmeasured)
        share = 1 - run.arriving / run.applying if run.applying else 1.0
        return min(self.longest, self.max_change_age * share - self.margin)

    def is_over(self, run: Run, backlog: Backlog, now: float) -> bool:
        """Return whether a slice must end now so that the waiting changes are applied in time.

        The last waiting change is applied after all others, so no change gets older than the age of the
        oldest one now plus the time that all of them take.
        """
        # The slices read whatever changed before the first slice.
        age = min(backlog.oldest_age, now - run.scan_began)
        if not run.applying:
            return age >= self._unmeasured
        return age > 0 and age + self.margin + backlog.waiting / run.applying >= self.max_change_age

    def is_measured(self, run: Run, now: float) -> bool:
        """Return whether the present window of a drain is complete."""
        return now - run.window_since >= self._window

    def measured(self, run: Run, backlog: Backlog, now: float) -> dict[str, Any]:
        """Return the rates of the present window as fields of the run; empty if it shows nothing."""
        took = now - run.window_since
        worked_off = took + run.window_age - backlog.oldest_age
        applied = backlog.records - run.window_records
        if run.window_age < self.min_slice_seconds or took <= 0 or worked_off <= 0:
            # There was no backlog, so few applied changes only show that few arrived.
            return {}
        if applied <= 0:
            return {"arriving": 0.0} if backlog.oldest_age == 0 else {}
        return {"arriving": applied / worked_off, "applying": applied / took}

    def no_slice(self, run: Run) -> str:
        """Return why no slice can begin; empty if one can."""
        length = self.slice_length(run)
        if length >= self.min_slice_seconds:
            return ""
        return (
            f"the source makes {run.arriving:.1f} changes per second and the replicator applies at most "
            f"{run.applying:.1f}. A slice could last only {duration_text(max(length, 0))} so that no change "
            f"gets older than {duration_text(self.max_change_age)}. {_REMEDIES}"
        )

    def cannot_catch_up(self, run: Run, backlog: Backlog, now: float, *, slices_left: bool) -> str:
        """Return why a drain will not end in time; empty while it may.

        The run stops shortly before a change reaches the maximum age, if the oldest change is older than at
        the beginning of the window. A run that was started again with older changes has one window to catch
        up. If another slice waits for the drain, the drain itself must not exceed the maximum age.

        Changes that the reconciler has not read do not count, because the replicator may have applied them.
        """
        near = self.max_change_age - self._window / 4
        age = backlog.unapplied_age
        if not age or age < run.window_age:
            return ""
        too_old = age >= near and (run.window_age < near or self.is_measured(run, now))
        too_long = slices_left and now - run.phase_since >= self.max_change_age and self.is_measured(run, now)
        if not too_old and not too_long:
            return ""
        took = max(now - run.window_since, 1.0)
        applied = backlog.records - run.window_records
        worked_off = took + run.window_age - age
        minutes = f"in the last {duration_text(took)}"
        if applied <= 0:
            what = f"The replicator applied nothing {minutes}. See its log group"
        elif worked_off <= 0:
            what = f"The replicator applied {applied / took:.1f} changes per second {minutes}"
        else:
            what = (
                f"The replicator applied {applied / took:.1f} changes per second {minutes}; the source made "
                f"{applied / worked_off:.1f} per second when these changes were made"
            )
        return (
            f"the replicator cannot catch up. After {duration_text(now - run.phase_since)} of draining, the "
            f"oldest unapplied change is {duration_text(age)} old, and the limit is "
            f"{duration_text(self.max_change_age)}. {what}. {_REMEDIES}"
        )

    @property
    def _unmeasured(self) -> float:
        return min(_UNMEASURED_SECONDS, self.max_change_age / 4)

    @property
    def _window(self) -> float:
        return min(_WINDOW_SECONDS, self.max_change_age / 24)


def begin_window(backlog: Backlog, now: float, age: float) -> dict[str, Any]:
    """Return the fields of the run that begin a window of a drain, ``age`` seconds behind the source."""
    return {"window_since": now, "window_age": age, "window_records": backlog.records}
