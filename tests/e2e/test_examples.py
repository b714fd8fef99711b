"""Two examples as a user applies them, from one region to another: both copies run, and end equal.

Accounts of their own, which end with the tests: nothing has to be destroyed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tablecopy_cli.app import main as tablecopy
from tests.e2e.policies import resources, statements
from tools.local.accounts import DESTINATION_ACCOUNT, SOURCE_ACCOUNT, LocalAws
from tools.local.demo.cities import STREAM, TABLE, cities
from tools.local.demo.stack import example_module
from tools.local.terraform import Terraform
from verify.cli import main as verify

pytestmark = pytest.mark.terraform

ITEMS = 200
TABLES = {"customers": "customers", "invoices": "bills"}
WAIT = ["--until", "ready", "--timeout", "5m", "--interval", "1"]
ACCESS = {
    "source_region": "eu-central-1",
    "source_profile": "source",
    "destination_region": "us-west-2",
    "destination_profile": "destination",
}


_NO_RESOURCE = "the API knows no resource for the action"
_LAMBDA_NAMES = "Lambda names what it makes"
EXPLAINED = {
    "WriteOwnLog": f"the streams of the function's own log group: {_LAMBDA_NAMES}",
    "FindTheStream": _NO_RESOURCE,
    "FollowTheStream": "a stream is named by the time at which it was switched on",
    "FindOtherReadersOfTheStream": _NO_RESOURCE,
    "SeeHowManyWorkersTheAccountAllows": _NO_RESOURCE,
    "FollowASlice": "the state machine's own executions",
    "FollowAVerification": "the executions of the verification's state machine",
    "FollowTheMapsChildren": "the state machine's own executions; Step Functions names the children",
    "LambdaMakesNetworkInterfaces": f"{_LAMBDA_NAMES}, and the subnet may be another account's",
    "LambdaRemovesNetworkInterfaces": _LAMBDA_NAMES,
    "LambdaFindsNetworkInterfaces": _NO_RESOURCE,
    "TheCodeItselfMustNot": "denies",
}


# Laid beside the example as an override file; the example itself stays as it is. The run starts when told to,
# and is ready sooner than a production table's should be.
OVERRIDE = """
module "copy" {
  start_on_apply = false
  control        = { drained_after_seconds = 5, reserved_concurrency = 1 }
}
"""


@dataclass
class Applied:
    """Both examples, as applied."""

    accounts: LocalAws
    complete: Terraform
    many_tables: Terraform


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    regions = {side: ACCESS[side] for side in ("source_region", "destination_region")}
    accounts = LocalAws(tmp_path_factory.mktemp("accounts"), **regions)
    with accounts, pytest.MonkeyPatch.context() as patch:
        for name, value in accounts.environment().items():
            patch.setenv(name, value)
        for table in ("orders", *TABLES):
            _make_table(accounts, table)
        tables = {name: {"destination_name": there, "segments": 4} for name, there in TABLES.items()}

        def apply(example: str, variables: dict[str, Any]) -> Terraform:
            directory = tmp_path_factory.mktemp(example)
            terraform = example_module(accounts, directory, example, {**ACCESS, **variables})
            (terraform.directory / "test_override.tf").write_text(OVERRIDE)
            terraform.init()
            terraform.apply()
            return terraform

        complete = apply("complete", {"table_name": "orders", **_what_an_organization_has(accounts)})
        many_tables = apply("many-tables", {"tables": tables})
        yield Applied(accounts, complete, many_tables)


def test_complete(applied: Applied) -> None:
    assert not applied.complete.plan(), "a plan right after the apply changes something"
    place = ["--from-terraform", str(applied.complete.directory)]
    assert tablecopy(["start", *place]) == 0
    assert tablecopy(["watch", *place, *WAIT]) == 0
    assert verify([*place, "--writes-stopped"]) == 0


@pytest.fixture(scope="module")
def state(applied: Applied) -> dict[str, Any]:
    """Of the complete example, as ``terraform show`` writes it."""
    return dict(json.loads(applied.complete.run("show", "-json")))


def test_what_an_organization_asks_for_reaches_every_resource(state: dict[str, Any]) -> None:
    found: dict[str, list[dict[str, Any]]] = {}
    for resource in resources(state):
        found.setdefault(resource["type"], []).append(resource["values"])
    roles, functions = found["aws_iam_role"], found["aws_lambda_function"]
    assert [role["path"] for role in roles] == ["/platform/"] * 12
    assert sorted(role["permissions_boundary"] for role in roles) == [
        *[f"arn:aws:iam::{SOURCE_ACCOUNT}:policy/boundary"] * 10,
        *[f"arn:aws:iam::{DESTINATION_ACCOUNT}:policy/boundary"] * 2,
    ]
    [key] = {function["kms_key_arn"] for function in functions}
    assert key.startswith("arn:aws:kms:")
    groups, [queue], [topic] = (
        found[kind] for kind in ("aws_cloudwatch_log_group", "aws_sqs_queue", "aws_sns_topic")
    )
    keys = [
        *(group["kms_key_id"] for group in groups),
        queue["kms_master_key_id"],
        topic["kms_master_key_id"],
    ]
    assert keys == [key] * 8
    assert [group["retention_in_days"] for group in groups] == [365] * 6
    assert [function["vpc_config"][0]["subnet_ids"] for function in functions] == [
        ["subnet-0123456789abcdef0"]
    ] * 6
    # Control answers operators, and the tracker works in one invocation: nothing is reserved for them.
    reserved = sorted(function["reserved_concurrent_executions"] for function in functions)
    assert reserved == [-1, -1, 1, 4, 8, 16]
    variables = [function["environment"][0]["variables"] for function in functions]
    # Control answers from the journal and does not assume the destination role.
    external_ids = [
        each["DESTINATION_EXTERNAL_ID"] for each in variables if "RECONCILER_FUNCTION" not in each
    ]
    assert external_ids == ["orders-move-2026"] * 5


def test_every_statement_is_named_and_every_star_is_explained(state: dict[str, Any]) -> None:
    """With everything switched on, in the policies as they were sent to AWS."""
    found = list(statements(state))
    assert [fault for statement in found for fault in statement.faults(EXPLAINED)] == []
    assert set(EXPLAINED) <= {statement.sid for statement in found}, "an explanation nobody needs"
    policies = {statement.place for statement in found}
    assert len([place for place in policies if place.endswith("assume_role_policy")]) == 12


def test_no_secret_is_in_the_state(state: dict[str, Any]) -> None:
    """The provider marks what is one. The functions' environment holds names, numbers and the external id."""
    marked = {each["address"]: each["sensitive_values"] for each in resources(state)}
    assert {address for address, values in marked.items() if "true" in json.dumps(values)} == set()
    assert not any(output["sensitive"] for output in state["values"]["outputs"].values())


def test_many_tables(applied: Applied, capsys: pytest.CaptureFixture[str]) -> None:
    """Side by side in one state, one of them under another name, by the output that names the copies."""
    place = ["--from-terraform", str(applied.many_tables.directory)]
    for name in TABLES:
        assert tablecopy(["start", *place, "--copy", name]) == 0
    assert tablecopy(["watch", *place, *WAIT]) == 0
    shown = capsys.readouterr().out
    assert all(re.search(f"^{name} .*ready for cutover", shown, re.MULTILINE) for name in TABLES)
    for name, there in TABLES.items():
        assert verify([*place, "--copy", name, "--writes-stopped"]) == 0
        destination = applied.accounts.session(DESTINATION_ACCOUNT).client("dynamodb")
        assert destination.scan(TableName=there, Select="COUNT")["Count"] == ITEMS
    assert tablecopy(["status", *place, "--copy", "unknown"]) == 2
    error = capsys.readouterr().err
    assert all(name in error for name in TABLES)


def _what_an_organization_has(accounts: LocalAws) -> dict[str, Any]:
    """Boundaries, a key, a network and an address: everything that can be switched on is."""
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    boundaries = {
        account: accounts.session(account)
        .client("iam")
        .create_policy(PolicyName="boundary", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
        for account in (SOURCE_ACCOUNT, DESTINATION_ACCOUNT)
    }
    source = accounts.session(SOURCE_ACCOUNT)
    return {
        "source_permissions_boundary_arn": boundaries[SOURCE_ACCOUNT],
        "destination_permissions_boundary_arn": boundaries[DESTINATION_ACCOUNT],
        "kms_key_arn": source.client("kms").create_key()["KeyMetadata"]["Arn"],
        "vpc": {"subnet_ids": ["subnet-0123456789abcdef0"], "security_group_ids": ["sg-0123456789abcdef0"]},
        "alarm_email_addresses": ["oncall@example.com"],
    }


def _make_table(accounts: LocalAws, name: str) -> None:
    source = accounts.session(SOURCE_ACCOUNT).client("dynamodb")
    source.create_table(**{**TABLE, "TableName": name}, StreamSpecification=STREAM)
    items = cities()[:ITEMS]
    for start in range(0, ITEMS, 25):
        requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        source.batch_write_item(RequestItems={name: requests})
