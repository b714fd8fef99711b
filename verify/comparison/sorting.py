"""Sorts files larger than memory, by runs that are merged."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

RUN_BYTES = 16_000_000


def sort_lines(lines: Iterable[bytes], to: Path) -> None:
    """Write ``lines``, sorted by what is before their first tab, and without that.

    Sorted runs of some megabytes are written beside ``to`` and merged. ``to`` is written as a whole or not
    at all.

    Parameters
    ----------
    lines
        Without line ends.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=to.parent)))
        runs = [
            stack.enter_context(open(write_run(directory / str(number), sorted(run, key=_position)), "rb"))
            for number, run in enumerate(_runs(lines))
        ]
        fresh = to.with_suffix(".new")
        with open(fresh, "wb") as file:
            file.writelines(line.partition(b"\t")[2] for line in heapq.merge(*runs, key=_position))
        fresh.replace(to)


def _runs(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    run: list[bytes] = []
    size = 0
    for line in lines:
        run.append(line)
        size += len(line)
        if size > RUN_BYTES:
            yield run
            run, size = [], 0
    if run:
        yield run


def write_run(path: Path, lines: Iterable[bytes]) -> Path:
    with open(path, "wb") as file:
        file.writelines(line + b"\n" for line in lines)
    return path


def _position(line: bytes) -> bytes:
    return line.partition(b"\t")[0]
