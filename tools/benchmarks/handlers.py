"""The functions as Lambda calls them: the replicator's batches, and how each function starts."""

from __future__ import annotations

import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from statistics import median
from typing import Any

from tools.benchmarks.figures import Bench, Figure, compared, ours, ratio
from tools.benchmarks.items import BATCH_RECORDS, HOT_NUMBER, SHAPES, Batches, checksum
from tools.benchmarks.server import ServerOptions, loopback
from tools.benchmarks.subject import ROOT, Measured, Subject, SubjectFailed, python, run, start_run
from tools.benchmarks.subjects import WARM_BATCH, WARM_RECORDS

DELAY_MS = 5

TABLECOPY = python("tablecopy", "tablecopy_replicator")
ARTICLE = python("article", "article_replicator")

# The article's handler needs about as long for one batch as ours for all of these.
_BATCHES = {TABLECOPY.name: 20, ARTICLE.name: 1}

_HOT_RECORDS = BATCH_RECORDS // 2


def measure_replicator(bench: Bench) -> Iterator[Figure]:
    """Yield two figures for each shape, wall clock and CPU, and one for the writes of a hot key."""
    for shape in SHAPES:
        batches = Batches(shape, bench.seed)
        results = bench.interleaved(
            {
                subject.name: partial(apply, subject, batches, _BATCHES[subject.name])
                for subject in (TABLECOPY, ARTICLE)
            }
        )
        mine, article = results[TABLECOPY.name], (ARTICLE.name, results[ARTICLE.name])
        yield compared(
            "replicator_wall", shape, mine, article, lambda one: one.items_per_wall_s, delay_ms=DELAY_MS
        )
        yield compared(
            "replicator_cpu", shape, mine, article, lambda one: one.items_per_cpu_s, delay_ms=DELAY_MS
        )
    yield _hot_key(bench)


def _hot_key(bench: Bench) -> Figure:
    name, shape, baseline = "replicator_hot_key", "medium", "one write"
    batches = Batches(shape, bench.seed, hot=_HOT_RECORDS)
    taken = replace(bench, repetitions=1).interleaved({"hot key": partial(apply, TABLECOPY, batches, 1)})
    measured = taken["hot key"]
    if isinstance(measured, SubjectFailed):
        return Figure(name, shape, baseline, None, more={"error": str(measured)})
    writes = (measured[0].stats or {})["watched_writes"]
    more = {"hot_key_records": _HOT_RECORDS, "hot_key_writes": writes, "delay_ms": DELAY_MS}
    return Figure(name, shape, baseline, writes, **ours(measured), more=more)


def apply(subject: Subject, batches: Batches, number: int) -> Measured:
    """Have ``subject`` apply ``number`` batches.

    Raises
    ------
    SubjectFailed
        It ended with an error, or did not write each key exactly once.
    """
    removals = subject is TABLECOPY
    events = [replace(batches, records=WARM_RECORDS, hot=0).event(WARM_BATCH)]
    events += [batches.event(one) for one in range(1, number + 1)]
    sums = [checksum(event, removals=removals) for event in events]
    expected = sum(items for items, _ in sums), sum(numbers for _, numbers in sums)
    task = {"of": asdict(batches), "batches": number}
    with loopback(ServerOptions(batches.shape, 1, batches.seed, DELAY_MS, HOT_NUMBER)) as server:
        if subject is TABLECOPY:
            start_run(server, "draining")
        measured = run(subject, server, task)
    received = (measured.stats or {})["received"]
    if (received["items"], received["sum"]) != expected:
        raise SubjectFailed(
            f"{subject.name} did not write each key once: {received['items']} writes of {expected[0]}"
        )
    return measured


_ARCHIVE = ROOT / "lambda" / "dist" / "tablecopy.zip"
# As a file: to run it as a module would import much before.
_SUBJECTS = ROOT / "tools" / "benchmarks" / "subjects.py"

_START_SHAPE = "medium"
_BARE = "import boto3"

# With the phase in which it works, if it is measured to its first answer.
FUNCTIONS = {"replicator": "draining", "backfill": "slice", "control": None}


def measure_cold_start(bench: Bench) -> Iterator[Figure]:
    """Yield a figure for each function: seconds of its imports over those of ``import boto3``."""
    with tempfile.TemporaryDirectory() as unpacked:
        zipfile.ZipFile(_ARCHIVE).extractall(unpacked)
        # Lambda's code directory cannot be written to, so that its modules are compiled at every start.
        environment = {"PYTHONPATH": f"{unpacked}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
        subject = Subject("cold start", [sys.executable, str(_SUBJECTS), "cold_start"], environment)
        results = bench.interleaved(
            {
                _BARE: partial(run, subject, None, {"module": "boto3", "event": None}),
                **{function: partial(start, subject, function, bench.seed) for function in FUNCTIONS},
            }
        )
    bare = results.pop(_BARE)
    for function, taken in results.items():
        yield _cold_start_figure(function, taken, bare)


def start(subject: Subject, function: str, seed: int) -> Measured:
    """Have ``subject`` start ``function``, with a first record or item unless it is control.

    Raises
    ------
    SubjectFailed
        It ended with an error, or did not write that item.
    """
    phase = FUNCTIONS[function]
    task: dict[str, Any] = {"module": f"tablecopy.handlers.{function}", "event": None}
    with loopback(ServerOptions(_START_SHAPE, 1, seed)) as server:
        if phase is not None:
            start_run(server, phase)
            batch = Batches(_START_SHAPE, seed, records=1).event(1)
            segment = {"run": "benchmark", "slice": 1, "segment": 0}
            task["event"] = batch if function == "replicator" else segment
        measured = run(subject, server, task)
    received = (measured.stats or {})["received"]["items"]
    if received != (phase is not None):
        raise SubjectFailed(f"{function} wrote {received} items at its start")
    return measured


def _cold_start_figure(
    function: str, taken: list[Measured] | SubjectFailed, bare: list[Measured] | SubjectFailed
) -> Figure:
    for each in (taken, bare):
        if isinstance(each, SubjectFailed):
            return Figure("cold_start", None, _BARE, None, more={"function": function, "error": str(each)})
    assert not isinstance(taken, SubjectFailed)
    assert not isinstance(bare, SubjectFailed)
    modules = set(taken[0].result["modules"])
    beyond = modules - set(bare[0].result["modules"])
    middle, ratios = ratio(taken, bare, lambda one: one.result["import_s"])
    more = {
        "function": function,
        "import_s": median(one.result["import_s"] for one in taken),
        "baseline_import_s": median(one.result["import_s"] for one in bare),
        "modules": len(modules),
        "modules_beyond_boto3": len(beyond),
        "own_modules": sum(name.split(".")[0] == "tablecopy" for name in modules),
        "ratios": ratios,
    }
    return Figure("cold_start", None, _BARE, middle, **ours(taken), more=more)
