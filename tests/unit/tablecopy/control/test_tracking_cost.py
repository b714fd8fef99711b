"""What it costs to track the keys that are written."""

from __future__ import annotations

import pytest

from tablecopy.control.cost import Circumstances
from tablecopy.control.tracking_cost import (
    ROUND_SECONDS,
    STEP_SECONDS,
    TRACKER_SECONDS,
    recheck_units,
    tracker_use,
    tracking_costs,
)
from tablecopy.settings import Prices
from tablecopy.tracker import tracker
from tests.unit.tablecopy.functions import tracker as handler

DAY = 86_400


def given(changes: float, shards: int) -> Circumstances:
    return Circumstances(changes_per_second=changes, shards=shards)


def test_the_times_are_those_of_the_tracker() -> None:
    assert (TRACKER_SECONDS, STEP_SECONDS) == (handler._TRACK_SECONDS, handler._EVERY_SECONDS)
    assert ROUND_SECONDS == tracker._ROUND_EVERY_SECONDS


def test_without_changes_it_costs_the_function_and_the_reads_of_the_lists() -> None:
    use = tracker_use(given(0, 1), 1_769, DAY)
    assert use.requests == 1_440
    assert use.gb_seconds == pytest.approx(1_440 * 55 * 1_769 / 1_024)
    assert use.journal_reads == pytest.approx(1_440 * 55 * (2 + 35 / 4))
    assert use.journal_writes < 100_000


@pytest.mark.parametrize(
    ("changes", "shards", "per_million"),
    # Measured by make bench ONLY=cutover, and at 100 shards by tools/simulation/stop.py.
    [(10, 1, 214_000), (500, 4, 41_000), (200, 100, 851_000)],
)
def test_writes_of_the_journal_are_near_what_was_measured(
    changes: float, shards: int, per_million: float
) -> None:
    use = tracker_use(given(changes, shards), 1_769, DAY)
    assert use.journal_writes / (2 * changes * DAY) * 1e6 == pytest.approx(per_million, rel=0.25)


def test_each_key_is_read_twice_from_each_table() -> None:
    assert recheck_units(1_000, 100) == 4_000
    assert recheck_units(1_000, 8_192) == 10_000


def test_the_parts_add_up() -> None:
    bill = tracking_costs(given(500, 4), 1_769, 500, Prices(), days=2)
    one = tracking_costs(given(500, 4), 1_769, 500, Prices())
    assert bill[0].what == "read written items again"
    assert sum(cost.cost for cost in bill) == pytest.approx(2 * sum(cost.cost for cost in one), rel=1e-3)
