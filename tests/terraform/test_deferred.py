"""A pending change the module depends on puts off its data sources; nothing may be replaced for that."""

from __future__ import annotations

import pytest

from tools.local.accounts import DESTINATION_ACCOUNT, LocalAws

from .conftest import MakeStack

pytestmark = pytest.mark.terraform


def test_nothing_is_replaced(make_stack: MakeStack, local_aws: LocalAws) -> None:
    stack = make_stack("tests/terraform/deferred", generation=1)
    # The first apply, too, makes the source table and its copy in one go.
    before = stack.apply()
    dynamodb = local_aws.session(DESTINATION_ACCOUNT).client("dynamodb")
    table = dynamodb.describe_table(TableName="deferred")["Table"]
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["customer", "number"]
    assert table["LocalSecondaryIndexes"][0]["IndexName"] == "by-digest"
    stack.assert_unchanged()

    stack.set(generation=2)
    changes = stack.changes()
    assert changes.pop("terraform_data.upstream") == ["update"]
    # Policy documents are data sources, so that what has a policy is planned to change; it does not.
    assert {tuple(actions) for actions in changes.values()} == {("update",)}
    kinds = {address.split(".")[-2] for address in changes}
    assert kinds == {"aws_iam_role", "aws_iam_role_policy", "aws_sqs_queue"}

    assert stack.apply() == before
    after = dynamodb.describe_table(TableName="deferred")["Table"]
    assert after["CreationDateTime"] == table["CreationDateTime"]
    stack.assert_unchanged()
