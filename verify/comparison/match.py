"""Pairs the rows of both tables by key, in memory that does not depend on their number.

Rows that do not fit into memory are split by a hash of their keys (`spill`), and paired file by file in
parallel.
"""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import filterfalse
from pathlib import Path
from typing import BinaryIO

from verify.comparison import spill
from verify.scan.processes import Numbers, run_all, run_in_processes
from verify.scan.work import TRAILER

MEMORY_BYTES = 64_000_000
"""Bytes of rows in memory at a time, over all processes. Python's objects take two to three times as much."""

# A process with less would spend its time on opening files.
_LEAST_BYTES = 8_000_000

# Rows that cannot be split any further are rows of one key.
_MAX_DEPTH = 4

_MARK = TRAILER.encode("ascii")

_SIDES = ("source", "destination")


def pair(
    source: Sequence[Path],
    destination: Sequence[Path],
    to: Path,
    *,
    seed: int,
    processes: int = 1,
    memory: int | None = None,
    stop: threading.Event | None = None,
    tick: Callable[[], None] = lambda: None,
    spent: Callable[[str], None] = lambda side: None,
) -> None:
    """Write a row for each key whose item the scans saw differently.

    What was split and paired before an interruption is not done again.

    Parameters
    ----------
    source, destination
        Files of `pages.Page` rows.
    to
        Directory for files of rows of partition key and sort key as they are, digest at the source, digest at
        the destination and time to live; each of the last three may be empty. It appears when all are
        written. Rows on their way are beside it.
    seed
        Secret seed of the hash by which rows are split.
    processes
        Processes that split and pair rows that ``memory`` does not hold; 1 uses this one.
    memory
        Bytes of rows to keep in memory, `MEMORY_BYTES` by default.
    stop
        Ends the work in this process.
    tick
        Called several times a second while rows are split and paired.
    spent
        Called with ``"source"`` or ``"destination"`` when the files of that side are not needed any more.

    Raises
    ------
    UserError, OSError, processes.Stopped
        See `run_in_processes`. Unfinished files are removed.
    """
    memory = memory or MEMORY_BYTES
    fresh, work = to.with_suffix(".new"), to.with_suffix(".split")
    shutil.rmtree(fresh, ignore_errors=True)
    count = _known(work)
    if count is None:
        shutil.rmtree(work, ignore_errors=True)
        size = _size([*source, *destination])
        if size <= memory:
            fresh.mkdir()
            try:
                with open(fresh / spill.name(0), "wb") as file:
                    file.writelines(_unpaired(source, destination))
            except BaseException:
                shutil.rmtree(fresh, ignore_errors=True)
                raise
            fresh.replace(to)
            return
        count = spill.number_of_files(size, _share(memory, processes))
        _begin(work, count)
    plan = _Plan(work, count, seed, _share(memory, processes))
    workers = _Workers(processes, to.parent, stop or threading.Event(), tick)
    try:
        for side, paths in zip(_SIDES, (source, destination), strict=True):
            if not plan.directory(side).exists():
                _clear(plan.unfinished(side))
                workers.run(_split, (plan, side, paths), len(paths))
                plan.unfinished(side).replace(plan.directory(side))
            spent(side)
        plan.rows.mkdir(exist_ok=True)
        workers.run(_pair, (plan,), count)
    except BaseException:
        for directory in (*map(plan.unfinished, _SIDES), plan.again):
            shutil.rmtree(directory, ignore_errors=True)
        for path in plan.rows.glob("*.new"):
            path.unlink()
        raise
    plan.rows.replace(to)
    shutil.rmtree(work)


def count_lines(directory: Path) -> int:
    """Return the number of lines in all files of a directory."""
    return sum(map(_lines, directory.iterdir()))


def _lines(path: Path) -> int:
    with open(path, "rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


@dataclass(frozen=True)
class _Plan:
    """What all processes know.

    Parameters
    ----------
    work
        Directory of what was split.
    count
        Number of files that a side's rows are split into.
    seed
        Of the hash.
    share
        Bytes of rows that one process may keep in memory.
    """

    work: Path
    count: int
    seed: int
    share: int

    def directory(self, side: str) -> Path:
        """Where a side's files are when it has been split: one directory for each process that did it."""
        return self.work / side

    def unfinished(self, side: str) -> Path:
        """Where they are before."""
        return self.work / f"{side}.new"

    def files(self, side: str, number: int) -> list[Path]:
        """Return a side's files of one number."""
        paths = (each / spill.name(number) for each in sorted(self.directory(side).iterdir()))
        return [path for path in paths if path.exists()]

    @property
    def rows(self) -> Path:
        """Where the results are."""
        return self.work / "rows"

    @property
    def again(self) -> Path:
        """Where files that are larger than the share are split again."""
        return self.work / "again"


@dataclass(frozen=True)
class _Workers:
    processes: int
    directory: Path
    stop: threading.Event
    tick: Callable[[], None]

    def run(self, work: Callable[..., None], arguments: tuple[object, ...], count: int) -> None:
        """Share the numbers below ``count`` among processes that run ``work``."""
        numbers = Numbers(count)
        processes = min(self.processes, count)
        if processes > 1:
            each = [(numbers, worker, *arguments) for worker in range(processes)]
            run_in_processes(work, each, self.directory, self.tick)
        else:
            run_all([lambda: work(self.stop, numbers, 0, *arguments)], stop=self.stop, tick=self.tick)


def _share(memory: int, processes: int) -> int:
    return max(memory // processes, min(memory, _LEAST_BYTES))


def _known(work: Path) -> int | None:
    """Return the number of files that an interrupted run has begun to split the rows into."""
    try:
        return int((work / "count").read_text())
    except FileNotFoundError:
        return None


def _begin(work: Path, count: int) -> None:
    work.mkdir()
    (work / "count.new").write_text(str(count))
    (work / "count.new").replace(work / "count")


def _clear(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)


def _split(
    stop: threading.Event, numbers: Numbers, worker: int, plan: _Plan, side: str, paths: Sequence[Path]
) -> None:
    """Split files of one side. The body of a process."""
    own = plan.unfinished(side) / spill.name(worker)
    own.mkdir()
    for number in _taken(numbers):
        # Two to three times as much in Python's objects, and the text that is written.
        spill.split(paths[number], own, files=plan.count, seed=plan.seed, buffered=plan.share // 2, stop=stop)


def _pair(stop: threading.Event, numbers: Numbers, worker: int, plan: _Plan) -> None:
    """Pair the files of each number that is taken. The body of a process."""
    for number in _taken(numbers):
        to = plan.rows / spill.name(number)
        sides = [plan.files(side, number) for side in _SIDES]
        if not to.exists():
            fresh = to.with_suffix(".new")
            with open(fresh, "wb") as file:
                _Part(plan, stop, file).write(sides, plan.again / spill.name(number))
            fresh.replace(to)
        for path in (*sides[0], *sides[1]):
            path.unlink()


def _taken(numbers: Numbers) -> Iterator[int]:
    while True:
        try:
            yield numbers.take()
        except queue.Empty:
            return


@dataclass(frozen=True)
class _Part:
    """Writes the result of one number's files."""

    plan: _Plan
    stop: threading.Event
    to: BinaryIO

    def write(self, sides: Sequence[Sequence[Path]], again: Path, depth: int = 1) -> None:
        """Write the rows that do not pair; files that memory does not hold are split again in ``again``."""
        size = _size([path for paths in sides for path in paths])
        if size <= self.plan.share or depth > _MAX_DEPTH:
            self.to.writelines(_unpaired(*sides))
            return
        _clear(again)
        count = spill.number_of_files(size, self.plan.share)
        for name, paths in zip(_SIDES, sides, strict=True):
            (again / name).mkdir()
            for path in paths:
                spill.split(
                    path,
                    again / name,
                    files=count,
                    seed=self.plan.seed ^ depth,
                    buffered=self.plan.share // 2,
                    stop=self.stop,
                )
        for number in range(count):
            paths = [again / name / spill.name(number) for name in _SIDES]
            found = [[path] if path.exists() else [] for path in paths]
            self.write(found, again / spill.name(number), depth + 1)
            for path in paths:
                path.unlink(missing_ok=True)
        shutil.rmtree(again)


def _unpaired(source: Sequence[Path], destination: Sequence[Path]) -> Iterator[bytes]:
    """Yield the rows of keys that are not in both with one digest."""
    mine: set[bytes] = set()
    for path in source:
        with open(path, "rb") as file:
            mine.update(file)
    theirs: set[bytes] = set()
    for path in destination:
        with open(path, "rb") as file:
            theirs.update(filterfalse(mine.__contains__, file))
    for path in destination:
        with open(path, "rb") as file:
            mine.difference_update(file)
    by_key = {row.rsplit(b"\t", 2)[0]: row for row in mine if not row.startswith(_MARK)}
    mine.clear()
    for row in theirs:
        if row.startswith(_MARK):
            continue
        key, digest, expires = row.rsplit(b"\t", 2)
        other = by_key.pop(key, None)
        if other is None:
            yield b"%b\t\t%b\t%b" % (key, digest, expires)
            continue
        _, known, first = other.rsplit(b"\t", 2)
        # A row also differs if only the time to live does, which may be an attribute that is ignored.
        if known != digest:
            yield b"%b\t%b\t%b\t%b" % (key, known, digest, expires if first == b"\n" else first)
    for key, row in by_key.items():
        _, digest, expires = row.rsplit(b"\t", 2)
        yield b"%b\t%b\t\t%b" % (key, digest, expires)


def _size(paths: Sequence[Path]) -> int:
    return sum(path.stat().st_size for path in paths)
