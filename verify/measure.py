"""Measuring how fast this machine reads and compares two tables, from a few real pages of both."""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tablecopy_cli.common.errors import UserError
from verify.comparison import match
from verify.scan.decode import BadPage
from verify.scan.pages import Page, Reader
from verify.scan.processes import run_all
from verify.scan.segment import PAGE_BYTES, UNIT_BYTES
from verify.scan.table import Table
from verify.scan.workers import SIDES, SideName

_SEGMENTS = 8
"""Most segments of a side that a sample reads a page of."""

# A sample takes at most what a side allows in this time.
_CAPACITY_SECONDS = 1.0

# How many times as long a full page takes at most, compared with one that a limit has made smaller: most of
# it is latency, and the rest cannot be told from one size.
_LARGER = 4.0

# Long enough to show the share that a comparison gets of a busy machine: short work runs ahead of its turn.
DECODING_SECONDS = 0.5

# Enough rows for the time that each takes to show beside the time that opening files takes.
PAIRED_ROWS = 50_000


@dataclass(frozen=True)
class SideSample:
    """What a sample of one table showed.

    Parameters
    ----------
    items, units
        Items that were read, and the read units they cost.
    whole
        Whether the sample reached the end of every segment, so that `items` is what the table holds.
    page_items
        Items of a full page.
    page_seconds
        Time from sending a call for a full page to its whole answer, while the other segments' pages are
        read as well.
    item_bytes
        Size of an item as DynamoDB counts it, from the units; somewhat too large for small tables.
    """

    items: int
    units: float
    whole: bool
    page_items: float
    page_seconds: float
    item_bytes: float


@dataclass(frozen=True)
class Rates:
    """How fast two tables are read and compared here.

    Parameters
    ----------
    sides
        The sample of each table.
    item_seconds
        Time that a core takes to receive and to decode an item, by side.
    pair_item_seconds
        Time that a core takes to split and to pair the rows of an item of both tables.
    """

    sides: Mapping[SideName, SideSample]
    item_seconds: Mapping[SideName, float]
    pair_item_seconds: float


@dataclass
class _Read:
    """What one segment's thread has read."""

    side: SideName
    pages: list[bytes] = field(default_factory=list)
    decoded: list[Page] = field(default_factory=list)
    seconds: float = 0.0


def measure(
    tables: Mapping[SideName, Table],
    *,
    segments: int,
    consistent: bool,
    capacity: Mapping[SideName, float | None],
    clock: Callable[[], float] = time.perf_counter,
) -> Rates:
    """Read a page of some segments of both tables, decode them and pair their rows.

    Parameters
    ----------
    tables
        Both tables.
    segments
        Segments of the scan of each.
    consistent
        Whether reads are strongly consistent.
    capacity
        Read units per second that a side allows: its limit, or its provisioned units; ``None`` for a table
        on demand. The sample takes at most what that allows in a second.
    clock
        Seconds that only grow.

    Raises
    ------
    UserError
        A table cannot be read.
    """
    reads = [_Read(side) for side in SIDES for _ in range(min(segments, _SEGMENTS))]
    requests = [
        _request(tables[read.side], number % min(segments, _SEGMENTS), segments, consistent=consistent)
        for number, read in enumerate(reads)
    ]
    limits = {
        side: _page_items(tables[side], capacity.get(side), min(segments, _SEGMENTS), consistent=consistent)
        for side in SIDES
    }
    stop = threading.Event()
    tables = {side: table.bound(None, stop) for side, table in tables.items()}

    def read_pages(read: _Read, request: dict[str, Any]) -> None:
        table = tables[read.side]
        # Opens the connection, which the scan does once as well.
        _fetch(table, {**request, "Limit": 1})
        began = clock()
        limit = limits[read.side]
        read.pages.append(_fetch(table, request if limit is None else {**request, "Limit": limit}))
        read.seconds = clock() - began

    cpu = time.process_time()
    run_all(
        [
            lambda read=read, request=request: read_pages(read, request)  # type: ignore[misc]
            for read, request in zip(reads, requests, strict=True)
        ],
        stop=stop,
    )
    received = sum(len(page) for read in reads for page in read.pages)
    receiving = (time.process_time() - cpu) / max(1, received)
    item_seconds: dict[SideName, float] = {}
    sides: dict[SideName, SideSample] = {}
    for side in SIDES:
        own = [read for read in reads if read.side == side]
        decoding, crowding = _decode(tables[side], own, clock)
        sides[side] = _sampled(tables[side], own, limits[side], segments, consistent=consistent)
        size = sum(len(page) for read in own for page in read.pages)
        item_seconds[side] = (decoding + receiving * size * crowding) / max(1, sides[side].items)
    rows = b"".join(page.rows for read in reads if read.side == "source" for page in read.decoded)
    return Rates(sides, item_seconds, _pairing(rows.splitlines(), clock))


def _request(table: Table, segment: int, segments: int, *, consistent: bool) -> dict[str, Any]:
    return {
        "TableName": table.address,
        "Segment": segment,
        "TotalSegments": segments,
        "ConsistentRead": consistent,
        "ReturnConsumedCapacity": "TOTAL",
    }


def _page_items(table: Table, capacity: float | None, segments: int, *, consistent: bool) -> int | None:
    """Items of a page that the capacity allows; ``None`` for a page as large as DynamoDB makes it."""
    if capacity is None:
        return None
    unit = UNIT_BYTES if consistent else 2 * UNIT_BYTES
    page = capacity * _CAPACITY_SECONDS * unit / segments
    if page >= PAGE_BYTES:
        return None
    # In a table that AWS has not counted, an item may have 400 KB.
    size = table.size / table.items if table.items else page
    return max(1, int(page / max(1.0, size)))


def _fetch(table: Table, request: dict[str, Any]) -> bytes:
    return table.calls.answer("Scan", json.dumps(request).encode("ascii"), lambda body: (body, 0.0))


def _decode(table: Table, reads: Sequence[_Read], clock: Callable[[], float]) -> tuple[float, float]:
    """Decode the pages again and again, as a long comparison would.

    Returns
    -------
    tuple
        Seconds for all pages once, and how many times as long as its computing that takes: more than once
        where other processes keep the cores busy.
    """
    try:
        # What a table's first page teaches the decoder is learned once.
        _reader(table).page(reads[0].pages[0])
        began, cpu, rounds = clock(), time.process_time(), 0
        while not rounds or clock() - began < DECODING_SECONDS:
            for read in reads:
                reader = _reader(table)
                read.decoded = [reader.page(page) for page in read.pages]
            rounds += 1
        took, computed = clock() - began, time.process_time() - cpu
        return took / rounds, max(1.0, took / computed) if computed else 1.0
    except BadPage as error:
        side = table.side.name
        raise UserError(
            f"{side}: the answer of Scan is not DynamoDB's ({error}). Check --{side}-endpoint-url",
            side,
        ) from error


def _reader(table: Table) -> Reader:
    return table.reader(expiry=table.expiry)


def _sampled(
    table: Table, reads: Sequence[_Read], limit: int | None, segments: int, *, consistent: bool
) -> SideSample:
    pages = [page for read in reads for page in read.decoded]
    items = sum(page.items for page in pages)
    seconds = statistics.median(read.seconds for read in reads)
    full = [page.items for page in pages if page.last_key is not None]
    page_items = statistics.fmean(full) if full and limit is None else _full_page(table, items, pages)
    if limit is not None and items:
        seconds *= min(page_items * len(pages) / items, _LARGER)
    units = sum(page.units for page in pages)
    return SideSample(
        items=items,
        units=units,
        # Of more segments than the sample reads, the rest may hold items.
        whole=len(reads) == segments and all(page.last_key is None for page in pages),
        page_items=page_items,
        page_seconds=seconds,
        item_bytes=units * UNIT_BYTES * (1 if consistent else 2) / items if items else 0.0,
    )


def _full_page(table: Table, items: int, pages: Sequence[Page]) -> float:
    if table.items and table.size:
        return max(1.0, PAGE_BYTES / (table.size / table.items))
    return max(1.0, *(page.items for page in pages)) if items else 1.0


def _pairing(rows: Sequence[bytes], clock: Callable[[], float]) -> float:
    """Seconds that splitting and pairing takes for each row of a side."""
    if not rows:
        return 0.0
    many = b"".join(_distinct(rows[number % len(rows)], number) for number in range(PAIRED_ROWS))
    with tempfile.TemporaryDirectory(prefix="verify-estimate-") as directory:
        source, destination = (Path(directory) / side for side in SIDES)
        for path in (source, destination):
            path.write_bytes(many)
        began = clock()
        match.pair([source], [destination], Path(directory) / "pairs", seed=0, memory=len(many))
        return (clock() - began) / PAIRED_ROWS


def _distinct(row: bytes, number: int) -> bytes:
    """Give a row a partition key of its own."""
    partition, rest = row.split(b"\t", 1)
    if partition.startswith(b'"'):
        return b'"%d%b\t%b\n' % (number, partition[1:], rest)
    return b"%d%b\t%b\n" % (number, partition, rest)
