"""Comparisons that were killed at any moment, and go on: what they find, and what they read again for it."""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.unit.verify.forking import BATCH_KEYS, RECHECK_THREADS, Forking
from tests.unit.verify.test_interrupt import with_nobody_left
from tests.unit.verify.world import World, item, keys_of, records
from verify.comparison.recheck import Generation
from verify.scan.work import WorkDirectory, join

SEGMENTS = 2
# A thread for each, and a page in the hands of each.
IN_HAND = 2 * SEGMENTS


@pytest.fixture
def forking(tmp_path: Path) -> Iterator[Forking]:
    with Forking(tmp_path) as found:
        yield found


class Killer:
    """Kills a process, or its whole group, with its Nth call that reads items, or a moment after that."""

    def __init__(self, world: World, nth: int, *, delay: float = 0.0, group: bool = True) -> None:
        self._left = nth
        self._delay = delay
        self._group = group
        self._pid = 0
        self._started = threading.Event()
        self._lock = threading.Lock()
        for table in (world.source, world.destination):
            table.before = self

    def started(self, pid: int) -> None:
        """The process to kill."""
        self._pid = pid
        self._started.set()

    def over(self) -> None:
        """It has ended by itself."""
        self._pid = 0

    def __call__(self, operation: str) -> None:
        if operation not in ("Scan", "BatchGetItem"):
            return
        with self._lock:
            self._left -= 1
            if self._left:
                return
        self._started.wait()
        if self._delay:
            threading.Timer(self._delay, self._kill).start()
        else:
            self._kill()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            if not self._pid:
                return
            if self._group:
                os.killpg(self._pid, signal.SIGKILL)
            else:
                os.kill(self._pid, signal.SIGKILL)


class Read:
    """What was asked for, and how often."""

    def __init__(self, world: World) -> None:
        self.pages: Counter[str] = Counter()
        self.batches: Counter[str] = Counter()
        for table in (world.source, world.destination):
            for operation, request in table.calls:
                if operation == "Scan":
                    start = request.get("ExclusiveStartKey")
                    self.pages[json.dumps([table.name, request["Segment"], start])] += 1
                elif operation == "BatchGetItem":
                    self.batches[json.dumps([table.name, request["RequestItems"][table.name]["Keys"]])] += 1


def fill(world: World) -> None:
    world.fill(same=30, missing=25, changed=20, extra=10)
    for table in (world.source, world.destination):
        table.page_size = 6


def forget(world: World) -> None:
    for table in (world.source, world.destination):
        table.calls.clear()
        table.before = lambda operation: None


def check(world: World, text: str, runs: int, reads: dict[str, int]) -> None:
    """The right result, and nothing read twice but what was in hand.

    ``reads`` says how often each side reads each batch.
    """
    found = records(text)
    assert keys_of(found, "missing") == {("missing", str(n)) for n in range(25)}
    assert keys_of(found, "changed") == {("changed", str(n)) for n in range(20)}
    assert keys_of(found, "extra") == {("extra", str(n)) for n in range(10)}
    assert len(found) == 55 + 1
    summary = found[-1]
    assert (summary["source_items"], summary["destination_items"]) == (75, 60)
    assert (summary["verdict"], summary["unsettled"], summary["settled"]) == ("different", 0, 0)
    assert summary["generations"] == reads["cities-copy"]
    read = Read(world)
    again = sum(read.pages.values()) - len(read.pages)
    assert again <= (runs - 1) * IN_HAND, read.pages
    assert max(read.pages.values()) <= runs
    # Each batch in hand may have been read at both sides, the source's before and after.
    assert sum(len(json.loads(each)[1]) for each in read.batches) == 2 * 55 * 1
    for batch, count in read.batches.items():
        once = reads[json.loads(batch)[0]]
        assert once <= count <= once + (runs - 1) * 2
    again = sum(count - reads[json.loads(batch)[0]] for batch, count in read.batches.items())
    assert again <= (runs - 1) * RECHECK_THREADS * 3


STOPPED = {"cities": 1, "cities-copy": 1}
"""With writes stopped each batch is read once."""

MOVING = {"cities": 4, "cities-copy": 2}
"""Under writes twice, at the source before and after the destination each time."""


@pytest.mark.parametrize(("how", "reads"), [(["--writes-stopped"], STOPPED), (["--lag", "0"], MOVING)])
def test_killed_with_any_call_it_goes_on(
    world: World, forking: Forking, how: list[str], reads: dict[str, int]
) -> None:
    fill(world)
    command = world.flags("--segments", str(SEGMENTS), "--format", "jsonl", *how)
    assert forking.run(command) == 1
    whole = Read(world)
    check(world, forking.out.read_text(), 1, reads)
    calls = sum(whole.pages.values()) + sum(whole.batches.values())
    assert calls == sum(whole.pages.values()) + sum(reads.values()) * -(-55 // BATCH_KEYS)
    # Neither divides the number of a side's calls: every stage is met at every place of its cycle.
    for nth in range(1, calls + 1, 7 if reads is STOPPED else 13):
        forget(world)
        killer = Killer(world, nth)
        assert forking.run(command, killer.started) == -signal.SIGKILL, nth
        (kept,) = world.kept()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o700
        assert forking.run([*command, "--resume"]) == 1, forking.err.read_text()
        check(world, forking.out.read_text(), 2, reads)
        assert world.kept() == []
        assert forking.err.read_text() == ""


def test_killed_at_random_moments_again_and_again(world: World, forking: Forking) -> None:
    seed = int(os.environ.get("RESUME_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"RESUME_SEED={seed}")
    rng = random.Random(seed)
    fill(world)
    command = world.flags("--segments", str(SEGMENTS), "--format", "jsonl", "--writes-stopped")
    killed = 0
    for _ in range(6):
        forget(world)
        runs = 0
        resume: list[str] = []
        while True:
            runs += 1
            # From the fourth run on it is left alone.
            killer = Killer(world, rng.randrange(1, 12) if runs < 4 else 0, delay=rng.uniform(0.001, 0.1))
            ended = forking.run([*command, *resume], killer.started)
            killer.over()
            if ended != -signal.SIGKILL:
                assert ended == 1, forking.err.read_text()
                assert world.kept() == []
                break
            killed += 1
            if '{"type":"summary"' in forking.out.read_text():
                # The result was out, and nothing was left but to clear up.
                break
            resume = ["--resume"]
        check(world, forking.out.read_text(), runs, STOPPED)
    assert killed


@pytest.mark.parametrize("group", [True, False])
def test_killed_with_several_processes(world: World, group: bool) -> None:
    fill(world)
    command = ["--segments", str(SEGMENTS), "--format", "jsonl", "--writes-stopped", "--processes", "2"]
    killer = Killer(world, 9, group=group)
    process = world.start(*command)
    killer.started(process.pid)
    try:
        # The pipes end only with the last process that has them: no worker outlives its parent.
        process.communicate(timeout=15)
    finally:
        with_nobody_left(process)
    assert process.returncode == -signal.SIGKILL
    again = world.start(*command, "--resume")
    out, err = again.communicate(timeout=30)
    assert (again.returncode, err) == (1, "")
    reads = Read(world)
    assert sum(reads.pages.values()) - len(reads.pages) <= IN_HAND
    assert len(records(out)) == 56
    assert world.kept() == []


def test_workers_whose_calls_hang_end_with_their_parent(world: World) -> None:
    fill(world)
    hanging, closing = threading.Semaphore(0), threading.Event()

    def before(operation: str) -> None:
        if operation == "Scan":
            hanging.release()
            closing.wait()

    world.source.before = world.destination.before = before
    process = world.start("--segments", str(SEGMENTS), "--processes", "2")
    try:
        for _ in range(IN_HAND):
            assert hanging.acquire(timeout=30)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=15)
    finally:
        with_nobody_left(process)
        closing.set()


@pytest.mark.parametrize(
    "other",
    [
        ["--segments", "3"],
        ["--show-values"],
        ["--ignore-attribute", "s"],
        ["--sample", "0.5"],
        ["--filter-expression", "attribute_exists(s)"],
        ["--repair-plan", "plan.jsonl"],
        ["--lag", "0"],
        ["--destination", "cities-2"],
    ],
)
def test_another_comparison_does_not_go_on(
    interrupted: World, capsys: pytest.CaptureFixture[str], other: list[str]
) -> None:
    before = interrupted.kept()
    assert interrupted.run("--resume", *other) == 2
    err = capsys.readouterr().err
    for fact in (
        "no interrupted comparison of these tables",
        str(interrupted.work),
        "--resume",
        "--work-dir",
    ):
        assert fact in err
    assert err.count("\n") == 1
    assert interrupted.kept() == before
    assert interrupted.run("--resume") == 1


@pytest.fixture
def interrupted(world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> World:
    """A comparison that has failed in its recheck."""
    fill(world)
    world.served.tables["cities-2"] = type(world.destination)(name="cities-2", account="3")

    def failing(*args: Any) -> Any:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Generation, "run", failing)
        assert world.run() == 2
    capsys.readouterr()
    return world


def test_how_fast_it_reads_may_change(interrupted: World) -> None:
    assert interrupted.run("--resume", "--source-read-capacity", "1000", "--processes", "1") == 1


def test_a_table_that_was_made_again_is_another(
    interrupted: World, capsys: pytest.CaptureFixture[str]
) -> None:
    described = interrupted.source.description
    interrupted.source.description = lambda: {**described(), "TableId": "made again"}  # type: ignore[method-assign]
    assert interrupted.run("--resume") == 2
    assert "no interrupted comparison" in capsys.readouterr().err


def test_without_resume_it_begins_anew(interrupted: World) -> None:
    (kept,) = interrupted.kept()
    stale = kept / "recheck-1.rows"
    stale.write_text("of the first run")
    scans = interrupted.served.operations["Scan"]
    for n in range(25):
        interrupted.destination.put(item("missing", n))
    assert interrupted.run() == 1
    assert interrupted.served.operations["Scan"] >= 2 * scans
    assert interrupted.kept() == []
    assert interrupted.run("--resume") == 2


def test_of_two_at_the_same_time_the_second_is_refused(
    interrupted: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("verify.scan.work.WAIT_SECONDS", 0.0)
    seen: list[int] = []
    connected = interrupted.source.before

    def second(operation: str) -> None:
        interrupted.source.before = connected
        seen.extend((interrupted.run(), interrupted.run("--resume")))

    def first(operation: str) -> None:
        if operation == "BatchGetItem":
            second(operation)

    interrupted.source.before = first
    assert interrupted.run("--resume") == 1
    assert seen == [2, 2]
    (kept, *_) = {line.split()[8] for line in capsys.readouterr().err.splitlines()}
    assert kept.startswith(str(interrupted.work))
    assert interrupted.kept() == []


def test_the_processes_of_a_killed_one_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = WorkDirectory(tmp_path, {"a": 1}, resume=False)
    reading, writing = os.pipe()
    helper = os.fork()
    if not helper:
        # A worker has not inherited its parent's lock.
        work.release()
        join(work.path)
        os.write(writing, b"x")
        signal.pause()
    os.read(reading, 1)
    work.release()
    waits = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            os.kill(helper, signal.SIGKILL)
            os.waitpid(helper, 0)

    monkeypatch.setattr("verify.scan.work.time.sleep", wait)
    again = WorkDirectory(tmp_path, {"a": 1}, resume=True)
    assert len(waits) == 3
    again.remove()
