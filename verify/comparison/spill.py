"""Splits rows by a hash of their keys into files, so that each number's files hold all rows of their keys.

A file of one number can be paired without the others. Memory is that of the buffered rows, whatever there
is to split.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from xxhash import xxh3_64_intdigest

from verify.scan.processes import Stopped

MAX_FILES = 1024
"""Most files that rows are split into at a time. What is still too large is split again."""

_READ_BYTES = 1_000_000


def number_of_files(size: int, share: int) -> int:
    """Return how many files to split ``size`` bytes into, so that each is well below ``share`` bytes."""
    return min(MAX_FILES, 2 + size * 5 // (share * 4))


def split(path: Path, to: Path, *, files: int, seed: int, buffered: int, stop: threading.Event) -> None:
    """Append each row of a file to one of the files of a directory.

    Parameters
    ----------
    path
        File of `pages.Page` rows; lines that are not rows go with them.
    to
        Directory of the files, each named by `name`. Only files that get rows are created.
    files
        Number of files.
    seed
        Seed of the hash. Rows that were split with one seed are split evenly with another one.
    buffered
        Bytes of rows to keep in memory.
    stop
        Ends the work.

    Raises
    ------
    processes.Stopped
        ``stop`` was set.
    OSError
        The disk is full, for example.
    """
    rows: list[list[bytes]] = [[] for _ in range(files)]
    take: list[Callable[[bytes], None]] = [part.append for part in rows]
    kept = 0
    with open(path, "rb") as file:
        while lines := file.readlines(min(buffered, _READ_BYTES)):
            if stop.is_set():
                raise Stopped
            for line in lines:
                # Digest and time to live come after the key.
                take[xxh3_64_intdigest(line.rsplit(b"\t", 2)[0], seed) % files](line)
            kept += sum(map(len, lines))
            if kept >= buffered:
                _append(rows, to)
                kept = 0
    _append(rows, to)


def name(number: int) -> str:
    """Return the name of a number's file in a directory of `split`."""
    return f"{number:04d}"


def _append(rows: Sequence[list[bytes]], to: Path) -> None:
    for number, part in enumerate(rows):
        if part:
            with open(to / name(number), "ab") as file:
                file.write(b"".join(part))
            part.clear()
