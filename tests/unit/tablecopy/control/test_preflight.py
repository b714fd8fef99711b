"""Preflight asks every check, also past one that is denied."""

from __future__ import annotations

from threading import Barrier

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from tablecopy.clock import Machine
from tablecopy.control.preflight import problems, unreachable_problem
from tests.unit.tablecopy.fakes import client_error


def broken() -> list[str]:
    raise client_error("InternalServerError", 500)


def test_all_problems_are_found() -> None:
    assert problems([lambda: ["one"], list, lambda: ["two", "three"]], Machine()) == ["one", "two", "three"]


def test_checks_do_not_wait_for_one_another() -> None:
    together = Barrier(2, timeout=10)

    def meet() -> list[str]:
        together.wait()
        return ["met"]

    assert problems([meet, meet], Machine()) == ["met", "met"]


@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied", "UnrecognizedClientException"])
def test_a_denied_check_is_a_problem_among_others(code: str) -> None:
    def denied() -> list[str]:
        raise client_error(code, operation="DescribeTable")

    first, second = problems([denied, lambda: ["two"]], Machine())
    assert first.startswith("DescribeTable is denied")
    assert second == "two"


def test_another_error_is_not_taken_for_an_answer() -> None:
    with pytest.raises(ClientError, match="InternalServerError"):
        problems([broken], Machine())


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (
            "https://streams.dynamodb.eu-west-1.amazonaws.com/",
            "DynamoDB Streams at https://streams.dynamodb.eu-west-1.amazonaws.com from",
        ),
        (
            "https://vpce-1a2b3c4d-5e6f.streams.dynamodb.eu-west-1.vpce.amazonaws.com",
            "DynamoDB Streams at https://vpce-1a2b3c4d-5e6f.streams.dynamodb.eu-west-1.vpce.amazonaws.com",
        ),
        ("https://dynamodb.eu-west-1.amazonaws.com/", "DynamoDB at https://dynamodb.eu-west-1.amazonaws.com"),
        (
            "https://444455556666.ddb.eu-west-1.amazonaws.com/",
            "DynamoDB at https://444455556666.ddb.eu-west-1.amazonaws.com from",
        ),
        (
            "https://lambda.eu-west-1.amazonaws.com/2015-03-31/event-source-mappings/",
            "Lambda at https://lambda.",
        ),
        ("https://sts.eu-west-1.amazonaws.com/", "STS at"),
        ("https://states.eu-west-1.amazonaws.com/", "Step Functions at"),
        ("https://sqs.eu-west-1.amazonaws.com/", "SQS at"),
        ("http://127.0.0.1:4566/", "an AWS service at http://127.0.0.1:4566 from"),
        ("", "an AWS service from the function's subnets"),
    ],
)
def test_the_service_is_named(url: str, says: str) -> None:
    for kind in (ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError):
        told = unreachable_problem(kind(endpoint_url=url, error="why"))
        assert told.startswith(f"cannot reach {says}")
        assert ("vpc.dynamodb_streams_endpoint_url" in told) == ("DynamoDB Streams" in says)


def test_a_check_without_an_answer_finds_that() -> None:
    def fail() -> list[str]:
        raise ConnectTimeoutError(endpoint_url="https://sqs.eu-west-1.amazonaws.com/")

    problem, other = problems([fail, lambda: ["another"]], Machine())
    assert problem.startswith("cannot reach SQS at https://sqs.eu-west-1.amazonaws.com")
    assert other == "another"
