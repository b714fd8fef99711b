"""How watching a run ends, and the exit code that tells it."""

from __future__ import annotations

from enum import Enum

from tablecopy_cli.common.control_function import Status
from tablecopy_cli.common.errors import EXIT_DIFFERENT, EXIT_OK, EXIT_UNSETTLED


class Outcome(Enum):
    """How it ended: a word for programs, and the exit code.

    The codes are those of ``verify`` where they mean the same: 1 is a definite no, and 3 says that a later
    look may tell more. Held up is a code of its own, because it is neither: nothing has failed, time alone
    does not help, and what helps is not what helps a run that has stopped.
    """

    REACHED = ("reached", EXIT_OK)
    """The phase was reached."""
    STOPPED = ("stopped", EXIT_DIFFERENT)
    """The run has stopped, and does not go on by itself."""
    LATE = ("late", EXIT_DIFFERENT)
    """The run is sealed, but the source was written to after it was ready: the destination lacks that."""
    TIMED_OUT = ("timed_out", EXIT_UNSETTLED)
    """The run goes on, but it took too long."""
    HELD = ("held", 4)
    """Everything is copied and applied but for what takes a person: dead letters, or the failure queue."""

    def __init__(self, word: str, exit_code: int) -> None:
        self.word = word
        self.exit_code = exit_code


UNTIL = ("slice", "ready", "sealed")
"""The phases that can be waited for: those that a run passes, or stays in, once."""


def outcome_of(status: Status, until: str) -> Outcome | None:
    """How watching ends with ``status``, or None while there is something to wait for.

    Parameters
    ----------
    status
        What control says of the run.
    until
        One of `UNTIL`; a later phase counts as well.
    """
    phase = status["phase"]
    if phase == "stopped":
        return Outcome.STOPPED
    if lacks_changes(status):
        return Outcome.LATE
    if _is_reached(status, until):
        return Outcome.REACHED
    # A redrive that was asked for is about to try them again.
    return Outcome.HELD if status.get("blocked") and not status["redrive"] else None


def lacks_changes(status: Status) -> bool:
    """Whether the run was sealed too early: the only thing that control says of a sealed run."""
    return bool(status["phase"] == "sealed" and status.get("reason"))


def _is_reached(status: Status, until: str) -> bool:
    phase = status["phase"]
    if until == "slice":
        return bool(status.get("slice"))
    if phase == "sealed" or until == "sealed":
        return bool(phase == "sealed")
    # Ready is over when a letter has come since: control is about to say so.
    return bool(phase == "sealing" or (phase == "ready" and not status["dead_letters"]))
