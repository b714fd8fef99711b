"""The memory and CPU time of a process and its descendants, and of other programs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tools.benchmarks.meter import Peak, busy_ticks, resident_mb

HELD_MB = 40

# Starts another one like it, of which it says the word that it has its memory, and holds on to its own.
HOLDER = f"""
import subprocess, sys
held = bytearray(b"x") * ({HELD_MB} << 20)
further = int(sys.argv[1])
if further:
    command = [sys.executable, "-c", sys.argv[2], str(further - 1), sys.argv[2]]
    child = subprocess.Popen(command, stdin=sys.stdin, stdout=subprocess.PIPE)
    child.stdout.readline()
print("held", flush=True)
sys.stdin.readline()
"""

# Leaves a process behind that works on after it has ended.
LEAVES_WORK_BEHIND = """
import subprocess, sys
work = "import time\\nwhile time.process_time() < 0.4: pass"
subprocess.Popen([sys.executable, "-c", work])
print('{"type": "difference"}')
print('{"type": "summary", "verdict": "different"}', flush=True)
sys.exit(1)
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of other processes")


@contextmanager
def holders(count: int) -> Iterator[None]:
    command = [sys.executable, "-c", HOLDER, str(count - 1), HOLDER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield


@linux
def test_memory_is_the_sum_of_all_descendants() -> None:
    before = resident_mb(os.getpid())
    with holders(3):
        held = resident_mb(os.getpid()) - before
    assert 3 * HELD_MB < held < 3 * (HELD_MB + 30)


@linux
def test_the_peak_stays_when_the_processes_are_gone() -> None:
    peak = Peak()
    with holders(2):
        peak.look()
    peak.look()
    assert peak.mb > 2 * HELD_MB


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    # In a process of its own: it becomes the parent of orphans, and waits for every child there is.
    task = json.dumps({"items": 2, "command": [sys.executable, "-c", LEAVES_WORK_BEHIND]})
    done = subprocess.run(
        [sys.executable, "-m", "tools.benchmarks.subjects", "verify_command", task],
        input="go\n",
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout.removeprefix("ready\n"))
    return told


@linux
def test_work_of_a_process_whose_parent_has_ended_counts(result: dict[str, Any]) -> None:
    assert result["cpu_s"] > 0.4


def test_the_last_line_of_a_command_is_its_summary(result: dict[str, Any]) -> None:
    assert result["summary"] == {"type": "summary", "verdict": "different"}
    assert (result["exit_code"], result["lines"]) == (1, 2)


def test_only_work_on_these_cores_counts_as_busy() -> None:
    lines = ["cpu 9 9 9", "cpu0 1 2 4 800 900 8 16 32 7 7", "cpu1 64 0 0 5 5", "cpu2 3 3 3", "intr 5 6"]
    statistics = "\n".join(lines)
    assert busy_ticks(statistics, {0}) == 63
    assert busy_ticks(statistics, {0, 1}) == 127
