"""Estimates: units, money and time before anything is read, and what bounds the speed."""

from __future__ import annotations

from typing import Any

import pytest

from tablecopy.settings import Prices
from verify.estimate import DEFAULT_CURRENCY, DEFAULT_PRICE_PER_MILLION, Estimate, estimate


def table(items: int = 1000, size: int = 4096 * 1000, **changes: Any) -> dict[str, Any]:
    return {"ItemCount": items, "TableSizeBytes": size, **changes}


def provisioned(units: int) -> dict[str, Any]:
    return {"ProvisionedThroughput": {"ReadCapacityUnits": units, "WriteCapacityUnits": 1}}


def of(source: Any = None, destination: Any = None, **changes: Any) -> Estimate:
    arguments: dict[str, Any] = {
        "writes_stopped": False,
        "read_capacity": {"source": None, "destination": None},
        "price_per_million": DEFAULT_PRICE_PER_MILLION,
        "currency": DEFAULT_CURRENCY,
        "segments": 4,
        "items_per_second": 1_000_000,
        **changes,
    }
    return estimate(source or table(), destination or table(), **arguments)


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
    assert (result.source.items, result.source.bytes) == (1000, size)


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
        ({}, {}, {"items_per_second": 100}, "this_machine", "this machine, 100 items a second", 20.0),
        (
            {},
            {},
            {"read_capacity": {"source": 50.2, "destination": 100.0}},
            "source_read_capacity",
            "--source-read-capacity, 50.2 units a second",
            10.0,
        ),
        (
            {},
            {},
            {"read_capacity": {"destination": 25.1}},
            "destination_read_capacity",
            "--destination-read-capacity, 25.1 units a second",
            20.0,
        ),
        (
            {},
            provisioned(251),
            {},
            "destination_provisioned",
            "what the destination has provisioned, 251 read units a second",
            2.0,
        ),
        (
            provisioned(251),
            {},
            {"read_capacity": {"source": 502.0}},
            "source_provisioned",
            "what the source has provisioned, 251 read units a second",
            2.0,
        ),
        (
            {"OnDemandThroughput": {"MaxReadRequestUnits": 251, "MaxWriteRequestUnits": -1}},
            {"OnDemandThroughput": {"MaxReadRequestUnits": -1}},
            {},
            "source_on_demand_maximum",
            "the source's maximum on demand, 251 read units a second",
            2.0,
        ),
    ],
)
def test_the_slowest_bound_is_the_limit_and_is_named(
    source: Any, destination: Any, changes: dict[str, Any], limit: str, reason: str, seconds: float
) -> None:
    result = of(table(**source), table(**destination), **changes)
    assert (result.limit, result.limit_reason, result.seconds) == (limit, reason, seconds)


def test_empty_tables_take_no_time() -> None:
    nothing = of(table(0, 0), table(0, 0))
    assert (nothing.seconds, nothing.limit) == (0.0, "this_machine")


def test_record() -> None:
    side = {"items": 1000, "bytes": 4_096_000, "units": 502.0}
    assert of(table(), table(**provisioned(251))).record() == {
        "type": "estimate",
        "source": {**side, "cost": 0.000063, "provisioned": None, "share": None},
        "destination": {**side, "cost": None, "provisioned": 251.0, "share": 1.0},
        "cost": 0.000063,
        "currency": "USD",
        "seconds": 2.0,
        "limit": "destination_provisioned",
        "limit_reason": "what the destination has provisioned, 251 read units a second",
        "writes_stopped": False,
    }


def test_lines() -> None:
    big = table(32_605_000, 16_000_000_000)
    assert list(of(big, table(1, 100, **provisioned(20_000)), items_per_second=50_000).lines()) == [
        "  estimate   source       32,605,000 items, 16,000.0 MB: 1,953,127 read units, about 0.24 USD",
        "             destination  1 item, 0.0 MB: 2 read units, 0% of the 20,000 units a second that it has "
        "provisioned",
        "             11 min of reading; the limit is this machine, 50,000 items a second",
        "             counts are AWS's, up to six hours old; keys that differ are read again on top",
    ]


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"currency": "\x1b[2J"}, "\\x1b[2J"),
        ({"price_per_million": 0.1}, "less than 0.01 USD"),
        ({"price_per_million": 0.01e6 / 502}, "about 0.01 USD"),
        ({"writes_stopped": True}, "of consistent reading;"),
        ({"items_per_second": 0.2}, "2.8 h of reading"),
        ({"items_per_second": 100}, "20 s of reading"),
    ],
)
def test_lines_say(changes: dict[str, Any], part: str) -> None:
    lines = list(of(**changes).lines())
    assert part in "\n".join(lines)
    assert all(line.isprintable() for line in lines)
