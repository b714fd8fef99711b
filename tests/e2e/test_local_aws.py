"""The local accounts, with real processes, functions and streams."""

from __future__ import annotations

import datetime
import io
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tools.local.accounts import DESTINATION_ACCOUNT, HOST, REPOSITORY, SOURCE_ACCOUNT, LocalAws
from tools.local.process import LocalError

# Does as the item "behaviour" of its log table says, and leaves an item for each invocation.
HANDLER = """
import json
import os
import time

import boto3

table = boto3.resource("dynamodb").Table(os.environ["LOG_TABLE"])


def handle(event, context):
    bad = table.get_item(Key={"pk": "behaviour"}, ConsistentRead=True).get("Item", {})
    records = event.get("Records", [])
    table.put_item(Item={"pk": context.aws_request_id, "at": str(time.time_ns()), "event": json.dumps(event)})
    for record in records:
        if record["dynamodb"]["Keys"]["pk"]["S"] in bad.get("raise", []):
            raise RuntimeError("as told")
    failed = [
        {"itemIdentifier": record["dynamodb"]["SequenceNumber"]}
        for record in records
        if record["dynamodb"]["Keys"]["pk"]["S"] in bad.get("report", [])
    ]
    return {"batchItemFailures": failed}
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
serial = itertools.count()


def wait_until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first true value of a condition."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return value


def policy(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Stack:
    """A table with a stream, a function, its role and log."""

    def __init__(self, accounts: LocalAws, account: str = SOURCE_ACCOUNT) -> None:
        session = accounts.session(account)
        self.session = session
        self.name = f"stack-{next(serial)}"
        self.dynamodb = session.client("dynamodb")
        self.functions = session.client("lambda")
        self.iam = session.client("iam")
        self.stream_arn = self._table(
            self.name, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        )
        self._table(f"{self.name}-log")
        self.log = session.resource("dynamodb").Table(f"{self.name}-log")
        self.role_arn = self.iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=json.dumps(TRUST))[
            "Role"
        ]["Arn"]
        self.allow("dynamodb:*")
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("handler.py", HANDLER)
        self.function_arn = self.functions.create_function(
            FunctionName=self.name,
            Runtime="python3.13",
            Role=self.role_arn,
            Handler="handler.handle",
            Code={"ZipFile": package.getvalue()},
            Timeout=20,
            Environment={"Variables": {"LOG_TABLE": f"{self.name}-log"}},
        )["FunctionArn"]

    def _table(self, name: str, **more: Any) -> str:
        table = self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            **more,
        )["TableDescription"]
        return str(table.get("LatestStreamArn", ""))

    def allow(self, *actions: str) -> None:
        self.iam.put_role_policy(RoleName=self.name, PolicyName="all", PolicyDocument=policy(*actions))

    def map(self, **settings: Any) -> str:
        settings = {"StartingPosition": "TRIM_HORIZON", "BatchSize": 10} | settings
        mapping = self.functions.create_event_source_mapping(
            FunctionName=self.name, EventSourceArn=self.stream_arn, **settings
        )
        return str(mapping["UUID"])

    def behave(self, **how: list[str]) -> None:
        self.log.put_item(Item={"pk": "behaviour", **how})

    def put(self, *keys: str, **attributes: Any) -> None:
        for key in keys:
            self.dynamodb.put_item(TableName=self.name, Item={"pk": {"S": key}, **attributes})

    def events(self) -> list[dict[str, Any]]:
        items = [item for item in self.log.scan(ConsistentRead=True)["Items"] if "event" in item]
        return [json.loads(item["event"]) for item in sorted(items, key=lambda item: int(item["at"]))]

    def batches(self) -> list[list[str]]:
        return [[r["dynamodb"]["Keys"]["pk"]["S"] for r in event["Records"]] for event in self.events()]


@pytest.fixture
def stack(local_aws: LocalAws) -> Iterator[Stack]:
    stack = Stack(local_aws)
    yield stack
    for mapping in stack.functions.list_event_source_mappings(FunctionName=stack.name)["EventSourceMappings"]:
        stack.functions.delete_event_source_mapping(UUID=mapping["UUID"])


# The accounts


def test_they_are_two_accounts(local_aws: LocalAws) -> None:
    for account in (SOURCE_ACCOUNT, DESTINATION_ACCOUNT):
        assert local_aws.session(account).client("sts").get_caller_identity()["Account"] == account
    stack = Stack(local_aws, DESTINATION_ACCOUNT)
    here = local_aws.session(SOURCE_ACCOUNT).client("dynamodb").list_tables()["TableNames"]
    there = local_aws.session(DESTINATION_ACCOUNT).client("dynamodb").list_tables()["TableNames"]
    # Other tests of this process may have made tables of one name in both accounts.
    assert stack.name in there
    assert stack.name not in here


def test_the_environment_has_both_profiles_and_nothing_of_the_callers(local_aws: LocalAws) -> None:
    base = os.environ | {"AWS_PROFILE": "production", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_REGION": "us-east-1"}
    code = (
        "import boto3\n"
        "for name in ('source', 'destination'):\n"
        "    session = boto3.Session(profile_name=name)\n"
        "    print(session.client('sts').get_caller_identity()['Account'], session.region_name)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        env=local_aws.environment(base),
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [SOURCE_ACCOUNT, "eu-west-1", DESTINATION_ACCOUNT, "eu-west-1"]


def test_policies_are_enforced_across_accounts(local_aws: LocalAws) -> None:
    iam = local_aws.session(DESTINATION_ACCOUNT).client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": SOURCE_ACCOUNT}, "Action": "sts:AssumeRole",
             "Condition": {"StringEquals": {"sts:ExternalId": "shared"}}}
        ],
    }  # fmt: skip
    role = iam.create_role(RoleName="writer", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="writer", PolicyName="all", PolicyDocument=policy("dynamodb:ListTables"))
    sts = local_aws.session(SOURCE_ACCOUNT).client("sts")
    with pytest.raises(ClientError, match="AccessDenied"):
        sts.assume_role(RoleArn=role, RoleSessionName="test")
    credentials = sts.assume_role(RoleArn=role, RoleSessionName="test", ExternalId="shared")["Credentials"]
    dynamodb = boto3.client(
        "dynamodb",
        endpoint_url=local_aws.endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    assert dynamodb.list_tables()["TableNames"] is not None
    with pytest.raises(ClientError, match="AccessDenied"):
        dynamodb.describe_table(TableName="anything")


# The mapping


def test_records_arrive_as_lambda_sends_them(stack: Stack) -> None:
    stack.map()
    stack.put("a", binary={"B": b"xy"}, number={"N": "12.50"})
    [event] = wait_until(stack.events)
    [record] = event["Records"]
    assert set(record) == {
        "eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "dynamodb", "eventSourceARN",
    }  # fmt: skip
    assert record["eventSourceARN"] == stack.stream_arn
    assert record["eventName"] == "INSERT"
    assert record["dynamodb"]["NewImage"]["binary"] == {"B": "eHk="}
    assert isinstance(record["dynamodb"]["ApproximateCreationDateTime"], int)


def test_partial_failures_are_retried_from_the_lowest(stack: Stack) -> None:
    stack.behave(report=["c", "d"])
    stack.put("a", "b", "c", "d")
    stack.map(FunctionResponseTypes=["ReportBatchItemFailures"])
    wait_until(lambda: len(stack.batches()) >= 3)
    stack.behave()
    stack.put("e")
    wait_until(lambda: stack.batches()[-1] == ["e"])
    batches = stack.batches()
    assert batches[0] == ["a", "b", "c", "d"]
    assert batches[1:-1] == [["c", "d"]] * (len(batches) - 2)


def test_disabling_keeps_the_place(stack: Stack, local_aws: LocalAws) -> None:
    uuid = stack.map(Enabled=False)
    stack.put("a")
    stack.functions.update_event_source_mapping(UUID=uuid, Enabled=True)
    wait_until(lambda: stack.batches() == [["a"]])
    stack.functions.update_event_source_mapping(UUID=uuid, Enabled=False)
    wait_until(lambda: f"{uuid}: disabled" in (local_aws.directory / "poller.log").read_text())
    stack.put("b")
    # Another mapping of the same stream is a witness that the poller had every chance to read.
    witness = stack.map()
    wait_until(lambda: len(stack.batches()) == 2)
    stack.functions.delete_event_source_mapping(UUID=witness)
    assert stack.batches() == [["a"], ["a", "b"]]
    stack.functions.update_event_source_mapping(UUID=uuid, Enabled=True)
    wait_until(lambda: len(stack.batches()) == 3)
    assert stack.batches()[2] == ["b"]


def test_a_role_without_stream_permission_reads_nothing(stack: Stack, local_aws: LocalAws) -> None:
    stack.allow("dynamodb:PutItem", "dynamodb:GetItem")
    stack.put("a")
    uuid = stack.map()
    log = local_aws.directory / "poller.log"
    wait_until(lambda: f"{uuid}: PROBLEM: Cannot access stream {stack.stream_arn}" in log.read_text())
    assert stack.batches() == []
    stack.allow("dynamodb:*")
    wait_until(lambda: stack.batches() == [["a"]])


def test_expired_items_reach_the_function_as_deletions_by_the_service(stack: Stack) -> None:
    stack.dynamodb.update_time_to_live(
        TableName=stack.name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    stack.map()
    now = int(time.time())
    stack.put("kept", expires={"N": str(now + 3600)})
    stack.put("ignored", expires={"S": str(now - 60)})
    stack.put("gone", expires={"N": str(now - 60)})
    removed = wait_until(
        lambda: [r for event in stack.events() for r in event["Records"] if r["eventName"] == "REMOVE"]
    )
    assert [record["dynamodb"]["Keys"] for record in removed] == [{"pk": {"S": "gone"}}]
    assert removed[0]["userIdentity"] == {"principalId": "dynamodb.amazonaws.com", "type": "Service"}
    left = stack.dynamodb.scan(TableName=stack.name)["Items"]
    assert {item["pk"]["S"] for item in left} == {"kept", "ignored"}


# What Terraform and the schedule need


def test_an_alarm_is_described_in_full_to_a_query(local_aws: LocalAws) -> None:
    topic = f"arn:aws:sns:eu-west-1:{SOURCE_ACCOUNT}:"
    settings = {
        "AlarmName": "age",
        "AlarmDescription": "older than <5> minutes",
        "Namespace": "Copies",
        "MetricName": "Age",
        "Statistic": "Maximum",
        "Period": "60",
        "EvaluationPeriods": "5",
        "Threshold": "300.0",
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "breaching",
        "Unit": "Seconds",
    }
    lists = {"AlarmActions": "a", "OKActions": "b", "InsufficientDataActions": "c"}
    members = {f"{name}.member.1": topic + suffix for name, suffix in lists.items()}
    dimensions = {"Dimensions.member.1.Name": "Copy", "Dimensions.member.1.Value": "music"}
    query(local_aws, "PutMetricAlarm", settings | members | dimensions)

    answer = query(local_aws, "DescribeAlarms", {"AlarmNames.member.1": "age"})
    [alarm] = answer.findall("DescribeAlarmsResult/MetricAlarms/member")
    assert {name: alarm.findtext(name) for name in settings} == settings
    assert {name: alarm.findtext(f"{name}/member") for name in lists} == {
        name: topic + suffix for name, suffix in lists.items()
    }
    assert alarm.findtext("Dimensions/member/Name") == "Copy"
    assert alarm.findtext("Dimensions/member/Value") == "music"
    assert alarm.findtext("ActionsEnabled") == "true"
    assert datetime.datetime.fromisoformat(alarm.findtext("StateUpdatedTimestamp") or "")
    nothing = query(local_aws, "DescribeAlarms", {"AlarmNames.member.1": "other"})
    assert nothing.findall("DescribeAlarmsResult/MetricAlarms/member") == []


def query(accounts: LocalAws, action: str, parameters: dict[str, str]) -> ElementTree.Element:
    """Call CloudWatch in the protocol Terraform's provider uses, without the namespace in the answer."""
    request = AWSRequest("POST", accounts.endpoint_url, data={"Action": action, **parameters})
    request.headers["Content-Type"] = "application/x-www-form-urlencoded"
    SigV4Auth(Credentials(SOURCE_ACCOUNT, "local"), "monitoring", "eu-west-1").add_auth(request)
    prepared = request.prepare()
    assert isinstance(prepared.body, str)
    sent = urllib.request.Request(prepared.url, prepared.body.encode(), dict(prepared.headers.items()))
    with urllib.request.urlopen(sent) as response:
        text = response.read().decode()
    return ElementTree.fromstring(
        text.replace(' xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"', "")
    )


def test_a_schedule_fires_on_time(stack: Stack) -> None:
    due = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
    stack.session.client("scheduler").create_schedule(
        Name=stack.name,
        ScheduleExpression=f"at({due:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": stack.function_arn, "RoleArn": stack.role_arn, "Input": '{"action": "reconcile"}'},
    )
    [event] = wait_until(stack.events, seconds=6)
    assert event == {"action": "reconcile"}


# Starting and stopping


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalError, match=rf"^port {port} on 127\.0\.0\.1 is taken; .*--port"):
            LocalAws(tmp_path, port=port).start()


def test_nothing_survives_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tools.local.accounts import LocalAws\n"
        f"accounts = LocalAws(Path({str(tmp_path)!r})).start()\n"
        "print(accounts.port, *accounts.pids, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        _, *groups = map(int, parent.stdout.readline().split())
        assert len(groups) == 2
        assert all(is_group_alive(group) for group in groups)
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(is_group_alive(group) for group in groups), seconds=5)


def test_stopping_ends_the_workers_of_functions_too(tmp_path: Path) -> None:
    accounts = LocalAws(tmp_path).start()
    groups = accounts.pids
    stack = Stack(accounts)
    stack.functions.invoke(FunctionName=stack.name, Payload=b"{}")
    accounts.stop()
    wait_until(lambda: not any(is_group_alive(group) for group in groups), seconds=5)
    accounts.stop()
    assert not (tmp_path / "tmp").exists()


def is_group_alive(group: int) -> bool:
    """Whether a process of the group runs; what is only waiting to be reaped does not count."""
    if Path("/proc/self").exists():
        # After the name in brackets: state, parent, group.
        stats = [
            stat.rpartition(")")[2].split() for stat in map(read, Path("/proc").glob("[0-9]*/stat")) if stat
        ]
        return any(state != "Z" and int(of) == group for state, _, of, *_ in stats)
    shown = subprocess.run(["ps", "-eo", "stat=,pgid="], capture_output=True, text=True, check=True).stdout
    return any(state[0] != "Z" and int(of) == group for state, of in map(str.split, shown.splitlines()))


def read(path: Path) -> str:
    """The text of a file of a process, empty if the process is gone."""
    try:
        return path.read_text()
    except OSError:
        return ""


def test_the_command_line_keeps_shows_and_stops_them(tmp_path: Path) -> None:
    def local(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tools.local", "--directory", str(tmp_path), *arguments]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert local("status").returncode == 1
    up = local("up", "--keep", "--port", "0")
    try:
        assert up.returncode == 0, up.stderr
        assert local("status").stdout in up.stdout
        second = local("up", "--port", "0")
        assert second.returncode == 2
        assert second.stderr.startswith("local: error: the accounts are running already")
    finally:
        assert local("down").returncode == 0
    assert local("status").returncode == 1
    assert local("down").returncode == 0


def test_an_answer_arrives_in_one_piece(local_aws: LocalAws) -> None:
    """Head and body apart make Terraform's SDK repeat requests; what it creates twice is refused."""
    for _ in range(50):
        with socket.create_connection((HOST, local_aws.port)) as connection:
            connection.sendall(b"GET /_ministack/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = connection.recv(65_536)
        head, _, body = answer.partition(b"\r\n\r\n")
        [length] = [
            int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        ]
        assert len(body) == length > 0
