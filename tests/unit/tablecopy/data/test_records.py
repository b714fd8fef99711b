"""Coalescing is equal to applying records one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablecopy.data.replicator import UnusableRecord, coalesce
from tablecopy.dynamodb.client import Json
from tablecopy.dynamodb.requests import key_token
from tests.unit.tablecopy.fakes import FakeDestination, record

# Every type of DynamoDB, as it is spelled in a stream event and in a scan alike.
scalars = st.one_of(
    st.text(max_size=5).map(lambda value: {"S": value}),
    st.decimals(allow_nan=False, allow_infinity=False).map(lambda value: {"N": str(value)}),
    st.sampled_from(["", "AA==", "AAH/", "3q2+7w=="]).map(lambda value: {"B": value}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
    st.lists(st.text(max_size=3), min_size=1, unique=True, max_size=3).map(lambda value: {"SS": value}),
    st.just({"BS": ["AA==", "/w=="]}),
    st.just({"NS": ["1", "1.50", "-3E+10"]}),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda value: {"L": value}),
        st.dictionaries(st.text(min_size=1, max_size=3), inner, max_size=3).map(lambda value: {"M": value}),
    ),
    max_leaves=4,
)
changes = st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), values)), max_size=30)


def records(given_changes: list[tuple[int, Any]]) -> list[Json]:
    return [record(index, f"k{key}", value) for index, (key, value) in enumerate(given_changes)]


def one_by_one(all_records: list[Json]) -> dict[str, Json]:
    items: dict[str, Json] = {}
    for each in all_records:
        key = key_token(each["dynamodb"]["Keys"])
        if each["eventName"] == "REMOVE":
            items.pop(key, None)
        else:
            items[key] = each["dynamodb"]["NewImage"]
    return items


@given(changes)
def test_equal_to_applying_one_by_one(given_changes: list[tuple[int, Any]]) -> None:
    all_records = records(given_changes)
    destination = FakeDestination()
    for change in coalesce(all_records):
        destination.apply(json.loads(change.request))
    assert destination.items == one_by_one(all_records)


@given(changes)
def test_a_key_is_written_once_and_knows_its_first_record(given_changes: list[tuple[int, Any]]) -> None:
    all_records = records(given_changes)
    coalesced = coalesce(all_records)
    firsts: dict[str, str] = {}
    for each in all_records:
        firsts.setdefault(key_token(each["dynamodb"]["Keys"]), each["dynamodb"]["SequenceNumber"])
    assert {change.token: change.first for change in coalesced} == firsts
    assert len(coalesced) == len(firsts)


def test_time_to_live_deletes_like_anybody() -> None:
    expired = record(1, "a", None)
    expired["userIdentity"] = {"principalId": "dynamodb.amazonaws.com", "type": "Service"}
    [change] = coalesce([record(0, "a", {"S": ""}), expired])
    assert change.is_delete
    assert json.loads(change.request) == {"DeleteRequest": {"Key": {"pk": {"S": "a"}}}}


def test_an_old_image_changes_nothing() -> None:
    modified = record(0, "a", {"S": "new"})
    modified["dynamodb"]["OldImage"] = {"pk": {"S": "a"}, "v": {"S": "old"}}
    [change] = coalesce([modified])
    assert json.loads(change.request) == {
        "PutRequest": {"Item": {"pk": {"S": "a"}, "v": {"S": "new"}}},
    }


def test_a_record_without_its_image_is_refused() -> None:
    keys_only = record(7, "a", {"S": ""})
    del keys_only["dynamodb"]["NewImage"]
    with pytest.raises(UnusableRecord, match="NEW_IMAGE"):
        coalesce([keys_only])


def test_a_removal_needs_no_image() -> None:
    assert coalesce([record(7, "a", None)])[0].is_delete
