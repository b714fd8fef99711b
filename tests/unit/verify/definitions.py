"""Definitions of tables, described as AWS does, and what `verify` finds between two of them."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.validate import ParamValidator

from tablecopy_cli.common.accounts import Side
from verify.settings.compare import Definition, compare_definitions, read_definition
from verify.settings.findings import Finding

KEY_ARN = "arn:aws:kms:eu-west-1:111111111111:key/1"
ON_DEMAND = {"BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}
INDEX: dict[str, Any] = {
    "IndexName": "by-day",
    "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}


def described(**changes: Any) -> dict[str, Any]:
    return {
        "TableName": "orders",
        "AttributeDefinitions": [
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "day", "AttributeType": "S"},
            {"AttributeName": "hour", "AttributeType": "N"},
        ],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        **ON_DEMAND,
        **changes,
    }


def throughput(read: int, write: int) -> dict[str, Any]:
    return {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}


def maximum(read: int, write: int) -> dict[str, Any]:
    return {"OnDemandThroughput": {"MaxReadRequestUnits": read, "MaxWriteRequestUnits": write}}


def warm(read: int, write: int) -> dict[str, Any]:
    return {"WarmThroughput": {"ReadUnitsPerSecond": read, "WriteUnitsPerSecond": write, "Status": "ACTIVE"}}


def provisioned(read: int, write: int, **changes: Any) -> dict[str, Any]:
    return described(BillingModeSummary={"BillingMode": "PROVISIONED"}, **throughput(read, write), **changes)


def index(**changes: Any) -> dict[str, Any]:
    return {**INDEX, **changes}


def includes(*names: str) -> dict[str, Any]:
    if not names:
        return index(Projection={"ProjectionType": "KEYS_ONLY"})
    return index(Projection={"ProjectionType": "INCLUDE", "NonKeyAttributes": list(names)})


def with_index(described_index: dict[str, Any], kind: str = "Global") -> dict[str, Any]:
    return described(**{f"{kind}SecondaryIndexes": [described_index]})


def encrypted(key: str | None = KEY_ARN) -> dict[str, Any]:
    sse = {"Status": "ENABLED", "SSEType": "KMS"}
    return described(SSEDescription={**sse, "KMSMasterKeyArn": key} if key else sse)


def streaming(view_type: str) -> dict[str, Any]:
    return described(StreamSpecification={"StreamEnabled": True, "StreamViewType": view_type})


def error(code: str, operation: str = "Any") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


class FakeClient:
    """A DynamoDB client that answers with what it was given; an exception in its place is raised."""

    def __init__(
        self,
        arn: str,
        expires_by: Any,
        recovery: Any,
        tag_pages: list[dict[str, str]] | Exception,
        policy: Any = None,
        kinesis: Any = None,
        insights: Any = None,
        address: str = "orders",
    ) -> None:
        self._address = address
        self._arn = arn
        self._expires_by = expires_by
        self._recovery = recovery
        self._tag_pages = tag_pages
        self._policy = policy
        self._kinesis = kinesis
        self._insights = insights

    def describe_time_to_live(self, **request: Any) -> Any:
        assert request == {"TableName": self._address}
        name = _answer(self._expires_by)
        on = {"TimeToLiveStatus": "ENABLED", "AttributeName": name}
        return {"TimeToLiveDescription": on if name else {"TimeToLiveStatus": "DISABLED"}}

    def describe_continuous_backups(self, **request: Any) -> Any:
        assert request == {"TableName": self._address}
        recovery = _answer(self._recovery) or {"PointInTimeRecoveryStatus": "DISABLED"}
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": recovery}}

    def get_resource_policy(self, **request: Any) -> Any:
        assert request == {"ResourceArn": self._arn}
        policy = _answer(self._policy)
        if policy is None:
            raise error("PolicyNotFoundException")
        return {"Policy": json.dumps(policy).replace("TABLE", self._arn)}

    def describe_kinesis_streaming_destination(self, **request: Any) -> Any:
        assert request == {"TableName": self._address}
        destinations = _answer(self._kinesis) or []
        return {
            "KinesisDataStreamDestinations": [
                {"StreamArn": f"arn:aws:kinesis:eu-west-1:1:stream/{name}", "DestinationStatus": status}
                for name, status in destinations
            ]
        }

    def describe_contributor_insights(self, **request: Any) -> Any:
        on = request.get("IndexName", "table") in (_answer(self._insights) or ())
        return {"ContributorInsightsStatus": "ENABLED" if on else "DISABLED"}

    def list_tags_of_resource(self, **request: Any) -> Any:
        assert request["ResourceArn"] == self._arn
        pages: Any = _answer(self._tag_pages)
        number = int(request.get("NextToken", "0"))
        more = {"NextToken": str(number + 1)} if number + 1 < len(pages) else {}
        return {"Tags": [{"Key": key, "Value": value} for key, value in pages[number].items()], **more}


def _answer(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


class FakeSide(Side):
    """A side whose KMS says who manages the key; an exception in the manager's place is raised.

    Its tables scale as `TARGETS` says for the side, or do not.
    """

    def client(self, service: str, **options: Any) -> Any:
        assert service in ("kms", "application-autoscaling")
        return self

    def get_paginator(self, operation: str) -> Any:
        assert operation == "describe_scalable_targets"
        return self

    def paginate(self, **request: Any) -> Any:
        assert request["ServiceNamespace"] == "dynamodb"
        assert request["ResourceIds"][0] == "table/orders"
        return [{"ScalableTargets": _answer(TARGETS.get(self.name, []))}]

    def describe_key(self, **request: Any) -> Any:
        manager = _answer(MANAGERS[request["KeyId"]])
        return {"KeyMetadata": {"KeyManager": manager}}


TARGETS: dict[str, Any] = {}
"""Scalable targets by side; a test sets them."""

MANAGERS: dict[str, Any] = {
    KEY_ARN: "CUSTOMER",
    f"{KEY_ARN}-other": "CUSTOMER",
    f"{KEY_ARN}-aws": "AWS",
    f"{KEY_ARN}-denied": error("AccessDeniedException", "DescribeKey"),
    f"{KEY_ARN}-unreachable": EndpointConnectionError(endpoint_url="http://localhost"),
}


def read(
    name: str,
    table: Any = None,
    *,
    expires_by: Any = None,
    recovery: Any = None,
    tags: Any = None,
    side: Side | None = None,
    **beside: Any,
) -> Definition:
    account = "111111111111" if name == "source" else "222222222222"
    arn = f"arn:aws:dynamodb:eu-west-1:{account}:table/orders"
    client: Any = FakeClient(arn, expires_by, recovery, tags if tags is not None else [{}], **beside)
    description = {**(table if table is not None else described()), "TableArn": arn}
    return read_definition(client, side or FakeSide(name), description)


def compare(source: Any = None, destination: Any = None) -> list[Finding]:
    """Compare two described tables, or two sets of arguments of `read`."""
    sides = []
    for name, given in (("source", source), ("destination", destination)):
        arguments = given if given is None or "TableName" not in given else {"table": given}
        sides.append(read(name, **(arguments or {})))
    return compare_definitions(sides[0], sides[1])


def one(source: Any = None, destination: Any = None) -> Finding:
    found = compare(source, destination)
    assert len(found) == 1, found
    return found[0]


def request_of(command: str | None) -> tuple[str, str, dict[str, Any]]:
    """Read a command of the AWS CLI as a shell and the CLI would: service, operation, parameters."""
    assert command is not None
    words = shlex.split(command)
    assert words[0] == "aws"
    service, operation = words[1:3]
    parameters: dict[str, Any] = {}
    rest = words[3:]
    while rest:
        option, equals, value = rest.pop(0).partition("=")
        name = "".join(word.title() for word in option.removeprefix("--").split("-"))
        name = name.replace("Sse", "SSE")
        if option in {"--region", "--profile", "--endpoint-url"}:
            rest.pop(0)
        elif option in {"--deletion-protection-enabled", "--no-deletion-protection-enabled"}:
            parameters["DeletionProtectionEnabled"] = not option.startswith("--no-")
        else:
            parameters[name] = _value(value if equals else rest.pop(0))
    client = boto3.client(service, region_name="eu-west-1")  # type: ignore[call-overload]
    method = operation.replace("-", "_")
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])
    report = ParamValidator().validate(parameters, model.input_shape)
    assert not report.has_errors(), report.generate_report()
    return service, method, parameters


def _value(text: str) -> Any:
    if text[0] in "[{":
        return json.loads(text)
    if re.fullmatch(r"(\w+=[-\w.]+)(,\w+=[-\w.]+)*", text):
        return {name: _plain(value) for name, value in (part.split("=") for part in text.split(","))}
    return text


def _plain(text: str) -> Any:
    return json.loads(text) if re.fullmatch(r"true|false|-?\d+", text) else text


def parameters(command: str | None) -> dict[str, Any]:
    _, _, found = request_of(command)
    return {name: value for name, value in found.items() if name != "TableName"}
