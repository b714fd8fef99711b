"""A control function that answers by a script, and a clock that a test advances."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from tablecopy.clock import Clock
from tablecopy.control.status import Status, VerificationStatus
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.control_function import ControlFunction

BEGAN = 1_795_424_400.0
"""2026-11-23T09:00:00Z."""


def status(phase: str = "slice", **changes: Any) -> Status:
    """What control says of a run that has copied 4,000 of 10,000 items in 100 s."""
    return {
        "phase": phase,
        "run": "20261123T090000Z-abcdef",
        "started": BEGAN,
        "phase_since": BEGAN,
        "slice": 2,
        "slice_ends": BEGAN + 600,
        "segments": 16,
        "segments_done": 16 if phase in {"ready", "sealing", "sealed"} else 4,
        "items": 4_000,
        "bytes": 2_000_000,
        "changes": 300,
        "puts": 280,
        "deletes": 10,
        "oldest_unapplied_age": 3.0,
        "arriving": 0.0,
        "applying": 0.0,
        "dead_letters": 0,
        "empty_slices": 0,
        "failed_workers": 0,
        "redrive": False,
        "workers": 4,
        "estimate": {
            "items": 10_000,
            "bytes": 5_000_000,
            "read_units": 1_300,
            "write_units": 10_000,
            "cost": 0.0256,
            "currency": "EUR",
            "seconds": 250.0,
            "limit": "workers",
            "limit_reason": "4 worker(s) at the same time",
        },
        "rate_measured_since": BEGAN,
        "rate_measured_from": 0,
        "seal_requested": False,
        "quiet_for": None,
        "quiet_needed": 60,
        "checked": 0.0,
        "problems": [],
        "reason": "",
        "blocked": False,
        "resumable": True,
        "now": BEGAN + 100,
        **changes,
    }


def verification(state: str = "scanning", **changes: Any) -> VerificationStatus:
    """A comparison in the account that has read 4,000 of 8,000 items in 100 s."""
    active = state in {"requested", "scanning", "rechecking"}
    status = {
        "id": "v1",
        "state": state,
        "verdict": "equal" if state == "done" else "",
        "running": active,
        "reason": "",
        "writes_stopped": False,
        "began": 1_000.0,
        "ended": 0.0 if active else 1_200.0,
        "now": 1_100.0,
        "generation": 0,
        "segments": 16,
        "segments_done": 4 if active else 16,
        "source_items": 2_000,
        "destination_items": 2_000,
        "source_units": 300.0,
        "destination_units": 200.0,
        "equal": 1_990,
        "missing": 0,
        "changed": 0,
        "extra": 0,
        "expired": 0,
        "undecided": 0,
        "listed": 0,
        "segments_by_key": 0,
        "estimated_items": 8_000,
        **changes,
    }
    return cast(VerificationStatus, status)


NO_RUN: Status = {"phase": "none", "now": BEGAN}


class HandClock(Clock):
    """Advances when something sleeps."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.time += seconds


class Control(ControlFunction):
    """Answers in order, the last one again and again; raises an answer that is an error.

    The time of every answer is that of the clock.
    """

    def __init__(self, clock: HandClock, answers: Iterable[Status | BaseException]) -> None:
        self._clock = clock
        self._answers = list(answers)
        self.asked: list[float] = []
        self.connected = 0

    def connect(self) -> ControlFunction:
        """As the command line makes its client."""
        self.connected += 1
        return self

    def status(self) -> Status:
        assert len(self.asked) < 1_000, "it asks for ever"
        self.asked.append(self._clock.now())
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return {**answer, "now": BEGAN + 100 + self._clock.now()}


SIDE = Side("source", region="eu-west-1")
