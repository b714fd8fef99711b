"""The example of a comparison without a copy, as a user applies it, from one region to another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tablecopy_cli.app import main as tablecopy
from tests.e2e.policies import as_list, resources, statements
from tests.e2e.test_examples import ACCESS, EXPLAINED
from tools.local.accounts import DESTINATION_ACCOUNT, SOURCE_ACCOUNT, LocalAws
from tools.local.demo.cities import TABLE, cities, key_of
from tools.local.demo.stack import example_module
from tools.local.terraform import Terraform
from verify.cli import main as verify

pytestmark = pytest.mark.terraform

ITEMS = 300
NAMES = {SOURCE_ACCOUNT: "orders", DESTINATION_ACCOUNT: "orders-restored"}


@dataclass
class Applied:
    """Two tables with the same items, and the example that compares them."""

    accounts: LocalAws
    example: Terraform

    def table(self, account: str) -> Any:
        return self.accounts.session(account).client("dynamodb")


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    regions = {side: ACCESS[side] for side in ("source_region", "destination_region")}
    accounts = LocalAws(tmp_path_factory.mktemp("accounts"), **regions)
    with accounts, pytest.MonkeyPatch.context() as patch:
        for name, value in accounts.environment().items():
            patch.setenv(name, value)
        items = cities(ITEMS)
        for account, name in NAMES.items():
            client = accounts.session(account).client("dynamodb")
            # Without a stream: nothing reads one.
            client.create_table(**{**TABLE, "TableName": name})
            for start in range(0, ITEMS, 25):
                requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
                client.batch_write_item(RequestItems={name: requests})
        tables = {
            "table_name": NAMES[SOURCE_ACCOUNT],
            "destination_table_name": NAMES[DESTINATION_ACCOUNT],
            "segments": 3,
        }
        example = example_module(
            accounts, tmp_path_factory.mktemp("example"), "verify-only", {**ACCESS, **tables}
        )
        example.init()
        example.apply()
        yield Applied(accounts, example)


def test_equal_tables(applied: Applied, capsys: pytest.CaptureFixture[str]) -> None:
    assert not applied.example.plan(), "a plan right after the apply changes something"
    place = ["--from-terraform", str(applied.example.directory)]
    assert tablecopy(["status", *place]) == 0
    assert "no copy, only a comparison" in capsys.readouterr().out
    assert verify([*place, "--in-account", "--writes-stopped"]) == 0
    shown = capsys.readouterr().out
    assert f"Equal: all {ITEMS} items match." in shown
    assert "Switch the writers to the destination table." in shown
    # While writers continue, and with the tables that --detach leaves behind.
    assert verify([*place, "--in-account", "--detach"]) == 0
    assert verify([*place, "--in-account", "--report"]) == 0
    capsys.readouterr()
    assert tablecopy(["status", *place]) == 0
    assert f"equal: {ITEMS} items match, in the account" in capsys.readouterr().out
    assert tablecopy(["start", *place]) == 2
    assert "there is no copy" in capsys.readouterr().err


def test_both_ways_find_the_same(applied: Applied, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--from-terraform", str(applied.example.directory), "--format", "jsonl", "--writes-stopped"]
    destination, name = applied.table(DESTINATION_ACCOUNT), NAMES[DESTINATION_ACCOUNT]
    missing, changed = cities(2)
    destination.delete_item(TableName=name, Key=key_of(missing))
    destination.put_item(TableName=name, Item={**changed, "note": {"S": "changed"}})
    destination.put_item(TableName=name, Item={**missing, "country": {"S": "extra"}})
    found = []
    for flags in ([], ["--in-account"]):
        assert verify([*place, *flags]) == 1
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        found.append(
            [(each["kind"], each["key"], each.get("paths")) for each in lines if each["type"] == "difference"]
        )
    assert found[0] == found[1]
    assert sorted(kind for kind, *_ in found[0]) == ["changed", "extra", "missing"]


def test_nothing_may_write_to_either_table(applied: Applied) -> None:
    state = json.loads(applied.example.run("show", "-json"))
    found = list(statements(state))
    explained = {**EXPLAINED, "FollowAVerification": "the state machine's own executions"}
    assert [fault for statement in found for fault in statement.faults(explained)] == []
    kinds = {resource["type"] for resource in resources(state)}
    assert not kinds & {"aws_lambda_event_source_mapping", "aws_scheduler_schedule", "aws_sqs_queue"}
    on_tables = [
        (statement.sid, action)
        for statement in found
        for action in as_list(statement.content["Action"])
        if any(str(arn).endswith(tuple(NAMES.values())) for arn in as_list(statement.content.get("Resource")))
    ]
    assert {sid for sid, _ in on_tables} == {"ReadTheSource", "ReadItems"}
    assert {action for _, action in on_tables} == {
        "dynamodb:Scan",
        "dynamodb:BatchGetItem",
        "dynamodb:DescribeTable",
        "dynamodb:DescribeTimeToLive",
    }
