"""What of DynamoDB's answers is counted, and for which table and index."""

from __future__ import annotations

from typing import Any

import pytest

from tablecopy.metrics.buffer import Meter
from tablecopy.throughput.usage import reads, writes
from tests.unit.tablecopy.fakes import FakeClock, client_error
from tests.unit.tablecopy.published import Published, published

INDEX = "arn:aws:dynamodb:eu-west-1:222222222222:table/copy/index/by-date"


@pytest.fixture
def meter(clock: FakeClock) -> Meter:
    return Meter(clock, "move")


def told(meter: Meter, capsys: pytest.CaptureFixture[str]) -> Published:
    meter.publish()
    return published(capsys.readouterr().out)


def test_a_tables_units_hold_those_of_its_indexes(meter: Meter, capsys: pytest.CaptureFixture[str]) -> None:
    capacity = {
        "TableName": "copy",
        "CapacityUnits": 6.0,
        "Table": {"CapacityUnits": 3.0},
        "GlobalSecondaryIndexes": {"by-date": {"CapacityUnits": 2.0}},
        "LocalSecondaryIndexes": {"by-size": {"CapacityUnits": 1.0}},
    }
    assert writes(meter, "copy").consumed([capacity]) == 6.0
    assert told(meter, capsys) == {
        "ConsumedWriteUnits": {"copy": [6], "copy/by-date": [2], "copy/by-size": [1]}
    }


def test_an_answer_that_says_nothing_of_units(meter: Meter, capsys: pytest.CaptureFixture[str]) -> None:
    assert reads(meter, "source").consumed([]) == 0.0
    assert told(meter, capsys) == {}


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ([], {"copy": [1]}),
        ([{"reason": "AccountLimitExceeded"}], {"copy": [1]}),
        ([{"reason": "table", "resource": INDEX.split("/index/")[0]}], {"copy": [1]}),
        ([{"resource": INDEX}, {"resource": INDEX}], {"copy": [1], "copy/by-date": [1]}),
    ],
)
def test_a_throttled_call_counts_once(
    reasons: list[Any], expected: dict[str, list[int]], meter: Meter, capsys: pytest.CaptureFixture[str]
) -> None:
    writes(meter, "copy").throttled(client_error("ThrottlingException", reasons=reasons))
    assert told(meter, capsys) == {"WriteThrottles": expected}


def test_reads_and_writes_of_tables_of_one_name_stay_apart(
    meter: Meter, capsys: pytest.CaptureFixture[str]
) -> None:
    for usage, units in ((reads(meter, "orders"), 3.0), (writes(meter, "orders"), 5.0)):
        usage.consumed([{"CapacityUnits": units}])
        usage.throttled()
    assert told(meter, capsys) == {
        "ConsumedReadUnits": {"orders": [3]},
        "ReadThrottles": {"orders": [1]},
        "ConsumedWriteUnits": {"orders": [5]},
        "WriteThrottles": {"orders": [1]},
    }
