"""When a repair may write, phase by phase."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tablecopy_cli.common.errors import UserError
from verify.repair import guard as module
from verify.repair.guard import CONTROL_SECONDS, SOURCE_SECONDS, ControlGuard, SourceGuard, StateChanged

ROOT = Path(__file__).parents[4]
NOW = 1_795_424_500.0


def status(phase: str, **changes: Any) -> dict[str, Any]:
    if phase == "none":
        return {"phase": "none", "now": NOW}
    return {
        "phase": phase,
        "run": "20261123T090000Z-abcdef",
        "phase_since": NOW - 3600,
        "now": NOW,
        "changes": 10,
        "oldest_unapplied_age": 0.0,
        "redrive": False,
        **changes,
    }


class Control:
    """Answers with one status after the other, the last one for ever; notes the pauses in between."""

    def __init__(self, *statuses: Any) -> None:
        self.statuses = list(statuses)
        self.log: list[float | str] = []

    def status(self) -> Any:
        self.log.append("look")
        answer = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def guard(self, *, writes_stopped: bool = True) -> ControlGuard:
        function: Any = self
        return ControlGuard(function, writes_stopped=writes_stopped, pause=self.log.append)


ALLOWED = {"none": True, "ready": True, "sealed": True, "stopped": False}
"""Phases in which a repair may write, and whether that takes --writes-stopped."""


def test_the_phases_are_those_of_a_run() -> None:
    sys.path.insert(0, str(ROOT / "lambda"))
    from tablecopy.journal.run import Phase

    known = {phase.value for phase in Phase} | {"none"}
    assert set(module._REJECTED) | set(ALLOWED) == known
    assert not set(module._REJECTED) & set(ALLOWED)
    assert all(f"``{phase}``" in (module.__doc__ or "") for phase in known)


@pytest.mark.parametrize("phase", ["preflight", "pausing", "slice", "resuming", "draining", "sealing", "new"])
@pytest.mark.parametrize("writes_stopped", [True, False])
def test_refused_phases(phase: str, writes_stopped: bool) -> None:
    control = Control(status(phase))
    with pytest.raises(UserError, match=f"{phase}. .*"):
        control.guard(writes_stopped=writes_stopped).before()
    assert control.log == ["look"]


@pytest.mark.parametrize("phase", ALLOWED)
def test_allowed_phases(phase: str) -> None:
    guard = Control(status(phase)).guard()
    guard.before()
    guard.after()


@pytest.mark.parametrize(("phase", "needs"), ALLOWED.items())
def test_allowed_phases_without_the_operators_word(phase: str, needs: bool) -> None:
    guard = Control(status(phase)).guard(writes_stopped=False)
    if not needs:
        guard.before()
        return
    with pytest.raises(UserError, match="--writes-stopped"):
        guard.before()


@pytest.mark.parametrize(("age", "left"), [(0.0, 905), (904.0, 1)])
def test_a_run_that_has_just_stopped_may_still_be_writing(age: float, left: int) -> None:
    control = Control(status("stopped", phase_since=NOW - age))
    with pytest.raises(UserError, match=f"may still be writing for {left} s"):
        control.guard().before()


def test_a_run_that_stopped_a_while_ago_is_held() -> None:
    Control(status("stopped", phase_since=NOW - 905.0)).guard().before()


def test_in_ready_control_looks_between_two_looks() -> None:
    control = Control(status("ready"))
    guard = control.guard()
    guard.before()
    assert control.log == ["look", CONTROL_SECONDS, "look"]
    guard.after()
    assert control.log[3:] == [CONTROL_SECONDS, "look"]
    # Once a minute; the schedule is in modules/schedule.
    assert 'schedule_expression = "rate(1 minute)"' in (ROOT / "modules" / "schedule" / "main.tf").read_text(
        encoding="utf-8"
    )
    assert CONTROL_SECONDS > 60


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"oldest_unapplied_age": 5.1}, "waiting to be applied"),
        ({"redrive": True}, "redrive"),
    ],
)
def test_ready_but_not_quiet(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        Control(status("ready", **changes)).guard().before()
    with pytest.raises(UserError, match=reason):
        Control(status("ready"), status("ready", **changes)).guard().before()


def test_ready_with_the_time_since_controls_look() -> None:
    Control(status("ready", oldest_unapplied_age=4.9)).guard().before()


MOVES = [
    ({"changes": 11}, "the replicator has applied changes"),
    ({"phase_since": NOW - 1}, "the run was not ready all the time"),
    ({"run": "another"}, "another run has started"),
]


@pytest.mark.parametrize(("changes", "reason"), MOVES)
def test_what_moves_between_two_looks(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(StateChanged, match=reason):
        Control(status("ready"), status("ready", **changes)).guard().before()


@pytest.mark.parametrize(("changes", "reason"), MOVES)
def test_what_moves_during_the_repair(changes: dict[str, Any], reason: str) -> None:
    guard = Control(status("ready"), status("ready"), status("ready", **changes)).guard()
    guard.before()
    with pytest.raises(StateChanged, match=reason):
        guard.after()


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        (status("draining"), "after the repair: .*draining"),
        (status("sealed"), "the run is sealed now"),
        (UserError("source: Invoke is not allowed"), "after the repair: source: Invoke is not allowed"),
    ],
)
def test_a_phase_that_changes_during_the_repair(later: Any, reason: str) -> None:
    guard = Control(status("ready"), status("ready"), later).guard()
    guard.before()
    with pytest.raises(StateChanged, match=reason):
        guard.after()


def test_a_control_function_that_cannot_be_asked() -> None:
    with pytest.raises(UserError, match="not allowed"):
        Control(UserError("source: Invoke is not allowed")).guard().before()


class Items:
    """Counts of source items that have changed, look by look."""

    def __init__(self, counts: Sequence[int]) -> None:
        self.counts = list(counts)
        self.log: list[float | str] = []

    def changed(self) -> list[bool]:
        self.log.append("look")
        return [False, *[True] * self.counts.pop(0)]

    def guard(self, *, writes_stopped: bool = True) -> SourceGuard:
        return SourceGuard(self.changed, writes_stopped=writes_stopped, pause=self.log.append)


def test_without_a_control_function_the_source_is_read_twice() -> None:
    items = Items([0, 0, 0])
    guard = items.guard()
    guard.before()
    assert items.log == ["look", SOURCE_SECONDS, "look"]
    guard.after()
    assert items.log[3:] == ["look"]


def test_without_a_control_function_the_operators_word_is_needed() -> None:
    items = Items([])
    with pytest.raises(UserError, match=r"--control-function.*--writes-stopped"):
        items.guard(writes_stopped=False).before()
    assert items.log == []


@pytest.mark.parametrize(
    ("counts", "text"), [([1], "1 source item has changed"), ([0, 1234], "1,234 source items have changed")]
)
def test_items_that_change_before_the_repair(counts: list[int], text: str) -> None:
    with pytest.raises(StateChanged, match=text):
        Items(counts).guard().before()


def test_items_that_change_during_the_repair() -> None:
    guard = Items([0, 0, 1]).guard()
    guard.before()
    with pytest.raises(StateChanged, match="1 source item has changed"):
        guard.after()
