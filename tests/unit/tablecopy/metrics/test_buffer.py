"""What is added up, when it is told, and that it is told once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tablecopy.metrics.buffer import PUBLISH_EVERY_SECONDS, Meter
from tablecopy.metrics.definitions import BYTES_COPIED, CONSUMED_WRITE_UNITS, ITEMS_COPIED, WRITE_THROTTLES
from tests.unit.tablecopy.fakes import NOON, FakeClock
from tests.unit.tablecopy.published import published


@pytest.fixture
def meter(clock: FakeClock) -> Meter:
    return Meter(clock, "move")


def test_one_document_for_each_table_and_index(meter: Meter, capsys: pytest.CaptureFixture[str]) -> None:
    meter.add(ITEMS_COPIED, 3)
    meter.add(BYTES_COPIED, 400)
    meter.add(CONSUMED_WRITE_UNITS, 2.5, "copy")
    meter.add(WRITE_THROTTLES, 1, "copy")
    meter.add(CONSUMED_WRITE_UNITS, 1.5, "copy", "by-date")
    meter.publish()
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


def test_what_was_told_is_told_once(meter: Meter, capsys: pytest.CaptureFixture[str]) -> None:
    for count in (1, 2):
        meter.add(ITEMS_COPIED, count)
        meter.publish()
    meter.publish()
    assert published(capsys.readouterr().out) == {"ItemsCopied": {"": [1, 2]}}


def test_nothing_is_no_number(meter: Meter, capsys: pytest.CaptureFixture[str]) -> None:
    meter.add(ITEMS_COPIED, 0)
    meter.publish()
    assert capsys.readouterr().out == ""


def test_long_work_is_told_when_it_is_due(
    meter: Meter, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(5):
        meter.add(ITEMS_COPIED, 1)
        meter.publish_if_due()
        clock.tick(PUBLISH_EVERY_SECONDS / 2)
    assert published(capsys.readouterr().out) == {"ItemsCopied": {"": [3, 2]}}


def test_threads_lose_nothing(meter: Meter, capsys: pytest.CaptureFixture[str]) -> None:
    def add() -> None:
        for _ in range(2_000):
            meter.add(ITEMS_COPIED, 1)

    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(add)
        for _ in range(50):
            meter.publish()
    meter.publish()
    assert sum(published(capsys.readouterr().out)["ItemsCopied"][""]) == 16_000
