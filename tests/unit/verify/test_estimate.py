"""Estimates: units, money and time of a comparison, and what limits the speed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tablecopy.settings import Prices
from verify.estimate import (
    DEFAULT_CURRENCY,
    DEFAULT_PRICE_PER_MILLION,
    Estimate,
    Plan,
    estimate,
)
from verify.measure import Rates, SideSample
from verify.scan.workers import SideName

PLAN = Plan(writes_stopped=False, segments=4, of=4, processes=1, lag_seconds=15.0, read_capacity={})
# Pages that arrive at once, and a core that takes no time: no test that sets neither is limited by them.
SAMPLE = SideSample(
    items=100, units=50.0, whole=False, page_items=250.0, page_seconds=1e-6, item_bytes=4096.0
)
FAST: dict[SideName, float] = {"source": 1e-9, "destination": 1e-9}


def table(items: int = 1000, size: int = 4096 * 1000, **changes: Any) -> dict[str, Any]:
    return {"ItemCount": items, "TableSizeBytes": size, **changes}


def provisioned(units: int) -> dict[str, Any]:
    return {"ProvisionedThroughput": {"ReadCapacityUnits": units, "WriteCapacityUnits": 1}}


def of(
    source: Any = None,
    destination: Any = None,
    *,
    samples: tuple[SideSample, SideSample] = (SAMPLE, SAMPLE),
    item_seconds: dict[SideName, float] = FAST,
    pair: float = 0.0,
    cores: int = 2,
    start_up_seconds: float = 0.0,
    price_per_million: float = DEFAULT_PRICE_PER_MILLION,
    currency: str = DEFAULT_CURRENCY,
    **changes: Any,
) -> Estimate:
    return estimate(
        {"source": source or table(), "destination": destination or table()},
        replace(PLAN, **changes),
        Rates({"source": samples[0], "destination": samples[1]}, item_seconds, pair),
        price_per_million=price_per_million,
        currency=currency,
        start_up_seconds=start_up_seconds,
        cores=cores,
    )


def test_the_default_price_is_that_of_the_copy() -> None:
    prices = Prices()
    assert (prices.read_per_million, prices.currency) == (DEFAULT_PRICE_PER_MILLION, DEFAULT_CURRENCY)


@pytest.mark.parametrize(
    ("size", "writes_stopped", "units"),
    [
        (0, True, 4),
        (0, False, 2),
        (1, True, 5),
        (4096, True, 5),
        (4097, True, 6),
        (4096 * 1000, True, 1004),
        (4096 * 1000, False, 502),
    ],
)
def test_units_are_a_half_or_a_whole_for_4_kb_and_a_page_for_each_segment(
    size: int, writes_stopped: bool, units: float
) -> None:
    result = of(table(size=size), writes_stopped=writes_stopped)
    assert result.source.units == units
    assert (result.source.items, result.source.bytes, result.source.counted) == (1000, size, "aws")


def test_money_is_for_tables_on_demand() -> None:
    result = of(price_per_million=2000.0)
    assert (result.source.cost, result.destination.cost, result.cost) == (1.004, 1.004, 2.008)
    # A table on demand reports provisioned units of 0.
    assert of(table(**provisioned(0))).source.cost is not None
    one_provisioned = of(table(**provisioned(10)), price_per_million=2000.0)
    assert (one_provisioned.source.cost, one_provisioned.cost) == (None, 1.004)
    both = of(table(**provisioned(10)), table(**provisioned(10)))
    assert both.cost is None


def test_a_provisioned_table_tells_the_share_of_its_units() -> None:
    result = of(table(**provisioned(100)), table(**provisioned(1004)))
    assert (result.limit, result.seconds) == ("source_provisioned", 5.0)
    assert (result.source.provisioned, result.source.share) == (100, 1)
    assert (result.destination.provisioned, result.destination.share) == (1004, 0.0996)
    slow = of(table(**provisioned(100)), read_capacity={"source": 20.0})
    assert slow.source.share == 0.2
    assert (of().source.provisioned, of().source.share) == (None, None)


@pytest.mark.parametrize(
    ("source", "destination", "changes", "limit", "reason", "seconds"),
    [
        (
            {},
            {},
            {"item_seconds": {"source": 0.01, "destination": 0.01}},
            "this_machine",
            "this machine (1 process, 100 items per second)",
            20.0,
        ),
        (
            {},
            {},
            {"item_seconds": {"source": 0.01, "destination": 0.01}, "processes": 8},
            "this_machine",
            "this machine (2 processes, 200 items per second)",
            10.0,
        ),
        (
            {},
            {},
            {"samples": (SAMPLE, replace(SAMPLE, page_items=10.0, page_seconds=0.2))},
            "destination_pages",
            "200 ms with 4 at a time (raise --segments",
            5.0,
        ),
        (
            {},
            {},
            {"read_capacity": {"source": 50.2, "destination": 100.0}},
            "source_read_capacity",
            "--source-read-capacity, 50.2 units per second",
            10.0,
        ),
        (
            {},
            {},
            {"read_capacity": {"destination": 25.1}},
            "destination_read_capacity",
            "--destination-read-capacity, 25.1 units per second",
            20.0,
        ),
        (
            {},
            provisioned(251),
            {},
            "destination_provisioned",
            "the destination's provisioned capacity, 251 read units per second",
            2.0,
        ),
        (
            provisioned(251),
            {},
            {"read_capacity": {"source": 502.0}},
            "source_provisioned",
            "the source's provisioned capacity, 251 read units per second",
            2.0,
        ),
        (
            {"OnDemandThroughput": {"MaxReadRequestUnits": 251, "MaxWriteRequestUnits": -1}},
            {"OnDemandThroughput": {"MaxReadRequestUnits": -1}},
            {},
            "source_on_demand_maximum",
            "the source's on-demand maximum, 251 read units per second",
            2.0,
        ),
        (
            {"TableSizeBytes": 4096 * 240_000},
            {"TableSizeBytes": 4096 * 240_000, "WarmThroughput": {"ReadUnitsPerSecond": 30_000}},
            {"segments": 16, "of": 16},
            "source_on_demand",
            "the source's warm throughput, 12,000 read units per second",
            10.0,
        ),
        (
            {"TableSizeBytes": 4096 * 240_000},
            {},
            {"segments": 2, "of": 2},
            "source_on_demand",
            "the source's partitions, 2 in parallel, 6,000 read units per second",
            20.0,
        ),
    ],
)
def test_the_slowest_bound_is_the_limit_and_is_named(
    source: Any, destination: Any, changes: dict[str, Any], limit: str, reason: str, seconds: float
) -> None:
    result = of(table(**source), table(**destination), **changes)
    assert (result.limit, result.seconds) == (limit, seconds)
    assert reason in result.limit_reason


def test_segments_beyond_the_threads_take_turns() -> None:
    slow = replace(SAMPLE, page_items=1000.0, page_seconds=1.0)
    assert of(samples=(slow, SAMPLE), segments=16, of=16).seconds == 1.0
    assert of(samples=(slow, SAMPLE), segments=32, of=32).seconds == 2.0
    assert of(samples=(slow, SAMPLE), segments=32, of=32, processes=2).seconds == 1.0


def test_starting_up_and_pairing_count() -> None:
    result = of(start_up_seconds=1.5, pair=0.002)
    assert (result.start_up_seconds, result.pairing_seconds, result.seconds) == (1.5, 2.0, 3.5)
    assert result.limit == "this_machine"
    assert "pairs the rows" in result.limit_reason
    small = of(start_up_seconds=1.5)
    assert (small.limit, small.seconds) == ("start_up", 1.5)


def test_processes_start_up_as_this_one_did() -> None:
    assert of(start_up_seconds=1.0, processes=2).start_up_seconds == 2.0
    # More of them than there are cores wait for each other.
    assert of(start_up_seconds=1.0, processes=4).start_up_seconds == 3.0


def test_a_part_of_the_segments_is_a_part_of_the_tables() -> None:
    result = of(segments=5, of=100)
    assert (result.source.items, result.source.bytes) == (50, 204_800)


def test_a_table_read_to_its_end_is_counted_by_that() -> None:
    whole = replace(SAMPLE, items=7, whole=True, item_bytes=100.0)
    result = of(table(0, 0), table(), samples=(whole, SAMPLE))
    assert (result.source.items, result.source.bytes, result.source.counted) == (7, 700, "sample")
    assert any("source was counted by reading all of it" in line for line in result.lines())


def test_a_table_that_aws_has_not_counted_is_taken_to_be_like_the_other() -> None:
    result = of(table(), table(0, 0))
    assert (result.destination.items, result.destination.counted) == (1000, "other_table")
    assert any("AWS has not counted the destination yet" in line for line in result.lines())


def test_where_neither_is_counted_the_estimate_is_a_least() -> None:
    result = of(table(0, 0), table(0, 0))
    assert (result.source.items, result.source.counted) == (100, "at_least")
    assert any("at least" in line and "The limit is" in line for line in result.lines())


def test_rechecks_wait_while_there_are_writes() -> None:
    assert of(lag_seconds=20.0).recheck_seconds == 20.0
    assert of(lag_seconds=20.0, writes_stopped=True).recheck_seconds == 0.0


def test_record() -> None:
    side = {"items": 1000, "bytes": 4_096_000, "counted": "aws", "units": 502.0}
    assert of(table(), table(**provisioned(251))).record() == {
        "type": "estimate",
        "source": {**side, "cost": 0.000063, "provisioned": None, "share": None},
        "destination": {**side, "cost": None, "provisioned": 251.0, "share": 1.0},
        "cost": 0.000063,
        "currency": "USD",
        "seconds": 2.0,
        "start_up_seconds": 0.0,
        "reading_seconds": 2.0,
        "pairing_seconds": 0.0,
        "recheck_seconds": 15.0,
        "limit": "destination_provisioned",
        "limit_reason": "the destination's provisioned capacity, 251 read units per second",
        "sampled_units": 100.0,
        "writes_stopped": False,
    }


def test_lines() -> None:
    big = table(32_605_000, 16_000_000_000)
    slow: dict[SideName, float] = {"source": 1 / 50_000, "destination": 1 / 50_000}
    assert list(of(big, table(1, 100, **provisioned(20_000)), item_seconds=slow, pair=1e-6).lines()) == [
        "  estimate   source       32,605,000 items, 16.0 GB: 1,953,127 read units, about 0.24 USD",
        "             destination  1 item, 100 bytes: 2.5 read units, 0% of its 20,000 provisioned read "
        "units per second",
        "             about 11 min 25 s. The limit is this machine (1 process, 50,000 items per second).",
        "             Parts: start-up 0 s, reading 10 min 52 s, pairing 33 s.",
        "             Each recheck of differing keys takes another 15 s.",
        "             The measurement used 100 read units.",
    ]


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"currency": "\x1b[2J"}, "\\x1b[2J"),
        ({"price_per_million": 0.1}, "less than 0.01 USD"),
        ({"price_per_million": 0.01e6 / 502}, "about 0.01 USD"),
        ({"item_seconds": {"source": 5.0, "destination": 5.0}}, "about 2 h 4"),
        ({"item_seconds": {"source": 0.01, "destination": 0.01}}, "about 20 s"),
    ],
)
def test_lines_say(changes: dict[str, Any], part: str) -> None:
    lines = list(of(**changes).lines())
    assert part in "\n".join(lines)
    assert all(line.isprintable() for line in lines)
