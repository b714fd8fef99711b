"""The entry points: as Lambda starts them, and what they pass on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.tablecopy.data import test_backfill, test_redrive, test_replicator
from tests.unit.tablecopy.fakes import NOON, FakeAws, MemoryStore, record
from tests.unit.tablecopy.functions import COMMON, ENVIRONMENT, OWN, Context, backfill, replicator

LAMBDA = Path(__file__).parents[3] / "lambda"

# Imports the handler from the committed archive, and tells what came along.
IMPORT = """
import importlib, json, sys, time
began = time.perf_counter()
module = importlib.import_module(sys.argv[1])
print(json.dumps({
    "seconds": time.perf_counter() - began,
    "handler": callable(module.handle),
    "from": module.__file__,
    "boto3": "boto3" in sys.modules,
}))
"""


def start(function: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", IMPORT, f"tablecopy.handlers.{function}"],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "PYTHONPATH": str(LAMBDA / "dist" / "tablecopy.zip"), "PATH": os.environ["PATH"]},
    )


@pytest.mark.parametrize("function", OWN)
def test_it_starts_from_the_archive(function: str, tmp_path: Path) -> None:
    wanted = {name: ENVIRONMENT[name] for name in [*COMMON, *OWN[function]]}
    done = start(function, {**wanted, "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    came = json.loads(done.stdout)
    print(f"{function} imports in {came['seconds']:.2f} s")
    assert came["handler"]
    assert "tablecopy.zip" in came["from"]
    # A cold start of the functions on the hot path takes botocore and no more.
    assert came["boto3"] == (function in {"control", "reconciler"})


@pytest.mark.parametrize(
    ("function", "name"),
    [
        *(("reconciler", name) for name in ("JOURNAL_TABLE", "COPY_NAME", "STATE_MACHINE_ARN")),
        ("control", "JOURNAL_TABLE"),
    ],
)
def test_a_missing_setting_is_named(function: str, name: str, tmp_path: Path) -> None:
    rest = {key: value for key, value in ENVIRONMENT.items() if key != name}
    done = start(function, {**rest, "HOME": str(tmp_path)})
    assert done.returncode != 0
    assert f"KeyError: '{name}'" in done.stderr


def test_a_segment_is_copied_in_its_slice() -> None:
    store = MemoryStore()
    scene = test_backfill.Scene(store, test_backfill.items(10))
    handle = backfill.build(ENVIRONMENT, scene.clock, FakeAws(store, scene.destination, scene.source))
    assert handle({"run": "run", "slice": 3, "segment": 0}, Context()) == {"next": "stop"}
    assert handle({"run": "run", "slice": 2, "segment": 0}, Context()) == {"next": "done"}
    assert scene.copied() == test_backfill.items(10)


def test_dead_letters_are_redriven() -> None:
    store = MemoryStore()
    scene = test_redrive.Scene(store, [test_redrive.item("a")], ["a"])
    handle = backfill.build(ENVIRONMENT, scene.clock, FakeAws(store, scene.destination, scene.source))
    assert handle({"run": "run", "slice": 2, "segment": "letters"}, Context()) == {"next": "done"}
    assert scene.copied() == [test_redrive.item("a")]
    assert scene.open() == set()


def test_stream_records_are_applied() -> None:
    store = MemoryStore()
    scene = test_replicator.Scene(store)
    handle = replicator.build(ENVIRONMENT, scene.clock, FakeAws(store, scene.destination))
    records = [record(0, "a", {"N": "1"})]
    assert handle({"Records": records}, Context()) == {"batchItemFailures": []}
    assert test_replicator.value(scene, "a") == {"N": "1"}


def test_nothing_is_sent_near_the_end_of_the_invocation() -> None:
    class Late(Context):
        def get_remaining_time_in_millis(self) -> int:
            return 1_000

    store = MemoryStore()
    scene = test_replicator.Scene(store)
    handle = replicator.build(ENVIRONMENT, scene.clock, FakeAws(store, scene.destination))
    records = [record(0, "a", {"N": "1"})]
    number = records[0]["dynamodb"]["SequenceNumber"]
    assert handle({"Records": records}, Late()) == {"batchItemFailures": [{"itemIdentifier": number}]}
    assert scene.destination.calls == []


@pytest.mark.parametrize("side", ["READ_CAPACITY", "WRITE_CAPACITY"])
def test_the_capacity_that_is_set_limits_the_worker(side: str) -> None:
    store = MemoryStore()
    scene = test_backfill.Scene(store, test_backfill.items(100))
    environment = {**ENVIRONMENT, "READ_CAPACITY": "1e6", "WRITE_CAPACITY": "1e6", side: "10"}
    handle = backfill.build(environment, scene.clock, FakeAws(store, scene.destination, scene.source))
    assert handle({"run": "run", "slice": 2, "segment": 0}, Context()) == {"next": "done"}
    # 100 units at 10 a second, less what the last call owes.
    assert 7 <= scene.clock.now() - NOON <= 13
