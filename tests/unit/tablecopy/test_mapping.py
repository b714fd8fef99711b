"""The event source mapping: switched until it is where it should be, refused where it could lose changes."""

from __future__ import annotations

from typing import cast

import pytest
from mypy_boto3_lambda.client import LambdaClient

from tablecopy.control.mapping import Mapping
from tests.unit.tablecopy.fakes import STREAM_ARN as STREAM
from tests.unit.tablecopy.fakes import FakeLambda


@pytest.fixture
def lambda_() -> FakeLambda:
    return FakeLambda()


@pytest.fixture
def mapping(lambda_: FakeLambda) -> Mapping:
    return Mapping(cast(LambdaClient, lambda_), "mine")


def test_switching_on_is_done_once_lambda_says_so(mapping: Mapping, lambda_: FakeLambda) -> None:
    assert not mapping.switch(on=True)
    assert not mapping.switch(on=True)
    lambda_.mapping["State"] = "Enabled"
    assert mapping.switch(on=True)
    assert lambda_.updates == [True]


def test_switching_off_is_done_once_lambda_says_so(mapping: Mapping, lambda_: FakeLambda) -> None:
    lambda_.mapping["State"] = "Enabled"
    assert not mapping.switch(on=False)
    assert not mapping.switch(on=False)
    lambda_.mapping["State"] = "Disabled"
    assert mapping.switch(on=False)
    assert lambda_.updates == [False]


@pytest.mark.parametrize("state", ["Creating", "Enabling", "Disabling", "Updating"])
@pytest.mark.parametrize("on", [True, False])
def test_one_that_is_being_changed_is_left_alone(
    mapping: Mapping, lambda_: FakeLambda, state: str, on: bool
) -> None:
    lambda_.mapping["State"] = state
    assert not mapping.switch(on=on)
    assert lambda_.updates == []


def test_only_a_problem_that_lambda_reports_is_a_complaint(mapping: Mapping, lambda_: FakeLambda) -> None:
    for result in ("No records processed", "OK"):
        lambda_.mapping["LastProcessingResult"] = result
        assert mapping.complaint() == ""
    lambda_.mapping["LastProcessingResult"] = "PROBLEM: Cannot access stream"
    assert mapping.complaint().endswith("event source mapping mine: PROBLEM: Cannot access stream")


def test_the_settings_terraform_makes_are_safe(mapping: Mapping) -> None:
    assert mapping.problems(STREAM) == []


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("EventSourceArn", STREAM + "2", "instead of"),
        ("FunctionResponseTypes", [], "ReportBatchItemFailures"),
        ("ParallelizationFactor", 2, "ParallelizationFactor"),
        ("MaximumRetryAttempts", 3, "MaximumRetryAttempts"),
        ("MaximumRecordAgeInSeconds", 60, "MaximumRecordAgeInSeconds"),
        ("FilterCriteria", {"Filters": [{"Pattern": "{}"}]}, "filter"),
        ("StartingPosition", "LATEST", "TRIM_HORIZON"),
    ],
)
def test_settings_that_lose_changes_are_refused(
    mapping: Mapping, lambda_: FakeLambda, setting: str, value: object, says: str
) -> None:
    lambda_.mapping[setting] = value
    [problem] = mapping.problems(STREAM)
    assert says in problem
    assert "mine" in problem
