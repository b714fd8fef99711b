"""Batches of stream records."""

import pytest

from tablecopy.data.records import coalesce
from tools.benchmarks.events import BATCH_RECORDS, HOT_NUMBER, Batches, checksum
from tools.benchmarks.shapes import SHAPES


@pytest.mark.parametrize("shape", SHAPES)
def test_every_record_is_of_a_key_of_its_own(shape: str) -> None:
    batches = Batches(shape, seed=7)
    numbers = [batches.event(batch) for batch in (1, 2)]
    keys = {record["dynamodb"]["Keys"]["pk"]["S"] for event in numbers for record in event["Records"]}
    assert len(keys) == 2 * BATCH_RECORDS
    kinds = {record["eventName"] for event in numbers for record in event["Records"]}
    assert kinds == {"INSERT", "MODIFY", "REMOVE"}


def test_sequence_numbers_rise_from_batch_to_batch() -> None:
    batches = Batches("small", seed=7, records=10)
    records = [record for batch in (1, 2) for record in batches.event(batch)["Records"]]
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in records]
    assert numbers == sorted(set(numbers))


def test_a_batch_is_the_same_whenever_it_is_made() -> None:
    assert Batches("medium", 7, 10).event(3) == Batches("medium", 7, 10).event(3)
    assert Batches("medium", 7, 10).event(3) != Batches("medium", 8, 10).event(3)


def test_the_checksum_is_that_of_the_keys() -> None:
    event = Batches("medium", seed=7, records=100, hot=40).event(1)
    kept = [record for record in event["Records"] if record["eventName"] != "REMOVE"]
    assert checksum(event, removals=True)[0] == len(coalesce(event["Records"])) == 61
    assert checksum(event, removals=False)[0] == len(coalesce(kept)) < 61


def test_a_hot_key_is_changed_as_often_as_asked_for() -> None:
    event = Batches("medium", seed=7, records=100, hot=40).event(1)
    keys = [record["dynamodb"]["Keys"]["pk"]["S"] for record in event["Records"]]
    assert keys.count(f"k{HOT_NUMBER:015d}") == 40
