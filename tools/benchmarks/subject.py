"""Runs a subject in its own process, with a server, and checks that it did its work."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.benchmarks.items import STREAM_ARN
from tools.benchmarks.meter import CORES, SUBJECT_CORES, busy_seconds, pin
from tools.benchmarks.server import Loopback
from tools.benchmarks.service import DESTINATION, JOURNAL, SOURCE

ROOT = Path(__file__).resolve().parents[2]

# A subject that takes longer hangs.
_TIMEOUT_SECONDS = 600


class SubjectFailed(Exception):
    """A subject did not do its work."""


@dataclass(frozen=True)
class Subject:
    """Something that is measured.

    Attributes
    ----------
    name
        Its name in the figures.
    command
        The command that starts it; a JSON object with its task follows.
    environment
        Variables in addition to those of the functions.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def python(name: str, function: str) -> Subject:
    """Return the subject that a function of `tools.benchmarks.subjects` measures."""
    return Subject(name, [sys.executable, "-m", "tools.benchmarks.subjects", function])


@dataclass(frozen=True)
class Measured:
    """What a subject used for ``items``: see `meter.measure`.

    Attributes
    ----------
    server_cpu_s
        CPU seconds of the server in the same time.
    stats
        What the server had seen in all by then: see `Service.stats`.
    result
        What the subject printed.
    others_busy
        Share of the cores that other programs used. Seconds mean little if it is high.
    """

    items: int
    cpu_s: float
    wall_s: float
    peak_rss_mb: float
    server_cpu_s: float = 0.0
    stats: Mapping[str, Any] | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
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
    task: Mapping[str, Any],
    *,
    timeout_s: float = _TIMEOUT_SECONDS,
) -> Measured:
    """Run ``subject`` with ``task`` and measure it.

    Raises
    ------
    SubjectFailed
        It ended with an error, or took longer than ``timeout_s``.
    """
    process = _start(subject, server, task)
    try:
        _await_ready(subject, process)
        server_before = server.stats()["cpu_s"] if server else 0.0
        before, busy_before = time.perf_counter(), busy_seconds()
        result = _result(subject, process, timeout_s)
        busy, elapsed = busy_seconds() - busy_before, time.perf_counter() - before
    finally:
        if process.poll() is None:
            # With what it has started itself.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    stats = server.stats() if server else None
    server_cpu_s = stats["cpu_s"] - server_before if stats else 0.0
    return Measured(
        **{name: result[name] for name in ("items", "cpu_s", "wall_s", "peak_rss_mb")},
        server_cpu_s=server_cpu_s,
        stats=stats,
        result=result,
        others_busy=max(0.0, busy - result["cpu_s"] - server_cpu_s) / elapsed / CORES,
    )


def start_run(server: Loopback, phase: str) -> None:
    """Put a run in ``phase`` into the server's journal.

    Raises
    ------
    SubjectFailed
        It could not be written.
    """
    _prepare(server, "start_run", {"phase": phase})


def start_verification(server: Loopback, segments: int) -> None:
    """Put a verification of so many segments into the server's journal.

    Raises
    ------
    SubjectFailed
        It could not be written.
    """
    _prepare(server, "start_verification", {"segments": segments})


def _prepare(server: Loopback, function: str, task: Mapping[str, Any]) -> None:
    done = subprocess.run(
        [*python("", function).command, json.dumps(task)],
        cwd=ROOT,
        env=_environment(server),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SubjectFailed(f"{function} failed: {_last_line(done.stderr)}")


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
        **_function_environment(server.url if server else "http://127.0.0.1:9"),
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


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it printed nothing"


_DIRECTORY = Path(__file__).resolve().parent / "npm"

_PACKAGES = ("aws-sdk", "copy-dynamodb-table")

COPY_DYNAMODB_TABLE = "copy-dynamodb-table"
DIFF_TABLES = "diff-tables (rewritten)"


def copy_dynamodb_table() -> Subject | SubjectFailed:
    """Return the subject that copies, or the reason that it cannot run."""
    return _subject(COPY_DYNAMODB_TABLE, "copy.js")


def diff_tables() -> Subject | SubjectFailed:
    """Return the subject that compares, or the reason that it cannot run."""
    return _subject(DIFF_TABLES, "diff_tables.js")


def _subject(name: str, script: str) -> Subject | SubjectFailed:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return SubjectFailed("node and npm are not installed")
    if not all((_DIRECTORY / "node_modules" / package).is_dir() for package in _PACKAGES):
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=_DIRECTORY,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return SubjectFailed(f"npm ci failed in {_DIRECTORY.name}: it ended with {done.returncode}")
    return Subject(name, [node, str(_DIRECTORY / script)])


# More than any worker reads or writes: what is measured is the worker, not a rate limit.
_UNBOUND = "1000000000"


def _function_environment(url: str) -> dict[str, str]:
    """Return the variables that the functions get from Terraform, for an AWS at ``url``."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIABENCH",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "JOURNAL_TABLE": JOURNAL,
        "SOURCE_TABLE": SOURCE,
        "DESTINATION_TABLE": DESTINATION,
        "DESTINATION_REGION": "eu-west-1",
        "DESTINATION_ROLE_ARN": "arn:aws:iam::222222222222:role/copy",
        "DESTINATION_EXTERNAL_ID": "benchmark",
        "READ_CAPACITY": _UNBOUND,
        "WRITE_CAPACITY": _UNBOUND,
        "DESTINATION_READ_CAPACITY": _UNBOUND,
        "COPY_NAME": "benchmark",
        "STREAM_ARN": STREAM_ARN,
        "TOTAL_SEGMENTS": "1",
        "DRAINED_AFTER_SECONDS": "60",
        "RECONCILER_FUNCTION": "benchmark-reconciler",
    }
