"""The verifier's worker: compares one segment of both tables, beginning where the worker before has ended."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import replace
from functools import partial

from botocore.exceptions import ClientError

from tablecopy.clock import Machine, OutOfTime
from tablecopy.comparison.differences import Difference
from tablecopy.comparison.items import Side
from tablecopy.comparison.window import WINDOW_BYTES, Candidate, Window
from tablecopy.data.scan import Scan
from tablecopy.dynamodb.client import Json
from tablecopy.dynamodb.pages import DecodedPage, Page, decode
from tablecopy.journal.verifications import Compared, State, Verification, Verifications
from tablecopy.verifier.audit import SegmentAudit
from tablecopy.verifier.lag import Lag
from tablecopy.verifier.part import (
    JUDGE_MARGIN_SECONDS,
    MOST_UNSAVED,
    SAVE_SECONDS,
    UNIT_BYTES,
    NoProgress,
    Part,
    Result,
    Table,
    keys_at_once,
    no_progress,
    rate_of,
)
from tablecopy.verifier.recheck import Judged

# Reading ends so long before the function does that what was read can be judged and saved.
_SCAN_MARGIN_SECONDS = 20.0

# A page of a scan is 1 MB at most (API reference, Scan).
_PAGE_BYTES = 1024 * 1024

# Keys that differ in the scans of an audit are noted by the bucket, so many at a time.
_MOST_DIFFERING = 2_000

# Scans of which fewer than this part meets, once so many items were given up, are not in the same order.
_ALIGNED_PART = 0.1
_ALIGNED_ITEMS = 2_000

# What waits is read by key before it can be saved. That must fit into this part of an invocation.
_WAITING_PART = 0.25


class Worker:
    """Compares segments.

    Parameters
    ----------
    tables
        Source and destination.
    budgets
        Read units a second of each table over all workers; None to adapt.
    lag
        How far the copy is behind.
    """

    def __init__(
        self,
        verifications: Verifications,
        tables: tuple[Table, Table],
        budgets: tuple[float | None, float | None],
        lag: Lag,
        machine: Machine,
    ) -> None:
        self._verifications = verifications
        self._tables = tables
        self._budgets = budgets
        self._lag = lag
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
        scan = _SegmentScan(self._verifications, verification, compared, self._tables, self._machine)
        return self._noted(verification_id, segment, partial(scan.run, deadline))

    def recheck(self, verification_id: str, segment: int, generation: int, deadline: float) -> Result:
        """Read the open keys of a segment again, as the rechecks' ``generation``, from 1. Judge an audit's.

        Raises as ``scan`` does.
        """
        verification = self._enter(verification_id, State.RECHECKING)
        if verification is None or verification.generation != generation:
            return Result.STOP
        compared = self._verifications.segment(verification_id, segment)
        if compared.generation >= generation:
            return Result.DONE
        if verification.audited_run:
            audit = SegmentAudit(self._verifications, verification, compared, self._tables, self._machine)
            return self._noted(verification_id, segment, partial(audit.run, deadline))
        recheck = _SegmentRecheck(self._verifications, verification, compared, self._tables, self._machine)
        return self._noted(verification_id, segment, partial(recheck.run, self._lag.applied_to(), deadline))

    def _noted(self, verification_id: str, segment: int, work: Callable[[], Result]) -> Result:
        """Do the work, and note what ends it: if it happens again and again, it ends the verification."""
        try:
            return work()
        except (ClientError, NoProgress) as problem:
            self._verifications.note_problem(verification_id, segment, str(problem))
            raise

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
            # While nothing is known to have stopped, the tracker reads beside the workers.
            readers = verification.workers + (not verification.writes_stopped)
            table.capacity.set_limit(total / readers if total else math.inf)
        return verification


class _SegmentScan(Part):
    """One invocation's part of a segment's scans."""

    def __init__(
        self,
        verifications: Verifications,
        verification: Verification,
        compared: Compared,
        tables: tuple[Table, Table],
        machine: Machine,
    ) -> None:
        super().__init__(verifications, verification, compared, tables, machine)
        self._window = Window(self._keys, 0 if compared.by_key else WINDOW_BYTES)
        self._candidates: list[Candidate] = []
        self._found = Judged()
        self._counted = 0
        self._units = [compared.source_units, compared.destination_units]
        self._item_bytes = [0.0, 0.0]
        self._most_waiting = 0
        self._most_unsaved = _MOST_DIFFERING if verification.audited_run else MOST_UNSAVED
        self._began = self._saved_at = machine.now()

    def run(self, deadline: float) -> Result:
        """Compare until the segment's end, or until the time is up. Raises NoProgress if it was too short."""
        judge_until = deadline - JUDGE_MARGIN_SECONDS
        scans = [self._scan_of(table, deadline - _SCAN_MARGIN_SECONDS) for table in self._tables]
        is_scanned = False
        self._bound_window(deadline)
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
                    self._bound_window(deadline)
                    if not self._settle(judge_until):
                        return Result.CONTINUE
                    for table in self._tables:
                        table.usage.publish_if_due()
            is_scanned = True
        except OutOfTime:
            pass
        # What was read since it was saved last is read again if the time is up.
        with suppress(OutOfTime):
            if not self._save(judge_until, is_scanned=is_scanned):
                return Result.CONTINUE
            if is_scanned:
                return Result.DONE
        if self._saved is self._base:
            raise NoProgress(no_progress(self._machine.now() - self._began))
        return Result.CONTINUE

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
        """Return how many items a page may have.

        It costs a second's capacity at most, and two pages may wait.
        """
        # Before the first page an item is taken to cost a unit.
        each = self._item_bytes[side] or UNIT_BYTES
        wanted = self._tables[side].capacity.rate * UNIT_BYTES
        if wanted >= _PAGE_BYTES:
            return None
        return max(1, min(int(wanted / each), self._most_waiting // 2))

    def _bound_window(self, deadline: float) -> None:
        """Let no more wait than can be read by key and saved in an invocation."""
        seconds = deadline - _SCAN_MARGIN_SECONDS - self._began
        units = max(1.0, rate_of(self._tables) * seconds * _WAITING_PART)
        self._most_waiting = int(units)
        self._window.bound(int(min(WINDOW_BYTES, units * UNIT_BYTES)), self._most_waiting)

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

    def _settle(self, until: float) -> bool:
        """Judge what does not meet, and save now and then. Returns whether this worker may continue."""
        more = True
        while more:
            most = self._keys_at_once()
            more = self._window.give_up(most)
            self._window.check_alignment(_ALIGNED_PART, _ALIGNED_ITEMS)
            if self._window.candidates >= most:
                self._judge(until)
            unsaved = len(self._found.standing) + len(self._found.open)
            is_due = self._machine.now() - self._saved_at >= SAVE_SECONDS
            if (unsaved >= self._most_unsaved or is_due) and not self._save(until, is_scanned=False):
                return False
        return True

    def _keys_at_once(self) -> int:
        return keys_at_once(self._tables, max(self._item_bytes))

    def _judge(self, until: float) -> None:
        # They stay until they are judged: nothing is saved before that.
        self._candidates += self._window.take()
        while self._candidates:
            most = self._keys_at_once()
            judged = self._recheck.judge(self._candidates[:most], until)
            self._note_stretches(self._candidates[:most], judged)
            self._found.add(judged)
            del self._candidates[:most]

    def _note_stretches(self, candidates: Sequence[Candidate], judged: Judged) -> None:
        """Let the scan of a table wait that lacks most of what did not meet."""
        differences = judged.standing + judged.open
        for side in Side:
            alone = sum((each.source, each.destination)[side] is None for each in candidates)
            absent = sum((each.source, each.destination)[side] is None for each in differences)
            self._window.judged(side, absent=absent, found=alone - absent)

    def _save(self, until: float, *, is_scanned: bool) -> bool:
        """Save how far both scans are settled. Returns whether this worker may continue."""
        self._saved_at = self._machine.now()
        source, destination = self._window.cut()
        self._judge(until)
        found = replace(self._found, equal=self._found.equal + self._window.equal - self._counted)
        reached = replace(
            self._saved,
            source_key=source.key or self._base.source_key,
            destination_key=destination.key or self._base.destination_key,
            source_items=self._base.source_items + source.items,
            destination_items=self._base.destination_items + destination.items,
            by_key=self._window.by_key,
            scanned=is_scanned,
        )
        if reached == self._saved:
            # Nothing is settled yet. A save would only look like progress.
            return True
        self._found = Judged()
        self._counted = self._window.equal
        if self._verification.audited_run:
            # Before the progress is written. A key that is noted twice does no harm.
            self._note_differing(found.standing)
            reached = replace(reached, differing=reached.differing + len(found.standing))
            found = replace(found, standing=[])
        return self._write(
            replace(
                reached,
                source_units=self._units[Side.SOURCE] + self._recheck.units[Side.SOURCE],
                destination_units=self._units[Side.DESTINATION] + self._recheck.units[Side.DESTINATION],
            ),
            found,
        )

    def _note_differing(self, found: Sequence[Difference]) -> None:
        notes = self._verifications.notes(self._verification)
        notes.differ(self._base.number, [(self._keys.of(each.key), each) for each in found])


class _SegmentRecheck(Part):
    """One invocation's part of a generation of a segment's open keys."""

    def run(self, applied_to: float, deadline: float) -> Result:
        """Read the keys again that this generation has not read. Raises NoProgress if the time was too short.

        ``applied_to`` is that of `Recheck.judge_again`.
        """
        began = saved_at = self._machine.now()
        opened = list(self._verifications.still_open(self._verification.verification_id, self._base))
        # A key that was written again between both scans may be open twice: it was extra, and then missing.
        firsts = {self._keys.of(each.key): number for number, each in reversed(list(enumerate(opened)))}
        found, at = Judged(), self._base.rechecked
        with suppress(OutOfTime):
            while at < len(opened):
                end = min(len(opened), at + keys_at_once(self._tables, UNIT_BYTES))
                keys = [opened[n] for n in range(at, end) if firsts[self._keys.of(opened[n].key)] == n]
                found.add(self._recheck.judge_again(keys, deadline - JUDGE_MARGIN_SECONDS, applied_to))
                at = end
                is_due = self._machine.now() - saved_at >= SAVE_SECONDS
                if is_due or len(found.standing) + len(found.open) >= MOST_UNSAVED:
                    saved_at = self._machine.now()
                    if not self._save(found, at):
                        return Result.CONTINUE
                    found = Judged()
        if at > self._saved.rechecked and not self._save(found, at):
            return Result.CONTINUE
        if at < len(opened):
            if self._saved is self._base:
                raise NoProgress(no_progress(self._machine.now() - began))
            return Result.CONTINUE
        ended = self._verifications.end_generation(self._verification.verification_id, self._saved)
        return Result.CONTINUE if ended is None else Result.DONE

    def _save(self, found: Judged, at: int) -> bool:
        reached = replace(
            self._saved,
            rechecked=at,
            open=self._saved.open - (at - self._saved.rechecked),
            source_units=self._base.source_units + self._recheck.units[Side.SOURCE],
            destination_units=self._base.destination_units + self._recheck.units[Side.DESTINATION],
        )
        return self._write(reached, found, rechecking=True)
