"""Feeds batches of stream records to a handler and measures it warm, as Lambda keeps it between batches."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from typing import Any

from tools.benchmarks.events import Batches
from tools.benchmarks.meter import measure
from tools.benchmarks.subjects.context import FakeContext

Handler = Callable[[dict[str, Any], FakeContext], Any]

WARM_BATCH = 0
WARM_RECORDS = 25


def measure_batches(handle: Handler) -> None:
    """Measure ``handle`` with the batches that the command line describes, after a small one to get warm."""
    task = json.loads(sys.argv[1])
    batches = Batches(**task["of"])
    # What a handler logs must not come before ``ready``.
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        handle(replace(batches, records=WARM_RECORDS, hot=0).event(WARM_BATCH), FakeContext("warm"))

    def invocations() -> Iterator[Callable[[], int]]:
        # One at a time, as Lambda hands them over: more would count as the handler's memory.
        for number in range(1, task["batches"] + 1):
            yield partial(_invoke, handle, batches.event(number), FakeContext(f"batch-{number}"))

    measure(invocations())


def _invoke(handle: Handler, event: dict[str, Any], context: FakeContext) -> int:
    handle(event, context)
    return len(event["Records"])
