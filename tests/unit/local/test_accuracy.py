"""How close an estimate came, with the waits that it gives apart."""

from __future__ import annotations

from typing import Any

import pytest

from local.demo.accuracy import is_close, ratio
from tests.unit.verify.report.comparisons import EQUAL
from tests.unit.verify.test_estimate import of

ESTIMATE: dict[str, Any] = {**of(lag_seconds=15.0).record(), "seconds": 4.0}
SUMMARY: dict[str, Any] = list(EQUAL.records())[-1]


@pytest.mark.parametrize(
    ("generations", "wall", "expected"), [(0, 4.0, 1.0), (1, 2.0, 2.0), (2, 19.0, 1.0), (3, 17.0, 2.0)]
)
def test_rechecks_that_wait_count(generations: int, wall: float, expected: float) -> None:
    assert ratio(ESTIMATE, {**SUMMARY, "generations": generations}, wall) == expected


@pytest.mark.parametrize(
    ("wall", "close"), [(1.9, False), (2.1, True), (4.0, True), (7.9, True), (8.1, False)]
)
def test_within_a_factor_of_two(wall: float, close: bool) -> None:
    assert is_close(ESTIMATE, {**SUMMARY, "generations": 0}, wall) is close


def test_other_records_are_refused() -> None:
    with pytest.raises(ValueError, match="pass the record of verify estimate"):
        ratio(SUMMARY, ESTIMATE, 1.0)
