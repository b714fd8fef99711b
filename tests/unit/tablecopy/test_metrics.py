"""The backlog's age and the dead letters as CloudWatch's embedded metric format has it."""

from __future__ import annotations

import json

import pytest

from tablecopy.control.metrics import Metrics
from tablecopy.control.stream import Backlog
from tests.unit.tablecopy.fakes import NOON, FakeClock


def test_the_numbers_are_published_and_not_too_often(
    clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = Metrics(clock, "orders", lambda: 3)
    for _ in range(60):
        metrics.publish(Backlog(12.5, False, 0, 0, 0))
        clock.time += 1
    first, letters, second, _ = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["OldestUnappliedChangeAge"], first["Copy"]) == (12.5, "orders")
    assert first["_aws"] == {
        "Timestamp": int(NOON * 1000),
        "CloudWatchMetrics": [
            {
                "Namespace": "DynamoDBAccountCopy",
                "Dimensions": [["Copy"]],
                "Metrics": [{"Name": "OldestUnappliedChangeAge", "Unit": "Seconds"}],
            }
        ],
    }
    assert (letters["DeadLetters"], letters["Copy"]) == (3, "orders")
    [described] = letters["_aws"]["CloudWatchMetrics"]
    assert described["Metrics"] == [{"Name": "DeadLetters", "Unit": "Count"}]
    assert second["_aws"]["Timestamp"] == int((NOON + 30) * 1000)
