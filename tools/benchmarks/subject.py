"""Runs a subject in a process of its own, beside a server, and holds it to the work it was to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.benchmarks.cores import CORES, SUBJECT_CORES, busy_seconds, pin
from tools.benchmarks.environment import function_environment
from tools.benchmarks.loopback import Loopback

ROOT = Path(__file__).resolve().parents[2]

# A subject that takes longer has got stuck.
_TIMEOUT_SECONDS = 600


class SubjectFailed(Exception):
    """A subject did not do its work."""


@dataclass(frozen=True)
class Subject:
    """Something that is measured.

    Attributes
    ----------
    name
        What the figures call it.
    command
        What starts it, before the JSON object that tells it what to do.
    environment
        Variables besides those of the functions.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def python(name: str, module: str) -> Subject:
    """The subject in ``benchmarks/subjects/<module>.py``."""
    return Subject(name, [sys.executable, "-m", f"tools.benchmarks.subjects.{module}"])


@dataclass(frozen=True)
class Measured:
    """What a subject took for ``items``: see meter.measure.

    Attributes
    ----------
    server_cpu_s
        What the server took meanwhile.
    stats
        What the server then had seen in all: see Service.stats.
    results
        What the subject's processes said.
    others_busy
        The share of the cores that other programs took meanwhile. Seconds measured beside them mean little.
    """

    items: int
    cpu_s: float
    wall_s: float
    peak_rss_mb: float
    server_cpu_s: float = 0.0
    stats: Mapping[str, Any] | None = None
    results: Sequence[Mapping[str, Any]] = ()
    others_busy: float = 0.0

    @property
    def items_per_cpu_s(self) -> float:
        """Items per CPU second of the subject."""
        return self.items / self.cpu_s

    @property
    def items_per_wall_s(self) -> float:
        """Items per second."""
        return self.items / self.wall_s


def run(
    subject: Subject,
    server: Loopback | None,
    tasks: Sequence[Mapping[str, Any]],
    *,
    timeout_s: float = _TIMEOUT_SECONDS,
) -> Measured:
    """Run ``subject`` once for each of ``tasks``, all at the same time, and measure them together.

    Wall clock of several is from the first one's beginning to the last one's end, CPU and items are sums,
    peak memory is that of the largest.

    Raises
    ------
    SubjectFailed
        It ended with an error, or not within ``timeout_s``.
    """
    # In this order: the pool cannot be left before the processes that its threads wait for are gone.
    with ThreadPoolExecutor(len(tasks)) as pool, _started(subject, server, tasks) as processes:
        for process in processes:
            _await_ready(subject, process)
        server_before = server.stats()["cpu_s"] if server else 0.0
        before, busy_before = time.perf_counter(), busy_seconds()
        results = list(pool.map(lambda process: _result(subject, process, timeout_s), processes))
        busy, elapsed = busy_seconds() - busy_before, time.perf_counter() - before
    stats = server.stats() if server else None
    server_cpu_s = stats["cpu_s"] - server_before if stats else 0.0
    cpu_s = sum(result["cpu_s"] for result in results)
    return Measured(
        items=sum(result["items"] for result in results),
        cpu_s=cpu_s,
        wall_s=results[0]["wall_s"] if len(results) == 1 else _span(results),
        peak_rss_mb=max(result["peak_rss_mb"] for result in results),
        server_cpu_s=server_cpu_s,
        stats=stats,
        results=results,
        others_busy=max(0.0, busy - cpu_s - server_cpu_s) / elapsed / CORES,
    )


def prepare(module: str, server: Loopback, task: Mapping[str, Any]) -> None:
    """Run a helper from tools/benchmarks/subjects that is not measured."""
    done = subprocess.run(
        [sys.executable, "-m", f"tools.benchmarks.subjects.{module}", json.dumps(task)],
        cwd=ROOT,
        env=_environment(server),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SubjectFailed(f"{module} failed: {_last_line(done.stderr)}")


@contextmanager
def _started(
    subject: Subject, server: Loopback | None, tasks: Sequence[Mapping[str, Any]]
) -> Iterator[list[subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []
    try:
        for task in tasks:
            processes.append(_start(subject, server, task))
        yield processes
    finally:
        for process in processes:
            if process.poll() is None:
                # With what it has started itself.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _start(subject: Subject, server: Loopback | None, task: Mapping[str, Any]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*subject.command, json.dumps(task)],
        cwd=ROOT,
        env={**_environment(server), **subject.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=pin(SUBJECT_CORES),
    )


def _environment(server: Loopback | None) -> dict[str, str]:
    return {
        **function_environment(server.url if server else "http://127.0.0.1:9"),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "lambda"),
    }


def _await_ready(subject: Subject, process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    if process.stdout.readline().strip() != "ready":
        _, errors = process.communicate()
        raise SubjectFailed(f"{subject.name} did not start: {_last_line(errors)}")


def _result(subject: Subject, process: subprocess.Popen[str], timeout_s: float) -> dict[str, Any]:
    try:
        output, errors = process.communicate("go\n", timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise SubjectFailed(f"{subject.name} was not done after {timeout_s:g} s") from None
    if process.returncode or not output.strip():
        raise SubjectFailed(f"{subject.name} failed: {_last_line(errors)}")
    result: dict[str, Any] = json.loads(output)
    return result


def _span(results: Sequence[Mapping[str, Any]]) -> float:
    began: float = min(result["began"] for result in results)
    ended: float = max(result["ended"] for result in results)
    return ended - began


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
