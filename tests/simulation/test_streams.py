"""The simulated streams against the rules that AWS documents, and the ones that it leaves open."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest

from tablecopy.dynamodb.client import Json
from tests.simulation.tables import Account, stream_of, text
from tools.simulation.behavior import StreamBehavior, TableBehavior
from tools.simulation.errors import ServiceError
from tools.simulation.streams import Shard, Stream
from tools.simulation.table import Table

HOUR = 3600.0

# One shard that stays, and nothing random that a test has not asked for.
CALM = StreamBehavior(
    shard_life=(10 * 86_400, 10 * 86_400),
    late_child=0,
    late_sibling=0,
    late_end_seconds=0,
    delay=0,
    late_record=0,
    skew=0,
    empty_first=0,
    empty_between=0,
    null_with_records=0,
)


def stream(view_type: str = "NEW_AND_OLD_IMAGES", seed: int = 1, **behavior: Any) -> tuple[Account, Stream]:
    account = Account(seed)
    table = account.table(stream=view_type, stream_behavior=replace(CALM, **behavior))
    return account, stream_of(table)


def names(records: list[Json]) -> list[str]:
    return [f"{record['eventName']} {record['dynamodb']['Keys']['pk']['S']}" for record in records]


# Records


def test_each_change_makes_one_record_in_order() -> None:
    account, changes = stream()
    account.put("a", n={"N": "1"})
    account.put("a", n={"N": "2"})
    account.delete("a")
    records = account.records(changes.shards[0])
    assert names(records) == ["INSERT a", "MODIFY a", "REMOVE a"]
    assert records[1]["dynamodb"]["NewImage"] == {"pk": text("a"), "n": {"N": "2"}}
    assert records[1]["dynamodb"]["OldImage"] == {"pk": text("a"), "n": {"N": "1"}}
    assert "NewImage" not in records[2]["dynamodb"]
    assert len({record["eventID"] for record in records}) == 3
    assert records[0]["eventSource"] == "aws:dynamodb"


def test_a_write_that_changes_nothing_makes_no_record() -> None:
    account, changes = stream()
    account.put("a", n={"N": "1"}, x=text("y"))
    account.call("PutItem", TableName="orders", Item={"x": text("y"), "n": {"N": "1.0"}, "pk": text("a")})
    account.delete("b")
    assert names(account.records(changes.shards[0])) == ["INSERT a"]


@pytest.mark.parametrize(
    ("view_type", "images"),
    [
        ("KEYS_ONLY", set()),
        ("NEW_IMAGE", {"NewImage"}),
        ("OLD_IMAGE", {"OldImage"}),
        ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}),
    ],
)
def test_the_view_type_decides_on_the_images(view_type: str, images: set[str]) -> None:
    account, changes = stream(view_type)
    account.put("a")
    account.put("a", n={"N": "1"})
    record = account.records(changes.shards[0])[1]["dynamodb"]
    assert {"NewImage", "OldImage"} & set(record) == images
    assert record["StreamViewType"] == view_type


def test_ttl_says_in_the_record_that_it_has_deleted() -> None:
    account = Account()
    table = account.table(
        stream="NEW_IMAGE", ttl="t", stream_behavior=CALM, behavior=TableBehavior(ttl_delay=(60, 60))
    )
    account.put("a", t={"N": str(int(account.world.now))})
    account.wait(60)
    shard = stream_of(table).shards[0]
    record = account.records(shard)[1]
    assert names([record]) == ["REMOVE a"]
    assert record["userIdentity"] == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    event = stream_of(table).read(shard.id, "")[1].event()
    assert event["userIdentity"] == {"principalId": "dynamodb.amazonaws.com", "type": "Service"}


def test_lambda_gets_the_same_record_in_its_own_form() -> None:
    account, changes = stream()
    account.put("a", n={"N": "1"})
    shard = changes.shards[0]
    [record] = account.records(shard)
    [event] = [each.event() for each in changes.read(shard.id, "")]
    assert event == record | {"eventSourceARN": changes.arn}
    assert isinstance(event["dynamodb"]["ApproximateCreationDateTime"], int)
    assert event["dynamodb"]["SizeBytes"] == len("pk" + "a") * 2 + len("n") + 2


def test_a_record_is_dated_in_whole_seconds_by_a_clock_that_may_differ() -> None:
    differences = set()
    for seed in range(20):
        account, changes = stream(seed=seed, skew=2.0)
        account.wait(10.9)
        account.put("a")
        [record] = changes.read(changes.shards[0].id, "")
        assert isinstance(record.created, int)
        differences.add(record.created - int(account.world.now))
    assert {-2, -1, 0, 1, 2} >= differences > {-1, 0, 1}


def test_times_are_written_with_an_exponent_or_without() -> None:
    for exponent, form in ((True, b'"ApproximateCreationDateTime":1.8E9'), (False, b":1800000000,")):
        account, changes = stream(exponent=exponent)
        account.put("a")
        [record] = changes.read(changes.shards[0].id, "")
        assert form in record.json()
        assert json.loads(record.json())["dynamodb"]["ApproximateCreationDateTime"] == 1_800_000_000


def test_sequence_numbers_ascend_and_are_the_same_in_several_shards() -> None:
    account, changes = stream(shards=4)
    for first in range(0, 100, 25):
        account.batch(str(number) for number in range(first, first + 25))
    numbers = [[record.number for record in shard.records] for shard in changes.shards]
    for shard in numbers:
        assert len(shard) > 10
        assert all(before < after for before, after in itertools.pairwise(shard))
        assert len({after - before for before, after in itertools.pairwise(shard)}) > 1
    assert set(numbers[0]) & set(numbers[1])
    assert all(21 <= len(str(number)) <= 40 for shard in numbers for number in shard)


def test_a_record_can_be_read_a_while_after_its_write_but_in_order() -> None:
    account, changes = stream(delay=2.0, late_record=0.5, late_record_seconds=30)
    shard = changes.shards[0]
    for number in range(20):
        account.put(str(number))
    moments = [record.visible for record in shard.records]
    assert moments == sorted(moments)
    assert len(changes.read(shard.id, "")) < 20
    found = account.call("GetRecords", ShardIterator=account.iterator(shard))["Records"]
    assert len(found) == len(changes.read(shard.id, ""))
    account.wait(30)
    assert [record.sequence_number for record in changes.read(shard.id, "")] == list(map(str, shard.numbers))


# Shards


def test_records_are_in_shards_by_the_hash_of_their_partition_key() -> None:
    account, changes = stream(shards=4)
    for first in range(0, 50, 25):
        account.batch(str(number) for number in range(first, first + 25))
    for shard in changes.shards:
        hashes = [record.new.hash for record in shard.records if record.new is not None]
        assert all(shard.first <= hash_ < shard.end for hash_ in hashes)
    assert sum(len(shard.records) for shard in changes.shards) == 50


def rolling(**behavior: Any) -> tuple[Account, Stream]:
    """Return a stream whose shards live for an hour."""
    return stream(**{"shard_life": (HOUR, HOUR), **behavior})


def end(account: Account, shard: Shard) -> None:
    """Let time pass until the shard ends."""
    account.world.run(account.world.now + 5 * HOUR, stop=lambda: shard.is_closed)
    assert shard.is_closed


def test_a_shard_ends_with_one_child_and_its_keys_continue_there() -> None:
    account, changes = rolling(split=0)
    [parent] = changes.shards
    account.put("a")
    end(account, parent)
    account.put("a", n={"N": "1"})
    [child] = parent.children
    assert names(account.records(parent)) == ["INSERT a"]
    assert names(account.records(child)) == ["MODIFY a"]
    assert child.numbers[0] > parent.last_number
    listed = account.shards(changes)
    assert listed[0]["SequenceNumberRange"]["EndingSequenceNumber"] == parent.records[-1].sequence_number
    assert listed[1]["ParentShardId"] == parent.id
    assert "EndingSequenceNumber" not in listed[1]["SequenceNumberRange"]
    assert changes.children(parent.id) == [child.id]


def test_a_shard_may_split_and_both_children_begin_with_the_same_number() -> None:
    account, changes = rolling(split=1, most_shards=2)
    [parent] = changes.shards
    end(account, parent)
    for first in range(0, 50, 25):
        account.batch(str(number) for number in range(first, first + 25))
    one, other = parent.children
    assert one.starting_number == other.starting_number
    assert one.end == other.first
    assert one.records
    assert other.records
    account.wait(5 * HOUR)
    assert len([shard for shard in changes.shards if not shard.is_closed]) == 2


def test_a_child_may_be_listed_late_and_its_sibling_before_it() -> None:
    account, changes = rolling(split=1, late_child=1, late_child_seconds=(1, 60))
    [parent] = changes.shards
    end(account, parent)
    account.put("a")
    assert changes.children(parent.id) == []
    assert [shard["ShardId"] for shard in account.shards(changes)] == [parent.id]
    hidden = parent.children[0]
    error = account.error(
        "GetShardIterator", StreamArn=changes.arn, ShardId=hidden.id, ShardIteratorType="LATEST"
    )
    assert error.code == "ResourceNotFoundException"
    first, second = sorted(child.listed for child in parent.children)
    account.world.run(first)
    assert len(changes.children(parent.id)) == 1
    account.world.run(second)
    assert len(changes.children(parent.id)) == 2
    assert second - first > 1


def test_the_dates_of_a_shard_may_descend() -> None:
    account, changes = stream(dated_back=0.5, dated_back_seconds=2.0)
    for number in range(50):
        account.put("a", n={"N": str(number)})
        account.wait(0.3)
    dates = [record.created for record in changes.shards[0].records]
    assert dates != sorted(dates)
    assert all(0 <= record.made - record.created < 3 for record in changes.shards[0].records)


def test_no_shard_is_listed_before_its_parent() -> None:
    account, changes = rolling(shard_life=(5, 20), late_child=0.5, late_sibling=0.5, shards=4, split=0.5)
    account.wait(300)
    listed = [(shard.parent.listed, shard.listed) for shard in changes.shards if shard.parent]
    assert len(listed) > 20
    assert all(parent <= child for parent, child in listed)


def test_a_second_child_may_be_listed_after_the_first_one() -> None:
    account, changes = rolling(split=1, late_sibling=1, late_child_seconds=(50, 60))
    [parent] = changes.shards
    end(account, parent)
    first, second = sorted(child.listed for child in parent.children)
    assert first == parent.closed
    assert 50 <= second - first <= 60
    account.wait(60)
    assert len(changes.children(parent.id)) == 2


def test_the_end_of_a_shard_may_be_listed_late() -> None:
    account, changes = rolling(late_end_seconds=30)
    end(account, changes.shards[0])
    shard = account.shards(changes)[0]
    assert "EndingSequenceNumber" not in shard["SequenceNumberRange"]
    account.wait(30)
    assert "EndingSequenceNumber" in account.shards(changes)[0]["SequenceNumberRange"]


def test_a_shard_leaves_the_stream_a_day_after_its_end() -> None:
    account, changes = rolling(split=0)
    first = changes.shards[0]
    end(account, first)
    account.wait(24 * HOUR - 1)
    assert changes.shard(first.id) is first
    account.wait(1200 + 600 + 1)
    assert changes.shard(first.id) is None
    assert len(account.shards(changes)) == 25


def test_a_stream_may_begin_with_a_past() -> None:
    account, changes = stream(shards=3, ancestors=6, shard_life=(HOUR, HOUR))
    shards = account.shards(changes)
    closed = [shard for shard in shards if "EndingSequenceNumber" in shard["SequenceNumberRange"]]
    assert len(shards) == 21
    assert len(closed) == 18
    assert [shard["ShardId"] for shard in shards] == sorted(shard["ShardId"] for shard in shards)


def test_a_stream_that_is_turned_off_ends_its_shards_and_the_next_one_is_another() -> None:
    account, changes = stream()
    table = account.dynamodb.tables["orders"]
    account.put("a")
    table.disable_stream()
    account.put("b")
    described = account.call("DescribeStream", StreamArn=changes.arn)["StreamDescription"]
    assert described["StreamStatus"] == "DISABLED"
    assert names(account.records(changes.shards[0])) == ["INSERT a"]
    assert changes.is_read_to_end(changes.shards[0].id, changes.latest(changes.shards[0].id))
    account.wait(1)
    assert table.enable_stream("NEW_IMAGE").arn != changes.arn


# DescribeStream


def test_shards_are_listed_in_pages() -> None:
    account, changes = stream(shards=150)
    page = account.call("DescribeStream", StreamArn=changes.arn)["StreamDescription"]
    assert len(page["Shards"]) == 100
    assert page["LastEvaluatedShardId"] == page["Shards"][-1]["ShardId"]
    assert [shard["ShardId"] for shard in account.shards(changes, Limit=7)] == [
        shard.id for shard in changes.shards
    ]


def test_a_full_page_names_its_last_shard_even_if_no_other_follows() -> None:
    account, changes = stream(shards=2)
    page = account.call("DescribeStream", StreamArn=changes.arn, Limit=2)["StreamDescription"]
    assert page["LastEvaluatedShardId"]


def test_the_children_of_a_shard_are_listed_alone() -> None:
    account, changes = rolling(shards=3, split=1, most_shards=99)
    account.wait(HOUR)
    parent = next(shard for shard in changes.shards if shard.children)
    listed = account.shards(changes, ShardFilter={"Type": "CHILD_SHARDS", "ShardId": parent.id})
    assert [shard["ShardId"] for shard in listed] == sorted(child.id for child in parent.children)
    by_page = account.shards(changes, ShardFilter={"Type": "CHILD_SHARDS", "ShardId": parent.id}, Limit=1)
    assert by_page == listed
    gone = {"Type": "CHILD_SHARDS", "ShardId": "shardId-00000000000000000000-00000000"}
    error = account.error("DescribeStream", StreamArn=changes.arn, ShardFilter=gone)
    assert error.code == "ResourceNotFoundException"


def test_describe_stream_takes_ten_calls_a_second() -> None:
    account, changes = stream()
    for _ in range(10):
        account.call("DescribeStream", StreamArn=changes.arn)
    error = account.error("DescribeStream", StreamArn=changes.arn)
    assert error.code in {"LimitExceededException", "ThrottlingException"}
    account.wait(0.11)
    account.call("DescribeStream", StreamArn=changes.arn)


# Iterators and GetRecords


def put_all(account: Account, keys: str) -> None:
    for key in keys:
        account.put(key)


@pytest.mark.parametrize(
    ("kind", "at", "expected"),
    [
        ("TRIM_HORIZON", None, "abcd"),
        ("AT_SEQUENCE_NUMBER", 1, "bcd"),
        ("AFTER_SEQUENCE_NUMBER", 1, "cd"),
        ("AFTER_SEQUENCE_NUMBER", 3, "d"[:0]),
        ("LATEST", None, ""),
    ],
)
def test_an_iterator_begins_where_it_is_asked_to(kind: str, at: int | None, expected: str) -> None:
    account, changes = stream()
    put_all(account, "abcd")
    shard = changes.shards[0]
    number = "" if at is None else shard.records[at].sequence_number
    found = names(account.records(shard, kind, number))
    assert found == [f"INSERT {key}" for key in expected]


def test_latest_begins_with_the_next_record() -> None:
    account, changes = stream()
    put_all(account, "ab")
    shard = changes.shards[0]
    iterator = account.iterator(shard, "LATEST")
    account.put("c")
    assert names(account.call("GetRecords", ShardIterator=iterator)["Records"]) == ["INSERT c"]


def test_latest_misses_records_that_cannot_be_read_yet() -> None:
    account, changes = stream(delay=10)
    account.put("a")
    assert account.records(changes.shards[0], "LATEST", calls=20) == []


def test_an_iterator_can_be_used_for_fifteen_minutes() -> None:
    account, changes = stream()
    iterator = account.iterator(changes.shards[0])
    account.wait(900)
    following = account.call("GetRecords", ShardIterator=iterator)["NextShardIterator"]
    account.wait(1)
    assert account.error("GetRecords", ShardIterator=iterator).code == "ExpiredIteratorException"
    account.call("GetRecords", ShardIterator=following)


def test_a_page_has_as_many_records_as_asked_for() -> None:
    account, changes = stream()
    put_all(account, "abc")
    page = account.call("GetRecords", ShardIterator=account.iterator(changes.shards[0]), Limit=2)
    assert names(page["Records"]) == ["INSERT a", "INSERT b"]
    page = account.call("GetRecords", ShardIterator=page["NextShardIterator"], Limit=2)
    assert names(page["Records"]) == ["INSERT c"]
    error = account.error("GetRecords", ShardIterator=page["NextShardIterator"], Limit=1_001)
    assert error.code == "LimitExceededException"


def test_a_page_has_at_most_one_megabyte() -> None:
    account, changes = stream("NEW_IMAGE")
    for key in "abcd":
        account.put(key, x=text("x" * 300_000))
    page = account.call("GetRecords", ShardIterator=account.iterator(changes.shards[0]))
    assert len(page["Records"]) == 3


def test_pages_may_be_empty_before_records() -> None:
    account, changes = stream(empty_first=1, empty_between=1, empty_pages=3)
    put_all(account, "abc")
    iterator = account.iterator(changes.shards[0])
    pages = []
    for _ in range(20):
        page = account.call("GetRecords", ShardIterator=iterator, Limit=1)
        iterator = page["NextShardIterator"]
        pages.append(len(page["Records"]))
        account.wait(1)
    assert sum(pages) == 3
    assert pages[0] == 0
    gaps = "".join(map(str, pages)).rstrip("0").split("1")
    assert max(map(len, gaps)) <= 3


@pytest.mark.parametrize("with_records", [0, 1])
def test_a_closed_shard_ends_without_an_iterator(with_records: float) -> None:
    account, changes = rolling(null_with_records=with_records)
    account.put("a")
    end(account, changes.shards[0])
    iterator = account.iterator(changes.shards[0])
    page = account.call("GetRecords", ShardIterator=iterator)
    assert len(page["Records"]) == 1
    if not with_records:
        page = account.call("GetRecords", ShardIterator=page["NextShardIterator"])
        assert page["Records"] == []
    assert "NextShardIterator" not in page


def test_a_shard_takes_five_calls_a_second_of_all_readers() -> None:
    account, changes = stream(shards=2, readers=9)
    iterator = account.iterator(changes.shards[0])
    for number in range(5):
        account.call("GetRecords", host=f"host {number % 2}", ShardIterator=iterator)
    error = account.error("GetRecords", ShardIterator=iterator)
    assert error.code in {"LimitExceededException", "ProvisionedThroughputExceededException"}
    account.call("GetRecords", ShardIterator=account.iterator(changes.shards[1]))
    account.wait(0.21)
    account.call("GetRecords", ShardIterator=iterator)


def test_more_than_two_readers_at_the_same_time_are_throttled() -> None:
    account, changes = stream(reader_throttled=1, get_records_rate=100)
    iterator = account.iterator(changes.shards[0])
    for host in ("one", "two", "one", "two"):
        account.call("GetRecords", host=host, ShardIterator=iterator)
    with pytest.raises(ServiceError):
        account.call("GetRecords", host="three", ShardIterator=iterator)
    account.wait(1)
    account.call("GetRecords", host="three", ShardIterator=iterator)


# Trimming


def test_a_record_is_trimmed_within_minutes_after_its_day() -> None:
    moments = set()
    for seed in range(10):
        account, changes = stream(seed=seed, trim_every=(30, 600))
        account.put("a")
        account.wait(24 * HOUR)
        shard = changes.shards[0]
        assert len(changes.read(shard.id, "")) == 1
        late = 0
        while changes.read(shard.id, ""):
            account.wait(10)
            late += 10
        moments.add(late)
    assert max(moments) <= 610
    assert len(moments) > 3


def test_an_iterator_at_a_trimmed_record_fails() -> None:
    account, changes = stream()
    account.put("a")
    shard = changes.shards[0]
    number = shard.records[0].sequence_number
    account.wait(24 * HOUR - 300)
    account.put("b")
    iterator = account.iterator(shard)
    account.wait(899)
    assert account.error("GetRecords", ShardIterator=iterator).code == "TrimmedDataAccessException"
    for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        with pytest.raises(ServiceError, match="TrimmedDataAccessException"):
            account.iterator(shard, kind, number)
    assert names(account.records(shard)) == ["INSERT b"]
    # The mapping goes on with what is left.
    assert len(changes.read(shard.id, number)) == 1


def test_trimming_follows_even_if_nothing_looks_for_long() -> None:
    account, changes = stream()
    shard = changes.shards[0]
    for _ in range(30):
        account.put("a", n={"N": str(account.world.random.random())})
        account.wait(HOUR)
    changes.read(shard.id, "")
    assert 24 <= len(shard.records) <= 25
    assert shard.count == 30


# For the mapping


def test_the_mapping_reads_after_a_sequence_number_and_follows_the_children() -> None:
    account, changes = rolling(split=0)
    put_all(account, "abc")
    [parent] = changes.listed()
    first = changes.read(parent.id, "", 2)
    assert len(first) == 2
    after = first[-1].sequence_number
    [last] = changes.read(parent.id, after)
    assert not changes.is_read_to_end(parent.id, last.sequence_number)
    end(account, parent)
    assert not changes.is_read_to_end(parent.id, after)
    assert changes.is_read_to_end(parent.id, last.sequence_number)
    assert changes.latest(parent.id) == last.sequence_number
    assert changes.read(changes.children(parent.id)[0], "") == []


def test_whoever_wants_to_know_hears_of_a_record_when_it_is_made() -> None:
    account, changes = stream(delay=5)
    heard: list[tuple[Shard, float]] = []
    changes.on_append.append(lambda shard, record: heard.append((shard, record.visible)))
    account.put("a")
    [(shard, visible)] = heard
    assert changes.read(shard.id, "") == []
    account.world.run(visible)
    assert len(changes.read(shard.id, "")) == 1


def run(seed: int) -> list[str]:
    account = Account(seed)
    behavior = StreamBehavior(shards=3, shard_life=(60, 120), split=0.5, most_shards=6)
    table: Table = account.table(stream="NEW_IMAGE", stream_behavior=behavior)
    found = []
    for _ in range(20):
        account.batch(str(account.world.random.randrange(100)) for _ in range(1))
        account.wait(10)
        found += [shard["ShardId"] for shard in account.shards(stream_of(table))]
    return [*found, *(record.event_id for shard in stream_of(table).shards for record in shard.records)]


def test_a_seed_gives_the_same_stream() -> None:
    assert run(1) == run(1)
    assert run(1) != run(2)
