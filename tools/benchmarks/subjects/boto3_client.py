"""The usual faster copy: `boto3.client`, scan by scan, BatchWriteItem by 25."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import boto3

from tools.benchmarks.meter import measure
from tools.benchmarks.service import DESTINATION, SOURCE

_BATCH_REQUESTS = 25


def copy(client: Any, segment: int, segments: int) -> int:
    """Copy a segment; returns how many items."""
    copied = 0
    request = {"TableName": SOURCE, "ConsistentRead": True, "Segment": segment, "TotalSegments": segments}
    while True:
        page = client.scan(**request)
        items = page["Items"]
        for start in range(0, len(items), _BATCH_REQUESTS):
            _write(client, items[start : start + _BATCH_REQUESTS])
        copied += len(items)
        if "LastEvaluatedKey" not in page:
            return copied
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _write(client: Any, items: list[Any]) -> None:
    requests = {DESTINATION: [{"PutRequest": {"Item": item}} for item in items]}
    attempt = 0
    while requests:
        requests = client.batch_write_item(RequestItems=requests)["UnprocessedItems"]
        if requests:
            time.sleep(0.05 * 2**attempt)
            attempt += 1


if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    dynamodb = boto3.client("dynamodb")
    measure([lambda: copy(dynamodb, task["segment"], task["segments"])])
