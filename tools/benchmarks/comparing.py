"""A measurement of a comparison: a fresh server, the subject, and a check that it has read and found all."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from tools.benchmarks.loopback import loopback
from tools.benchmarks.server import ServerOptions
from tools.benchmarks.service import DESTINATION, SOURCE
from tools.benchmarks.subject import Measured, Subject, SubjectFailed, python, run

VERIFY = python("verify", "verify_command")
SCAN = python("boto3.resource scan", "boto3_resource_scan")
DEEPDIFF = python("boto3 and DeepDiff", "boto3_deepdiff")

SEGMENTS = 8

# On every machine, so that memory is that of as many everywhere.
PROCESSES = 2

# Many times what it takes.
_LEAST_TIMEOUT_SECONDS = 600
_SECONDS_PER_ITEM = 2e-4


def command(url: str) -> list[str]:
    """The command line of ``verify`` for both tables at ``url``; the directory for its work is to follow."""
    arguments = [sys.executable, "-m", "verify", "--format", "jsonl", "--writes-stopped"]
    for side, table in (("source", SOURCE), ("destination", DESTINATION)):
        arguments += [f"--{side}", table, f"--{side}-region", "eu-west-1", f"--{side}-endpoint-url", url]
    return [*arguments, "--segments", str(SEGMENTS), "--processes", str(PROCESSES), "--work-dir"]


def compare(subject: Subject, options: ServerOptions) -> Measured:
    """Have ``subject`` compare the tables that ``options`` describe, of which `SCAN` reads but the first.

    Raises
    ------
    SubjectFailed
        It ended with an error, has not read all items, or has not found what differs.
    """
    total = options.items if subject is SCAN else 2 * options.items
    with loopback(options) as server:
        task = {"items": total, "command": command(server.url)}
        measured = run(subject, server, [task], timeout_s=_LEAST_TIMEOUT_SECONDS + total * _SECONDS_PER_ITEM)
    read = min(measured.items, (measured.stats or {})["served"]["items"])
    if read < total or measured.items > total:
        raise SubjectFailed(f"{subject.name} did not read each item once: {read} of {total}")
    if subject is VERIFY:
        _check(measured.results[0], options)
    return measured


def _check(result: Mapping[str, Any], options: ServerOptions) -> None:
    """Hold what the command has said to what it was to find."""
    unpaired = options.items if options.copy == "disjoint" else 0
    expected = {
        "verdict": "different" if unpaired else "equal",
        "source_items": options.items,
        "destination_items": options.items,
        "missing": unpaired,
        "changed": 0,
        "extra": unpaired,
    }
    summary = result["summary"]
    for name, value in expected.items():
        if summary.get(name) != value:
            raise SubjectFailed(f"verify said {name} {summary.get(name)} where it is {value}")
    if result["lines"] <= 2 * unpaired:
        raise SubjectFailed(f"verify listed {result['lines'] - 1} of {2 * unpaired} differences")
