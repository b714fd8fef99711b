"""Pairs two files of rows by their keys with DuckDB, as the comparison does."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tools.benchmarks.subjects.pairing import measure_pairing

_COLUMNS = "{'partition': 'VARCHAR', 'sort': 'VARCHAR', 'digest': 'VARCHAR'}"


def pair(source: str, copy: str, directory: Path) -> int:
    """Write a row for each key that differs, as the comparison needs them; returns how many there are."""
    found = directory / "found"
    with duckdb.connect(
        config={
            "memory_limit": "300MB",
            "threads": 2,
            "temp_directory": str(directory / "spill"),
            "preserve_insertion_order": False,
        }
    ) as connection:
        connection.execute(
            f"""
            COPY (
                SELECT coalesce(s.partition, c.partition), coalesce(s.sort, c.sort), s.digest, c.digest
                FROM {_read(source)} s FULL OUTER JOIN {_read(copy)} c
                ON s.partition = c.partition AND s.sort = c.sort
                WHERE s.digest IS DISTINCT FROM c.digest
            ) TO '{found}' (DELIMITER '\t', QUOTE '', ESCAPE '', HEADER false)
            """
        )
    return found.read_bytes().count(b"\n")


def _read(path: str) -> str:
    return (
        f"read_csv('{path}', delim='\t', quote='', escape='', header=false, auto_detect=false, "
        f"buffer_size=4000000, max_line_size=20000, columns={_COLUMNS})"
    )


if __name__ == "__main__":
    measure_pairing(pair)
