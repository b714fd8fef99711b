"""The comparison that comes to mind first: both tables in memory by key, DeepDiff of each pair of items."""

from __future__ import annotations

from typing import Any

import boto3
from deepdiff import DeepDiff

from tools.benchmarks.meter import measure
from tools.benchmarks.service import DESTINATION, SOURCE
from tools.benchmarks.shapes import KEY_NAMES
from tools.benchmarks.subjects.boto3_resource_scan import scan


def compare(resource: Any) -> int:
    """Compare both tables, which must be equal; returns how many items they have together."""
    source, destination = (
        {tuple(item[name] for name in KEY_NAMES): item for item in scan(resource, table)}
        for table in (SOURCE, DESTINATION)
    )
    for key in source.keys() | destination.keys():
        if DeepDiff(source.get(key), destination.get(key)):
            raise SystemExit(f"the tables differ at {key}")
    return len(source) + len(destination)


if __name__ == "__main__":
    dynamodb = boto3.resource("dynamodb")
    measure([lambda: compare(dynamodb)])
