"""The root's life against two accounts: applied, looked at, followed a new stream, disabled, let go."""

from __future__ import annotations

import io
import json
import shlex
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.local.accounts import DESTINATION_ACCOUNT, SOURCE_ACCOUNT, LocalAws

from .conftest import MakeStack, Stack

pytestmark = pytest.mark.terraform

TABLE = "prod.orders"
VARIABLES: dict[str, Any] = {
    "source_table": {"name": TABLE, "region": "eu-west-1", "profile": "source"},
    "destination_table": {"name": "orders", "profile": "destination"},
    "destination_definition": {"deletion_protection": False},
    "backfill": {"read_capacity": 400},
    "start_on_apply": False,
}
_STUB = """
import json, pathlib

def handle(event, context):
    asked = pathlib.Path(event["run"], str(event["segment"]))
    again = event["segment"] == "letters" and not asked.exists()
    with asked.open("a") as file:
        print(json.dumps(event), file=file)
    return {"next": "continue" if again else "done"}
"""
_PATIENCE_SECONDS = 60.0
Applied = tuple[Stack, dict[str, Any]]


@pytest.fixture(scope="module")
def applied(make_stack: MakeStack, make_table: Callable[..., str]) -> Applied:
    """The stack and its outputs. The tests below leave it as they find it, but for the last ones."""
    make_table(TABLE)
    stack = make_stack(".", **VARIABLES)
    return stack, stack.apply()


def test_plan_after_apply_is_empty(applied: Applied) -> None:
    stack, _ = applied
    stack.assert_unchanged()


def test_destination_table_is_defined_as_the_source(applied: Applied, local_aws: LocalAws) -> None:
    source = local_aws.session(SOURCE_ACCOUNT).client("dynamodb").describe_table(TableName=TABLE)["Table"]
    dynamodb = local_aws.session(DESTINATION_ACCOUNT).client("dynamodb")
    destination = dynamodb.describe_table(TableName="orders")["Table"]
    assert _definition(destination) == _definition(source)
    recovery = dynamodb.describe_continuous_backups(TableName="orders")["ContinuousBackupsDescription"]
    assert recovery["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    tags = dynamodb.list_tags_of_resource(ResourceArn=destination["TableArn"])["Tags"]
    assert tags == [{"Key": "Owner", "Value": "orders"}]


def test_time_to_live_is_for_the_cutover(applied: Applied, local_aws: LocalAws) -> None:
    """It stays off, and a command that turns it on is offered."""
    _, outputs = applied
    dynamodb = local_aws.session(DESTINATION_ACCOUNT).client("dynamodb")
    described = dynamodb.describe_time_to_live(TableName="orders")["TimeToLiveDescription"]
    assert described["TimeToLiveStatus"] == "DISABLED"
    words = shlex.split(outputs["commands"]["time_to_live"])
    assert words[:3] == ["aws", "dynamodb", "update-time-to-live"]
    given = dict(zip(words[3::2], words[4::2], strict=True))
    assert given.pop("--time-to-live-specification") == "Enabled=true,AttributeName=expires"
    assert given == {"--region": "eu-west-1", "--profile": "destination", "--table-name": "orders"}


def test_an_index_the_source_was_given_later_is_told_of_and_followed(
    applied: Applied, local_aws: LocalAws
) -> None:
    stack, _ = applied
    source = local_aws.session(SOURCE_ACCOUNT).client("dynamodb")
    source.update_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "paid", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "by-paid",
                    "KeySchema": [{"AttributeName": "paid", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                    "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2},
                }
            }
        ],
    )
    assert "(attributes, global_secondary_indexes)" in stack.plan()
    stack.apply("-replace=module.copy.terraform_data.definition")
    table = source.describe_table(TableName=TABLE)["Table"]
    followed = local_aws.session(DESTINATION_ACCOUNT).client("dynamodb").describe_table(TableName="orders")
    assert _definition(followed["Table"]) == _definition(table)
    stack.assert_unchanged()


def test_mapping_waits_for_the_run(applied: Applied, local_aws: LocalAws) -> None:
    _, outputs = applied
    client = local_aws.session(SOURCE_ACCOUNT).client("lambda")
    mapping = client.get_event_source_mapping(UUID=outputs["event_source_mapping_uuid"])
    assert mapping["State"] == "Disabled"
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["MaximumRetryAttempts"] == -1
    assert mapping["MaximumRecordAgeInSeconds"] == -1
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert not mapping.get("BisectBatchOnFunctionError")
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"].endswith("-failures")


def test_what_the_run_and_the_cutover_switch_is_no_drift(applied: Applied, local_aws: LocalAws) -> None:
    """The run switches the mapping, and the cutover the time to live. Terraform switches neither back."""
    stack, outputs = applied
    client = local_aws.session(SOURCE_ACCOUNT).client("lambda")
    client.update_event_source_mapping(UUID=outputs["event_source_mapping_uuid"], Enabled=True)
    dynamodb = local_aws.session(DESTINATION_ACCOUNT).client("dynamodb")
    for enabled in (True, False):
        dynamodb.update_time_to_live(
            TableName="orders",
            TimeToLiveSpecification={"Enabled": enabled, "AttributeName": "expires"},
        )
        if enabled:
            stack.assert_unchanged()


def test_functions_are_told_where_and_as_whom(applied: Applied, local_aws: LocalAws) -> None:
    _, outputs = applied
    client = local_aws.session(SOURCE_ACCOUNT).client("lambda")
    for name in ("reconciler_function_name", "backfill_function_name", "replicator_function_name"):
        variables = client.get_function_configuration(FunctionName=outputs[name])["Environment"]["Variables"]
        assert variables["JOURNAL_TABLE"] == outputs["journal_table_name"]
        assert (variables["SOURCE_TABLE"], variables["DESTINATION_TABLE"]) == (TABLE, "orders")
        assert variables["DESTINATION_ROLE_ARN"] == outputs["destination_role_arn"]
        assert (
            variables["DESTINATION_EXTERNAL_ID"]
            == _trust(outputs, local_aws)["Condition"]["StringEquals"]["sts:ExternalId"]
        )


def test_control_is_told_nothing_of_the_tables(applied: Applied, local_aws: LocalAws) -> None:
    _, outputs = applied
    client = local_aws.session(SOURCE_ACCOUNT).client("lambda")
    configuration = client.get_function_configuration(FunctionName=outputs["control_function_name"])
    variables = configuration["Environment"]["Variables"]
    assert variables.pop("JOURNAL_TABLE") == outputs["journal_table_name"]
    assert variables.pop("RECONCILER_FUNCTION") == outputs["reconciler_function_name"]
    assert set(variables) == {"STREAM_ARN", "TOTAL_SEGMENTS", "DRAINED_AFTER_SECONDS"}


def test_the_reconciler_and_workers_are_told_the_budgets(applied: Applied, local_aws: LocalAws) -> None:
    _, outputs = applied
    client = local_aws.session(SOURCE_ACCOUNT).client("lambda")
    for name in ("reconciler_function_name", "backfill_function_name"):
        variables = client.get_function_configuration(FunctionName=outputs[name])["Environment"]["Variables"]
        # Empty: the backfill finds out by itself.
        assert (variables["READ_CAPACITY"], variables["WRITE_CAPACITY"]) == ("400", "")


def test_the_reconciler_is_told_how_the_run_goes(applied: Applied, local_aws: LocalAws) -> None:
    _, outputs = applied
    client = local_aws.session(SOURCE_ACCOUNT).client("lambda")
    configuration = client.get_function_configuration(FunctionName=outputs["reconciler_function_name"])
    variables = configuration["Environment"]["Variables"]
    assert (variables["TOTAL_SEGMENTS"], variables["CONCURRENCY"]) == ("16", "16")
    assert (variables["SLICE_SECONDS"], variables["RECORD_AGE_FRACTION"]) == ("3600", "0.5")
    assert json.loads(variables["PRICES"]) == {
        "currency": "USD",
        "read_per_million": 0.125,
        "write_per_million": 0.625,
    }


def test_the_lags_alarm_follows_what_the_run_promises(applied: Applied, local_aws: LocalAws) -> None:
    _, outputs = applied
    client = local_aws.session(SOURCE_ACCOUNT).client("cloudwatch")
    found = client.describe_alarms()["MetricAlarms"]
    assert {alarm["AlarmArn"] for alarm in found} == set(outputs["alarm_arns"])
    [lag] = [alarm for alarm in found if alarm["MetricName"] == "OldestUnappliedChangeAge"]
    assert lag["Threshold"] == 6 * 3600
    shown = client.get_dashboard(DashboardName=outputs["dashboard_name"])["DashboardBody"]
    assert all(arn in shown for arn in outputs["alarm_arns"])


def test_a_slice_hands_on_segments_and_the_text_letters(
    applied: Applied, local_aws: LocalAws, tmp_path: Path
) -> None:
    """The machine's own definition, with a function that notes what it is asked and wants "letters" twice."""
    _, outputs = applied
    session = local_aws.session(SOURCE_ACCOUNT)
    functions, machines = session.client("lambda"), session.client("stepfunctions")
    machine = machines.describe_state_machine(stateMachineArn=outputs["state_machine_arn"])
    name, role = outputs["backfill_function_name"], machine["roleArn"]
    real = functions.get_function_configuration(FunctionName=name)["FunctionArn"]
    stub = functions.create_function(
        FunctionName="stub",
        Runtime="python3.13",
        Handler="stub.handle",
        Role=outputs["function_role_arns"]["backfill"],
        Code={"ZipFile": _zipped("stub.py", _STUB)},
    )["FunctionArn"]
    copied = machines.create_state_machine(
        name="copied", definition=machine["definition"].replace(real, stub), roleArn=role
    )["stateMachineArn"]
    try:
        segments: list[int | str] = [0, 7, "letters"]
        execution = machines.start_execution(
            stateMachineArn=copied, input=json.dumps({"run": str(tmp_path), "slice": 3, "segments": segments})
        )["executionArn"]
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while (status := machines.describe_execution(executionArn=execution)["status"]) == "RUNNING":
            assert time.monotonic() < give_up
            time.sleep(0.1)
    finally:
        machines.delete_state_machine(stateMachineArn=copied)
        functions.delete_function(FunctionName="stub")
    assert status == "SUCCEEDED"
    asked = {path.name: [json.loads(line) for line in path.open()] for path in tmp_path.iterdir()}
    event = {"run": str(tmp_path), "slice": 3}
    assert [asked.pop("0")[0], asked.pop("7")[0]] == [{**event, "segment": 0}, {**event, "segment": 7}]
    first, again = asked.pop("letters")
    assert first == {**event, "segment": "letters"}
    assert again.items() >= first.items()
    assert asked == {}


def test_destination_trusts_those_that_look_or_write_alone(applied: Applied, local_aws: LocalAws) -> None:
    _, outputs = applied
    roles = dict(outputs["function_role_arns"])
    # It answers operators, from the journal.
    del roles["control"]
    assert len(roles) == 3
    assert sorted(_trust(outputs, local_aws)["Principal"]["AWS"]) == sorted(roles.values())


def test_nothing_in_the_source_account_may_write_the_source_table(
    applied: Applied, local_aws: LocalAws
) -> None:
    _, outputs = applied
    iam = local_aws.session(SOURCE_ACCOUNT).client("iam")
    prefix = outputs["journal_table_name"].removesuffix("-journal")
    roles = [role["RoleName"] for role in iam.list_roles()["Roles"] if role["RoleName"].startswith(prefix)]
    assert len(roles) == 6
    granted: set[str] = set()
    for role in roles:
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            for statement in document["Statement"]:
                resources = statement["Resource"]
                if any(
                    _covers(resource, TABLE)
                    for resource in ([resources] if isinstance(resources, str) else resources)
                ):
                    actions = statement["Action"]
                    granted.update([actions] if isinstance(actions, str) else actions)
    anywhere = {"dynamodb:ListStreams", "lambda:ListEventSourceMappings", "lambda:GetAccountSettings"}
    assert granted - anywhere == {
        "dynamodb:Scan",
        "dynamodb:GetItem",
        "dynamodb:DescribeTable",
        "dynamodb:DescribeStream",
        "dynamodb:GetShardIterator",
        "dynamodb:GetRecords",
    }


def test_source_without_a_stream_is_refused(
    applied: Applied, make_stack: MakeStack, make_table: Callable[..., str]
) -> None:
    make_table("no-stream", stream=None)
    stack = make_stack(
        ".",
        source_table={**VARIABLES["source_table"], "name": "no-stream"},
        destination_table={"profile": "destination"},
    )
    assert (
        "aws dynamodb update-table --region eu-west-1 --table-name no-stream"
        " --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES"
    ) in stack.refusal()


def test_copy_onto_itself_is_refused(applied: Applied, make_stack: MakeStack) -> None:
    stack = make_stack(".", source_table=VARIABLES["source_table"], destination_table={"profile": "source"})
    assert f'same table: "{TABLE}" in account {SOURCE_ACCOUNT}' in stack.refusal()


def test_missing_destination_is_refused(applied: Applied, make_stack: MakeStack) -> None:
    destination = {"name": "nowhere", "profile": "destination", "create": False}
    stack = make_stack(".", source_table=VARIABLES["source_table"], destination_table=destination)
    assert '"nowhere" does not exist in region eu-west-1' in stack.refusal()


def test_destination_with_another_key_is_refused(
    applied: Applied, make_stack: MakeStack, local_aws: LocalAws
) -> None:
    local_aws.session(DESTINATION_ACCOUNT).client("dynamodb").create_table(
        TableName="other-key",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    destination = {"name": "other-key", "profile": "destination", "create": False}
    stack = make_stack(".", source_table=VARIABLES["source_table"], destination_table=destination)
    refusal = stack.refusal()
    assert '"other-key" has the key id (S)' in refusal
    assert "the source table has the key customer (S), number (N)" in refusal
    assert "aws dynamodb delete-table --region eu-west-1 --table-name other-key" in refusal


def test_a_new_stream_needs_a_new_journal_and_mapping(applied: Applied, local_aws: LocalAws) -> None:
    stack, _ = applied
    dynamodb = local_aws.session(SOURCE_ACCOUNT).client("dynamodb")
    dynamodb.update_table(TableName=TABLE, StreamSpecification={"StreamEnabled": False})
    dynamodb.update_table(
        TableName=TABLE, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    )
    assert "-replace=" in stack.refusal()

    changes = stack.changes("module.copy.terraform_data.record")
    replaced = {address for address, actions in changes.items() if "delete" in actions}
    assert replaced == {
        "module.copy.terraform_data.record",
        "module.copy.module.journal[0].terraform_data.stream",
        "module.copy.module.journal[0].aws_dynamodb_table.this",
        "module.copy.module.journal[0].terraform_data.generation",
        "module.copy.module.replicator[0].terraform_data.journal",
        "module.copy.module.replicator[0].aws_lambda_event_source_mapping.this",
    }


def test_disabled_leaves_the_table_alone(applied: Applied, local_aws: LocalAws) -> None:
    """Also when the source table is gone."""
    stack, outputs = applied
    local_aws.session(SOURCE_ACCOUNT).client("dynamodb").delete_table(TableName=TABLE)
    stack.set(**VARIABLES, enabled=False)
    left = stack.apply()
    assert left["destination_table_arn"] == outputs["destination_table_arn"]
    assert outputs["commands"]["verify"].startswith(left["commands"]["verify"])
    # Terraform keeps no output that is null.
    assert not {"control_function_name", "destination_role_arn", "journal_table_name"} & set(left)
    assert local_aws.session(SOURCE_ACCOUNT).client("lambda").list_functions()["Functions"] == []
    names = local_aws.session(DESTINATION_ACCOUNT).client("dynamodb").list_tables()["TableNames"]
    assert "orders" in names
    stack.assert_unchanged()


def _definition(table: dict[str, Any]) -> dict[str, Any]:
    indexes = {}
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        for index in table[kind]:
            throughput = index.get("ProvisionedThroughput", {})
            projection = index["Projection"]
            indexes[index["IndexName"]] = (
                kind,
                index["KeySchema"],
                projection["ProjectionType"],
                sorted(projection.get("NonKeyAttributes", [])),
                throughput.get("ReadCapacityUnits"),
                throughput.get("WriteCapacityUnits"),
            )
    return {
        "key": table["KeySchema"],
        "attributes": sorted(
            (each["AttributeName"], each["AttributeType"]) for each in table["AttributeDefinitions"]
        ),
        "read": table["ProvisionedThroughput"]["ReadCapacityUnits"],
        "write": table["ProvisionedThroughput"]["WriteCapacityUnits"],
        "class": table["TableClassSummary"]["TableClass"],
        "stream": table["StreamSpecification"],
        "indexes": indexes,
    }


def _trust(outputs: dict[str, Any], local_aws: LocalAws) -> dict[str, Any]:
    name = outputs["destination_role_arn"].split("/")[-1]
    role = local_aws.session(DESTINATION_ACCOUNT).client("iam").get_role(RoleName=name)["Role"]
    document = role["AssumeRolePolicyDocument"]
    statements = (json.loads(document) if isinstance(document, str) else document)["Statement"]
    assert len(statements) == 1
    return dict(statements[0])


def _zipped(name: str, text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, text)
    return content.getvalue()


def _covers(resource: str, table: str) -> bool:
    return resource == "*" or f":table/{table}" in resource
