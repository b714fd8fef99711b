"""This project's backfill function, invoked as the state machine invokes it."""

from __future__ import annotations

import json
import sys

from tablecopy.handlers.backfill import handle
from tools.benchmarks.meter import measure
from tools.benchmarks.subjects.context import FakeContext


def copy(segment: int, items: int) -> int:
    """Invoke the function for ``segment`` of ``items`` items until it is copied; the server counts them."""
    following = "continue"
    while following == "continue":
        following = handle({"slice": 1, "segment": segment}, FakeContext(f"backfill-{segment}"))["next"]
    if following != "done":
        raise SystemExit(f"the backfill answered {following!r} instead of copying the segment")
    return items


if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    measure([lambda: copy(task["segment"], task["items"])])
