"""The handler that an often followed article shows: a put for each record, its values as strings.

Like the article's it leaves out what was removed.
"""

from __future__ import annotations

from typing import Any

import boto3

from tools.benchmarks.service import DESTINATION
from tools.benchmarks.subjects.batches import measure_batches
from tools.benchmarks.subjects.context import FakeContext

_TABLE = boto3.resource("dynamodb").Table(DESTINATION)


def handle(event: dict[str, Any], context: FakeContext) -> None:
    """Put the new image of each record."""
    for record in event["Records"]:
        if record["eventName"] in ("INSERT", "MODIFY"):
            image = record["dynamodb"]["NewImage"]
            _TABLE.put_item(Item={name: str(next(iter(value.values()))) for name, value in image.items()})


if __name__ == "__main__":
    measure_batches(handle)
