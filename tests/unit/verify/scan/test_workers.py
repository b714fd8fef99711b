"""Processes that scan: how they end, and what is said when one of them does so before its time."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.errors import UserError
from tests.unit.verify.world import ROOT, World
from verify.scan.calls import read_limit
from verify.scan.segment import ScanPlan
from verify.scan.table import Table
from verify.scan.work import rows
from verify.scan.workers import SIDES, Job, SharedProgress, scan_in_processes, scan_in_threads

SEGMENTS = 3


class Scan:
    """A scan of two served tables by two processes."""

    def __init__(self, world: World, directory: Path) -> None:
        self.directory = directory
        self.jobs = [
            Job(side, segment, directory / f"{side}-{segment}")
            for segment in range(SEGMENTS)
            for side in SIDES
        ]
        self.progress = SharedProgress(len(self.jobs))
        self.plan = ScanPlan(tuple(range(SEGMENTS)), SEGMENTS, consistent=True)
        self.tables = {
            name: Table.connect(Side(name, table.name, "eu-west-1", endpoint_url=world.served.url))
            for name, table in (("source", world.source), ("destination", world.destination))
        }

    def run(self, tick: Callable[[], None] = lambda: None) -> None:
        scan_in_processes(
            self.tables,  # type: ignore[arg-type]
            self.plan,
            self.jobs,
            self.progress,
            processes=2,
            tick=tick,
        )

    def items(self, side: str) -> int:
        return sum(1 for job in self.jobs if job.side == side for _ in rows(job.path))


@pytest.fixture
def scan(world: World, tmp_path: Path) -> Iterator[Scan]:
    world.fill(same=40, missing=5)
    for table in (world.source, world.destination):
        table.page_size = 7
    yield Scan(world, tmp_path)
    assert workers() == []


def workers() -> list[int]:
    """Process ids of this process's scanning processes."""
    return [each.pid or 0 for each in multiprocessing.active_children()]


def test_processes_share_the_segments_and_tell_how_far_they_are(world: World, scan: Scan) -> None:
    seen: list[int] = []
    scan.run(lambda: seen.append(sum(scan.progress.get(number).items for number in range(len(scan.jobs)))))
    assert (scan.items("source"), scan.items("destination")) == (45, 40)
    reached = {
        side: [scan.progress.get(n) for n, job in enumerate(scan.jobs) if job.side == side] for side in SIDES
    }
    assert {side: sum(each.items for each in found) for side, found in reached.items()} == {
        "source": 45,
        "destination": 40,
    }
    assert all(each.units > 0 for found in reached.values() for each in found)
    assert seen == sorted(seen)
    # Each page once.
    starts = [str(request) for operation, request in world.source.calls if operation == "Scan"]
    assert len(starts) == len(set(starts))


def test_an_error_in_a_process_names_its_side(world: World, scan: Scan) -> None:
    def refuse(operation: str) -> None:
        if operation == "Scan":
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Scan")

    world.destination.before = refuse
    with pytest.raises(UserError, match=r"^destination: Scan is not allowed") as caught:
        scan.run()
    assert caught.value.side == "destination"


def test_a_file_that_cannot_be_opened_in_a_process_is_named(scan: Scan) -> None:
    scan.jobs[0].path.mkdir()
    # As in this process: the command line knows what to say of it.
    with pytest.raises(IsADirectoryError) as caught:
        scan.run()
    assert caught.value.filename == str(scan.jobs[0].path)


def test_a_process_that_is_killed_is_told_of(world: World, scan: Scan) -> None:
    once = threading.Lock()

    def kill(operation: str) -> None:
        if operation == "Scan" and world.source.count("Scan") > 2 and once.acquire(blocking=False):
            os.kill(workers()[0], signal.SIGKILL)

    world.source.before = kill
    with pytest.raises(UserError, match=r"^A process of this comparison was ended by signal 9"):
        scan.run()
    world.source.before = lambda operation: None
    # And what it has read is of use.
    before = world.source.count("Scan")
    scan.run()
    assert (scan.items("source"), scan.items("destination")) == (45, 40)
    assert world.source.count("Scan") - before < before + SEGMENTS


def test_an_interrupt_ends_all_processes_and_is_passed_on(world: World, scan: Scan) -> None:
    reading = threading.Event()
    world.source.before = lambda operation: reading.set() if operation == "Scan" else None

    def interrupt() -> None:
        if reading.is_set():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan.run(interrupt)


def test_processes_keep_one_limit(world: World, scan: Scan) -> None:
    for table in (world.source, world.destination):
        table.units_per_page = 5.0
    limits = {side: read_limit(1_000.0) for side in SIDES}
    scan.tables = {side: scan.tables[side].bound(limits[side], threading.Event()) for side in SIDES}
    # What a page costs is entered where all see it.
    scan.run()
    for limit in limits.values():
        # The first guess was 1.
        assert limit.acquire(math.inf) > 1.0


def test_threads_do_the_same(world: World, scan: Scan) -> None:
    scan_in_threads(
        scan.tables,  # type: ignore[arg-type]
        scan.plan,
        scan.jobs,
        scan.progress,
        stop=threading.Event(),
        tick=lambda: None,
    )
    assert (scan.items("source"), scan.items("destination")) == (45, 40)
    assert sum(scan.progress.get(number).items for number in range(len(scan.jobs))) == 85


ORPHAN = """
import multiprocessing, os, sys
from pathlib import Path


def late(gate, directory):
    # It has been started, and its parent is gone before it does anything.
    with open(gate) as opened:
        opened.read()
    from verify.scan import processes

    def work(*_):
        raise AssertionError("at work on the files of another")

    # Not this one has noticed.
    processes._end_when_told = lambda *_: None
    told, _ = multiprocessing.get_context("spawn").Pipe(duplex=False)
    (Path(directory) / "began").touch()
    processes._serve(work, (), Path(directory), told, None)


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=late, args=tuple(sys.argv[1:]), daemon=True)
    worker.start()
    worker.join()
"""


def test_a_process_that_comes_late_leaves_the_files_alone(tmp_path: Path) -> None:
    script, gate = tmp_path / "orphan.py", tmp_path / "gate"
    script.write_text(ORPHAN)
    os.mkfifo(gate)
    parent = subprocess.Popen(
        [sys.executable, str(script), str(gate), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'lambda'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with open(gate, "w"):
        # The worker is there now, and waits.
        parent.kill()
        parent.wait()
    out, _ = parent.communicate(timeout=20)
    assert (tmp_path / "began").exists(), out
    assert "Error" not in out
    assert not (tmp_path / "rows").exists()
