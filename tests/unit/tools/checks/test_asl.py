"""A definition that AWS would refuse is refused here, and for the same reason."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tools.checks import asl

Json = dict[str, Any]
WORK = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke",
    "Parameters": {"FunctionName": "f"},
    "Retry": [{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 1, "MaxDelaySeconds": 30}],
    "Next": "More",
}
MORE = {
    "Type": "Choice",
    "Choices": [{"Variable": "$.next", "StringEquals": "again", "Next": "Work"}],
    "Default": "Leave",
}
SOUND: Json = {
    "StartAt": "Parts",
    "States": {
        "Parts": {
            "Type": "Map",
            "Label": "Parts",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "Work",
                "States": {"Work": WORK, "More": MORE, "Leave": {"Type": "Pass", "End": True}},
            },
            "End": True,
        }
    },
}
Break = Callable[[Json, Json], object]


def broken(how: Break) -> Json:
    definition = copy.deepcopy(SOUND)
    how(definition["States"], definition["States"]["Parts"]["ItemProcessor"]["States"])
    return definition


def twice(outer: Json, inner: Json) -> None:
    outer["Parts"].pop("End")
    outer["Parts"]["Next"] = "Leave"
    outer["Leave"] = {"Type": "Pass", "End": True}


def set_in(place: str, **values: Any) -> Break:
    return lambda outer, inner: {**outer, **inner}[place].update(values)


def retry(**values: Any) -> Break:
    return lambda outer, inner: inner["Work"]["Retry"][0].update(values)


def test_a_sound_definition() -> None:
    assert asl.problems(SOUND) == []
    assert asl.by_validator(SOUND) in (None, [])


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        (twice, "Leave: the state name appears 2 times"),
        (set_in("Parts", Label="a" * 41), "Parts: Label"),
        (set_in("Parts", Label="a b"), "Parts: Label"),
        (set_in("Work", Next="Mroe"), "Work: 'Mroe' is not a state beside it"),
        (set_in("More", Default="Parts"), "More: 'Parts' is not a state beside it"),
        (set_in("More", Default="Work"), "Leave: no state leads to it"),
        (set_in("Work", End=True), "Work: needs exactly one of Next and End"),
        (set_in("Work", Type="Taks"), "Work: Type 'Taks' does not exist"),
        (set_in("Work", TimeoutSeconds=0), "Work: TimeoutSeconds"),
        (set_in("Work", Resource="lambda"), "Work: Resource is not an ARN"),
        (lambda outer, inner: inner["Work"].pop("Resource"), "Work: Resource is missing"),
        (lambda outer, inner: inner.pop("Leave"), "Parts: no state ends it"),
        (set_in("Leave", Type="Pass", End=False), "Leave: needs exactly one of Next and End"),
        (retry(MaxAttempts=100_000_000), "Work: retry 1: MaxAttempts"),
        (retry(MaxDelaySeconds=1), "Work: retry 1: MaxDelaySeconds"),
        (retry(MaxDelaySeconds=31_622_400), "Work: retry 1: MaxDelaySeconds"),
        (retry(IntervalSeconds=0), "Work: retry 1: IntervalSeconds"),
        (retry(BackoffRate=0.5), "Work: retry 1: BackoffRate"),
        (retry(JitterStrategy="SOME"), "Work: retry 1: JitterStrategy"),
        (retry(ErrorEquals=["States.ALL", "States.Timeout"]), "Work: retry 1: States.ALL"),
        (retry(ErrorEquals=[]), "Work: retry 1: ErrorEquals is missing"),
    ],
)
def test_what_aws_refuses(how: Break, problem: str) -> None:
    found = asl.problems(broken(how))
    assert any(line.startswith(problem) for line in found), found


def test_a_machine_whose_start_is_not_there() -> None:
    assert asl.problems({**SOUND, "StartAt": "Part"}) == [
        "the machine: StartAt 'Part' is not one of its states",
        "Parts: no state leads to it",
    ]


def test_the_validator_of_npm_agrees() -> None:
    found = asl.by_validator(broken(twice))
    if found is None:
        pytest.skip("asl-validator is not installed")
    assert "Leave" in found[0]
