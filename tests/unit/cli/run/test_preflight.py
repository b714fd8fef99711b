"""``tablecopy preflight``: what it finds before anything is applied, and that control finds the same."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest

from tablecopy.clock import Machine
from tablecopy.control.estimate import estimate
from tablecopy.control.preflight import Preflight, problems
from tablecopy.dynamodb.client import DynamoDBClient
from tablecopy.settings import CopySettings
from tablecopy_cli.app import main
from tests.unit.cli.run.aws import REGION, ROLE, Aws, served
from tools.docs_tables.__main__ import REPOSITORY
from verify import measure

STREAM = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}}
MAPPINGS = "GET /2015-03-31/event-source-mappings"
ACCOUNT = "GET /2016-08-19/account-settings"
PIPES = "GET /v1/pipes"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    # The estimate samples this machine as long as an operator needs it to; one round says as much here.
    monkeypatch.setattr(measure, "DECODING_SECONDS", 0.0)
    monkeypatch.setattr(measure, "PAIRED_ROWS", 500)
    with served() as aws:
        # Control's own calls, which have no flag for it.
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", aws.url)
        aws.answers = {
            MAPPINGS: lambda _: (200, {"EventSourceMappings": []}),
            ACCOUNT: lambda _: (200, account(free=1_000)),
            PIPES: lambda _: (200, {"Pipes": []}),
            "dynamodb:DescribeKinesisStreamingDestination": lambda _: (
                200,
                {"KinesisDataStreamDestinations": []},
            ),
            "dynamodb:DescribeContributorInsights": lambda _: (
                200,
                {"ContributorInsightsStatus": "DISABLED"},
            ),
            "dynamodb:GetResourcePolicy": lambda _: (
                400,
                {"__type": "com.amazonaws.dynamodb.v20120810#PolicyNotFoundException", "message": "none"},
            ),
        }
        yield aws


def account(free: int) -> dict[str, Any]:
    return {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": free}}


def create(client: Any, name: str = "orders", sort_type: str | None = None, **more: Any) -> dict[str, Any]:
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}]
    types = [{"AttributeName": "pk", "AttributeType": "S"}]
    if sort_type:
        keys.append({"AttributeName": "sk", "KeyType": "RANGE"})
        types.append({"AttributeName": "sk", "AttributeType": sort_type})
    found: dict[str, Any] = client.create_table(
        **{
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": keys,
            "AttributeDefinitions": types,
            **more,
        }
    )["TableDescription"]
    return found


def flags(aws: Aws, *more: str) -> list[str]:
    found = ["--source", "orders", "--destination-role-arn", ROLE]
    for side in ("source", "destination"):
        found += [f"--{side}-region", REGION, f"--{side}-endpoint-url", aws.url]
    return [*found, *more]


@pytest.fixture
def look(aws: Aws, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, list[dict[str, Any]]]]:
    def run(*more: str) -> tuple[int, list[dict[str, Any]]]:
        code = main(["preflight", *flags(aws, "--format", "jsonl", *more)])
        out, err = capsys.readouterr()
        assert err == ""
        return code, [json.loads(line) for line in out.splitlines()]

    return run


Look = Callable[..., tuple[int, list[dict[str, Any]]]]


def of(records: list[dict[str, Any]], result: str) -> list[tuple[str, str]]:
    return [
        (each["check"], each["message"])
        for each in records
        if each["type"] == "check" and each["result"] == result
    ]


def test_nothing_is_in_the_way(aws: Aws, look: Look) -> None:
    create(aws.source, **STREAM)
    code, records = look()
    assert (code, of(records, "problem")) == (0, [])
    passed = dict(of(records, "pass"))
    assert set(passed) == {
        "credentials",
        "source",
        "stream",
        "readers",
        "concurrency",
        "capacity",
        "encryption",
        "destination",
        "cost",
        "time",
        "cutover",
    }
    assert "account 222222222222" in passed["credentials"]
    assert "TableSizeBytes" in passed["source"]
    assert "Terraform creates it" in passed["destination"]
    assert "writers stop for about" in passed["cutover"]
    # What nobody can see is said, not passed over.
    [(check, message)] = of(records, "not_checked")
    assert check == "readers"
    assert "KCL" in message
    assert records[-1] == {
        "type": "summary",
        "pass": len(records) - 2,
        "warning": 0,
        "problem": 0,
        "not_checked": 1,
        "exit_code": 0,
        "next": [
            {
                "text": "Apply Terraform. This also starts the copy if the destination table is empty.",
                "command": "terraform apply",
            }
        ],
    }


def test_the_policy_in_the_documentation_suffices_and_only_reads(aws: Aws, look: Look) -> None:
    """What is asked for is in docs/policies/preflight-source.json, and every action there is asked for."""
    key = boto3.client("kms", region_name=REGION).create_key()["KeyMetadata"]["Arn"]
    provisioned = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    create(
        aws.source,
        **STREAM,
        BillingMode="PROVISIONED",
        ProvisionedThroughput=provisioned,
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
    )
    create(aws.destination)
    filled(aws)
    aws.asked.clear()
    look()
    asked = {action_of(name) for name in aws.asked}
    document = (REPOSITORY / "docs" / "policies" / "preflight-source.json").read_text()
    statements = json.loads(document)["Statement"]
    allowed = {action for statement in statements for action in statement["Action"]}
    # GetCallerIdentity needs no permission, and DynamoDB decrypts in the name of the caller.
    assert asked - {"sts:GetCallerIdentity", "sts:AssumeRole"} == allowed - {"kms:Decrypt"}
    reading = ("Describe", "Get", "List", "Scan", "Decrypt")
    assert all(action.partition(":")[2].startswith(reading) for action in allowed)


def action_of(asked: str) -> str:
    """The IAM action of what `Aws.asked` has."""
    return {
        MAPPINGS: "lambda:ListEventSourceMappings",
        ACCOUNT: "lambda:GetAccountSettings",
        PIPES: "pipes:ListPipes",
        "POST ": "sts:GetCallerIdentity",
        "kms:DescribeKey": "kms:DescribeKey",
        "application-autoscaling:DescribeScalableTargets": "application-autoscaling:DescribeScalableTargets",
    }.get(asked, asked)


def test_the_same_table_on_both_sides_is_refused(aws: Aws, look: Look) -> None:
    create(aws.source, **STREAM)
    code, records = look("--destination-role-arn", "")
    assert code == 1
    [(check, message)] = of(records, "problem")
    assert check == "credentials"
    assert "the same table: orders in account 123456789012, eu-west-1" in message


def test_an_arn_on_either_side_names_the_very_table(aws: Aws, look: Look) -> None:
    """A table of that name in the caller's own account is another one, unless the ARN is its own."""
    arn = create(aws.source, **STREAM)["TableArn"]
    code, records = look("--source", arn, "--destination", arn)
    assert code == 1
    [(_, message)] = of(records, "problem")
    assert "the same table: orders in account 123456789012" in message
    aws.asked.clear()
    elsewhere = arn.replace("123456789012", "333333333333")
    named: list[str] = []

    def missing(request: dict[str, Any]) -> tuple[int, Any]:
        named.append(request["TableName"])
        return 400, {"__type": "ResourceNotFoundException", "message": "none"}

    aws.answers["dynamodb:DescribeTable"] = missing
    code, records = look("--source", elsewhere)
    assert code == 1
    assert set(named) == {elsewhere}
    assert "there is no table orders in account 333333333333" in dict(of(records, "problem"))["source"]


def test_what_is_beside_a_table_is_asked_by_its_arn(aws: Aws, look: Look) -> None:
    arn = create(
        aws.source,
        **STREAM,
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
    )["TableArn"]
    named: list[str] = []

    def answering(answer: dict[str, Any]) -> Callable[[Any], tuple[int, Any]]:
        def answered(request: dict[str, Any]) -> tuple[int, Any]:
            named.append(request["TableName"])
            return 200, answer

        return answered

    aws.answers["dynamodb:DescribeKinesisStreamingDestination"] = answering({})
    aws.answers["dynamodb:DescribeContributorInsights"] = answering({})
    aws.asked.clear()
    _, records = look("--source", arn)
    assert set(named) == {arn}
    # It has the caller's own account only, and answers by the bare name.
    assert "application-autoscaling:DescribeScalableTargets" not in aws.asked
    assert "auto scaling" in dict(of(records, "not_checked"))["not copied"]


@pytest.mark.parametrize("arn", ["arn:foo", "arn:aws:dynamodb:eu-west-1:111122223333:table/orders/index/day"])
def test_an_arn_of_something_else_is_refused(arn: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("preflight", "estimate"):
        assert main([command, "--source", arn]) == 2
        assert f'--source is "{arn}", which is not a table ARN' in capsys.readouterr().err


def test_the_region_is_that_of_the_arn(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    arn = create(aws.source, **STREAM)["TableArn"]
    assert main(["estimate", "--source", arn, "--source-endpoint-url", aws.url]) == 0
    assert "writers stop for about" in capsys.readouterr().out


def test_what_could_not_be_checked_is_not_said_to_be_out_of_the_way(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    create(aws.source, **STREAM)
    assert main(["preflight", *flags(aws)]) == 0
    assert "\nNo problem found: " in capsys.readouterr().out
    aws.answers[MAPPINGS] = lambda _: (403, {"__type": "AccessDeniedException", "message": "no"})
    assert main(["preflight", *flags(aws)]) == 0
    assert "\nNo problem found, but some checks have no answer: " in capsys.readouterr().out


def test_the_time_that_checks_take_is_none_of_the_cutover_s(
    aws: Aws, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(aws.source, **STREAM)
    elapsed, computed = time.perf_counter, time.process_time
    before, late = computed(), [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: elapsed() + late[0])
    monkeypatch.setattr(time, "process_time", lambda: computed() - before)

    def slow(_: Any) -> tuple[int, Any]:
        late[0] += 3_600.0
        return 200, {"Pipes": []}

    aws.answers[PIPES] = slow
    _, records = look()
    assert late == [3_600.0]
    assert re.search(r"[0-9.]+ s of verify", dict(of(records, "pass"))["cutover"])


def test_an_applied_copy_sets_its_own_mapping_aside(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    create(aws.source, **STREAM)
    side = {"region": REGION, "endpoint_url": aws.url, "table_name": "orders"}
    outputs = {
        "tables": {"source": side, "destination": {**side, "role_arn": ROLE}},
        "event_source_mapping_uuid": "mine",
    }
    applied(tmp_path, monkeypatch, outputs)
    mappings = [{"UUID": uuid, "FunctionArn": f"fn-{uuid}", "State": "Enabled"} for uuid in ("mine", "other")]
    aws.answers[MAPPINGS] = lambda _: (200, {"EventSourceMappings": mappings})
    assert main(["preflight", "--from-terraform", str(tmp_path), "--format", "jsonl"]) == 1
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [(check, message)] = of(records, "problem")
    assert check == "readers"
    assert "function fn-other" in message


def test_an_applied_copy_is_estimated_with_its_own_settings(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    create(aws.source, **STREAM)
    side = {"region": REGION, "endpoint_url": aws.url, "table_name": "orders"}
    outputs = {
        "tables": {"source": side, "destination": {**side, "role_arn": ROLE}},
        "settings": {"control": {"drained_after_seconds": 600}, "backfill": {"segments": 80}},
    }
    applied(tmp_path, monkeypatch, outputs)

    def quiet(*more: str) -> float:
        assert main(["estimate", "--from-terraform", str(tmp_path), "--format", "jsonl", *more]) == 0
        return float(json.loads(capsys.readouterr().out)["cutover"]["quiet_seconds"])

    assert (quiet(), quiet("--quiet-seconds", "5")) == (600, 5)


def test_a_comparison_in_the_account_is_estimated_with_the_settings_of_its_copy(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    create(aws.source, **STREAM)
    for number in range(30):
        aws.source.put_item(TableName="orders", Item={"pk": {"S": str(number)}})
    plain = estimated(aws, capsys)["verification"]
    assert (plain["segments"], plain["limit"]) == (16, "source_partitions")
    assert plain["total_cost"] == pytest.approx(sum(row["cost"] for row in plain["costs"]), abs=1e-4)
    side = {"region": REGION, "endpoint_url": aws.url, "table_name": "orders"}
    slow = {"segments": 3, "read_capacity": 80, "destination_read_capacity": None, "enabled": True}
    tables = {"source": side, "destination": {**side, "role_arn": ROLE}}
    applied(tmp_path, monkeypatch, {"tables": tables, "settings": {"verification": slow}})
    assert main(["estimate", "--from-terraform", str(tmp_path), "--format", "jsonl"]) == 0
    found = json.loads(capsys.readouterr().out)["verification"]
    assert (found["segments"], found["limit"]) == (3, "read_capacity")
    assert main(["estimate", "--from-terraform", str(tmp_path)]) == 0
    assert "for each verify --in-account; the limit is verification.read_capacity, 80 units" in " ".join(
        capsys.readouterr().out.split()
    )


def applied(directory: Path, monkeypatch: pytest.MonkeyPatch, outputs: dict[str, Any]) -> None:
    """Let a stand-in for Terraform print these outputs."""
    (directory / "outputs.json").write_text(
        json.dumps({name: {"value": value} for name, value in outputs.items()})
    )
    terraform = directory / "terraform"
    terraform.write_text(f"#!/bin/sh\ncat {directory}/outputs.json\n")
    terraform.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory), prepend=os.pathsep)


def test_a_stream_that_is_off_comes_with_the_command(aws: Aws, look: Look) -> None:
    create(aws.source)
    code, records = look()
    assert code == 1
    [(check, message)] = of(records, "problem")
    assert check == "stream"
    assert message.endswith(
        "aws dynamodb update-table --table-name orders --stream-specification "
        "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES"
    )


def test_a_table_that_is_not_there(look: Look) -> None:
    code, records = look()
    [(check, message)] = of(records, "problem")
    assert (code, check) == (1, "source")
    assert "there is no table orders in account 123456789012, eu-west-1" in message


def test_pipes_and_global_tables_are_readers(aws: Aws, look: Look) -> None:
    stream = create(aws.source, **STREAM)["LatestStreamArn"]
    aws.answers[PIPES] = lambda _: (
        200,
        {
            "Pipes": [
                {"Name": "one", "Source": stream, "CurrentState": "STOPPED"},
                {"Name": "other", "Source": f"{stream}-longer"},
            ]
        },
    )
    description = aws.source.describe_table(TableName="orders")["Table"]
    described = json.loads(json.dumps(description, default=lambda moment: moment.timestamp()))
    described |= {"Replicas": [{"RegionName": "us-east-1"}], "GlobalTableVersion": "2019.11.21"}
    aws.answers["dynamodb:DescribeTable"] = lambda request: (200, {"Table": described})
    code, records = look("--destination", "copy")
    assert code == 1
    assert [message for check, message in of(records, "problem") if "pipe one (STOPPED)" in message]
    assert not [message for _, message in of(records, "problem") if "pipe other" in message]
    warnings = dict(of(records, "warning"))
    assert "at most one reader" in warnings["readers"]
    assert "global table with replicas in us-east-1" in warnings["not copied"]


def test_what_is_not_copied_is_named_and_what_is_not_known_is_a_problem(aws: Aws, look: Look) -> None:
    create(aws.source, **STREAM)
    description = aws.source.describe_table(TableName="orders")["Table"]
    described = json.loads(json.dumps(description, default=lambda moment: moment.timestamp()))
    described |= {"VectorIndexes": [{"IndexName": "near"}], "Novelty": {"On": True}}
    aws.answers["dynamodb:DescribeTable"] = lambda request: (200, {"Table": described})
    aws.answers["dynamodb:DescribeKinesisStreamingDestination"] = lambda _: (
        200,
        {"KinesisDataStreamDestinations": [{"StreamArn": "arn:kinesis", "DestinationStatus": "ACTIVE"}]},
    )
    aws.answers["dynamodb:DescribeContributorInsights"] = lambda _: (
        200,
        {"ContributorInsightsStatus": "ENABLED"},
    )
    aws.answers["dynamodb:GetResourcePolicy"] = lambda _: (200, {"Policy": "{}"})
    code, records = look("--destination", "copy")
    assert code == 1
    [unknown] = [message for check, message in of(records, "problem") if check == "not copied"]
    assert 'unknown setting "Novelty"' in unknown
    named = " ".join(message for check, message in of(records, "warning") if check == "not copied")
    for what in ('vector index "near"', "arn:kinesis", "contributor insights", "resource policy"):
        assert what in named


@pytest.mark.parametrize(
    ("operation", "answer", "check", "action"),
    [
        (MAPPINGS, "AccessDeniedException", "readers", "lambda:ListEventSourceMappings"),
        (PIPES, "AccessDeniedException", "readers", "pipes:ListPipes"),
        (ACCOUNT, "AccessDeniedException", "concurrency", "lambda:GetAccountSettings"),
        ("dynamodb:DescribeStream", "AccessDeniedException", "concurrency", "dynamodb:DescribeStream"),
        ("dynamodb:GetResourcePolicy", "AccessDeniedException", "not copied", "dynamodb:GetResourcePolicy"),
        ("dynamodb:Scan", "AccessDeniedException", "cutover", "dynamodb:Scan"),
    ],
)
def test_a_missing_permission_is_named_and_the_rest_is_checked(
    aws: Aws, look: Look, operation: str, answer: str, check: str, action: str
) -> None:
    create(aws.source, **STREAM)
    denied = {"__type": answer, "Type": "User", "message": "no", "Message": "no", "code": answer}
    aws.answers[operation] = lambda _: (403 if operation.startswith("GET") else 400, denied)
    code, records = look()
    assert code == 0
    missing = [(each["check"], each["action"]) for each in records if each.get("action")]
    assert (check, action) in missing
    assert "destination" in dict(of(records, "pass"))


def test_a_customers_key_comes_with_what_to_set(aws: Aws, look: Look) -> None:
    key = boto3.client("kms", region_name=REGION).create_key()["KeyMetadata"]
    create(
        aws.source,
        **STREAM,
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key["Arn"]},
    )
    code, records = look()
    warning = dict(of(records, "warning"))["encryption"]
    assert code == 0
    assert key["Arn"] in warning
    assert "source_table.customer_managed_key = true" in warning
    boto3.client("kms", region_name=REGION).disable_key(KeyId=key["KeyId"])
    code, records = look()
    assert code == 1
    assert f"key {key['Arn']} is Disabled" in dict(of(records, "problem"))["encryption"]


def test_the_text_is_a_line_for_each_check(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    create(aws.source)
    assert main(["preflight", *flags(aws)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("  pass        credentials  source: account 123456789012, eu-west-1, as ")
    assert any(
        line.startswith("  problem     stream       source table orders has no stream") for line in lines
    )
    assert any(line.startswith("  not checked readers ") for line in lines)
    assert lines[-4:] == [
        "Cannot start yet: 1 problem, 1 not checked.",
        "Next:",
        "  1. Fix the problem. Each message shows how.",
        "  2. Run this command again.",
    ]


def test_nothing_to_look_at_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preflight"]) == 2
    assert "--source TABLE, or --from-terraform DIR" in capsys.readouterr().err


# The same situation before it is applied and in control


def busy(aws: Aws) -> None:
    mappings = [{"UUID": "a", "FunctionArn": "fn", "State": "Disabled"}]
    aws.answers[MAPPINGS] = lambda _: (200, {"EventSourceMappings": mappings})


def crowded(aws: Aws) -> None:
    aws.answers[ACCOUNT] = lambda _: (200, account(free=10))


def filled(aws: Aws) -> None:
    aws.destination.put_item(TableName="orders", Item={"pk": {"S": "a"}})


def expiring(aws: Aws) -> None:
    aws.destination.update_time_to_live(
        TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
    )


@pytest.mark.parametrize(
    ("source", "destination", "prepare"),
    [
        ({}, {}, lambda aws: None),
        (
            {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}},
            {},
            lambda aws: None,
        ),
        (STREAM, {}, busy),
        (STREAM, {}, crowded),
        (STREAM, {}, filled),
        (STREAM, {}, expiring),
        (STREAM, {"sort_type": "N"}, lambda aws: None),
        (
            {
                **STREAM,
                "BillingMode": "PROVISIONED",
                "ProvisionedThroughput": {"ReadCapacityUnits": 50, "WriteCapacityUnits": 5},
            },
            {},
            lambda aws: None,
        ),
    ],
    ids=["no stream", "view type", "readers", "concurrency", "items", "ttl", "key", "capacity"],
)
def test_control_finds_the_same_problems(
    aws: Aws,
    look: Look,
    source: dict[str, Any],
    destination: dict[str, Any],
    prepare: Callable[[Aws], None],
) -> None:
    stream = create(aws.source, **source).get("LatestStreamArn")
    create(aws.destination, **destination)
    prepare(aws)
    _, records = look("--read-capacity", "60")
    found = [message for _, message in of(records, "problem")]
    assert len(found) == 1
    in_control = Preflight(
        DynamoDBClient(botocore.session.Session(), REGION, attempts=1),
        "orders",
        assumed_client(aws),
        "orders",
        boto3.client("lambda", region_name=REGION, endpoint_url=aws.url),
        lambda: 1,
        CopySettings(read_capacity=60),
    )
    checks = in_control.checks(stream) if stream else [in_control.stream]
    assert problems(checks, Machine()) == found


def assumed_client(aws: Aws) -> DynamoDBClient:
    """The destination as control reaches it: through a role of the other account."""

    class Assumed(DynamoDBClient):
        def __init__(self) -> None:
            """Calls go to the client of the other account."""

        def call(self, operation: str, body: Any) -> dict[str, Any]:
            found: dict[str, Any] = getattr(aws.destination, operation)(**body)
            return found

    return Assumed()


# What it will take


def estimated(aws: Aws, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    assert main(["estimate", *flags(aws, "--format", "jsonl", *more)]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_estimate_needs_no_stream_and_no_destination(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    create(aws.source)
    for number in range(30):
        aws.source.put_item(TableName="orders", Item={"pk": {"S": str(number)}})
    found = estimated(aws, capsys)
    assert (found["type"], found["items"], found["limit"]) == ("estimate", 30, "destination_on_demand")
    assert found["total_cost"] == pytest.approx(sum(row["cost"] for row in found["costs"]), abs=1e-4)
    assert found["cutover"]["seconds"] == pytest.approx(60 + found["cutover"]["verify_seconds"] + 15, abs=0.1)
    assert "DescribeStream" not in "".join(aws.asked)


@pytest.mark.parametrize(
    ("more", "part"),
    [
        (("--changes-per-second", "5"), "costs"),
        (("--days", "9"), "costs"),
        (("--nat",), "costs"),
        (("--shards", "50"), "costs"),
        (("--changes-per-second", "5", "--batching-window-seconds", "5"), "costs"),
        (("--price-write-per-million", "900"), "total_cost"),
        (("--currency", "EUR"), "currency"),
        (("--write-capacity", "2"), "seconds"),
        (("--quiet-seconds", "600"), "cutover"),
    ],
    ids=str,
)
def test_every_flag_counts(
    aws: Aws, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], part: str
) -> None:
    create(aws.source)
    for number in range(30):
        aws.source.put_item(TableName="orders", Item={"pk": {"S": str(number)}})
    plain, changed = estimated(aws, capsys), estimated(aws, capsys, *more)
    assert plain[part] != changed[part]


def test_control_estimates_the_same(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    """The fields that a run's status shows are those of the command."""
    created = create(aws.source, **STREAM)
    create(aws.destination)
    found = estimated(aws, capsys)
    written = aws.destination.describe_table(TableName="orders")["Table"]
    expected = estimate(created, written, CopySettings()).as_json()
    assert {name: found[name] for name in expected} == expected


def test_a_large_table_comes_with_settings_that_fit(
    aws: Aws, look: Look, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a warning: the copy can start without them, and a run keeps its segments."""
    create(aws.source, **STREAM)
    description = aws.source.describe_table(TableName="orders")["Table"]
    described = json.loads(json.dumps(description, default=lambda moment: moment.timestamp()))
    described |= {"ItemCount": 10**9, "TableSizeBytes": 10**12}
    aws.answers["dynamodb:DescribeTable"] = lambda _: (200, {"Table": described})
    advice = "set backfill.segments = 80 and backfill.concurrency = 40 before the run starts"
    _, records = look("--destination", "copy")
    [message] = [message for check, message in of(records, "warning") if check == "time"]
    assert message.startswith(advice)
    found = estimated(aws, capsys)
    assert (found["recommendation"]["segments"], found["recommendation"]["concurrency"]) == (80, 40)
    assert found["advice"] == [found["recommendation"]["text"]]
    assert main(["estimate", *flags(aws)]) == 0
    assert f"\n  advice     {advice}" in capsys.readouterr().out
    fits = ("--segments", "80", "--concurrency", "40")
    assert estimated(aws, capsys, *fits)["recommendation"] is None
    assert not [check for check, _ in of(look(*fits)[1], "warning") if check == "time"]


def test_many_active_shards_come_with_a_longer_window(
    aws: Aws, look: Look, capsys: pytest.CaptureFixture[str]
) -> None:
    create(aws.source, **STREAM)
    more = ("--shards", "1000", "--changes-per-second", "5000")
    advice = "set replicator.batching_window_seconds = 5. The replicator then costs about "
    found = [message for check, message in of(look(*more)[1], "warning") if check == "cost"]
    assert found
    assert found[0].startswith(advice)
    assert main(["estimate", *flags(aws, *more)]) == 0
    assert f"\n  advice     {advice}" in capsys.readouterr().out
    fits = ("--batching-window-seconds", "5", "--control-memory-mb", "512")
    assert estimated(aws, capsys, *more, *fits)["advice"] == []


def test_many_shards_come_with_more_memory_for_the_reconciler(
    aws: Aws, look: Look, capsys: pytest.CaptureFixture[str]
) -> None:
    create(aws.source, **STREAM)
    more = ("--shards", "1000")
    advice = "set control.memory_mb = 512. "
    assert [message for check, message in of(look(*more)[1], "warning") if message.startswith(advice)]
    assert estimated(aws, capsys, *more, "--control-memory-mb", "512")["advice"] == []


def test_a_new_index_has_not_grown_with_the_sources_traffic(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor has the table: both are as warm as a new table."""
    create(aws.source)
    description = aws.source.describe_table(TableName="orders")["Table"]
    described = json.loads(json.dumps(description, default=lambda moment: moment.timestamp()))
    warm = {"WarmThroughput": {"ReadUnitsPerSecond": 40_000, "WriteUnitsPerSecond": 40_000}}
    described |= {"ItemCount": 10**7, "TableSizeBytes": 10**9, **warm}
    projection, keys = {"ProjectionType": "ALL"}, description["KeySchema"]
    index = {"IndexName": "day", "Projection": projection, "KeySchema": keys, **warm}
    described["GlobalSecondaryIndexes"] = [index]
    aws.answers["dynamodb:DescribeTable"] = lambda request: (
        (200, {"Table": described})
        if request["TableName"] == "orders"
        else (400, {"__type": "ResourceNotFoundException", "message": "none"})
    )
    found = estimated(aws, capsys, "--destination", "copy")
    # 7.2 million units in the first half hour, at 4,000 a second, and the rest at 8,000.
    assert (found["limit"], found["seconds"]) == ("destination_on_demand", 1_800 + 350)


def test_what_cannot_be_sampled_is_said(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    create(aws.source)
    denied = {"__type": "AccessDeniedException", "message": "no"}
    aws.answers["dynamodb:Scan"] = lambda _: (400, denied)
    assert main(["estimate", *flags(aws)]) == 0
    out = capsys.readouterr().out
    assert "  cutover    not estimated: dynamodb:Scan is not allowed" in out
    rows = out.partition(" in total\n")[2].partition("  cutover")[0].splitlines()
    assert any(re.fullmatch(r" {13,}\d\.\d\d  reconciler function: [\d,]+ GB seconds", row) for row in rows)
    # The table fits into a narrow terminal.
    assert max(map(len, rows)) <= 70, rows
    assert "  copy       " in out


def test_an_estimate_of_no_table_is_an_error(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", *flags(aws)]) == 2
    assert "there is no table orders. Check --source" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "value"), [("--days", "0"), ("--segments", "0"), ("--changes-per-second", "-1"), ("--days", "x")]
)
def test_a_number_that_makes_no_sense_is_refused(
    flag: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["estimate", "--source", "orders", flag, value]) == 2
    assert flag in capsys.readouterr().err
