"""What a sample of both tables shows, and how close the estimate made of it is to a run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.errors import UserError
from tests.unit.verify.conftest import MakeTable
from tests.unit.verify.service import FakeTable
from tests.unit.verify.world import item
from verify import measure as module
from verify.comparison.options import Options
from verify.comparison.run import compare
from verify.estimate import estimated
from verify.measure import DECODING_SECONDS, PAIRED_ROWS, Rates, measure
from verify.scan.table import Table
from verify.scan.workers import SideName


def pair_of(make_table: MakeTable, items: int, page_size: int) -> tuple[FakeTable, FakeTable]:
    made = [item("same", number, text={"S": "x" * 50}) for number in range(items)]
    return make_table(made, page_size=page_size), make_table(made, "destination", page_size=page_size)


def measured(
    source: FakeTable,
    destination: FakeTable,
    capacity: dict[SideName, float | None] | None = None,
    **more: Any,
) -> Rates:
    tables = {"source": source.table(), "destination": destination.table("destination")}
    how = {"segments": 4, "consistent": False, **more}
    return measure(tables, capacity=capacity or {}, **how)  # type: ignore[arg-type]


def scans(table: FakeTable) -> list[dict[str, Any]]:
    return [request for operation, request in table.calls if operation == "Scan"]


def test_one_page_of_each_segment_is_read(make_table: MakeTable) -> None:
    source, destination = pair_of(make_table, 400, page_size=10)
    rates = measured(source, destination)
    sample = rates.sides["source"]
    assert (sample.items, sample.page_items, sample.whole) == (40, 10, False)
    assert sample.units == 4 * source.units_per_page
    full = [request for request in scans(source) if "Limit" not in request]
    assert sorted(request["Segment"] for request in full) == [0, 1, 2, 3]
    # The others open the connections.
    assert all(request["Limit"] == 1 for request in scans(source) if request not in full)
    assert all(seconds > 0 for seconds in rates.item_seconds.values())
    assert rates.pair_item_seconds > 0


@pytest.mark.parametrize("segments", [8, 256])
def test_a_sample_stays_small(make_table: MakeTable, segments: int) -> None:
    source, destination = pair_of(make_table, 400, page_size=5)
    measured(source, destination, segments=segments)
    assert len(scans(source)) == len(scans(destination)) == 16
    assert {request["TotalSegments"] for request in scans(source)} == {segments}


def test_more_segments_than_are_sampled_may_hold_more(make_table: MakeTable) -> None:
    source, destination = pair_of(make_table, 3, page_size=5)
    assert measured(source, destination, segments=8).sides["source"].whole
    assert not measured(source, destination, segments=9).sides["source"].whole


def test_it_takes_no_more_than_a_second_of_what_is_allowed(make_table: MakeTable) -> None:
    source, destination = pair_of(make_table, 400, page_size=100)
    # 10 units are 80 KB eventually consistent: 20 KB for each of four segments, 200 items of 100 B.
    measured(source, destination, {"source": 10.0})
    assert {request["Limit"] for request in scans(source)} == {1, 204}
    assert [request for request in scans(destination) if "Limit" not in request] != []


def test_empty_tables(make_table: MakeTable) -> None:
    rates = measured(make_table(), make_table((), "destination"))
    assert rates.sides["source"].whole
    assert (rates.sides["source"].items, rates.pair_item_seconds) == (0, 0.0)


def test_latency_is_that_of_a_page(make_table: MakeTable) -> None:
    source, destination = pair_of(make_table, 400, page_size=10)
    source.before = waiting(0.05)
    rates = measured(source, destination)
    assert rates.sides["source"].page_seconds >= 0.05
    assert rates.sides["source"].page_seconds > rates.sides["destination"].page_seconds


def test_what_is_no_page_is_an_error_of_its_side(make_table: MakeTable) -> None:
    source, destination = pair_of(make_table, 10, page_size=10)
    broken = Table(Side("destination"), lambda operation, body: b"<html>", destination.description())
    tables: dict[SideName, Table] = {"source": source.table(), "destination": broken}
    with pytest.raises(UserError, match=r"^destination: .*Scan is not DynamoDB's") as raised:
        measure(tables, segments=4, consistent=False, capacity={})
    assert raised.value.side == "destination"


def waiting(seconds: float) -> Callable[[str], None]:
    """The latency of a network: what one call waits for, another does not."""
    return lambda operation: threading.Event().wait(seconds) and None


@pytest.mark.parametrize(
    ("limit", "latency", "changes"),
    [
        ("source_pages", 0.1, {}),
        ("source_read_capacity", 0.0, {"read_capacity": {"source": 20.0, "destination": None}}),
    ],
)
def test_the_estimate_is_within_a_factor_of_two_of_the_run(
    make_table: MakeTable,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    latency: float,
    changes: dict[str, Any],
) -> None:
    # The sample is as long as an operator's.
    monkeypatch.setattr(module, "DECODING_SECONDS", DECODING_SECONDS)
    monkeypatch.setattr(module, "PAIRED_ROWS", PAIRED_ROWS)
    source, destination = pair_of(make_table, 400, page_size=5)
    source.before = waiting(latency)
    # Ten items are 8 KB, which is as much as the budget makes a page.
    source.item_bytes = destination.item_bytes = 819
    source.units_per_page = destination.units_per_page = 1.0
    options = Options(writes_stopped=True, **changes)
    found = estimated(source.table(), destination.table("destination"), options, start_up_seconds=0.0)
    began = time.perf_counter()
    assert compare(source.table(), destination.table("destination"), options).verdict == "equal"
    took = time.perf_counter() - began
    print(f"estimated {found.seconds} s, took {took:.1f} s")
    assert found.limit == limit
    assert took / 2 < found.seconds < took * 2
