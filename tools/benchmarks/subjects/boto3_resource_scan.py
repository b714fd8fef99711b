"""Reading one table, the usual way, and no more: `boto3.resource`, scan by scan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3

from tools.benchmarks.meter import measure
from tools.benchmarks.service import SOURCE


def scan(resource: Any, table: str) -> Iterator[dict[str, Any]]:
    """The items of a table."""
    request = {"ConsistentRead": True}
    while True:
        page = resource.Table(table).scan(**request)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


if __name__ == "__main__":
    dynamodb = boto3.resource("dynamodb")
    measure([lambda: sum(1 for _ in scan(dynamodb, SOURCE))])
