"""Compares two tables: scans both, pairs the rows, and reads again what does not pair."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tablecopy.clock import Clock
from tablecopy.throughput.rate import TokenBucket
from tablecopy_cli.common.errors import UserError
from verify.comparison import match
from verify.comparison.dead_letters import DeadLetters
from verify.comparison.options import Options
from verify.comparison.recheck import (
    Candidate,
    Generation,
    Rechecked,
    Rules,
    outcomes,
    paired,
    recorded,
    still_open,
)
from verify.comparison.results import (
    Comparison,
    DeadLetter,
    Difference,
    Kind,
    Progress,
    Sample,
    SideResult,
    Stage,
)
from verify.comparison.sorting import sort_lines
from verify.scan.calls import read_limit
from verify.scan.identity import check_two_tables
from verify.scan.segment import Reached, ScanPlan, forget_rows, reached_by
from verify.scan.table import Table
from verify.scan.work import BlockFile, WorkDirectory
from verify.scan.workers import SIDES, Job, SharedProgress, SideName, scan_in_processes, scan_in_threads
from verify.settings.compare import compare_definitions
from verify.settings.findings import Finding

_PAIRED = "candidates"
_DIFFERENCES = "differences.rows"
_TICK_SECONDS = 0.2

# A copy that is further behind than this is stopped, not slow.
_LONGEST_LAG_SECONDS = 600.0


def compare(
    source: Table,
    destination: Table,
    options: Options | None = None,
    *,
    dead_letters: DeadLetters | None = None,
    lag: Callable[[], float] = lambda: 0.0,
    work: WorkDirectory | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    clock: Clock | None = None,
) -> Comparison:
    """Compare two tables item by item.

    Both are scanned once, at the same time and in the order that DynamoDB returns. The key of each item and a
    digest of its canonical form go to disk, where they are paired (see `match`). What does not pair is read
    again from both sides with consistent reads (see `recheck`). Memory depends neither on the size of the
    tables nor on the number of differences.

    Parameters
    ----------
    source, destination
        The tables; see `Table.connect`.
    options
        How to compare.
    dead_letters
        Open dead letters of the copy.
    lag
        Returns the copy's present lag behind the source in seconds. A recheck waits until the copy has
        applied everything up to the recheck before, at most ten minutes.
    work
        Directory for what was read, which another process can resume; a temporary one by default.
    on_progress
        Called several times a second, in the caller's thread.
    clock
        Clock for the waits between two rechecks.

    Returns
    -------
    Comparison
        Its differences are on disk in ``work``.

    Raises
    ------
    UserError
        The tables cannot be compared (one table on both sides, different keys), one was deleted or created
        again while it was read, or a call failed.
    OSError
        The disk is full, for example.
    """
    options = options or Options()
    check_comparable(source, destination)
    tempdir = None
    if work is None:
        tempdir = tempfile.TemporaryDirectory(prefix="verify-")
        work = WorkDirectory(Path(tempdir.name), {}, resume=False)
    tables: dict[SideName, Table] = {"source": source, "destination": destination}
    run = _Run(tables, options, dead_letters or DeadLetters(), lag, work, on_progress, clock or Clock())
    return run.result(tempdir)


def check_comparable(source: Table, destination: Table) -> None:
    """Check that the tables can be compared at all.

    Raises
    ------
    UserError
        One table on both sides, or different keys.
    """
    check_two_tables(source.description, destination.description)
    if source.keys != destination.keys:
        raise UserError(
            f"The primary keys differ: {source.keys} in the source, {destination.keys} in the destination. "
            "Only tables with the same key can be compared."
        )


class Differences(Collection[Difference]):
    """Differences in a file, in the order of their keys. Each iteration reads the file again.

    Parameters
    ----------
    path
        A file of records in that order: see `recheck.outcomes`.
    count
        Number of differences.
    dead_letters
        Dead letters to add to them.
    tempdir
        Directory of the file, kept until the differences are no longer used.
    """

    def __init__(self, path: Path, count: int, dead_letters: DeadLetters, tempdir: object) -> None:
        self._path = path
        self._count = count
        self._dead_letters = dead_letters
        self._keeper = tempdir

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Difference]:
        for difference in recorded(self._path):
            letter = self._dead_letters.of(difference.key)
            yield replace(difference, dead_letter=letter) if letter else difference

    def __contains__(self, difference: object) -> bool:
        return any(difference == one for one in self)


class _Run:
    def __init__(
        self,
        tables: Mapping[SideName, Table],
        options: Options,
        dead_letters: DeadLetters,
        lag: Callable[[], float],
        work: WorkDirectory,
        on_progress: Callable[[Progress], None],
        clock: Clock,
    ) -> None:
        self._stop = threading.Event()
        self._tables = {
            side: table.bound(_limit(options.read_capacity.get(side)), self._stop)
            for side, table in tables.items()
        }
        self._options = options
        self._dead_letters = dead_letters
        self._lag = lag
        self._work = work
        self._on_progress = on_progress
        self._clock = clock
        self._began = time.monotonic()
        self._sample = self._sampled()
        self._plan = self._planned()
        self._jobs = [
            Job(side, segment, work.file(f"{side}-{segment:06d}.rows"))
            for segment in self._plan.segments
            for side in SIDES
        ]
        self._shared = SharedProgress(len(self._jobs))
        self._resumed = 0
        self._generations: list[Rechecked] = []
        self._spacings: list[float] = []

    def result(self, tempdir: object) -> Comparison:
        self._scan()
        counts, unsettled = self._recheck(self._pair())
        for table in self._tables.values():
            table.check_identity()
        source, destination = (self._side_result(side) for side in SIDES)
        differences = Differences(
            self._work.file(_DIFFERENCES), sum(counts.values()), self._dead_letters, tempdir or self._work
        )
        return Comparison(
            source=source,
            destination=destination,
            differences=differences,
            counts=counts,
            unsettled=unsettled,
            settled=sum(generation.settled for generation in self._generations),
            findings=self._findings(),
            dead_letters=self._other_dead_letters(differences),
            open_dead_letters=self._dead_letters.count,
            generations=len(self._generations),
            lag_seconds=min(self._spacings, default=self._options.lag_seconds),
            writes_stopped=self._options.writes_stopped,
            sample=self._sample,
            filter_expression=self._options.filter.expression if self._options.filter else None,
            ignored=self._options.ignored,
            started=self._work.started,
            seconds=self._clock.now() - self._work.started,
        )

    def _sampled(self) -> Sample | None:
        segments, of = self._options.of_segments()
        if self._options.chosen is not None:
            return Sample(segments / of, segments, of, seed=0, chosen=self._options.chosen[0])
        if self._options.sample is None:
            return None
        # The same segments again when the comparison is resumed, others the next time.
        return Sample(self._options.sample, segments, of, seed=int(self._work.started))

    def _planned(self) -> ScanPlan:
        segments: Sequence[int] = range(self._options.segments)
        of = self._options.segments
        if self._sample:
            of = self._sample.of
            chance = random.Random(self._sample.seed)
            segments = self._sample.chosen or sorted(chance.sample(range(of), self._sample.segments))
        return ScanPlan(
            tuple(segments),
            of,
            consistent=self._options.writes_stopped,
            filter=self._options.filter,
            ignored=self._options.ignored,
            expiry=self._tables["source"].expiry,
            seed=self._work.seed,
        )

    def _scan(self) -> None:
        if self._work.resumed:
            for number, job in enumerate(self._jobs):
                self._shared.set(number, _reached(job.path))
            self._resumed = sum(self._reached(side).items for side in SIDES)
        if self._work.marked("scan"):
            return
        plan, jobs, shared = self._plan, self._jobs, self._shared
        if self._options.processes > 1:
            scan_in_processes(
                self._tables,
                plan,
                jobs,
                shared,
                processes=min(self._options.processes, len(jobs)),
                tick=lambda: self._report("scan"),
            )
        else:
            scan_in_threads(
                self._tables, plan, jobs, shared, stop=self._stop, tick=lambda: self._report("scan")
            )
        self._work.mark("scan")

    def _pair(self) -> Path:
        path = self._work.file(_PAIRED)
        if not path.exists():
            self._report("match")
            source, destination = ([job.path for job in self._jobs if job.side == side] for side in SIDES)
            match.pair(
                source,
                destination,
                path,
                seed=self._plan.seed,
                processes=self._options.processes,
                stop=self._stop,
                tick=lambda: self._report("match"),
                spent=self._forget,
            )
        return path

    def _forget(self, side: str) -> None:
        """Remove a side's rows, which were split into other files."""
        for number, job in enumerate(self._jobs):
            if job.side == side:
                forget_rows(job.path, self._shared.get(number))

    def _recheck(self, candidates: Path) -> tuple[Mapping[Kind, int], int]:
        """Return the number of differences of each kind, and how many of them are still changing."""
        count = match.count_lines(candidates)
        files: list[Path] = []
        last: Path | None = None
        left = count
        # With writes stopped the first leaves nothing open.
        while left and len(files) < self._options.generations:
            if last is not None:
                self._wait(left)
            source = paired(candidates) if last is None else still_open(last)
            last = self._work.file(f"recheck-{len(files) + 1}.rows")
            self._generation(last, source, left, count)
            files.append(last)
            left = self._generations[-1].open
        counts: Counter[Kind] = Counter()
        sort_lines(outcomes(files, counts), self._work.file(_DIFFERENCES))
        return counts, left if files else 0

    def _generation(self, path: Path, candidates: Iterator[Candidate], left: int, count: int) -> None:
        number = len(self._generations) + 1
        partial = self._sample is not None or self._options.filter is not None
        rules = Rules(
            writes_stopped=self._options.writes_stopped,
            trust_scan=self._options.writes_stopped
            and count > self._options.reread
            and not partial
            and not self._options.for_repair,
            partial=partial,
            values=self._options.values,
            ignored=frozenset(self._options.ignored),
            expiry=self._plan.expiry,
            seed=self._plan.seed,
        )
        generation = Generation(self._tables, rules, path, self._clock.now)
        self._generations.append(
            generation.run(
                candidates,
                stop=self._stop,
                tick=lambda keys: self._report("recheck", left, keys, generation=number),
            )
        )

    def _wait(self, left: int) -> None:
        """Wait until changes that were in progress in the last generation must have arrived."""
        ended = self._generations[-1].ended
        until = ended + self._options.lag_seconds
        # The lag is read again after the wait, during which the copy may have fallen behind or stopped.
        while (until := max(until, ended + min(self._lag(), _LONGEST_LAG_SECONDS))) > self._clock.now():
            while (wait := until - self._clock.now()) > 0:
                self._report("wait", left, generation=len(self._generations) + 1, wait_seconds=wait)
                self._clock.sleep(min(wait, _TICK_SECONDS))
        self._spacings.append(until - ended)

    def _findings(self) -> list[Finding]:
        source, destination = (self._tables[side].definition for side in SIDES)
        return compare_definitions(source, destination) if source and destination else []

    def _other_dead_letters(self, differences: Differences) -> list[DeadLetter]:
        if self._dead_letters.others():
            # Iterating the differences finds the dead letters that belong to them.
            deque(differences, maxlen=0)
        return self._dead_letters.others()

    def _side_result(self, side: SideName) -> SideResult:
        reached = [self._shared.get(at) for at, job in enumerate(self._jobs) if job.side == side]
        return SideResult(
            self._tables[side].arn,
            sum(each.items for each in reached),
            self._units(side),
            tuple(each.items for each in reached),
        )

    def _units(self, side: SideName) -> float:
        rechecks = sum(generation.units[side] for generation in self._generations)
        return self._reached(side).units + rechecks

    def _reached(self, side: SideName) -> Reached:
        reached = [self._shared.get(at) for at, job in enumerate(self._jobs) if job.side == side]
        return Reached(sum(each.items for each in reached), sum(each.units for each in reached))

    def _expected(self, side: SideName) -> int:
        """Return how many items of a side the scan will see; 0 if that is not known."""
        if self._options.filter:
            return 0
        part = self._sample.segments / self._sample.of if self._sample else 1
        return round(self._tables[side].items * part)

    def _report(
        self,
        stage: Stage,
        candidates: int = 0,
        rechecked: int = 0,
        *,
        generation: int = 0,
        wait_seconds: float = 0.0,
    ) -> None:
        source, destination = (self._reached(side) for side in SIDES)
        self._on_progress(
            Progress(
                stage,
                source_items=source.items,
                destination_items=destination.items,
                source_total=self._expected("source"),
                destination_total=self._expected("destination"),
                source_units=self._units("source"),
                destination_units=self._units("destination"),
                candidates=candidates,
                rechecked=rechecked,
                generation=generation,
                wait_seconds=wait_seconds,
                seconds=time.monotonic() - self._began,
                resumed_items=self._resumed,
            )
        )


def _limit(rate: float | None) -> TokenBucket | None:
    return None if rate is None else read_limit(rate)


def _reached(path: Path) -> Reached:
    if not path.exists():
        return Reached(0, 0.0)
    blocks = BlockFile(path)
    blocks.close()
    return reached_by(blocks)
