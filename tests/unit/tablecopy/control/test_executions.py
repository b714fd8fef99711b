"""A slice's execution is started once, however often and by however many it is asked for."""

from __future__ import annotations

import json
from typing import cast

import pytest
from botocore.exceptions import ClientError
from mypy_boto3_stepfunctions.client import SFNClient

from tablecopy.control.services import Executions
from tests.unit.tablecopy.fakes import MACHINE_ARN as MACHINE
from tests.unit.tablecopy.fakes import FakeClock, FakeStates


@pytest.fixture
def states() -> FakeStates:
    return FakeStates()


@pytest.fixture
def executions(states: FakeStates, clock: FakeClock) -> Executions:
    return Executions(cast(SFNClient, states), MACHINE, clock)


def test_it_is_started_once(executions: Executions, states: FakeStates) -> None:
    assert executions.is_running("run", 2, [0, 3])
    assert executions.is_running("run", 2, [3])
    [(arn, given)] = states.executions.items()
    assert arn == "arn:aws:states:eu-west-1:111111111111:execution:copy:run-slice-2"
    assert json.loads(given) == {"run": "run", "slice": 2, "segments": [0, 3]}


def test_a_worker_may_be_for_the_dead_letters(executions: Executions, states: FakeStates) -> None:
    executions.is_running("run", 2, ["letters", 3])
    [given] = states.executions.values()
    assert json.loads(given)["segments"] == ["letters", 3]


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
def test_it_is_over_however_it_ended(
    executions: Executions, states: FakeStates, clock: FakeClock, status: str
) -> None:
    executions.is_running("run", 2, [0])
    states.end(status)
    clock.tick(3)
    assert not executions.is_running("run", 2, [0])


def test_every_slice_has_its_own(executions: Executions, states: FakeStates) -> None:
    executions.is_running("run", 1, [0])
    executions.is_running("run", 2, [0])
    assert len(states.executions) == 2


def test_step_functions_is_asked_ever_more_seldom(
    executions: Executions, states: FakeStates, clock: FakeClock
) -> None:
    asked = []
    for second in range(60):
        before = states.described
        assert executions.is_running("run", 1, [0])
        if states.described > before:
            asked.append(second)
        clock.tick(1)
    # It was started at first. In no minute there are more than six.
    assert asked == [3, 9, 21, 33, 45, 57]
    assert len(states.executions) == 1
    # Another slice is asked for at once.
    executions.is_running("run", 2, [0])
    assert len(states.executions) == 2


def test_one_that_cannot_be_asked_for_now_is_asked_for_later(
    executions: Executions, states: FakeStates, clock: FakeClock
) -> None:
    states.throttled = True
    assert executions.is_running("run", 1, [0])
    assert executions.is_busy
    assert states.executions == {}
    states.throttled = False
    clock.tick(3)
    assert executions.is_running("run", 1, [0])
    assert not executions.is_busy
    assert len(states.executions) == 1


def test_one_that_is_not_described_yet_is_running(
    executions: Executions, states: FakeStates, clock: FakeClock
) -> None:
    # DescribeExecution is eventually consistent, and fewer segments are left than a moment ago.
    executions.is_running("run", 1, [0, 1])
    states.lagging = True
    for _ in range(3):
        clock.tick(12)
        assert executions.is_running("run", 1, [1])
    assert len(states.executions) == 1
    states.lagging = False
    states.end()
    clock.tick(12)
    executions.is_running("run", 1, [1])
    clock.tick(12)
    assert not executions.is_running("run", 1, [1])


def test_another_environment_finds_the_execution_of_the_slice(
    executions: Executions, states: FakeStates, clock: FakeClock
) -> None:
    executions.is_running("run", 1, [0, 1])
    states.end()
    other = Executions(cast(SFNClient, states), MACHINE, clock)
    assert other.is_running("run", 1, [1])
    clock.tick(3)
    assert not other.is_running("run", 1, [1])
    assert len(states.executions) == 1


def test_step_functions_answers_for_an_execution_that_there_is_not(
    executions: Executions, states: FakeStates
) -> None:
    assert executions.problems() == []
    assert (states.described, states.executions) == (1, {})
    states.throttled = True
    with pytest.raises(ClientError):
        executions.problems()
