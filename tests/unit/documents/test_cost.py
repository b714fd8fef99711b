"""The figures of docs/cost.md, calculated by what calculates a run's estimate."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from tablecopy.control.cost import (
    JOURNAL_WRITES_PER_BATCH,
    LONG_WINDOW_SECONDS,
    LONG_WINDOW_SHARDS,
    RECONCILER_SECONDS,
    Cost,
    costs,
    reconciler_use,
    replicator_use,
)
from tablecopy.control.estimate import Estimate, estimate
from tablecopy.settings import CopySettings, Prices
from tools.docs_tables.__main__ import REPOSITORY
from tools.docs_tables.cost import DESTINATION, GIVEN, SIZE, SOURCE, active

TEXT = (REPOSITORY / "docs/cost.md").read_text()
SAID = " ".join(TEXT.split())
PRICES = Prices()
READ_PRICE, WRITE_PRICE = PRICES.read_per_million / 1e6, PRICES.write_per_million / 1e6


@pytest.fixture(scope="module")
def run() -> Estimate:
    return estimate(SOURCE, DESTINATION, CopySettings())


@pytest.fixture(scope="module")
def bill(run: Estimate) -> list[Cost]:
    return costs(run, CopySettings(), GIVEN)


def row(what: str) -> tuple[float, float]:
    """Units and USD of a row of the example."""
    found = re.search(rf"^\| {re.escape(what)} \| ([\d,]+)[^|]* \| ([\d.]+) \|$", TEXT, re.MULTILINE)
    assert found is not None, what
    return float(found[1].replace(",", "")), float(found[2])


def test_the_rows_are_those_of_the_estimate(bill: list[Cost]) -> None:
    table = TEXT.partition("<!-- BEGIN example -->")[2].partition("<!-- END example -->")[0]
    assert re.findall(r"^\| ([^|]+) \| [\d,]+ ([^|]+) \| [\d.]+ \|$", table, re.MULTILINE) == [
        (cost.what, cost.unit) for cost in bill
    ]
    for cost in bill:
        assert row(cost.what) == (round(cost.units), round(cost.cost, 2)), cost.what
    assert f"| total |  | {sum(cost.cost for cost in bill):.2f} |" in table


def test_the_backfill(run: Estimate) -> None:
    assert f"{run.cost:.2f} USD for the backfill" in SAID
    assert f"The backfill takes {run.seconds / 3600:.0f} hours" in SAID
    assert run.limit == "workers"


def test_what_functions_and_journal_take(run: Estimate) -> None:
    assert f"the reconciler for {RECONCILER_SECONDS} s of each minute" in SAID
    words = {3: "three"}
    assert f"{words[JOURNAL_WRITES_PER_BATCH]} for each batch of changes" in SAID
    one = active(1, 1)
    both = [replicator_use(replace(one, changes_per_second=rate), 1) for rate in (1, 1_000)]
    seconds = [2 * use.gb_seconds for use in both]
    assert seconds == pytest.approx([0.1, 0.3], abs=0.001)
    assert "about 0.1 s for each batch and 0.2 ms for each change" in SAID


@pytest.mark.parametrize("shards", [10, 100, 1_000])
def test_a_day(shards: int) -> None:
    """The parts of the table sum up to what the functions use."""
    table = TEXT.partition("<!-- BEGIN daily -->")[2].partition("<!-- END daily -->")[0]
    header, _, *rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in table.strip().splitlines()
    ]
    column = header.index(f"{shards:,} shards")
    said = {line[0]: float(line[column].replace(",", "")) for line in rows}
    reconciler = reconciler_use(active(shards, 1), 86_400).price(PRICES)
    assert sum(usd for what, usd in said.items() if what.startswith("reconciler")) == pytest.approx(
        reconciler, abs=0.02
    )
    for window in (1, LONG_WINDOW_SECONDS):
        replicator = replicator_use(active(shards, window), 86_400).price(PRICES)
        name = f"replicator, window of {window} s"
        assert sum(usd for what, usd in said.items() if what.startswith(name)) == pytest.approx(
            replicator, abs=0.02
        )


def test_the_window_to_set() -> None:
    said = f"From about {LONG_WINDOW_SHARDS} active shards, set {LONG_WINDOW_SECONDS}."
    assert said in SAID


def test_the_prices_are_those_of_the_code() -> None:
    assert f"{PRICES.read_per_million} USD for a million read units" in SAID
    assert f"{PRICES.write_per_million} USD for a million write units" in SAID


def test_comparisons() -> None:
    eventually = math.ceil(3 * 2 * SIZE / 8192)
    consistently = math.ceil(2 * SIZE / 4096)
    assert row("`verify` three times while it runs") == (eventually, round(eventually * READ_PRICE, 2))
    assert row("`verify --writes-stopped`") == (consistently, round(consistently * READ_PRICE, 2))


def test_provisioned_capacity_instead(run: Estimate) -> None:
    capacity = {"ProvisionedThroughput": {"WriteCapacityUnits": 4_000}}
    indexes = [{**index, **capacity} for index in DESTINATION["GlobalSecondaryIndexes"]]
    slower = estimate(SOURCE, {**capacity, "GlobalSecondaryIndexes": indexes}, CopySettings())
    hours = math.ceil(slower.seconds / 3600)
    provisioned = 2 * 4000 * hours * 0.00065
    assert f"for {hours} hours" in SAID
    assert f"{provisioned:.0f} USD instead of {run.write_units * WRITE_PRICE:.0f}" in SAID
