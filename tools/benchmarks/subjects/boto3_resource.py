"""The usual copy: `boto3.resource`, scan by scan, through a batch_writer."""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3

from tools.benchmarks.meter import measure
from tools.benchmarks.service import DESTINATION, SOURCE


def copy(resource: Any, segment: int, segments: int) -> int:
    """Copy a segment; returns how many items."""
    copied = 0
    source = resource.Table(SOURCE)
    request = {"ConsistentRead": True, "Segment": segment, "TotalSegments": segments}
    with resource.Table(DESTINATION).batch_writer() as batch:
        while True:
            page = source.scan(**request)
            for item in page["Items"]:
                batch.put_item(Item=item)
            copied += len(page["Items"])
            if "LastEvaluatedKey" not in page:
                return copied
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    dynamodb = boto3.resource("dynamodb")
    measure([lambda: copy(dynamodb, task["segment"], task["segments"])])
