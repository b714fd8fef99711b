"""Watching a run: look at it again and again until there is nothing more to wait for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tablecopy.text import duration_text
from tablecopy_cli.common.control_function import Status, Throttled
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.run.clock import Clock
from tablecopy_cli.run.outcome import Outcome, outcome_of
from tablecopy_cli.run.progress import Left, Measure, Pace, left

PATIENCE_SECONDS = 600.0
"""For how long control may give no answer, once it has given one."""

_LONGEST_PAUSE_SECONDS = 60.0


class Function(Protocol):
    """What is asked: a `tablecopy_cli.common.control_function.ControlFunction`, or a test's."""

    def status(self) -> Status:
        """The run as the journal has it."""


@dataclass(frozen=True)
class Picture:
    """What is known of the run after a look at it."""

    status: Status
    pace: Pace
    left: Left


@dataclass(frozen=True)
class Trouble:
    """A look that got no answer, and is tried again.

    Attributes
    ----------
    message
        One line.
    since
        Seconds since control has answered last.
    """

    message: str
    since: float


class View(Protocol):
    """Where the run is shown."""

    tick_seconds: float
    """How often `tick` is wanted between looks; infinite for never."""

    def show(self, picture: Picture) -> None:
        """Control has answered."""

    def fail(self, trouble: Trouble) -> None:
        """Control has not answered."""

    def tick(self) -> None:
        """Nothing has happened; time has passed, or the terminal has another size."""


class Watch:
    """Looks at a run until a phase is reached, or until it cannot be.

    Parameters
    ----------
    connect
        Makes the control function's client. It is made anew after every failed look, so that credentials
        that were renewed elsewhere are picked up.
    view
        Where the run is shown.
    clock
        Tells time and waits.
    interval
        Seconds from an answer to the next look. While looks fail it doubles, up to a minute.
    timeout
        Seconds after which to give up; there is a last look then. Infinite for never.
    """

    def __init__(
        self, connect: Callable[[], Function], view: View, clock: Clock, interval: float, timeout: float
    ) -> None:
        self._connect = connect
        self._view = view
        self._clock = clock
        self._interval = interval
        self._timeout = timeout
        self._measure = Measure()

    def until(self, phase: str) -> tuple[Outcome, Picture]:
        """Watch until ``phase`` (see `tablecopy_cli.run.outcome.UNTIL`); how it ended, and with what.

        Raises
        ------
        UserError
            The first look failed for another reason than throttling, a later one in a way that does not
            pass by itself, or all for `PATIENCE_SECONDS`.
        """
        deadline = self._clock.now() + self._timeout
        function = self._connect()
        picture = self._first_picture(function, deadline)
        answered = self._clock.now()
        failures = 0
        while True:
            outcome = outcome_of(picture.status, phase)
            if outcome or self._clock.now() >= deadline:
                return outcome or Outcome.TIMED_OUT, picture
            self._wait(min(self._pause(failures), deadline - self._clock.now()))
            try:
                if failures:
                    function = self._connect()
                status = function.status()
            except UserError as error:
                failures += 1
                self._view.fail(self._trouble(error, self._clock.now() - answered))
            else:
                picture, answered, failures = self._picture(status), self._clock.now(), 0

    def _first_picture(self, function: Function, deadline: float) -> Picture:
        """The first look. Lambda may throttle it; any other error is most likely a mistake in the flags."""
        began = self._clock.now()
        failures = 0
        while True:
            try:
                return self._picture(function.status())
            except Throttled as error:
                if self._clock.now() >= deadline:
                    raise
                failures += 1
                self._view.fail(self._trouble(error, self._clock.now() - began))
            self._wait(min(self._pause(failures), deadline - self._clock.now()))

    def _picture(self, status: Status) -> Picture:
        picture = Picture(status, self._measure.see(status), left(status))
        self._view.show(picture)
        return picture

    def _trouble(self, error: UserError, since: float) -> Trouble:
        if not error.transient:
            raise error
        if since >= PATIENCE_SECONDS:
            raise UserError(
                f"{error}; control has not answered for {duration_text(since)}", error.side
            ) from error
        return Trouble(str(error), since)

    def _pause(self, failures: int) -> float:
        longest = max(self._interval, _LONGEST_PAUSE_SECONDS)
        # Two to the power of anything larger is more than any pause.
        return min(longest, self._interval * math.ldexp(1, min(failures, 10)))

    def _wait(self, seconds: float) -> None:
        until = self._clock.now() + seconds
        while (left := until - self._clock.now()) > 0:
            self._clock.sleep(min(left, self._view.tick_seconds))
            self._view.tick()
