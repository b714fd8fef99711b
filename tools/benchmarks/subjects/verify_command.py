"""This project's comparison as it is called: the command with all its processes, from its start to its end.

The line printed is that of meter.measure, with CPU and memory of all processes of the command, and besides
``{"exit_code", "lines", "summary"}``: how many lines the command has printed, and the last of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from tools.benchmarks.process_tree import adopt_orphans, reap, reaped_cpu_seconds, watching

_CHUNK = 1024 * 1024

# Longer than the last line.
_TAIL = 64 * 1024


def run(command: Sequence[str]) -> dict[str, Any]:
    """Run ``command``, which prints JSON Lines, with a directory for its work as its last argument.

    A list of millions of differences is read as it comes, and not kept.
    """
    adopt_orphans()
    lines, tail = 0, b""
    with tempfile.TemporaryDirectory() as directory, watching() as peak:
        began, before, cpu_before = time.time(), time.perf_counter(), reaped_cpu_seconds()
        with subprocess.Popen([*command, directory], stdout=subprocess.PIPE, bufsize=0) as process:
            assert process.stdout is not None
            while chunk := process.stdout.read(_CHUNK):
                lines += chunk.count(b"\n")
                tail = (tail + chunk)[-_TAIL:]
        wall = time.perf_counter() - before
        reap()
        cpu = reaped_cpu_seconds() - cpu_before
    last = tail.strip().rsplit(b"\n", 1)[-1]
    return {
        "cpu_s": cpu,
        "wall_s": wall,
        "began": began,
        "ended": began + wall,
        "peak_rss_mb": peak.mb,
        "exit_code": process.returncode,
        "lines": lines,
        "summary": json.loads(last) if last else {},
    }


def main(task: dict[str, Any]) -> None:
    """Measure ``task["command"]``, which compares ``task["items"]`` items in all."""
    print("ready", flush=True)
    sys.stdin.readline()
    result = run(task["command"])
    if not result["summary"]:
        raise SystemExit(result["exit_code"] or "the command printed nothing")
    print(json.dumps({**result, "items": task["items"]}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
