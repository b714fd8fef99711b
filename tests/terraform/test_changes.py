"""What a later apply does to an existing copy: nothing starts by itself, nothing lacks what it needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tools.local.accounts import DESTINATION_ACCOUNT, SOURCE_ACCOUNT, LocalAws

from .conftest import MakeStack, Stack

pytestmark = pytest.mark.terraform

TABLE = "changed"
MAPPING = "module.copy.module.replicator[0].aws_lambda_event_source_mapping.this"


class Copy:
    """A copy that a test changes, and what AWS reports of it."""

    def __init__(self, stack: Stack, accounts: LocalAws, **variables: Any) -> None:
        self.stack = stack
        self.accounts = accounts
        self.variables = variables
        self.outputs = self.first_outputs = stack.apply()

    def apply(self, **changed: Any) -> None:
        """Apply with these variables, and keep them for the applies to come. A plan is empty afterwards."""
        self.apply_only(**changed)
        self.stack.assert_unchanged()

    def apply_only(self, **changed: Any) -> None:
        """The same without a plan, for a test that makes its own."""
        self.variables.update(changed)
        self.stack.set(**self.variables)
        self.outputs = self.stack.apply()

    def client(self, service: str, account: str = SOURCE_ACCOUNT) -> Any:
        return self.accounts.session(account).client(service)

    def starts_by_itself(self) -> bool:
        """Whether control may start the run of an empty journal."""
        functions = self.client("lambda").list_functions()["Functions"]
        [told] = {
            function["Environment"]["Variables"]["START_ON_APPLY"]
            for function in functions
            if "START_ON_APPLY" in function["Environment"]["Variables"]
        }
        return {"true": True, "false": False}[told]

    def mapping(self) -> str:
        return str(self.outputs["event_source_mapping_uuid"])

    def statements(self) -> dict[str, dict[str, Any]]:
        """Statements of every role the copy has made, by the role's name and the statement's `Sid`."""
        prefix = self.outputs["journal_table_name"].removesuffix("-journal")
        found: dict[str, dict[str, Any]] = {}
        for account in (SOURCE_ACCOUNT, DESTINATION_ACCOUNT):
            iam = self.client("iam", account)
            for name in (role["RoleName"] for role in iam.list_roles()["Roles"]):
                if name.startswith(prefix):
                    found[name] = {
                        statement["Sid"]: statement
                        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
                        for statement in _statements(iam.get_role_policy(RoleName=name, PolicyName=policy))
                    }
        return found


@pytest.fixture(scope="module")
def copy(local_aws: LocalAws, make_stack: MakeStack, make_table: Callable[..., str]) -> Copy:
    """An applied copy. Each test below goes on from where the one before has left it."""
    make_table(TABLE)
    variables: dict[str, Any] = {
        "source_table": {"name": TABLE, "region": "eu-west-1", "profile": "source"},
        "destination_table": {"name": TABLE, "profile": "destination", "allow_items": True},
        "destination_definition": {"deletion_protection": False},
    }
    return Copy(make_stack(".", **variables), local_aws, **variables)


def test_the_first_apply_starts_the_run(copy: Copy) -> None:
    assert copy.starts_by_itself()


def test_roles_under_another_path_have_their_policies(copy: Copy) -> None:
    before, mapping = copy.statements(), copy.mapping()
    copy.apply(roles={"path": "/platform/"})
    assert "/platform/" in copy.outputs["destination_role_arn"]
    after = copy.statements()
    assert {name: set(statements) for name, statements in after.items()} == {
        name: set(statements) for name, statements in before.items()
    }
    assert all(after.values())
    assert copy.mapping() == mapping
    assert copy.starts_by_itself()


def test_a_journal_deleted_by_hand_takes_the_mapping_along(copy: Copy) -> None:
    mapping = copy.mapping()
    copy.client("dynamodb").delete_table(TableName=copy.outputs["journal_table_name"])
    assert copy.stack.changes()[MAPPING] == ["delete", "create"]
    copy.apply()
    _waits_with_a_mapping_of_its_own(copy, mapping)


def test_another_prefix_waits_for_a_command(copy: Copy) -> None:
    mapping = copy.mapping()
    copy.apply(name="renamed")
    assert copy.outputs["journal_table_name"].startswith("renamed-")
    _waits_with_a_mapping_of_its_own(copy, mapping)


def test_disabled_and_enabled_again_waits_for_a_command(copy: Copy) -> None:
    """Also under the first journal's name: it is not the first journal. A log group that is left is named."""
    mapping = copy.mapping()
    copy.apply(enabled=False, name="tablecopy")
    logs = copy.client("logs")
    group = f"/aws/lambda/{copy.first_outputs['backfill_function_name']}"
    logs.create_log_group(logGroupName=group)
    copy.stack.set(**{**copy.variables, "enabled": True})
    refusal = copy.stack.refusal()
    assert f'The log group "{group}" already exists in account {SOURCE_ACCOUNT}, region eu-west-1' in refusal
    assert f"aws logs delete-log-group --region eu-west-1 --log-group-name {group}" in refusal
    logs.delete_log_group(logGroupName=group)
    copy.apply(enabled=True)
    assert copy.outputs["journal_table_name"] == copy.first_outputs["journal_table_name"]
    _waits_with_a_mapping_of_its_own(copy, mapping)


def test_a_destination_table_that_is_there_already_is_not_created(
    copy: Copy, make_stack: MakeStack, make_table: Callable[..., str]
) -> None:
    make_table("taken", account=DESTINATION_ACCOUNT)
    stack = make_stack(
        ".", **{**copy.variables, "destination_table": {"name": "taken", "profile": "destination"}}
    )
    refusal = stack.refusal()
    assert f'"taken" already exists in account {DESTINATION_ACCOUNT}, region eu-west-1' in refusal
    assert "Set destination_table.create = false" in refusal


def test_another_destination_is_refused(copy: Copy) -> None:
    copy.stack.set(**{**copy.variables, "destination_table": {"name": "elsewhere", "profile": "destination"}})
    assert f'This copy goes from table "{TABLE}" to "{TABLE}"' in copy.stack.refusal()


def test_a_destroy_from_another_account_is_refused(copy: Copy) -> None:
    copy.stack.set(**{**copy.variables, "destination_table": {"name": TABLE, "profile": "source"}})
    refusal = copy.stack.destroy_refused()
    here, there = (
        f"account {account}, region eu-west-1" for account in (SOURCE_ACCOUNT, DESTINATION_ACCOUNT)
    )
    assert f"from {here}, to {there}." in refusal
    assert f"from {here}, to {here}." in refusal
    copy.stack.set(**copy.variables)
    copy.stack.assert_unchanged()


def test_a_protected_table_stops_a_destroy_before_the_copy_is_gone(copy: Copy) -> None:
    copy.apply_only(destination_definition={"deletion_protection": True})
    assert "deletion protection" in copy.stack.destroy_refused()
    # Only the schedule is gone: it starts a run, so it must not be there before the table is.
    schedule = "module.copy.module.control[0].module.schedule"
    assert copy.stack.changes() == {
        f"{schedule}.aws_scheduler_schedule.this": ["create"],
        f"{schedule}.aws_iam_role.this": ["create"],
        f"{schedule}.aws_iam_role_policy.this": ["create"],
    }
    copy.apply(destination_definition={"deletion_protection": False})


def test_a_source_that_is_gone_is_named_and_does_not_keep_the_copy(copy: Copy) -> None:
    copy.client("dynamodb").delete_table(TableName=TABLE)
    refusal = copy.stack.refusal()
    assert f'"{TABLE}" does not exist in account {SOURCE_ACCOUNT}, region eu-west-1' in refusal
    assert "set enabled = false and apply" in refusal
    copy.stack.destroy()
    assert copy.client("lambda").list_functions()["Functions"] == []


def _waits_with_a_mapping_of_its_own(copy: Copy, former: str) -> None:
    assert not copy.starts_by_itself()
    assert copy.mapping() != former
    mapping = copy.client("lambda").get_event_source_mapping(UUID=copy.mapping())
    assert (mapping["State"], mapping["StartingPosition"]) == ("Disabled", "TRIM_HORIZON")


def _statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    document = policy["PolicyDocument"]
    return list((json.loads(document) if isinstance(document, str) else document)["Statement"])
