from __future__ import annotations

import json

from tests.unit.tools.local.mapping.fakes import START, STREAM, raw_record
from tools.local.mapping.record import Record


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


def test_a_key_is_the_same_however_its_attributes_are_ordered() -> None:
    one = raw_record(1, Keys={"pk": {"S": "a"}, "sk": {"N": "1"}})
    other = raw_record(2, Keys={"sk": {"N": "1"}, "pk": {"S": "a"}})
    assert Record.from_stream(one, STREAM).key == Record.from_stream(other, STREAM).key
