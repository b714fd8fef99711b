"""A table's definition as AWS describes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from botocore.exceptions import ClientError

from tablecopy.dynamodb import errors
from tablecopy_cli.common.accounts import Side, is_arn
from verify.settings.findings import Unreadable, detail, optional

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

_DEFAULT_RECOVERY_DAYS = 35
"""Recovery period where none was set (API reference, PointInTimeRecoverySpecification)."""

# The key's kind is a detail: an endpoint without KMS must not hold the comparison up for minutes.
_KEY_ATTEMPTS = 2

# These are details: an endpoint without them must not hold the comparison up for minutes.
_ATTEMPTS = 2

_ON = {"ACTIVE", "ENABLING", "UPDATING", "ENABLED"}

KeyKind: TypeAlias = Literal["aws_owned", "kms", "aws_managed", "customer"]


@dataclass(frozen=True, slots=True)
class Throughput:
    """Read and write units a second; ``None`` where there is no limit."""

    read: int | None
    write: int | None

    def as_json(self) -> dict[str, int | None]:
        """The fields by their names."""
        return {"read": self.read, "write": self.write}


@dataclass(frozen=True, slots=True)
class Index:
    """A global or local secondary index.

    Parameters
    ----------
    name
        Its name.
    key
        Name, type and role (``"HASH"``, ``"RANGE"``) of each attribute of its key.
    projected
        Attributes it holds in addition to keys; ``None`` for all.
    provisioned, maximum, warm
        As for `Definition`. Local indexes use the table's capacity and have none.
    """

    name: str
    key: tuple[tuple[str, str, str], ...]
    projected: frozenset[str] | None
    provisioned: Throughput | None
    maximum: Throughput | None
    warm: Throughput | None


@dataclass(frozen=True, slots=True)
class Encryption:
    """How a table is encrypted at rest.

    Parameters
    ----------
    kind
        ``"aws_owned"``, ``"aws_managed"`` (the account's ``aws/dynamodb``), ``"customer"``, or ``"kms"`` for
        one of these two, which DynamoDB itself does not distinguish.
    unread
        For ``"kms"``: the reason why the kind is not known.
    """

    kind: KeyKind
    unread: Unreadable | None = None


@dataclass(frozen=True)
class Definition:
    """The settings of a table, apart from its primary key.

    Parameters
    ----------
    side
        ``"source"`` or ``"destination"``.
    name
        Table name, or its ARN if it was given by ARN.
    arn
        ARN of the table.
    flags
        AWS CLI flags for its account and Region: ``("--region", "eu-west-1", "--profile", "old")``.
    billing_mode
        ``"PROVISIONED"`` or ``"PAY_PER_REQUEST"``.
    provisioned
        Units per second, if it is ``"PROVISIONED"``.
    maximum
        Maximum request units per second, if it is ``"PAY_PER_REQUEST"``.
    warm
        Units per second that it can serve immediately; ``None`` if the endpoint does not report it.
    table_class
        ``"STANDARD"`` or ``"STANDARD_INFREQUENT_ACCESS"``.
    deletion_protection
        Whether it cannot be deleted.
    encryption
        At rest.
    stream
        View type; ``None``: off.
    global_indexes, local_indexes
        By name.
    time_to_live
        Name of the attribute; ``None``: off, or being switched off.
    recovery_days
        Recovery period of point-in-time recovery; ``None``: off.
    tags
        Without those that AWS sets itself (``aws:``).
    beside
        What is not in its description.
    description
        ``Table`` of DescribeTable, as it was on the wire.
    """

    side: str
    name: str
    arn: str
    flags: tuple[str, ...]
    billing_mode: str
    provisioned: Throughput | None
    maximum: Throughput | None
    warm: Throughput | None
    table_class: str
    deletion_protection: bool
    encryption: Encryption
    stream: str | None
    global_indexes: Mapping[str, Index]
    local_indexes: Mapping[str, Index]
    time_to_live: str | Unreadable | None
    recovery_days: int | Unreadable | None
    tags: Mapping[str, str] | Unreadable
    beside: Beside
    description: Mapping[str, Any]


def read_definition(client: DynamoDBClient, side: Side, table: Mapping[str, Any]) -> Definition:
    """Read the settings of a table.

    A setting that may not be read, or that the endpoint does not support, becomes an `Unreadable`. For a
    table with a KMS key, the key is also described (kms:DescribeKey).

    Parameters
    ----------
    client
        Low-level DynamoDB client on that side.
    side
        Where it is; errors name it.
    table
        ``Table`` of DescribeTable, as `verify.scan.identity.describe` returns it.

    Raises
    ------
    UserError
        A call failed for another reason than a missing permission or operation.
    """
    arn = table["TableArn"]
    table_name = side.table_name or table["TableName"]
    # DescribeTable leaves out the billing mode of a table that never was on demand.
    billing_mode = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    stream = table.get("StreamSpecification", {})
    return Definition(
        side=side.name,
        name=table_name,
        arn=arn,
        flags=_flags(arn, side),
        billing_mode=billing_mode,
        provisioned=_provisioned(table) if billing_mode == "PROVISIONED" else None,
        maximum=_maximum(table) if billing_mode == "PAY_PER_REQUEST" else None,
        warm=_warm(table),
        table_class=table.get("TableClassSummary", {}).get("TableClass", "STANDARD"),
        deletion_protection=table.get("DeletionProtectionEnabled", False),
        encryption=_encryption(table.get("SSEDescription", {}), side),
        stream=stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
        global_indexes=_indexes(table.get("GlobalSecondaryIndexes"), types, billing_mode),
        local_indexes=_indexes(table.get("LocalSecondaryIndexes"), types, None),
        time_to_live=optional(side, "dynamodb:DescribeTimeToLive", lambda: _time_to_live(client, table_name)),
        recovery_days=optional(
            side, "dynamodb:DescribeContinuousBackups", lambda: _recovery_days(client, table_name)
        ),
        tags=optional(side, "dynamodb:ListTagsOfResource", lambda: _tags(client, arn)),
        beside=read_beside(client, side, table, scales=billing_mode == "PROVISIONED"),
        description=table,
    )


def _time_to_live(client: DynamoDBClient, table_name: str) -> str | None:
    described = client.describe_time_to_live(TableName=table_name)["TimeToLiveDescription"]
    on = described.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
    return described.get("AttributeName") if on else None


def _recovery_days(client: DynamoDBClient, table_name: str) -> int | None:
    backups = client.describe_continuous_backups(TableName=table_name)["ContinuousBackupsDescription"]
    recovery: Any = backups.get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        return None
    days: int = recovery.get("RecoveryPeriodInDays", _DEFAULT_RECOVERY_DAYS)
    return days


def _tags(client: DynamoDBClient, arn: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    token: dict[str, Any] = {}
    while True:
        page = client.list_tags_of_resource(ResourceArn=arn, **token)
        tags.update((tag["Key"], tag["Value"]) for tag in page.get("Tags", []))
        if not page.get("NextToken"):
            return {key: value for key, value in tags.items() if not key.startswith("aws:")}
        token = {"NextToken": page["NextToken"]}


def _encryption(described: Mapping[str, Any], side: Side) -> Encryption:
    on = described.get("Status") in {"ENABLED", "ENABLING", "UPDATING"}
    if not on or described.get("SSEType") != "KMS":
        return Encryption("aws_owned")
    key = described.get("KMSMasterKeyArn")
    permission = "kms:DescribeKey"
    if not key:
        return Encryption("kms", Unreadable(permission, "not known"))
    # DynamoDB answered: tables can be compared without KMS, which a local AWS may lack.
    found = detail(
        side, permission, lambda: side.client("kms", attempts=_KEY_ATTEMPTS).describe_key(KeyId=key)
    )
    if isinstance(found, Unreadable):
        return Encryption("kms", found)
    return Encryption("customer" if found["KeyMetadata"]["KeyManager"] == "CUSTOMER" else "aws_managed")


def _indexes(described: Any, types: Mapping[str, str], billing_mode: str | None) -> dict[str, Index]:
    return {
        index["IndexName"]: Index(
            name=index["IndexName"],
            key=tuple(
                (part["AttributeName"], types[part["AttributeName"]], part["KeyType"])
                for part in index["KeySchema"]
            ),
            projected=_projected(index.get("Projection", {})),
            provisioned=_provisioned(index) if billing_mode == "PROVISIONED" else None,
            maximum=_maximum(index) if billing_mode == "PAY_PER_REQUEST" else None,
            warm=_warm(index),
        )
        for index in described or []
    }


def _projected(projection: Mapping[str, Any]) -> frozenset[str] | None:
    if projection.get("ProjectionType") == "ALL":
        return None
    return frozenset(projection.get("NonKeyAttributes") or [])


def _provisioned(described: Mapping[str, Any]) -> Throughput:
    units = described.get("ProvisionedThroughput") or {}
    return Throughput(int(units.get("ReadCapacityUnits", 0)), int(units.get("WriteCapacityUnits", 0)))


def _maximum(described: Mapping[str, Any]) -> Throughput:
    units = described.get("OnDemandThroughput") or {}
    return Throughput(_limit(units.get("MaxReadRequestUnits")), _limit(units.get("MaxWriteRequestUnits")))


def _limit(units: int | None) -> int | None:
    # -1 removes a maximum (API reference, OnDemandThroughput).
    return None if units is None or units < 0 else units


def _warm(described: Mapping[str, Any]) -> Throughput | None:
    units = described.get("WarmThroughput") or {}
    if "ReadUnitsPerSecond" not in units or "WriteUnitsPerSecond" not in units:
        return None
    return Throughput(units["ReadUnitsPerSecond"], units["WriteUnitsPerSecond"])


def _flags(arn: str, side: Side) -> tuple[str, ...]:
    given = {
        "--region": side.region or arn.split(":")[3],
        "--profile": side.profile,
        "--endpoint-url": side.endpoint_url,
    }
    return tuple(word for flag, value in given.items() if value for word in (flag, value))


@dataclass(frozen=True, slots=True)
class Beside:
    """What a table has beside its description; `Unreadable` where that could not be read.

    Parameters
    ----------
    resource_policy
        The policy, with ``TABLE_ARN`` in place of the table's ARN; ``None`` where there is none.
    kinesis
        ARNs of the Kinesis data streams that changes go to.
    insights
        What CloudWatch Contributor Insights watches: ``"table"``, names of global indexes.
    auto_scaling
        Smallest and largest capacity by resource and dimension; empty for a table on demand.
    """

    resource_policy: Any
    kinesis: tuple[str, ...] | Unreadable
    insights: tuple[str, ...] | Unreadable
    auto_scaling: Mapping[str, list[int]] | Unreadable


def read_beside(client: DynamoDBClient, side: Side, table: Mapping[str, Any], *, scales: bool) -> Beside:
    """Read what a table has beside its description.

    Nothing of it has to be allowed or known to the endpoint, and it may fail.

    Parameters
    ----------
    client
        Low-level DynamoDB client on that side.
    side
        Where the table is.
    table
        ``Table`` of DescribeTable.
    scales
        Whether the table has provisioned throughput, which can scale.
    """
    arn = table["TableArn"]
    name = side.table_name or table["TableName"]
    indexes = [index["IndexName"] for index in table.get("GlobalSecondaryIndexes") or []]
    return Beside(
        resource_policy=detail(side, "dynamodb:GetResourcePolicy", lambda: _policy(client, arn)),
        kinesis=detail(side, "dynamodb:DescribeKinesisStreamingDestination", lambda: _kinesis(client, name)),
        insights=detail(
            side, "dynamodb:DescribeContributorInsights", lambda: _insights(client, name, indexes)
        ),
        auto_scaling=_auto_scaling(side, arn, indexes) if scales else {},
    )


def _policy(client: DynamoDBClient, arn: str) -> Any:
    try:
        text = client.get_resource_policy(ResourceArn=arn)["Policy"]
    except ClientError as error:
        if errors.code(error) == errors.POLICY_NOT_FOUND:
            return None
        raise
    return json.loads(text.replace(arn, "TABLE_ARN"))


def _kinesis(client: DynamoDBClient, name: str) -> tuple[str, ...]:
    found: Any = client.describe_kinesis_streaming_destination(TableName=name)
    return tuple(
        sorted(
            each["StreamArn"]
            for each in found.get("KinesisDataStreamDestinations") or []
            if each.get("DestinationStatus") in _ON
        )
    )


def _insights(client: DynamoDBClient, name: str, indexes: list[str]) -> tuple[str, ...]:
    def watched() -> Iterator[str]:
        for index in (None, *indexes):
            request: Any = {"TableName": name} | ({"IndexName": index} if index else {})
            if client.describe_contributor_insights(**request).get("ContributorInsightsStatus") in _ON:
                yield index or "table"

    return tuple(watched())


def _auto_scaling(side: Side, arn: str, indexes: list[str]) -> Any:
    permission = "application-autoscaling:DescribeScalableTargets"
    if is_arn(side.table_name):
        # It has only the caller's own account, which may not be the table's.
        return Unreadable(permission, "by name only")
    resource = "table/" + arn.partition(":table/")[2]
    resources = [resource, *(f"{resource}/index/{index}" for index in indexes)]

    def targets() -> dict[str, list[int]]:
        client = side.client("application-autoscaling", attempts=_ATTEMPTS)
        found = {}
        pages = client.get_paginator("describe_scalable_targets").paginate(
            ServiceNamespace="dynamodb", ResourceIds=resources
        )
        for page in pages:
            for target in page["ScalableTargets"]:
                what = f"{target['ResourceId'].partition('/index/')[2] or 'table'}: "
                what += target["ScalableDimension"].rpartition(":")[2]
                found[what] = [target["MinCapacity"], target["MaxCapacity"]]
        return found

    return detail(side, permission, targets)
