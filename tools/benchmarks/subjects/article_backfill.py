"""The copy that an often followed article shows: one scan, each item put by itself, its values as strings."""

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
    source, destination = resource.Table(SOURCE), resource.Table(DESTINATION)
    request = {"Segment": segment, "TotalSegments": segments}
    while True:
        page = source.scan(**request)
        for item in page["Items"]:
            destination.put_item(Item={name: str(value) for name, value in item.items()})
        copied += len(page["Items"])
        if "LastEvaluatedKey" not in page:
            return copied
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    dynamodb = boto3.resource("dynamodb")
    measure([lambda: copy(dynamodb, task["segment"], task["segments"])])
