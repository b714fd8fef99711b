"""Ctrl-C, as a terminal sends it: to every process of the command. It ends at once, and nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.unit.verify.world import World, environment, item, keys_of, records

KEPT = "verify: what was read is kept. To continue, run the same command with --resume\nverify: interrupted\n"

# Far below the minute after which a call that hangs would give up, and below the lag of a recheck.
_PROMPT_SECONDS = 12


class Gate:
    """Lets the first calls of an operation through; those after it hang until the test is over."""

    def __init__(self, world: World, operation: str, after: int = 0) -> None:
        self.hanging = threading.Semaphore(0)
        self.closing = threading.Event()
        self._operation = operation
        self._left = after
        self._lock = threading.Lock()
        for table in (world.source, world.destination):
            table.before = self

    def __call__(self, operation: str) -> None:
        if operation != self._operation:
            return
        with self._lock:
            self._left -= 1
            if self._left >= 0:
                return
        self.hanging.release()
        self.closing.wait()

    def reached(self, calls: int, process: subprocess.Popen[str]) -> None:
        """Wait until so many calls of a process hang."""
        for _ in range(calls):
            await_(self.hanging, process)


@pytest.fixture
def gate(world: World) -> Iterator[Callable[..., Gate]]:
    made: list[Gate] = []

    def make(operation: str, after: int = 0) -> Gate:
        made.append(Gate(world, operation, after))
        return made[-1]

    yield make
    for each in made:
        each.closing.set()


def await_(event: threading.Semaphore, process: subprocess.Popen[str]) -> None:
    """Wait for what a process that is at work is about to do."""
    for _ in range(60):
        if event.acquire(timeout=0.5):
            return
        assert process.poll() is None, process.communicate()
    raise AssertionError("nothing happens")


def interrupted(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Press Ctrl-C; what it has printed. Its pipes end only with the last process that has them."""
    try:
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=_PROMPT_SECONDS)
    finally:
        with_nobody_left(process)
    assert process.returncode == 130
    return out, err


def with_nobody_left(process: subprocess.Popen[str]) -> None:
    """Make sure that no process of the command is left behind, whatever the test has come to."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("processes", [1, 2])
def test_during_the_scan(
    world: World, gate: Callable[..., Gate], capsys: pytest.CaptureFixture[str], processes: int
) -> None:
    world.fill(same=700, missing=1)
    # Too few for a whole segment: each of the eight is in the hands of a thread of its own.
    scanning = gate("Scan", after=3)
    process = world.start("--writes-stopped", "--processes", str(processes))
    # All threads of all processes hang in calls by now.
    scanning.reached(8, process)
    assert interrupted(process) == ("", KEPT)
    scanning.closing.set()
    done = starts(world)
    assert world.run("--resume", "--format", "jsonl") == 1
    assert keys_of(records(capsys.readouterr().out), "missing") == {("missing", "0")}
    again = starts(world)
    # What hung is asked for again, and nothing else.
    assert sum(again.values()) - len(again) == 8
    assert set(done) <= set(again)


def starts(world: World) -> dict[str, int]:
    """How often each page was asked for."""
    asked: dict[str, int] = {}
    for table in (world.source, world.destination):
        for operation, request in table.calls:
            if operation == "Scan":
                page = json.dumps([table.name, request["Segment"], request.get("ExclusiveStartKey")])
                asked[page] = asked.get(page, 0) + 1
    return asked


def test_while_the_processes_of_a_scan_are_starting(world: World, tmp_path: Path) -> None:
    # Python runs this before anything else: a process says that it is there, and takes its time.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, select, sys\n"
        "if '--multiprocessing-fork' in sys.orig_argv:\n"
        "    os.close(os.open(os.environ['THERE'], os.O_WRONLY))\n"
        "    select.select([], [], [], 60)\n"
    )
    there = tmp_path / "there"
    os.mkfifo(there)
    process = world.start(
        "--writes-stopped",
        "--processes",
        "2",
        env=environment(PYTHONPATH=str(tmp_path), THERE=str(there)),
    )
    os.close(os.open(there, os.O_RDONLY))
    assert interrupted(process) == ("", KEPT)


def test_during_the_wait_between_two_rechecks(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.fill(same=10, missing=1)
    rechecked = threading.Semaphore(0)

    def told(operation: str) -> None:
        if operation == "BatchGetItem":
            rechecked.release()

    world.source.before = told
    process = world.start("--lag", "600")
    for _ in range(2):
        await_(rechecked, process)
    assert interrupted(process) == ("", KEPT)
    world.source.before = lambda operation: None
    scans, reads = (world.served.operations[name] for name in ("Scan", "BatchGetItem"))
    assert world.run("--resume", "--lag", "0", "--format", "jsonl") == 1
    (found, _) = records(capsys.readouterr().out)
    assert (found["standing"], found["checks"]) == (True, 2)
    assert world.served.operations["Scan"] == scans
    # The second recheck of one key: twice at the source, once at the destination.
    assert world.served.operations["BatchGetItem"] - reads in (3, 6)


@pytest.mark.parametrize("lag", [[], ["--lag", "0"]])
def test_during_a_recheck(
    world: World, gate: Callable[..., Gate], capsys: pytest.CaptureFixture[str], lag: list[str]
) -> None:
    world.fill(same=10, missing=250, changed=1)
    rechecking = gate("BatchGetItem", after=1)
    process = world.start(*(lag or ["--writes-stopped"]))
    rechecking.reached(2, process)
    assert interrupted(process) == ("", KEPT)
    rechecking.closing.set()
    scans = world.served.operations["Scan"]
    assert world.run("--resume", "--format", "jsonl", *lag) == 1
    found = records(capsys.readouterr().out)
    assert keys_of(found, "missing") == {("missing", str(n)) for n in range(250)}
    assert keys_of(found, "changed") == {("changed", "0")}
    assert world.served.operations["Scan"] == scans


def test_before_anything_was_read(world: World, gate: Callable[..., Gate]) -> None:
    connecting = gate("DescribeTable")
    process = world.start()
    connecting.reached(1, process)
    assert interrupted(process) == ("", "verify: interrupted\n")
    assert world.kept() == []


def test_an_item_that_comes_between_is_no_difference_once_resumed(
    world: World, gate: Callable[..., Gate]
) -> None:
    # What was scanned before the interrupt is old by then: the recheck settles it.
    world.fill(same=10, missing=1)
    rechecking = gate("BatchGetItem")
    process = world.start("--lag", "0")
    rechecking.reached(1, process)
    interrupted(process)
    rechecking.closing.set()
    world.destination.put(item("missing", 0))
    assert world.run("--resume", "--lag", "0") == 0
