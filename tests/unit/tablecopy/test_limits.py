"""What was asked for has to fit in the account and in the source."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from moto import mock_aws
from mypy_boto3_lambda.client import LambdaClient

from tablecopy.control.limits import concurrency_problems, read_capacity_problems
from tablecopy.settings import ControlSettings
from tests.unit.tablecopy.fakes import own_wire
from tests.unit.tablecopy.test_handlers import ENVIRONMENT

SETTINGS = ControlSettings.from_environment(ENVIRONMENT)


class FakeAccount:
    def __init__(self, free: int) -> None:
        self.free = free

    def get_account_settings(self) -> dict[str, Any]:
        limit = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": self.free}
        return {"AccountLimit": limit}


def concurrency(free: int, wanted: int) -> list[str]:
    settings = replace(SETTINGS, concurrency=wanted, unreserved_concurrency=wanted + 2)
    return concurrency_problems(cast(LambdaClient, FakeAccount(free)), settings)


def test_workers_replicator_and_control_fit() -> None:
    assert concurrency(18, 16) == []


@pytest.mark.parametrize(("free", "advice"), [(17, 15), (10, 8), (1, 1)])
def test_one_too_many_is_told_with_what_would_fit(free: int, advice: int) -> None:
    [problem] = concurrency(free, 16)
    assert f"lets {free} functions run at the same time (of 1000" in problem
    assert "the copy wants 18: " in problem
    assert f"Lower backfill.concurrency to {advice} or less" in problem


def test_reserved_executions_are_not_the_accounts_to_give() -> None:
    reserved = replace(SETTINGS, concurrency=16, unreserved_concurrency=2)
    assert concurrency_problems(cast(LambdaClient, FakeAccount(2)), reserved) == []
    [problem] = concurrency_problems(cast(LambdaClient, FakeAccount(1)), reserved)
    assert "the copy wants 2: " in problem
    assert "backfill.concurrency" not in problem


@pytest.mark.parametrize(
    ("provisioned", "budget", "found"),
    [(100, None, 0), (100, 51.0, 0), (100, 100.0, 0), (100, 101.0, 1), (0, 1e6, 0)],
    ids=["no budget", "above half", "all of it", "more than there is", "on demand"],
)
def test_a_budget_is_at_most_what_is_provisioned(provisioned: int, budget: float | None, found: int) -> None:
    with mock_aws():
        wire = own_wire()
        mode: dict[str, Any] = {"BillingMode": "PAY_PER_REQUEST"}
        if provisioned:
            throughput = {"ReadCapacityUnits": provisioned, "WriteCapacityUnits": 1}
            mode = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": throughput}
        wire.call(
            "create_table",
            {
                "TableName": "source",
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                **mode,
            },
        )
        problems = read_capacity_problems(wire, "source", replace(SETTINGS, read_capacity=budget))
    assert len(problems) == found
    assert all("101 units a second" in problem and "100 provisioned" in problem for problem in problems)


def test_a_source_that_is_gone_is_told_by_others() -> None:
    with mock_aws():
        assert read_capacity_problems(own_wire(), "source", replace(SETTINGS, read_capacity=5)) == []
