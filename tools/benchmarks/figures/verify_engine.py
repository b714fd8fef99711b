"""verify_engine: rows that DuckDB pairs per CPU second out of memory, against SQLite."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tools.benchmarks.bench import Bench, compared
from tools.benchmarks.figure import Figure
from tools.benchmarks.rows import differing, write_rows
from tools.benchmarks.subject import python, run

DUCKDB = python("DuckDB", "engine_duckdb")
SQLITE = python("sqlite3", "engine_sqlite")

# Of each file.
_ROWS = 1_000_000


def measure(bench: Bench) -> Iterator[Figure]:
    """One figure."""
    rows = _ROWS * bench.scale
    with tempfile.TemporaryDirectory() as directory:
        task = row_files(Path(directory), rows, bench.seed)
        results = bench.interleaved(
            {engine.name: partial(run, engine, None, [task]) for engine in (DUCKDB, SQLITE)}
        )
    yield compared(
        "verify_engine",
        None,
        results[DUCKDB.name],
        (SQLITE.name, results[SQLITE.name]),
        lambda one: one.items_per_cpu_s,
    )


def row_files(directory: Path, rows: int, seed: int) -> dict[str, str | int]:
    """Write both files; returns what the engines are to do with them."""
    source, copy = directory / "source", directory / "copy"
    write_rows(source, rows, seed, copy=False)
    write_rows(copy, rows, seed, copy=True)
    return {"source": str(source), "copy": str(copy), "items": 2 * rows, "differing": differing(rows)}
