"""The source table cannot be written by anything a copy makes, in either account."""

from __future__ import annotations

from collections.abc import Iterator

import botocore.session
import pytest

from tests.e2e.faults.stand import Stand
from tests.e2e.permissions.roles import Role
from tools.local.demo.cities import TABLE_NAME

pytestmark = pytest.mark.terraform

_READING = ("BatchGet", "Describe", "Get", "List", "Query", "Scan", "TransactGet")

# Actions that are no operations: a PartiQL statement is authorized as what it does (DynamoDB developer guide,
# IAM policies for PartiQL), a restore by AWS Backup as these.
_OF_STATEMENTS = (
    "PartiQLInsert",
    "PartiQLUpdate",
    "PartiQLDelete",
    "RestoreTableFromAwsBackup",
    "StartAwsBackupJob",
)


def changing() -> list[str]:
    """Every action on DynamoDB that does more than read, exports of the whole table among them."""
    operations = [
        name
        for service in ("dynamodb", "dynamodbstreams")
        for name in botocore.session.get_session().get_service_model(service).operation_names
    ]
    assert {"PutItem", "BatchWriteItem", "TransactWriteItems", "ExecuteStatement"} < set(operations)
    names = [name for name in operations if not name.startswith(_READING)]
    return [f"dynamodb:{name}" for name in (*names, *_OF_STATEMENTS)]


def places(stand: Stand) -> Iterator[str]:
    """The source table, its indexes, its stream, and whatever is below it."""
    table = stand.source.describe_table(TableName=TABLE_NAME)["Table"]
    yield table["TableArn"]
    yield table["LatestStreamArn"]
    for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        yield from (index["IndexArn"] for index in table[kind])
    for below in ("backup/01489602797149-73d8d5bc", "export/01234567890123-a1b2c3d4", "import/0123"):
        yield f"{table['TableArn']}/{below}"


def test_no_role_may_change_the_source(the_stand: Stand, roles: dict[str, Role]) -> None:
    actions = changing()
    for role in roles.values():
        for place in places(the_stand):
            assert role.allowed(actions, place) == [], f"{role.kind} may change {place}"


def test_the_walk_sees_a_permission_to_write(the_stand: Stand, roles: dict[str, Role]) -> None:
    """The journal may be written: what finds nothing for the source finds this."""
    journal = the_stand.source.describe_table(TableName=the_stand.journal)["Table"]["TableArn"]
    for kind in ("reconciler", "control"):
        assert set(roles[kind].allowed(changing(), journal)) == {"dynamodb:PutItem", "dynamodb:UpdateItem"}
