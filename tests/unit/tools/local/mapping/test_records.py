from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.unit.tools.local.mapping.fakes import START, STREAM, FakeStreams, raw_record
from tools.local.mapping.records import Record, ShardReader


def reader(streams: FakeStreams) -> ShardReader:
    return ShardReader(streams, STREAM, "shard-0")


def read(it: ShardReader) -> list[str]:
    return [record.sequence_number for record in it.read()]


def test_it_reads_on_from_where_it_was() -> None:
    streams = FakeStreams()
    it = reader(streams)
    streams.shards["shard-0"].records = [raw_record(1), raw_record(2)]
    assert read(it) == ["1", "2"]
    assert read(it) == []
    streams.shards["shard-0"].records.append(raw_record(3))
    assert read(it) == ["3"]
    assert not it.is_at_end


def test_a_closed_shard_ends() -> None:
    streams = FakeStreams()
    streams.shards["shard-0"].records = [raw_record(1)]
    streams.shards["shard-0"].closed = True
    it = reader(streams)
    assert read(it) == ["1"]
    assert it.is_at_end
    assert read(it) == []
    assert streams.reads == 1


def test_an_expired_iterator_is_replaced_at_the_same_place() -> None:
    streams = FakeStreams()
    streams.shards["shard-0"].records = [raw_record(1)]
    it = reader(streams)
    assert read(it) == ["1"]
    streams.shards["shard-0"].records.append(raw_record(2))
    streams.expire_iterators()
    assert read(it) == []
    assert read(it) == ["2"]


def test_a_lost_place_at_the_end_is_not_taken_for_the_end() -> None:
    streams = FakeStreams()
    it = reader(streams)
    assert read(it) == []
    streams.shards["shard-0"].records.append(raw_record(1))
    streams.expire_iterators()
    assert read(it) == []
    assert read(it) == ["1"]


def test_trimmed_records_are_skipped_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    streams = FakeStreams()
    shard = streams.shards["shard-0"]
    shard.records = [raw_record(1)]
    it = reader(streams)
    assert read(it) == ["1"]
    shard.records += [raw_record(2), raw_record(3)]
    shard.trimmed = 2
    assert read(it) == []
    assert read(it) == ["3"]
    assert "trimmed" in caplog.text


def test_other_errors_are_the_callers() -> None:
    streams = FakeStreams()
    streams.errors = ["LimitExceededException"]
    with pytest.raises(ClientError):
        reader(streams).read()


def test_values_stay_as_they_came() -> None:
    image = {"b": {"B": "eHk="}, "n": {"N": "12.50"}, "name": {"S": "Łódź"}}
    record = Record.from_stream(raw_record(7, NewImage=image), STREAM)
    event = json.loads(record.text)
    assert event["dynamodb"]["NewImage"] == image
    assert event["dynamodb"]["ApproximateCreationDateTime"] == int(START)
    assert event["eventSourceARN"] == STREAM
    assert event["eventSource"] == "aws:dynamodb"
    assert "shardId" not in record.text
    assert record.size == len(record.text.encode())
    assert record.sequence_number == "7"


def test_a_deletion_by_time_to_live_is_spelled_as_in_an_event() -> None:
    raw = raw_record(1) | {"userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}}
    event = json.loads(Record.from_stream(raw, STREAM).text)
    assert event["userIdentity"] == {"principalId": "dynamodb.amazonaws.com", "type": "Service"}
