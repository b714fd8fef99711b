"""The example of docs/cost.md, calculated by what calculates a run's estimate."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from tablecopy.control.estimate import Circumstances, Cost, Estimate, costs, estimate
from tablecopy.dynamodb.client import Json
from tablecopy.settings import CopySettings, Prices
from tools.docs_tables.__main__ import REPOSITORY

TEXT = (REPOSITORY / "docs/cost.md").read_text()
ITEMS, SIZE = 200_000_000, 100_000_000_000
PRICES = Prices()
READ_PRICE, WRITE_PRICE = PRICES.read_per_million / 1e6, PRICES.write_per_million / 1e6
HOURS, DAYS = 14, 3
GIVEN = Circumstances(changes_per_second=20e6 / (DAYS * 86_400), shards=20, days=DAYS, nat=True)


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
        CopySettings(),
    )


@pytest.fixture(scope="module")
def bill(run: Estimate) -> list[Cost]:
    return costs(run, CopySettings(), GIVEN)


def row(what: str) -> tuple[float, float]:
    """Units and USD of a row of the example."""
    found = re.search(rf"^\| {re.escape(what)} \| ([\d,]+)[^|]* \| ([\d.]+) \|$", TEXT, re.MULTILINE)
    assert found is not None, what
    return float(found[1].replace(",", "")), float(found[2])


def test_the_rows_are_those_of_the_estimate(bill: list[Cost]) -> None:
    table = TEXT.partition("## An example")[2].partition("That is")[0]
    assert re.findall(r"^\| ([^|]+) \| [\d,]+ ([^|]+) \| [\d.]+ \|$", table, re.MULTILINE) == [
        (cost.what, cost.unit) for cost in bill
    ]
    for cost in bill:
        assert row(cost.what) == (round(cost.units), round(cost.cost, 2)), cost.what
    assert f"That is {sum(cost.cost for cost in bill):.2f} USD" in TEXT


def test_the_backfill(run: Estimate) -> None:
    assert f"{run.cost:.2f} USD for the backfill" in " ".join(TEXT.split())
    assert run.limit == "destination_on_demand"
    assert f"takes {math.ceil(run.seconds / 3600)} hours" in TEXT
    assert math.ceil(run.seconds / 3600) == HOURS


def test_the_prices_are_those_of_the_code() -> None:
    said = " ".join(TEXT.split())
    assert f"{PRICES.read_per_million} USD for a million read units" in said
    assert f"{PRICES.write_per_million} USD for a million write units" in said


def test_comparisons() -> None:
    eventually = math.ceil(3 * 2 * SIZE / 8192)
    consistently = math.ceil(2 * SIZE / 4096)
    assert row("`verify` three times while it runs") == (eventually, round(eventually * READ_PRICE, 2))
    assert row("`verify --writes-stopped`") == (consistently, round(consistently * READ_PRICE, 2))


def test_a_longer_window_makes_fewer_batches(run: Estimate) -> None:
    """A fifth of the shards that make a batch each second is a fifth of the batches."""
    quiet = replace(GIVEN, shards=4)
    replicator = {cost.what: cost.units for cost in costs(run, CopySettings(), quiet)}["replicator function"]
    assert replicator == pytest.approx(row("replicator function")[0] / 5)


def test_provisioned_capacity_instead(run: Estimate) -> None:
    provisioned = 2 * 4000 * HOURS * 0.00065
    said = f"{provisioned:.0f} USD instead of {run.write_units * WRITE_PRICE:.0f}"
    assert said in " ".join(TEXT.split())
