"""A function's cold start: what it imports, and how long until its first invocation is over.

Runs as a file with as little as possible imported before, since that would not be counted.
"""

from __future__ import annotations

import sys
import time

from tools.benchmarks.subjects.context import FakeContext


def main(argument: str) -> None:
    """Import the module and invoke its handler with the event that ``argument`` names."""
    import json

    task = json.loads(argument)
    print("ready", flush=True)
    sys.stdin.readline()
    standard_output, sys.stdout = sys.stdout, sys.stderr
    before = set(sys.modules)
    cpu, began = time.process_time(), time.perf_counter()
    __import__(task["module"])
    imported = time.perf_counter()
    if task["event"] is not None:
        sys.modules[task["module"]].handle(task["event"], FakeContext("cold"))
    ended = time.perf_counter()
    cpu = time.process_time() - cpu
    modules = sorted(set(sys.modules) - before)

    from tools.benchmarks.meter import peak_rss_mb

    result = {
        "items": 1,
        "cpu_s": cpu,
        "wall_s": ended - began,
        "peak_rss_mb": peak_rss_mb(),
        "import_s": imported - began,
        "modules": modules,
    }
    print(json.dumps(result), file=standard_output)


if __name__ == "__main__":
    main(sys.argv[1])
