"""Comparing two tables: scan both, pair by digest, read again what does not pair."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sides import UserError
from sides.items import Item
from verify.canonical import digest
from verify.differences import Difference, Kind, changed_paths
from verify.ledger import Candidate, Ledger, SideName
from verify.parallel import run_all
from verify.scan import BATCH_KEYS, Table

Verdict: TypeAlias = Literal["equal", "different", "unsettled"]

DEFAULT_SEGMENTS = 4
"""Threads for each side. Python reads pages on one core; a few threads hide the waiting for the network."""


@dataclass(frozen=True)
class Progress:
    """How far a comparison is.

    Parameters
    ----------
    stage
        ``"scan"`` or ``"recheck"``.
    source_items, destination_items
        Items scanned so far.
    candidates, rechecked
        Keys to read again, and how many of them have been.
    seconds
        Since the start.
    """

    stage: Literal["scan", "recheck"]
    source_items: int
    destination_items: int
    candidates: int
    rechecked: int
    seconds: float


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Parameters
    ----------
    source, destination
        ARNs of the tables.
    differences
        Sorted by key.
    source_items, destination_items
        Items scanned.
    settled
        Candidates that were equal, or gone from both sides, when they were read again.
    writes_stopped
        Whether the caller said that nothing writes to either table.
    seconds
        Duration.
    source_units, destination_units
        Read capacity units consumed, as DynamoDB reports them.
    """

    source: str
    destination: str
    differences: Sequence[Difference]
    source_items: int
    destination_items: int
    settled: int
    writes_stopped: bool
    seconds: float
    source_units: float
    destination_units: float

    @property
    def verdict(self) -> Verdict:
        """``"equal"``, ``"different"``, or ``"unsettled"`` when another look is needed to tell.

        Under writes, a difference of which neither item changed between the scan and the recheck counts;
        one that moved may be a change underway. With writes stopped every difference counts, and one
        that moved or settled says that something still writes.
        """
        if self.writes_stopped:
            if self.differences:
                return "different"
            return "unsettled" if self.settled else "equal"
        if not self.differences:
            return "equal"
        return "unsettled" if all(difference.moving for difference in self.differences) else "different"

    def count(self, kind: Kind) -> int:
        """How many differences are of one kind."""
        return sum(difference.kind == kind for difference in self.differences)

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield what JSON Lines print: a record per difference, and the summary last."""
        for difference in self.differences:
            yield difference.record()
        yield self.summary()

    def summary(self) -> dict[str, Any]:
        """Return the summary record; see docs/verify.md for its schema."""
        return {
            "type": "summary",
            "verdict": self.verdict,
            "source": self.source,
            "destination": self.destination,
            "source_items": self.source_items,
            "destination_items": self.destination_items,
            "missing": self.count("missing"),
            "different": self.count("different"),
            "extra": self.count("extra"),
            "moving": sum(difference.moving for difference in self.differences),
            "settled": self.settled,
            "writes_stopped": self.writes_stopped,
            "seconds": round(self.seconds, 3),
            "consumed_capacity": {"source": self.source_units, "destination": self.destination_units},
        }


def compare(
    source: Table,
    destination: Table,
    *,
    segments: int = DEFAULT_SEGMENTS,
    writes_stopped: bool = False,
    values: bool = False,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Comparison:
    """Compare two tables item by item.

    Both are scanned once, at the same time and in whatever order DynamoDB returns. Of each item a digest
    of its canonical form is kept until its counterpart turns up. What does not pair is read again from
    both sides with consistent reads, and only what still differs is reported.

    Parameters
    ----------
    source, destination
        The tables; see `Table.connect`.
    segments
        Segments of the parallel scan, and threads, for each side.
    writes_stopped
        Nothing writes to either table: scan consistently, and give no difference the benefit of the doubt.
    values
        Whether the result holds the values of attributes that differ.
    on_progress
        Called several times a second, in the caller's thread.

    Returns
    -------
    Comparison

    Raises
    ------
    sides.UserError
        The tables cannot be compared (one table on both sides, different keys), or a call failed.
    """
    if source.is_same_as(destination):
        raise UserError(f"source and destination are the same table, {source.arn}")
    if source.key_schema != destination.key_schema:
        raise UserError(
            f"the primary keys differ: {source.key_schema} at the source, "
            f"{destination.key_schema} at the destination; such tables cannot be compared"
        )
    return _Run(source, destination, segments, writes_stopped, values, on_progress).result()


class _Run:
    def __init__(
        self,
        source: Table,
        destination: Table,
        segments: int,
        writes_stopped: bool,
        values: bool,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._tables: dict[SideName, Table] = {"source": source, "destination": destination}
        self._segments = segments
        self._writes_stopped = writes_stopped
        self._values = values
        self._on_progress = on_progress
        self._started = time.monotonic()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._ledger = Ledger()
        self._units: dict[SideName, float] = {"source": 0.0, "destination": 0.0}
        self._rechecked = 0

    def result(self) -> Comparison:
        self._scan()
        order = self._tables["source"].key_schema.order
        candidates = sorted(self._ledger.candidates(), key=lambda candidate: order(candidate.key))
        differences = self._recheck(candidates)
        return Comparison(
            source=self._tables["source"].arn,
            destination=self._tables["destination"].arn,
            differences=differences,
            source_items=self._ledger.items("source"),
            destination_items=self._ledger.items("destination"),
            settled=len(candidates) - len(differences),
            writes_stopped=self._writes_stopped,
            seconds=time.monotonic() - self._started,
            source_units=self._units["source"],
            destination_units=self._units["destination"],
        )

    def _scan(self) -> None:
        # The same segment of both sides side by side: with one key schema DynamoDB tends to return both in
        # the same order, and pairs then meet soon. Nothing but memory depends on it.
        tasks = [
            self._segment_task(side, segment) for segment in range(self._segments) for side in self._tables
        ]
        run_all(tasks, stop=self._stop, tick=lambda: self._report("scan", 0))

    def _segment_task(self, side: SideName, segment: int) -> Callable[[], None]:
        def read() -> None:
            pages = self._tables[side].scan(
                segment, self._segments, consistent=self._writes_stopped, stop=self._stop
            )
            for page in pages:
                self._ledger.add(side, page.entries)
                self._count_units(side, page.consumed)

        return read

    def _recheck(self, candidates: Sequence[Candidate]) -> list[Difference]:
        batches = [candidates[at : at + BATCH_KEYS] for at in range(0, len(candidates), BATCH_KEYS)]
        results: list[list[Difference]] = [[] for _ in batches]
        positions = iter(range(len(batches)))

        def work() -> None:
            while not self._stop.is_set():
                with self._lock:
                    position = next(positions, None)
                if position is None:
                    return
                results[position] = self._recheck_batch(batches[position])
                with self._lock:
                    self._rechecked += len(batches[position])

        workers = [work] * min(self._segments, len(batches))
        run_all(workers, stop=self._stop, tick=lambda: self._report("recheck", len(candidates)))
        return [difference for result in results for difference in result]

    def _recheck_batch(self, batch: Sequence[Candidate]) -> list[Difference]:
        now: dict[SideName, dict[bytes, Item]] = {}
        for side, table in self._tables.items():
            now[side], units = table.get([candidate.key for candidate in batch], stop=self._stop)
            self._count_units(side, units)
        found = []
        for candidate in batch:
            difference = self._judge(
                candidate, now["source"].get(candidate.key), now["destination"].get(candidate.key)
            )
            if difference is not None:
                found.append(difference)
        return found

    def _judge(
        self, candidate: Candidate, source: Item | None, destination: Item | None
    ) -> Difference | None:
        mine = None if source is None else digest(source)
        theirs = None if destination is None else digest(destination)
        if mine == theirs:
            return None
        moving = (mine, theirs) != (candidate.source, candidate.destination)
        key_of = self._tables["source"].key_schema.key_of
        if source is not None and destination is not None:
            paths = changed_paths(source, destination, values=self._values)
            return Difference("different", key_of(source), paths, moving)
        if source is not None:
            return Difference("missing", key_of(source), moving=moving)
        if destination is not None:
            return Difference("extra", key_of(destination), moving=moving)
        return None

    def _count_units(self, side: SideName, units: float) -> None:
        with self._lock:
            self._units[side] += units

    def _report(self, stage: Literal["scan", "recheck"], candidates: int) -> None:
        self._on_progress(
            Progress(
                stage,
                self._ledger.items("source"),
                self._ledger.items("destination"),
                candidates,
                self._rechecked,
                time.monotonic() - self._started,
            )
        )
