"""Tables as DescribeTable describes them, for the estimate."""

from __future__ import annotations

from typing import Any

from tablecopy.dynamodb.client import Json

ON_DEMAND: Json = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}


def source(items: int = 1_000_000, size: int = 1_536_000_000, read: int = 0, **more: Any) -> Json:
    throughput = {"ReadCapacityUnits": read, "WriteCapacityUnits": 1}
    return {
        "ItemCount": items,
        "TableSizeBytes": size,
        "ProvisionedThroughput": throughput if read else ON_DEMAND,
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        **more,
    }


def index(name: str, projection: str, write: int = 0, **more: Any) -> Json:
    throughput = {"ReadCapacityUnits": 1, "WriteCapacityUnits": write}
    return {
        "IndexName": name,
        "Projection": {"ProjectionType": projection},
        "ProvisionedThroughput": throughput if write else ON_DEMAND,
        **more,
    }


def destination(write: int = 0, warm: int = 0, **more: Any) -> Json:
    throughput = {"ReadCapacityUnits": 1, "WriteCapacityUnits": write}
    described = {"ProvisionedThroughput": throughput if write else ON_DEMAND, "TableId": "id", **more}
    return {**described, **warmed(warm)} if warm else described


def warmed(writes: int, reads: int = 12_000) -> Json:
    return {"WarmThroughput": {"ReadUnitsPerSecond": reads, "WriteUnitsPerSecond": writes}}


def at_most(writes: int = -1, reads: int = -1) -> Json:
    return {"OnDemandThroughput": {"MaxReadRequestUnits": reads, "MaxWriteRequestUnits": writes}}
