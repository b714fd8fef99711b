"""Pairs generated rows, as many as you like: what pairing takes without a scan.

    python -m tools.benchmarks.pairing 50000000 DIRECTORY

compares as many rows of each side in ``DIRECTORY``, which needs about 200 bytes for each of them, with two
processes. The destination has them in another order. Each millionth is another one there, and each
two-millionth is missing. It is run by hand: 50,000,000 rows are generated for minutes.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tools.benchmarks.meter import watching
from verify.comparison.match import count_lines, pair

_FILES = 4
_PROCESSES = 2
_CHANGED_EACH = 1_000_000
_MISSING_EACH = 2_000_000
_LOOK_SECONDS = 2.0


def measure(rows: int, directory: Path) -> dict[str, float]:
    """Generate ``rows`` of each side and pair them; returns seconds, CPU seconds, megabytes and gigabytes.

    Raises
    ------
    SystemExit
        Not exactly the rows that differ were found.
    """
    directory.mkdir(parents=True)
    source, destination = ([directory / f"{side}{n}" for n in range(_FILES)] for side in ("s", "d"))
    for n in range(_FILES):
        numbers = range(rows * n // _FILES, rows * (n + 1) // _FILES)
        with open(source[n], "wb") as file:
            file.writelines(_row(number, number) for number in numbers)
        with open(destination[-1 - n], "wb") as file:
            file.writelines(_others(reversed(numbers)))

    def forget(side: str) -> None:
        for path in source if side == "source" else destination:
            path.write_bytes(b"")

    to, ended, disk = directory / "to", threading.Event(), [_size(directory)]

    def look() -> None:
        while not ended.wait(_LOOK_SECONDS):
            disk.append(_size(directory))

    threading.Thread(target=look, daemon=True).start()
    began, cpu = time.perf_counter(), sum(os.times()[:4])
    with watching() as peak:
        pair(source, destination, to, seed=rows, processes=_PROCESSES, spent=forget)
    wall, cpu = time.perf_counter() - began, sum(os.times()[:4]) - cpu
    ended.set()
    found = count_lines(to)
    if found != -(-rows // _CHANGED_EACH) + rows // _MISSING_EACH:
        raise SystemExit(f"{found} rows differ, which is not as many as do")
    return {
        "rows": rows,
        "wall_s": wall,
        "cpu_s": cpu,
        "peak_rss_mb": peak.mb,
        "rows_gb": disk[0] / 1e9,
        "peak_disk_gb": max(disk) / 1e9,
    }


def _row(number: int, content: int) -> bytes:
    return b'"customer#%d"\t"%08d"\t%032x\t\n' % (number, number % 10**8, content)


def _others(numbers: Iterator[int]) -> Iterator[bytes]:
    for number in numbers:
        if number % _MISSING_EACH != _MISSING_EACH - 1:
            yield _row(number, number + (number % _CHANGED_EACH == 0))


def _size(directory: Path) -> int:
    size = 0
    for path in directory.rglob("*"):
        try:
            size += path.stat().st_size
        except FileNotFoundError:
            # It was paired meanwhile.
            continue
    return size


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), Path(sys.argv[2]))))
