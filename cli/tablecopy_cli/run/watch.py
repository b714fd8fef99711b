"""``tablecopy watch``: polls one copy or several until there is nothing to wait for, and prints the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from tablecopy.clock import Clock
from tablecopy.control.status import Status
from tablecopy.text import duration_text
from tablecopy_cli.common.control_function import Throttled
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.run.progress import Rates, RateTracker, TimeLeft, time_left
from tablecopy_cli.run.status_text import Outcome, outcome_of

PATIENCE_SECONDS = 600.0
"""How long control may fail to answer after its last answer."""

_LONGEST_PAUSE_SECONDS = 60.0
_AT_THE_SAME_TIME = 8


class Function(Protocol):
    """What is polled: a `tablecopy_cli.common.control_function.ControlFunction`, or a test's."""

    def status(self) -> Status:
        """Return the run as the journal has it."""


@dataclass(frozen=True)
class Snapshot:
    """A run after a poll."""

    status: Status
    rates: Rates
    left: TimeLeft


@dataclass(frozen=True)
class FailedPoll:
    """A poll without an answer, which is repeated.

    Attributes
    ----------
    message
        One line.
    since
        Seconds since control's last answer.
    """

    message: str
    since: float


class View(Protocol):
    """Where runs are shown. ``copy`` is the name of the copy, ``None`` for the only one."""

    tick_seconds: float
    """How often to call `tick` between polls; infinite for never."""

    def show(self, copy: str | None, snapshot: Snapshot) -> None:
        """Show an answer of control."""

    def fail(self, copy: str | None, failed: FailedPoll) -> None:
        """Show that control did not answer."""

    def tick(self) -> None:
        """Refresh: time has passed, or the terminal has another size."""


@dataclass(frozen=True)
class Watched:
    """How the watch of one copy ended.

    Attributes
    ----------
    copy
        Its name, or ``None``.
    outcome
        How it ended.
    snapshot
        The latest; ``None`` if there was no answer.
    error
        Why it failed, in one line; empty otherwise.
    """

    copy: str | None
    outcome: Outcome
    snapshot: Snapshot | None
    error: str = ""


class RunWatcher:
    """Polls runs until all reach a phase, or until they cannot.

    Parameters
    ----------
    connect
        Makes the client of each copy's control function, by the copy's name; ``None`` for the only copy. It
        is called again after a failed poll, so that credentials renewed elsewhere are picked up.
    view
        Where the runs are shown.
    clock
        The time, and how to wait.
    interval
        Seconds from an answer to the next poll. It doubles while polls fail, up to a minute.
    timeout
        Seconds until a last poll. Infinite for never.
    """

    def __init__(
        self,
        connect: Mapping[str | None, Callable[[], Function]],
        view: View,
        clock: Clock,
        interval: float,
        timeout: float,
    ) -> None:
        self._view = view
        self._clock = clock
        self._timeout = timeout
        self._pollers = [_Poller(name, each, clock, interval) for name, each in connect.items()]

    def until(self, phase: str) -> list[Watched]:
        """Watch until ``phase`` (see `status_text.UNTIL`) and return how it ended for each copy.

        Several copies are watched until each of them has an outcome at the same time.

        Raises
        ------
        UserError
            There is one copy, and its first poll failed except by throttling, a later one failed permanently,
            or all failed for `PATIENCE_SECONDS`. Among several copies that is the outcome of the one that
            failed.
        """
        deadline = self._clock.now() + self._timeout
        while True:
            is_last = self._clock.now() >= deadline
            self._poll([each for each in self._pollers if each.is_due or (is_last and each.fatal is None)])
            ended = [each.outcome(phase) for each in self._pollers]
            if is_last or all(ended):
                if len(self._pollers) == 1 and (error := self._pollers[0].unanswered):
                    raise error
                return [each.watched(phase) for each in self._pollers]
            self._wait(min(deadline, *(each.due for each in self._pollers)) - self._clock.now())

    def _poll(self, due: Sequence[_Poller]) -> None:
        if len(self._pollers) == 1:
            found = [each.poll() for each in due]
        else:
            with ThreadPoolExecutor(_AT_THE_SAME_TIME) as pool:
                found = list(pool.map(_Poller.poll, due))
        for poller, result in zip(due, found, strict=True):
            if isinstance(result, Snapshot):
                self._view.show(poller.copy, result)
            else:
                if poller.fatal and len(self._pollers) == 1:
                    raise poller.fatal
                self._view.fail(poller.copy, result)

    def _wait(self, seconds: float) -> None:
        until = self._clock.now() + seconds
        while (left := until - self._clock.now()) > 0:
            self._clock.sleep(min(left, self._view.tick_seconds))
            self._view.tick()


class _Poller:
    """Polls the control function of one copy."""

    def __init__(
        self, copy: str | None, connect: Callable[[], Function], clock: Clock, interval: float
    ) -> None:
        self.copy = copy
        self.due = clock.now()
        self.fatal: UserError | None = None
        self.unanswered: UserError | None = None
        self._connect = connect
        self._function: Function | None = None
        self._clock = clock
        self._interval = interval
        self._tracker = RateTracker()
        self._latest: Snapshot | None = None
        self._answered = clock.now()
        self._failures = 0

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next poll."""
        return self.due <= self._clock.now()

    def poll(self) -> Snapshot | FailedPoll:
        """Ask once. An error that does not pass is kept in ``fatal``, and nothing is due any more."""
        try:
            self._function = self._function or self._connect()
            status = self._function.status()
        except UserError as error:
            self._function = None
            return self._failed(error)
        self._answered, self._failures, self.unanswered = self._clock.now(), 0, None
        self.due = self._answered + self._interval
        self._latest = Snapshot(status, self._tracker.update(status), time_left(status))
        return self._latest

    def outcome(self, phase: str) -> Outcome | None:
        """How the watch of this copy ends now; ``None`` while it continues."""
        if self.fatal:
            return Outcome.FAILED
        return outcome_of(self._latest.status, phase) if self._latest else None

    def watched(self, phase: str) -> Watched:
        """How it has ended, at the latest because time is up."""
        late = Outcome.FAILED if self.unanswered else Outcome.TIMED_OUT
        error = str(self.fatal or self.unanswered or "")
        return Watched(self.copy, self.outcome(phase) or late, self._latest, error)

    def _failed(self, error: UserError) -> FailedPoll:
        since = self._clock.now() - self._answered
        # The first poll fails most likely by a mistake in the flags, except that Lambda may throttle it.
        is_first = self._latest is None
        self.unanswered = error if is_first else None
        if not error.transient or (is_first and not isinstance(error, Throttled)):
            self._give_up(error)
        elif since >= PATIENCE_SECONDS:
            message = f"{error}; control has not answered for {duration_text(since)}"
            self._give_up(UserError(message, error.side))
        else:
            self._failures += 1
            # Two to the power of anything larger is more than any pause.
            pause = self._interval * math.ldexp(1, min(self._failures, 10))
            self.due = self._clock.now() + min(pause, max(self._interval, _LONGEST_PAUSE_SECONDS))
        return FailedPoll(str(error), since)

    def _give_up(self, error: UserError) -> None:
        self.fatal, self.due = error, math.inf
