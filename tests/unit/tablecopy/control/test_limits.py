"""What was asked for has to fit in the account and in the source."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from moto import mock_aws
from mypy_boto3_lambda.client import LambdaClient

from tablecopy.control.preflight import concurrency_problems, read_capacity_problems
from tablecopy.settings import ReconcilerSettings
from tests.unit.tablecopy.fakes import moto_client
from tests.unit.tablecopy.functions import ENVIRONMENT

SETTINGS = ReconcilerSettings.from_environment(ENVIRONMENT)


class FakeAccount:
    def __init__(self, free: int) -> None:
        self.free = free

    def get_account_settings(self) -> dict[str, Any]:
        limit = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": self.free}
        return {"AccountLimit": limit}


def concurrency(free: int, workers: int, shards: int = 1, **changes: Any) -> list[str]:
    settings = replace(SETTINGS, **{"concurrency": workers, "unreserved_concurrency": workers + 2, **changes})
    return concurrency_problems(cast(LambdaClient, FakeAccount(free)), settings, shards)


def test_workers_replicator_and_control_fit() -> None:
    assert concurrency(18, 16) == []


@pytest.mark.parametrize(("free", "advice"), [(17, 15), (10, 8), (3, 1)])
def test_one_too_many_is_told_with_what_would_fit(free: int, advice: int) -> None:
    [problem] = concurrency(free, 16)
    assert f"has {free} unreserved of 1000" in problem
    assert "needs 18, " in problem
    assert f"Set backfill.concurrency to {advice} or less" in problem


@pytest.mark.parametrize("free", [2, 1])
def test_no_number_of_workers_is_advised_where_none_fits(free: int) -> None:
    [problem] = concurrency(free, 16)
    assert problem.endswith(f"has {free} unreserved of 1000. Request a higher quota")


def test_the_replicator_takes_one_execution_for_each_open_shard() -> None:
    assert concurrency(100, 16, shards=100) == []
    [problem] = concurrency(99, 16, shards=100)
    assert "needs 100 (the replicator one for each of 100 open shards)" in problem
    # Fewer workers would not help.
    assert problem.endswith("has 99 unreserved of 1000. Request a higher quota")


def test_workers_and_replicators_do_not_run_at_the_same_time() -> None:
    """Almost a thousand shards fit into the quota that Lambda gives an account by default."""
    assert concurrency(1_000, 16, shards=998) == []
    assert concurrency(1_000, 40, shards=998) == []


def test_thousands_of_shards_are_read_by_more_invocations() -> None:
    assert concurrency(4_008, 16, shards=4_000) == []
    [problem] = concurrency(4_007, 16, shards=4_000)
    assert "needs 4008 (the replicator one for each of 4,000 open shards, and 8 to read them)" in problem


def test_few_shards_do_not_hide_that_there_are_too_many_workers() -> None:
    [problem] = concurrency(17, 16, shards=17)
    assert "needs 18, " in problem
    assert "Set backfill.concurrency to 15 or less" in problem


def test_a_stream_that_lists_no_shard_yet_takes_one_all_the_same() -> None:
    assert concurrency(18, 16, shards=0) == []
    assert concurrency(17, 16, shards=0) != []


def test_a_replicator_with_executions_of_its_own_takes_none_of_the_accounts() -> None:
    assert concurrency(17, 16, shards=100, unreserved_concurrency=17, replicator_reserved=True) == []


def test_reserved_executions_are_not_the_accounts_to_give() -> None:
    assert concurrency(2, 16, unreserved_concurrency=2) == []
    [problem] = concurrency(1, 16, unreserved_concurrency=2)
    assert "needs 2, " in problem
    assert "backfill.concurrency" not in problem


@pytest.mark.parametrize(
    ("provisioned", "budget", "found"),
    [(100, None, 0), (100, 51.0, 0), (100, 100.0, 0), (100, 101.0, 1), (0, 1e6, 0)],
    ids=["no budget", "above half", "all of it", "more than there is", "on demand"],
)
def test_a_budget_is_at_most_what_is_provisioned(provisioned: int, budget: float | None, found: int) -> None:
    with mock_aws():
        client = moto_client()
        mode: dict[str, Any] = {"BillingMode": "PAY_PER_REQUEST"}
        if provisioned:
            throughput = {"ReadCapacityUnits": provisioned, "WriteCapacityUnits": 1}
            mode = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": throughput}
        client.call(
            "create_table",
            {
                "TableName": "source",
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                **mode,
            },
        )
        problems = read_capacity_problems(client, "source", replace(SETTINGS, read_capacity=budget))
    assert len(problems) == found
    assert all(
        "101 read units per second" in problem and "100 provisioned" in problem for problem in problems
    )


def test_a_source_that_is_gone_is_told_by_others() -> None:
    with mock_aws():
        assert read_capacity_problems(moto_client(), "source", replace(SETTINGS, read_capacity=5)) == []
