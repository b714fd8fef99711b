"""DescribeTable, DescribeTimeToLive and DescribeContinuousBackups (API reference)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tools.simulation.capacity import PARTITION_READ_UNITS, PARTITION_WRITE_UNITS, Capacity, Throughput
from tools.simulation.items import Index
from tools.simulation.requests import Describe
from tools.simulation.table import Table

TableOf = Callable[[str], Table]


def describe(table_of: TableOf, request: Describe) -> bytes:
    """Return the answer of DescribeTable."""
    return msgspec.json.encode({"Table": description(table_of(request.table_name))})


def describe_ttl(table_of: TableOf, request: Describe) -> bytes:
    """Return the answer of DescribeTimeToLive."""
    ttl = table_of(request.table_name).settings.ttl
    status: dict[str, str] = {"TimeToLiveStatus": "ENABLED" if ttl else "DISABLED"}
    if ttl:
        status["AttributeName"] = ttl
    return msgspec.json.encode({"TimeToLiveDescription": status})


def describe_backups(table_of: TableOf, request: Describe) -> bytes:
    """Return the answer of DescribeContinuousBackups."""
    table_of(request.table_name)
    backups = {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
    }
    return msgspec.json.encode({"ContinuousBackupsDescription": backups})


def description(table: Table) -> dict[str, Any]:
    """Return ``Table`` of DescribeTable."""
    settings = table.settings
    types = dict(settings.key)
    for index in settings.indexes:
        types.update(index.key)
    count, size = table.counted()
    described: dict[str, Any] = {
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind} for name, kind in sorted(types.items())
        ],
        "BillingModeSummary": {"BillingMode": _billing(settings.capacity)},
        "CreationDateTime": table.created,
        "DeletionProtectionEnabled": False,
        "ItemCount": count,
        "KeySchema": _key_schema(settings.key),
        "ProvisionedThroughput": _provisioned(settings.capacity),
        "TableArn": table.arn,
        "TableId": table.id,
        "TableName": table.name,
        "TableSizeBytes": size,
        "TableStatus": "ACTIVE",
        "WarmThroughput": _warm(table.throughput),
    }
    for member, local in (("GlobalSecondaryIndexes", False), ("LocalSecondaryIndexes", True)):
        indexes = [
            _index(table, index, throughput)
            for index, throughput in zip(settings.indexes, table.indexes, strict=True)
            if index.local is local
        ]
        if indexes:
            described[member] = indexes
    if table.stream is not None:
        described["LatestStreamArn"] = table.stream.arn
        described["LatestStreamLabel"] = table.stream.label
        if table.stream.enabled:
            described["StreamSpecification"] = {
                "StreamEnabled": True,
                "StreamViewType": table.stream.view_type,
            }
    return described


def _index(table: Table, index: Index, throughput: Throughput | None) -> dict[str, Any]:
    described: dict[str, Any] = {
        "IndexArn": f"{table.arn}/index/{index.name}",
        "IndexName": index.name,
        "IndexSizeBytes": 0,
        "ItemCount": 0,
        "KeySchema": _key_schema(index.key),
        "Projection": {"ProjectionType": index.projection},
    }
    if throughput is not None:
        described["IndexStatus"] = "ACTIVE"
        described["ProvisionedThroughput"] = _provisioned(index.capacity)
        described["WarmThroughput"] = _warm(throughput)
    return described


def _key_schema(key: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": role}
        for (name, _), role in zip(key, ("HASH", "RANGE"), strict=False)
    ]


def _billing(capacity: Capacity) -> str:
    return "PROVISIONED" if capacity.write or capacity.read else "PAY_PER_REQUEST"


def _provisioned(capacity: Capacity) -> dict[str, Any]:
    return {
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": int(capacity.read),
        "WriteCapacityUnits": int(capacity.write),
    }


def _warm(throughput: Throughput) -> dict[str, Any]:
    partitions = throughput.partitions
    return {
        "ReadUnitsPerSecond": int(partitions * PARTITION_READ_UNITS),
        "Status": "ACTIVE",
        "WriteUnitsPerSecond": int(partitions * PARTITION_WRITE_UNITS),
    }
