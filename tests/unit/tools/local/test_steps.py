"""The demo fails on lack of progress, and on nothing else that a busy machine brings about."""

from __future__ import annotations

from typing import Any

import pytest

from tools.local.demo.steps import PATIENCE_SECONDS, DemoFailed, Movement

STATUS: dict[str, Any] = {
    "phase": "draining",
    "slice": 2,
    "segments": 16,
    "segments_done": 12,
    "items": 24_000,
    "changes": 900,
    "oldest_unapplied_age": 3.0,
    "problems": [],
    "reason": "",
}


class Hand:
    """A clock that is moved by hand."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_a_run_may_take_as_long_as_it_moves() -> None:
    clock = Hand()
    movement = Movement(clock)
    for step in range(20):
        movement.check(STATUS | {"changes": step}, "the end of the backfill")
        clock.seconds += PATIENCE_SECONDS


def test_a_run_in_which_nothing_moves_fails_with_what_it_waits_for() -> None:
    clock = Hand()
    movement = Movement(clock)
    movement.check(STATUS, "the end of the backfill")
    clock.seconds += PATIENCE_SECONDS
    # How old the oldest change is moves by itself.
    movement.check(STATUS | {"oldest_unapplied_age": 99.0}, "the end of the backfill")
    clock.seconds += 1
    with pytest.raises(DemoFailed) as failure:
        movement.check(STATUS, "the end of the backfill")
    assert str(failure.value) == (
        "nothing has moved for 180 s while waiting for the end of the backfill: phase draining, "
        "12/16 segments, 24,000 items copied, 900 changes applied, oldest unapplied 3 s. "
        "Run `make demo KEEP=1` to look around afterwards"
    )


def test_a_run_that_has_stopped_fails_at_once() -> None:
    with pytest.raises(DemoFailed, match="the run has stopped: no more capacity"):
        Movement(Hand()).check(STATUS | {"phase": "stopped", "reason": "no more capacity"}, "anything")
