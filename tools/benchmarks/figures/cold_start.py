"""cold_start: what each function imports before its first record, and how long that takes."""

from __future__ import annotations

import sys
import tempfile
import zipfile
from collections.abc import Iterator
from functools import partial
from statistics import median
from typing import Any

from tools.benchmarks.bench import Bench, ratio
from tools.benchmarks.events import Batches
from tools.benchmarks.figure import Figure, ours
from tools.benchmarks.loopback import loopback
from tools.benchmarks.server import ServerOptions
from tools.benchmarks.subject import ROOT, Measured, Subject, SubjectFailed, prepare, run

_ARCHIVE = ROOT / "lambda" / "dist" / "tablecopy.zip"
_SCRIPT = ROOT / "tools" / "benchmarks" / "subjects" / "cold_start.py"

_SHAPE = "medium"
_BARE = "import boto3"

# With the phase in which it works, if it is measured to its first answer.
_FUNCTIONS = {"replicator": "draining", "backfill": "slice", "control": None}


def measure(bench: Bench) -> Iterator[Figure]:
    """A figure for each function, against ``import boto3``. The ratio is of times: smaller is better."""
    with tempfile.TemporaryDirectory() as unpacked:
        zipfile.ZipFile(_ARCHIVE).extractall(unpacked)
        # Lambda's code directory cannot be written to, so that its modules are compiled at every start.
        environment = {"PYTHONPATH": f"{unpacked}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
        subject = Subject("cold start", [sys.executable, str(_SCRIPT)], environment)
        results = bench.interleaved(
            {
                _BARE: partial(run, subject, None, [{"module": "boto3", "event": None}]),
                **{function: partial(_start, bench, subject, function) for function in _FUNCTIONS},
            }
        )
    bare = results.pop(_BARE)
    for function, taken in results.items():
        yield _figure(function, taken, bare)


def _start(bench: Bench, subject: Subject, function: str) -> Measured:
    phase = _FUNCTIONS[function]
    task: dict[str, Any] = {"module": f"tablecopy.handlers.{function}", "event": None}
    with loopback(ServerOptions(_SHAPE, 1, bench.seed)) as server:
        if phase is not None:
            prepare("start_run", server, {"phase": phase, "segments": 1})
            batch = Batches(_SHAPE, bench.seed, records=1).event(1)
            task["event"] = batch if function == "replicator" else {"slice": 1, "segment": 0}
        measured = run(subject, server, [task])
    received = (measured.stats or {})["received"]["items"]
    if received != (phase is not None):
        raise SubjectFailed(f"{function} wrote {received} items at its start")
    return measured


def _figure(
    function: str, taken: list[Measured] | SubjectFailed, bare: list[Measured] | SubjectFailed
) -> Figure:
    for each in (taken, bare):
        if isinstance(each, SubjectFailed):
            return Figure("cold_start", None, _BARE, None, more={"function": function, "error": str(each)})
    assert not isinstance(taken, SubjectFailed)
    assert not isinstance(bare, SubjectFailed)
    modules = set(taken[0].results[0]["modules"])
    beyond = modules - set(bare[0].results[0]["modules"])
    middle, ratios = ratio(taken, bare, lambda one: one.results[0]["import_s"])
    more = {
        "function": function,
        "import_s": median(one.results[0]["import_s"] for one in taken),
        "baseline_import_s": median(one.results[0]["import_s"] for one in bare),
        "modules": len(modules),
        "modules_beyond_boto3": len(beyond),
        "own_modules": sum(name.split(".")[0] == "tablecopy" for name in modules),
        "ratios": ratios,
    }
    return Figure("cold_start", None, _BARE, middle, **ours(taken), more=more)
