"""Pairs two files of rows by their keys with the standard library's SQLite: the alternative to DuckDB."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tools.benchmarks.subjects.pairing import measure_pairing

# Nothing outlives the comparison: no journal, no waiting for the disk, much memory.
_SETTINGS = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000", "temp_store = FILE")


def pair(source: str, copy: str, directory: Path) -> int:
    """How many keys have rows that differ. There is no index: to keep one in order costs more still."""
    with closing(sqlite3.connect(directory / "rows")) as connection:
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}")
        connection.execute("CREATE TABLE rows (side INTEGER, key BLOB, digest BLOB)")
        for side, path in enumerate((source, copy)):
            connection.executemany("INSERT INTO rows VALUES (?, ?, ?)", _rows(side, path))
        found = connection.execute(
            "SELECT key, max(digest) FILTER (WHERE side = 0), max(digest) FILTER (WHERE side = 1) FROM rows "
            "GROUP BY key HAVING count(*) <> 2 OR max(digest) <> min(digest)"
        )
        return sum(1 for _ in found)


def _rows(side: int, path: str) -> Iterator[tuple[int, bytes, bytes]]:
    with open(path, "rb") as file:
        for line in file:
            key, digest = line.rsplit(b"\t", 1)
            yield side, key, digest


if __name__ == "__main__":
    measure_pairing(pair)
