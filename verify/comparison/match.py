"""Pairs the rows of both tables with DuckDB, in bounded memory, and sorts files larger than memory.

Files are tab-separated and unquoted: JSON has tabs and line breaks only between its parts.
"""

from __future__ import annotations

import errno
import heapq
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tablecopy_cli.common.errors import UserError
from verify.scan.work import TRAILER

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

RUN_BYTES = 16_000_000

# DuckDB spills to disk beyond the first, which pairs ten million rows a side; the others are for keys of
# kilobytes.
MEMORY_MB = (160, 640, 2560)
_MAX_THREADS = 4

NO_SPACE = os.strerror(errno.ENOSPC)

# Keys of 2 KB and 1 KB (DynamoDB limits), up to six bytes for each in JSON, twice where they are ordered.
_MAX_LINE = 64 * 1024
_BUFFER = 4_000_000

_ROW = ("partition", "sort", "digest", "expires")


def pair(source: Sequence[Path], destination: Sequence[Path], to: Path) -> None:
    """Write a row for each key whose item the scans saw differently.

    Parameters
    ----------
    source, destination
        Files of `pages.Page` rows.
    to
        Gets rows of partition key and sort key as they are, digest at the source, digest at the destination
        and time to live; each of the last three may be empty. Written as a whole or not at all.
    """
    _write(
        f"""
        SELECT coalesce(s.partition, d.partition), coalesce(s.sort, d.sort), s.digest, d.digest,
            coalesce(s.expires, d.expires)
        FROM (SELECT * FROM {_read(source, _ROW)} WHERE partition <> '{TRAILER}') s
        FULL OUTER JOIN (SELECT * FROM {_read(destination, _ROW)} WHERE partition <> '{TRAILER}') d
        ON s.partition = d.partition AND s.sort = d.sort
        WHERE s.digest IS DISTINCT FROM d.digest
        """,
        to,
    )


def count_lines(path: Path) -> int:
    """Return the number of lines of a file."""
    with open(path, "rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def _write(query: str, to: Path) -> None:
    from duckdb import IOException, OutOfMemoryException

    fresh = to.with_suffix(".new")
    copy = f"COPY ({query}) TO {_text(str(fresh))} (DELIMITER '\t', QUOTE '', ESCAPE '', HEADER false)"
    for memory in MEMORY_MB:
        with _connection(to.parent, memory) as connection:
            try:
                connection.execute(copy)
                break
            except IOException as error:
                # DuckDB raises a text in place of an error number.
                number = errno.ENOSPC if NO_SPACE in str(error) else errno.EIO
                raise OSError(number, _first_line(error)) from error
            except OutOfMemoryException as error:
                if memory == MEMORY_MB[-1]:
                    raise UserError(
                        f"Not enough memory or disk space to pair the tables' rows in {to.parent} "
                        f"({_first_line(error)}). Choose a larger disk with --work-dir."
                    ) from error
    fresh.replace(to)


def _connection(directory: Path, memory: int) -> DuckDBPyConnection:
    # Imported here because the processes that scan do not need it, and it is slow to load.
    import duckdb

    return duckdb.connect(
        config={
            "memory_limit": f"{memory}MB",
            "threads": min(_MAX_THREADS, os.cpu_count() or 1),
            "temp_directory": str(directory / "spill"),
            "preserve_insertion_order": False,
            # DuckDB reads only these files and downloads nothing.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )


def _read(paths: Sequence[Path], columns: Sequence[str]) -> str:
    names = ", ".join(_text(str(path)) for path in paths)
    types = ", ".join(f"'{column}': 'VARCHAR'" for column in columns)
    return (
        f"read_csv([{names}], delim='\t', quote='', escape='', header=false, auto_detect=false, "
        f"buffer_size={_BUFFER}, max_line_size={_MAX_LINE}, columns={{{types}}})"
    )


def _text(text: str) -> str:
    quoted = text.replace("'", "''")
    return f"'{quoted}'"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


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
