"""The example of docs/cost.md, reckoned by what reckons a run's estimate."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from reference.__main__ import REPOSITORY
from tablecopy.control.estimate import Estimate, estimate
from tablecopy.settings import ControlSettings
from tablecopy.wire import Json
from tests.unit.tablecopy.test_handlers import ENVIRONMENT

TEXT = (REPOSITORY / "docs/cost.md").read_text()
ITEMS, SIZE = 200_000_000, 100_000_000_000
READ_PRICE, WRITE_PRICE, GB_SECOND, STREAM_READ = 0.125e-6, 0.625e-6, 0.0000133334, 0.02 / 100_000
HOURS, DAYS = 14, 3


@pytest.fixture(scope="module")
def run() -> Estimate:
    on_demand: Json = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
    index = {
        "IndexName": "whole",
        "Projection": {"ProjectionType": "ALL"},
        "ProvisionedThroughput": on_demand,
    }
    return estimate(
        {"ItemCount": ITEMS, "TableSizeBytes": SIZE, "ProvisionedThroughput": on_demand},
        {"ProvisionedThroughput": on_demand, "GlobalSecondaryIndexes": [index]},
        replace(ControlSettings.from_environment(ENVIRONMENT), total_segments=16, concurrency=16),
    )


def row(what: str) -> tuple[float, float]:
    """Units and USD of a row of the example."""
    found = re.search(rf"^\| {re.escape(what)} \| ([\d,]+)[^|]* \| ([\d.]+) \|$", TEXT, re.MULTILINE)
    assert found is not None, what
    return float(found[1].replace(",", "")), float(found[2])


def test_the_backfill(run: Estimate) -> None:
    assert row("read the source") == (run.read_units, round(run.read_units * READ_PRICE, 2))
    units, cost = row("write the destination and its index")
    assert (units, cost) == (run.write_units, round(run.write_units * WRITE_PRICE, 2))
    assert f"{run.cost:.2f} USD for the backfill" in TEXT
    assert run.limit == "destination_on_demand"
    assert f"takes {math.ceil(run.seconds / 3600)} hours" in TEXT
    assert math.ceil(run.seconds / 3600) == HOURS


def test_changes_and_comparisons() -> None:
    assert row("20 million changes meanwhile") == (2 * 20e6, round(2 * 20e6 * WRITE_PRICE, 2))
    eventually = math.ceil(3 * 2 * SIZE / 8192)
    consistently = math.ceil(2 * SIZE / 4096)
    assert row("`verify` three times while it runs") == (eventually, round(eventually * READ_PRICE, 2))
    assert row("`verify --writes-stopped`") == (consistently, round(consistently * READ_PRICE, 2))


def test_functions_and_streams() -> None:
    workers, control = 16 * 0.5 * HOURS * 3600, 0.25 * DAYS * 86_400
    assert row("16 workers of 512 MB for 14 hours") == (workers, round(workers * GB_SECOND, 2))
    assert row("reconciler, 256 MB, for three days") == (control, round(control * GB_SECOND, 2))
    reads = 20 * DAYS * 86_400
    assert row("the reconciler's reads of 20 shards for three days") == (reads, round(reads * STREAM_READ, 2))


def test_provisioned_capacity_instead(run: Estimate) -> None:
    provisioned = 2 * 4000 * HOURS * 0.00065
    said = f"{provisioned:.0f} USD instead of {run.write_units * WRITE_PRICE:.0f}"
    assert said in " ".join(TEXT.split())
