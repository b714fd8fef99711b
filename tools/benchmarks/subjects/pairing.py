"""Has an engine pair two files of rows, and measures it."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tools.benchmarks.meter import measure

Pair = Callable[[str, str, Path], int]
"""Pairs a source's file and its copy's by keys, with a directory for its own files: how many keys differ."""


def measure_pairing(pair: Pair) -> None:
    """Measure ``pair`` with the files that the command line names; it must find what differs."""
    task = json.loads(sys.argv[1])

    def work() -> int:
        found = pair(task["source"], task["copy"], Path(directory))
        if found != task["differing"]:
            raise SystemExit(f"{found} keys found to differ, not {task['differing']}")
        return int(task["items"])

    with tempfile.TemporaryDirectory() as directory:
        measure([work])
