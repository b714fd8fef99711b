"""The event source mapping: switched until it is where it should be, refused where it could lose changes."""

from __future__ import annotations

from typing import cast

import pytest
from botocore.exceptions import ClientError
from mypy_boto3_lambda.client import LambdaClient

from tablecopy.control.services import SourceMapping
from tests.unit.tablecopy.fakes import STREAM_ARN as STREAM
from tests.unit.tablecopy.fakes import FakeClock, FakeLambda, client_error


@pytest.fixture
def lambda_() -> FakeLambda:
    return FakeLambda()


@pytest.fixture
def mapping(lambda_: FakeLambda, clock: FakeClock) -> SourceMapping:
    return SourceMapping(cast(LambdaClient, lambda_), "mine", clock)


@pytest.mark.parametrize(
    ("on", "state", "other"), [(True, "Enabled", "Disabled"), (False, "Disabled", "Enabled")]
)
def test_switching_is_done_once_lambda_says_so(
    mapping: SourceMapping, lambda_: FakeLambda, clock: FakeClock, on: bool, state: str, other: str
) -> None:
    lambda_.mapping["State"] = other
    assert not mapping.switch(on=on)
    clock.tick(10)
    assert not mapping.switch(on=on)
    lambda_.mapping["State"] = state
    clock.tick(10)
    assert mapping.switch(on=on)
    assert lambda_.updates == [on]


@pytest.mark.parametrize("state", ["Creating", "Enabling", "Disabling", "Updating"])
@pytest.mark.parametrize("on", [True, False])
def test_one_that_is_being_changed_is_left_alone(
    mapping: SourceMapping, lambda_: FakeLambda, state: str, on: bool
) -> None:
    lambda_.mapping["State"] = state
    assert not mapping.switch(on=on)
    assert lambda_.updates == []


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ResourceInUseException", 400),
        ("ResourceConflictException", 409),
        ("TooManyRequestsException", 429),
        ("SomethingNew", 429),
    ],
)
@pytest.mark.parametrize("call", ["get", "update"])
def test_a_mapping_that_is_busy_is_switched_later(
    mapping: SourceMapping, lambda_: FakeLambda, clock: FakeClock, code: str, status: int, call: str
) -> None:
    """Another reconciler, or Terraform, is changing it, or all of the account's copies ask at once."""
    error = client_error(code, status, "UpdateEventSourceMapping")
    lambda_.errors = [error] if call == "get" else [None, error]
    assert not mapping.switch(on=True)
    clock.tick(1)
    assert not mapping.switch(on=True)
    assert lambda_.updates == [True]


def test_what_lambda_refuses_for_another_reason_is_an_error(
    mapping: SourceMapping, lambda_: FakeLambda
) -> None:
    lambda_.errors = [client_error("AccessDeniedException", 403, "GetEventSourceMapping")]
    with pytest.raises(ClientError):
        mapping.switch(on=True)


def test_lambda_is_asked_ever_more_seldom(
    mapping: SourceMapping, lambda_: FakeLambda, clock: FakeClock
) -> None:
    """The account has 15 such requests a second, for all its copies and everything else."""
    asked = []
    for second in range(120):
        if second == 40:
            lambda_.mapping["State"] = "Enabled"
        before = lambda_.gets
        mapping.switch(on=True)
        if lambda_.gets > before:
            asked.append(second)
        clock.tick(1)
    assert asked == [0, 1, 5, 15, 30, 45, 105]
    assert lambda_.updates == [True]


def test_a_state_that_was_just_seen_is_not_asked_for_again(
    mapping: SourceMapping, lambda_: FakeLambda, clock: FakeClock
) -> None:
    assert mapping.switch(on=False)
    clock.tick(59)
    assert not mapping.switch(on=True)
    assert (lambda_.gets, lambda_.updates) == (1, [True])


def test_one_that_was_changed_meanwhile_is_asked_for(
    mapping: SourceMapping, lambda_: FakeLambda, clock: FakeClock
) -> None:
    assert mapping.switch(on=False)
    lambda_.errors = [client_error("ResourceInUseException", 400, "UpdateEventSourceMapping")]
    assert not mapping.switch(on=True)
    lambda_.mapping["State"] = "Enabled"
    clock.tick(1)
    assert mapping.switch(on=True)
    assert (lambda_.gets, lambda_.updates) == (2, [])


def test_a_new_direction_is_seen_by_lambda_before_it_counts(
    mapping: SourceMapping, lambda_: FakeLambda, clock: FakeClock
) -> None:
    lambda_.mapping["State"] = "Enabled"
    assert mapping.switch(on=True)
    assert not mapping.switch(on=False)
    # Although it was seen in this state once: what is seen counts for the direction it was asked for only.
    assert not mapping.switch(on=True)
    assert lambda_.updates == [False]


def test_one_that_somebody_switches_is_switched_back_within_a_minute(
    mapping: SourceMapping, lambda_: FakeLambda, clock: FakeClock
) -> None:
    assert mapping.switch(on=False)
    lambda_.mapping["State"] = "Enabled"
    clock.tick(59)
    assert mapping.switch(on=False)
    clock.tick(1)
    assert not mapping.switch(on=False)
    assert lambda_.updates == [False]


def test_only_a_problem_that_lambda_reports_is_a_complaint(
    mapping: SourceMapping, lambda_: FakeLambda, clock: FakeClock
) -> None:
    lambda_.mapping["State"] = "Enabled"
    for result in ("No records processed", "OK"):
        lambda_.mapping["LastProcessingResult"] = result
        mapping.switch(on=True)
        assert mapping.complaint() == ""
        clock.tick(60)
    lambda_.mapping["LastProcessingResult"] = "PROBLEM: Cannot access stream"
    mapping.switch(on=True)
    assert mapping.complaint().endswith("mapping mine: PROBLEM: Cannot access stream")


def test_the_settings_terraform_makes_are_safe(mapping: SourceMapping) -> None:
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
    mapping: SourceMapping, lambda_: FakeLambda, setting: str, value: object, says: str
) -> None:
    lambda_.mapping[setting] = value
    [problem] = mapping.problems(STREAM)
    assert says in problem
    assert "mine" in problem


@pytest.mark.parametrize("is_there", [True, False])
def test_one_that_is_deleted_is_lost(mapping: SourceMapping, lambda_: FakeLambda, is_there: bool) -> None:
    assert mapping.lost() == []
    lambda_.mapping["State"] = "Deleting"
    lambda_.errors = [] if is_there else [client_error("ResourceNotFoundException", 404)]
    [problem] = mapping.lost()
    assert problem.startswith("event source mapping mine was deleted")


def test_one_that_cannot_be_read_is_not_lost(mapping: SourceMapping, lambda_: FakeLambda) -> None:
    lambda_.errors = [client_error("AccessDeniedException")]
    with pytest.raises(ClientError, match="AccessDenied"):
        mapping.lost()
