"""What is added up, when it is told, and that it is told once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tablecopy.metrics.definitions import BYTES_COPIED, CONSUMED_WRITE_UNITS, ITEMS_COPIED, WRITE_THROTTLES
from tablecopy.metrics.log import PUBLISH_EVERY_SECONDS, MetricsBuffer
from tests.unit.tablecopy.fakes import NOON, FakeClock
from tests.unit.tablecopy.published import published


@pytest.fixture
def metrics(clock: FakeClock) -> MetricsBuffer:
    return MetricsBuffer(clock, "move")


def test_one_document_for_each_table_and_index(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics.add(ITEMS_COPIED, 3)
    metrics.add(BYTES_COPIED, 400)
    metrics.add(CONSUMED_WRITE_UNITS, 2.5, "copy")
    metrics.add(WRITE_THROTTLES, 1, "copy")
    metrics.add(CONSUMED_WRITE_UNITS, 1.5, "copy", "by-date")
    metrics.publish()
    of_copy, *others = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert of_copy == {
        "_aws": {
            "Timestamp": int(NOON * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": "DynamoDBAccountCopy",
                    "Dimensions": [["Copy"]],
                    "Metrics": [
                        {"Name": "ItemsCopied", "Unit": "Count"},
                        {"Name": "BytesCopied", "Unit": "Bytes"},
                    ],
                }
            ],
        },
        "Copy": "move",
        "ItemsCopied": 3,
        "BytesCopied": 400,
    }
    assert [(other["Table"], other.get("Index"), other["ConsumedWriteUnits"]) for other in others] == [
        ("copy", None, 2.5),
        ("copy", "by-date", 1.5),
    ]


def test_what_was_told_is_told_once(metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]) -> None:
    for count in (1, 2):
        metrics.add(ITEMS_COPIED, count)
        metrics.publish()
    metrics.publish()
    assert published(capsys.readouterr().out) == {"ItemsCopied": {"": [1, 2]}}


def test_nothing_is_no_number(metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]) -> None:
    metrics.add(ITEMS_COPIED, 0)
    metrics.publish()
    assert capsys.readouterr().out == ""


def test_long_work_is_told_when_it_is_due(
    metrics: MetricsBuffer, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(5):
        metrics.add(ITEMS_COPIED, 1)
        metrics.publish_if_due()
        clock.tick(PUBLISH_EVERY_SECONDS / 2)
    assert published(capsys.readouterr().out) == {"ItemsCopied": {"": [3, 2]}}


def test_threads_lose_nothing(metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]) -> None:
    def add() -> None:
        for _ in range(2_000):
            metrics.add(ITEMS_COPIED, 1)

    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(add)
        for _ in range(50):
            metrics.publish()
    metrics.publish()
    assert sum(published(capsys.readouterr().out)["ItemsCopied"][""]) == 16_000
