"""This project's replicator function."""

from __future__ import annotations

from typing import Any

from tablecopy.handlers.replicator import handle
from tools.benchmarks.subjects.batches import measure_batches
from tools.benchmarks.subjects.context import FakeContext


def handle_whole(event: dict[str, Any], context: FakeContext) -> None:
    """Invoke the function with a batch, all of which it must apply."""
    answer = handle(event, context)
    if answer != {"batchItemFailures": []}:
        raise SystemExit(f"the replicator answered {answer} instead of applying the batch")


if __name__ == "__main__":
    measure_batches(handle_whole)
