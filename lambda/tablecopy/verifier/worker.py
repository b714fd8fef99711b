"""The verifier's worker: compares one segment of both tables, beginning where the worker before has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from enum import StrEnum

from tablecopy.clock import Machine, OutOfTime
from tablecopy.comparison.items import KeySchema, Side
from tablecopy.comparison.window import WINDOW_BYTES, Candidate, Window
from tablecopy.data.scan import Scan
from tablecopy.dynamodb.client import DynamoDB, Json
from tablecopy.dynamodb.pages import DecodedPage, Page, decode
from tablecopy.journal.verifications import Compared, State, Verification, Verifications
from tablecopy.throughput.limits import Usage
from tablecopy.throughput.rate import TokenBucket
from tablecopy.verifier.keys import MOST_KEYS, KeyReader
from tablecopy.verifier.recheck import Judged, Recheck

MOST_LISTED = 1_000
"""Differences of a segment that are listed. The others are counted."""

MOST_OPEN = 10_000
"""Open keys of a segment that are kept to be read again. With more, the segment stays undecided."""

# Reading ends so long before the function does that what was read can be judged and saved.
_SCAN_MARGIN_SECONDS = 20.0
_JUDGE_MARGIN_SECONDS = 8.0

_SAVE_SECONDS = 10.0

# What is saved at a time must fit into one transaction: 100 items and 4 MB.
_MOST_UNSAVED = 200

# A page of a scan is 1 MB at most, and a unit of a consistent read is 4 KB (API reference, Scan).
_PAGE_BYTES = 1024 * 1024
_UNIT_BYTES = 4096

# Scans of which fewer than this part meets, once so many items were read, are not in the same order.
_ALIGNED_PART = 0.1
_ALIGNED_ITEMS = 2_000


class Result(StrEnum):
    """What the state machine does after a worker's invocation."""

    CONTINUE = "continue"
    """Invoke again: the function's time was up."""
    DONE = "done"
    """The segment is compared."""
    STOP = "stop"
    """There is nothing to do: the verification has ended, or another one has begun."""


@dataclass(frozen=True)
class Table:
    """A table that is compared.

    Attributes
    ----------
    name
        Name of the table.
    capacity
        The worker's limit on its throughput.
    usage
        Counts what was used.
    """

    client: DynamoDB
    name: str
    capacity: TokenBucket
    usage: Usage


class Worker:
    """Compares segments.

    Parameters
    ----------
    tables
        Source and destination.
    budgets
        Read units a second of each table over all workers; None to adapt.
    """

    def __init__(
        self,
        verifications: Verifications,
        tables: tuple[Table, Table],
        budgets: tuple[float | None, float | None],
        machine: Machine,
    ) -> None:
        self._verifications = verifications
        self._tables = tables
        self._budgets = budgets
        self._machine = machine

    def scan(self, verification_id: str, segment: int, deadline: float) -> Result:
        """Compare a segment until its end, or until the function's time is up.

        ``deadline`` is the function's, in seconds since the epoch.

        Raises
        ------
        botocore.exceptions.ClientError
            A table or the journal cannot be used.
        """
        verification = self._enter(verification_id, State.SCANNING)
        if verification is None:
            return Result.STOP
        compared = self._verifications.segment(verification_id, segment)
        if compared.scanned:
            return Result.DONE
        return _SegmentScan(self._verifications, verification, compared, self._tables, self._machine).run(
            deadline
        )

    def recheck(self, verification_id: str, segment: int, generation: int, deadline: float) -> Result:
        """Read the open keys of a segment again, as the rechecks' ``generation``, from 1.

        Raises as ``scan`` does.
        """
        verification = self._enter(verification_id, State.RECHECKING)
        if verification is None or verification.generation != generation:
            return Result.STOP
        compared = self._verifications.segment(verification_id, segment)
        if compared.generation >= generation:
            return Result.DONE
        opened = list(self._verifications.still_open(verification_id, compared))
        recheck = _recheck(verification, self._tables, self._machine)
        found = Judged()
        try:
            for start in range(0, len(opened), MOST_KEYS):
                judged = recheck.judge_again(
                    opened[start : start + MOST_KEYS], deadline - _JUDGE_MARGIN_SECONDS
                )
                found.equal += judged.equal
                found.standing += judged.standing
                found.open += judged.open
        except OutOfTime:
            return Result.CONTINUE
        fresh = replace(compared, generation=generation, open_chunks=0, open=compared.open - len(opened))
        saved = _saved(self._verifications, verification_id, fresh, found)
        return Result.CONTINUE if saved is None else Result.DONE

    def _enter(self, verification_id: str, state: State) -> Verification | None:
        """Return the verification if it is in this state, and take this worker's part of the budgets."""
        verification = self._verifications.read()
        if verification is None or verification.verification_id != verification_id:
            return None
        if verification.state is not state:
            return None
        ceilings = (verification.source_ceiling, verification.destination_ceiling)
        for table, budget, ceiling in zip(self._tables, self._budgets, ceilings, strict=True):
            total = budget or ceiling
            if total:
                table.capacity.set_limit(total / verification.workers)
        return verification


class _SegmentScan:
    """One invocation's part of a segment."""

    def __init__(
        self,
        verifications: Verifications,
        verification: Verification,
        compared: Compared,
        tables: tuple[Table, Table],
        machine: Machine,
    ) -> None:
        self._verifications = verifications
        self._verification = verification
        self._base = self._saved = compared
        self._tables = tables
        self._machine = machine
        self._window = Window(KeySchema(verification.key_names), 0 if compared.by_key else WINDOW_BYTES)
        self._recheck = _recheck(verification, tables, machine)
        self._candidates: list[Candidate] = []
        self._found = Judged()
        self._counted = 0
        self._units = [compared.source_units, compared.destination_units]
        self._item_bytes = [0.0, 0.0]

    def run(self, deadline: float) -> Result:
        judge_until = deadline - _JUDGE_MARGIN_SECONDS
        scans = [self._scan_of(table, deadline - _SCAN_MARGIN_SECONDS) for table in self._tables]
        saved_at = self._machine.now()
        is_scanned = False
        try:
            # In every case this waits for the pages on their way.
            with self._machine.pool(len(scans)) as pool:
                keys = (self._base.source_key, self._base.destination_key)
                coming = {side: self._read(pool, side, scans[side], keys[side]) for side in Side}
                while (side := self._window.behind()) is not None:
                    page = coming.pop(side).result()
                    if page.last_key is not None:
                        coming[side] = self._read(pool, side, scans[side], page.last_key)
                    self._add(side, page)
                    if self._window.candidates >= MOST_KEYS:
                        self._judge(judge_until)
                    unsaved = len(self._found.standing) + len(self._found.open)
                    if unsaved >= _MOST_UNSAVED or self._machine.now() - saved_at >= _SAVE_SECONDS:
                        saved_at = self._machine.now()
                        if not self._save(judge_until, is_scanned=False):
                            return Result.CONTINUE
            is_scanned = True
        except OutOfTime:
            pass
        try:
            if not self._save(judge_until, is_scanned=is_scanned):
                return Result.CONTINUE
        except OutOfTime:
            # What was read since it was saved last is read again.
            return Result.CONTINUE
        return Result.DONE if is_scanned else Result.CONTINUE

    def _scan_of(self, table: Table, until: float) -> Scan:
        return Scan(
            table.client,
            table.name,
            self._base.number,
            self._verification.total_segments,
            table.capacity,
            table.usage,
            self._machine,
            until,
        )

    def _read(self, pool: Executor, side: Side, scan: Scan, start: Json | None) -> Future[Page | DecodedPage]:
        limit = self._page_items(side)
        if self._window.spelled_alike:
            return pool.submit(scan.read, start, limit)
        return pool.submit(scan.read_with, decode, start, limit)

    def _page_items(self, side: Side) -> int | None:
        """Return how many items a page may have so that it costs a second's capacity at most."""
        each = self._item_bytes[side]
        if not each:
            return None
        wanted = self._tables[side].capacity.rate * _UNIT_BYTES
        return max(1, int(wanted / each)) if wanted < _PAGE_BYTES else None

    def _add(self, side: Side, page: Page | DecodedPage) -> None:
        self._units[side] += page.consumed
        last = page.last_key is None
        if isinstance(page, Page):
            size = sum(map(len, page.items))
            self._window.add(side, page.items, last=last)
        else:
            size = page.size
            self._window.add_decoded(side, page.items, size, last=last)
        if page.items:
            self._item_bytes[side] = size / len(page.items)
        self._window.check_alignment(_ALIGNED_PART, _ALIGNED_ITEMS)

    def _judge(self, until: float) -> None:
        # They stay until they are judged: nothing is saved before that.
        self._candidates += self._window.take()
        judged = self._recheck.judge(self._candidates, until)
        self._candidates = []
        self._found.equal += judged.equal
        self._found.standing += judged.standing
        self._found.open += judged.open

    def _save(self, until: float, *, is_scanned: bool) -> bool:
        """Save how far both scans are settled. Returns whether this worker may continue."""
        source, destination = self._window.cut()
        self._judge(until)
        found, self._found = self._found, Judged()
        found.equal += self._window.equal - self._counted
        self._counted = self._window.equal
        reached = replace(
            self._saved,
            source_key=source.key or self._base.source_key,
            destination_key=destination.key or self._base.destination_key,
            source_items=self._base.source_items + source.items,
            destination_items=self._base.destination_items + destination.items,
            source_units=self._units[Side.SOURCE] + self._recheck.units[Side.SOURCE],
            destination_units=self._units[Side.DESTINATION] + self._recheck.units[Side.DESTINATION],
            by_key=self._window.by_key,
            scanned=is_scanned,
        )
        saved = _saved(self._verifications, self._verification.verification_id, reached, found)
        if saved is None:
            return False
        self._saved = saved
        return True


def _recheck(verification: Verification, tables: Sequence[Table], machine: Machine) -> Recheck:
    keys = KeySchema(verification.key_names)
    source, destination = (
        KeyReader(table.client, table.name, keys, table.capacity, table.usage, machine) for table in tables
    )
    return Recheck(
        (source, destination),
        keys,
        machine,
        expiry=verification.expiry,
        writes_stopped=verification.writes_stopped,
    )


def _saved(
    verifications: Verifications, verification_id: str, compared: Compared, found: Judged
) -> Compared | None:
    """Save a segment with what was found; return it as saved, or None if another worker was first."""
    kinds = Counter(difference.kind.value for difference in found.standing)
    listed = found.standing[: max(0, MOST_LISTED - compared.listed)]
    kept = found.open[: max(0, MOST_OPEN - compared.open)]
    counted = replace(
        compared,
        equal=compared.equal + found.equal,
        missing=compared.missing + kinds["missing"],
        changed=compared.changed + kinds["changed"],
        extra=compared.extra + kinds["extra"],
        expired=compared.expired + kinds["expired"],
        listed=compared.listed + len(listed),
        open=compared.open + len(kept),
        undecided=compared.undecided + len(found.open) - len(kept),
    )
    return verifications.save_segment(verification_id, counted, listed, kept)
