"""The policies of docs/policies for people: they suffice, and each permission is missed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.faults.stand import DESTINATION_NAME, Stand
from tests.e2e.permissions.principals import stranger_role
from tests.e2e.permissions.roles import Json, as_list
from tests.e2e.permissions.stage import Stage
from tests.e2e.permissions.used import action_of
from tools.local.accounts import DESTINATION_ACCOUNT, SOURCE_ACCOUNT
from tools.local.demo.cities import TABLE_NAME

pytestmark = pytest.mark.terraform

POLICIES = Path(__file__).resolve().parents[3] / "docs" / "policies"


def policy(name: str, **values: str) -> list[Json]:
    """The statements of a policy, with these values for its words in capitals and none for a key."""
    text = (POLICIES / f"{name}.json").read_text()
    for word, value in values.items():
        assert word in text
        text = text.replace(word, value)
    statements: list[Json] = json.loads(text)["Statement"]
    return [statement for statement in statements if statement["Resource"] != "KEY_ARN"]


def operator(stage: Stage) -> list[Json]:
    return policy("operator", CONTROL_FUNCTION_ARN=stage.outputs["control_function_arn"])


def reader(table_arn: str) -> list[Json]:
    return policy("verify", TABLE_ARN=table_arn)


def without(statements: list[Json], action: str) -> list[Json]:
    return [
        {**statement, "Action": [each for each in as_list(statement["Action"]) if each != action]}
        for statement in statements
    ]


def table_arns(stage: Stage) -> tuple[str, str]:
    tables = ((stage.stand.source, TABLE_NAME), (stage.stand.destination, DESTINATION_NAME))
    source, destination = (
        client.describe_table(TableName=name)["Table"]["TableArn"] for client, name in tables
    )
    return source, destination


@contextmanager
def people(stage: Stage, source: list[Json], destination: list[Json]) -> Iterator[list[str]]:
    """A role on each side with these statements; the flags with which a command acts as them."""
    aws = stage.stand.copy.aws
    with (
        stranger_role(aws, SOURCE_ACCOUNT, source) as at_source,
        stranger_role(aws, DESTINATION_ACCOUNT, destination) as at_destination,
    ):
        yield ["--source-role-arn", at_source, "--destination-role-arn", at_destination]


def run(stage: Stage, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    directory = str(stage.stand.copy.terraform.directory)
    return subprocess.run(
        [sys.executable, "-m", module, *arguments, "--from-terraform", directory],
        env=stage.stand.copy.aws.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("account", [SOURCE_ACCOUNT, DESTINATION_ACCOUNT])
def test_terraform_needs_what_is_documented(the_stand: Stand, account: str) -> None:
    """What it has called to make the stand's copy."""
    side = {SOURCE_ACCOUNT: "source", DESTINATION_ACCOUNT: "destination"}[account]
    # Also what is for a table with a key: the provider looks up which one AWS manages.
    statements = json.loads((POLICIES / f"terraform-{side}.json").read_text())["Statement"]
    documented = {action for statement in statements for action in as_list(statement["Action"])}
    called = {action_of(call) for call in the_stand.applied if call.access_key == account}
    assert len(called) > 10
    assert called <= documented, f"not documented: {sorted(called - documented)}"


def test_the_operator_needs_to_invoke_control_and_nothing_else(stage: Stage) -> None:
    with people(stage, operator(stage), reader("*")) as flags:
        done = run(stage, "tablecopy_cli", "status", *flags[:2])
        assert done.returncode == 0, done.stderr
    with people(stage, policy("operator", CONTROL_FUNCTION_ARN=table_arns(stage)[0]), reader("*")) as flags:
        done = run(stage, "tablecopy_cli", "status", *flags[:2])
        assert "lambda:InvokeFunction" in done.stderr


def test_verify_needs_to_read_both_tables(stage: Stage) -> None:
    stage.stand.empty_destination()
    at_source, at_destination = table_arns(stage)
    with people(stage, [*reader(at_source), *operator(stage)], reader(at_destination)) as flags:
        done = run(stage, "verify", "--writes-stopped", *flags)
        assert done.returncode == 1, done.stdout + done.stderr
        assert f"{len(stage.stand.source_items()):,} missing" in done.stdout
        assert "not allowed" not in done.stdout


def test_verify_in_the_account_needs_to_describe_both_tables(stage: Stage) -> None:
    """The items are read with the verifier's roles. Here no comparison was started, which control tells."""
    describing = [{"Effect": "Allow", "Action": "dynamodb:DescribeTable", "Resource": "*"}]
    with people(stage, [*describing, *operator(stage)], describing) as flags:
        done = run(stage, "verify", "--in-account", "--report", *flags)
        assert "not allowed" not in done.stdout + done.stderr
        assert "no comparison was started" in done.stderr


def test_verify_says_which_permission_it_lacks(stage: Stage) -> None:
    """Each of those that the document gives, at the destination."""
    stage.stand.empty_destination()
    at_source, at_destination = table_arns(stage)
    granted = reader(at_destination)
    for action in as_list(granted[0]["Action"]):
        with people(stage, [*reader(at_source), *operator(stage)], without(granted, action)) as flags:
            done = run(stage, "verify", "--writes-stopped", *flags)
            assert action in done.stdout + done.stderr, f"nobody misses {action}: {done.stdout}{done.stderr}"
