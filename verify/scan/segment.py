"""Scans a table, segment by segment, into files of rows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tablecopy_cli.common.errors import UserError
from verify.scan.table import Filter, Table
from verify.scan.work import BlockFile

# A page is 1 MB at most (DynamoDB API reference, Scan); a unit is 4 KB, twice that if eventually consistent.
PAGE_BYTES = 1024 * 1024
UNIT_BYTES = 4096

# A page costs at most this part of what the limit allows per second, so that each second keeps to it.
_PAGE_SHARE = 0.1


@dataclass(frozen=True)
class ScanPlan:
    """How a table is scanned.

    Parameters
    ----------
    segments
        Numbers of the segments that are read.
    of
        How many there are (TotalSegments, at most 1,000,000).
    consistent
        Strongly consistent reads, at twice the capacity.
    filter
        Which items are read.
    ignored
        Names of attributes that are not compared.
    expiry
        Name of the time to live attribute; ``None`` if there is none.
    seed
        Of the digests.
    """

    segments: tuple[int, ...]
    of: int
    consistent: bool
    filter: Filter | None = None
    ignored: tuple[str, ...] = ()
    expiry: str | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Reached:
    """Progress of a segment's scan: items and read units so far."""

    items: int
    units: float


class SegmentScan:
    """The scan of one segment into one file. Pages that the file already holds are not read again.

    Parameters
    ----------
    table
        What is scanned.
    plan
        How.
    segment
        Which part.
    path
        The file of rows.
    """

    def __init__(self, table: Table, plan: ScanPlan, segment: int, path: Path) -> None:
        self._table = table
        self._plan = plan
        self._segment = segment
        self._path = path

    def run(self, on_page: Callable[[Reached], None]) -> None:
        """Read the segment to its end.

        Raises
        ------
        processes.Stopped
            The comparison is ending; the file holds all that was read.
        UserError
            The table cannot be read.
        OSError
            The file cannot be written.
        """
        blocks = BlockFile(self._path)
        try:
            self._read(blocks, on_page)
        finally:
            blocks.close()

    def _read(self, blocks: BlockFile, on_page: Callable[[Reached], None]) -> None:
        reached = reached_by(blocks)
        on_page(reached)
        last: str | None = blocks.checkpoints[-1]["last_key"] if blocks.checkpoints else None
        if blocks.checkpoints and last is None:
            return
        reader = self._table.reader(self._plan.ignored, self._plan.expiry, self._plan.seed)
        head = self._request()
        while True:
            start = b"" if last is None else b',"ExclusiveStartKey":' + last.encode()
            page = self._table.page(head + start + b"}", reader)
            previous, last = last, None if page.last_key is None else page.last_key.decode()
            if last is not None and last == previous:
                side = self._table.side.name
                raise UserError(
                    f"{side}: a page of the scan ends where it began, so the scan would never end. "
                    f"Check --{side}-endpoint-url.",
                    side,
                )
            reached = Reached(reached.items + page.items, reached.units + page.units)
            blocks.append(
                page.rows,
                {
                    "items": page.items,
                    "units": page.units,
                    "last_key": last,
                    "at": round(time.time(), 3),
                },
            )
            on_page(reached)
            if last is None:
                return

    def _request(self) -> bytes:
        """Return the body of the Scan call without its end, where each page's start key is added."""
        request = {
            "TableName": self._table.address,
            "Segment": self._segment,
            "TotalSegments": self._plan.of,
            "ConsistentRead": self._plan.consistent,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if self._plan.filter:
            request |= self._plan.filter.request()
        limit = self._page_items()
        if limit is not None:
            request["Limit"] = limit
        return json.dumps(request).encode("ascii")[:-1]

    def _page_items(self) -> int | None:
        """Return how many items a page may have within the limit; ``None`` for a whole page."""
        limit = self._table.calls.limit
        if limit is None or not self._table.items:
            return None
        unit = UNIT_BYTES if self._plan.consistent else 2 * UNIT_BYTES
        page_bytes = max(unit, limit.rate * _PAGE_SHARE * unit)
        if page_bytes >= PAGE_BYTES:
            return None
        return max(1, int(page_bytes / max(1.0, self._table.size / self._table.items)))


def forget_rows(path: Path, reached: Reached) -> None:
    """Replace the file of a segment that was read to its end by one that only has its progress."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    blocks = BlockFile(fresh)
    try:
        blocks.append(b"", {"items": reached.items, "units": reached.units, "last_key": None})
    finally:
        blocks.close()
    fresh.replace(path)


def reached_by(blocks: BlockFile) -> Reached:
    """Return the progress of the scan that has written these blocks."""
    return Reached(
        sum(checkpoint["items"] for checkpoint in blocks.checkpoints),
        sum(checkpoint["units"] for checkpoint in blocks.checkpoints),
    )
