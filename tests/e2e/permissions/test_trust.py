"""Who may assume the roles of a copy, and under which conditions."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tablecopy.dynamodb.client import Json
from tests.e2e.faults.stand import DESTINATION_NAME
from tests.e2e.permissions.principals import assume, destination_session, function_session, stranger
from tests.e2e.permissions.roles import Role, as_list
from tests.e2e.permissions.stage import Stage
from tests.e2e.permissions.steps import worker_anew
from tests.e2e.permissions.test_source import changing
from tools.local.accounts import DESTINATION_ACCOUNT, SOURCE_ACCOUNT

pytestmark = pytest.mark.terraform

# Which role of the destination account each function assumes. The others assume none.
ASSUMED = {
    "reconciler": "destination",
    "backfill": "destination",
    "replicator": "destination",
    "verifier": "reading",
    "tracker": "reading",
}
_ASSUME_ANYTHING: Json = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}


def external_id(stage: Stage) -> str:
    functions = stage.stand.client("lambda")
    known = functions.get_function_configuration(FunctionName=stage.stand.function_name("backfill"))
    identifier: str = known["Environment"]["Variables"]["DESTINATION_EXTERNAL_ID"]
    return identifier


@pytest.mark.parametrize("kind", ASSUMED)
def test_a_function_needs_the_external_id(stage: Stage, roles: dict[str, Role], kind: str) -> None:
    arn = roles[ASSUMED[kind]].arn
    session = function_session(stage, roles[kind])
    assert not assume(stage, session, arn, ExternalId=external_id(stage))
    for given in ({}, {"ExternalId": "another"}, {"ExternalId": external_id(stage)[:-1] + "*"}):
        assert f"not authorized to perform: sts:AssumeRole on resource: {arn}" in assume(
            stage, session, arn, **given
        )


def test_a_worker_with_another_external_id_says_which_role_it_may_not_assume(
    stage: Stage, roles: dict[str, Role]
) -> None:
    right = external_id(stage)
    try:
        stage.stand.configure("backfill", DESTINATION_EXTERNAL_ID="another")
        assert roles["destination"].arn in worker_anew(stage, roles["backfill"])
    finally:
        stage.stand.configure("backfill", DESTINATION_EXTERNAL_ID=right)
    assert not worker_anew(stage, roles["backfill"])


@pytest.mark.parametrize("account", [SOURCE_ACCOUNT, DESTINATION_ACCOUNT])
def test_no_other_role_of_either_account_may_assume_any(
    stage: Stage, roles: dict[str, Role], account: str
) -> None:
    """Even where its own account lets it assume whatever it likes, and it has learned the external id."""
    aws = stage.stand.copy.aws
    with stranger(aws, account, [_ASSUME_ANYTHING]) as session:
        for role in roles.values():
            assert "sts:AssumeRole" in assume(stage, session, role.arn, ExternalId=external_id(stage)), (
                role.kind
            )


def test_no_role_of_the_copy_may_assume_another_but_the_functions_theirs_of_the_destination(
    roles: dict[str, Role],
) -> None:
    everyone = [role.arn for role in roles.values()]
    for role in roles.values():
        wanted = [roles[ASSUMED[role.kind]].arn] if role.kind in ASSUMED else []
        assert [arn for arn in everyone if not role.denied([("sts:AssumeRole", arn)])] == wanted, role.kind


def test_each_role_trusts_whom_it_is_for_and_nobody_else(roles: dict[str, Role]) -> None:
    services = {
        "state_machine": "states.amazonaws.com",
        "verification": "states.amazonaws.com",
        "schedule": "scheduler.amazonaws.com",
        "tracking": "scheduler.amazonaws.com",
    }
    for role in roles.values():
        trusted = []
        for statement in role.trust()["Statement"]:
            assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRole"), role.kind
            for kind, names in statement["Principal"].items():
                trusted += [(kind, name) for name in as_list(names)]
        functions = [kind for kind, assumed in ASSUMED.items() if assumed == role.kind]
        if functions:
            assert sorted(trusted) == sorted(("AWS", roles[kind].arn) for kind in functions)
        else:
            assert trusted == [("Service", services.get(role.kind, "lambda.amazonaws.com"))]


def test_the_destinations_role_counts_items_and_reads_none(stage: Stage, roles: dict[str, Role]) -> None:
    session = destination_session(stage, roles["reconciler"], roles["destination"], external_id(stage))
    dynamodb = stage.client(session, "dynamodb")
    stage.stand.destination.put_item(TableName=DESTINATION_NAME, Item=stage.item)
    try:
        assert dynamodb.scan(TableName=DESTINATION_NAME, Select="COUNT")["Count"] == 1
        for selected in ({}, {"Select": "ALL_ATTRIBUTES"}, {"ProjectionExpression": "country"}):
            with pytest.raises(ClientError, match="not authorized to perform: dynamodb:Scan"):
                dynamodb.scan(TableName=DESTINATION_NAME, **selected)
    finally:
        stage.stand.empty_destination()


def test_the_reading_role_reads_this_table_and_writes_nothing(stage: Stage, roles: dict[str, Role]) -> None:
    session = destination_session(stage, roles["verifier"], roles["reading"], external_id(stage))
    dynamodb = stage.client(session, "dynamodb")
    assert dynamodb.scan(TableName=DESTINATION_NAME)["Items"] == []
    with pytest.raises(ClientError, match="not authorized to perform: dynamodb:Scan"):
        dynamodb.scan(TableName="another")
    table = stage.stand.destination.describe_table(TableName=DESTINATION_NAME)["Table"]["TableArn"]
    assert roles["reading"].allowed(changing(), table) == []


def test_nobody_but_the_mapping_puts_a_message_into_the_failure_queue(
    stage: Stage, roles: dict[str, Role]
) -> None:
    """The mapping does so in the replicator's name; a message there keeps a run from being ready."""
    aws, queue, sqs = stage.stand.copy.aws, stage.outputs["failure_queue_url"], stage.stand.client("sqs")
    anything = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    with (
        stranger(aws, SOURCE_ACCOUNT, [anything]) as session,
        pytest.raises(ClientError, match=r"AccessDenied.* SendMessage"),
    ):
        stage.client(session, "sqs").send_message(QueueUrl=queue, MessageBody="a stranger's")
    replicator = stage.client(function_session(stage, roles["replicator"]), "sqs")
    replicator.send_message(QueueUrl=queue, MessageBody="ours")
    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    sqs.purge_queue(QueueUrl=queue)
    assert [message["Body"] for message in received] == ["ours"]
