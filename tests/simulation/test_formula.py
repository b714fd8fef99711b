"""The stream by formula lists its shards as DynamoDB does, and its records are those that it counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tablecopy.dynamodb.streams import parse
from tools.simulation import names
from tools.simulation.formula import RETENTION_SECONDS, FormulaStream, ShardName
from tools.simulation.network import Caller
from tools.simulation.scheduler import Host, World

CALLER = Caller("test", names.SOURCE_ACCOUNT)


@pytest.fixture
def stream() -> FormulaStream:
    return FormulaStream(World(1), shards=50, rate=10.0)


def call(stream: FormulaStream, operation: str, **request: Any) -> bytes:
    return stream.handle(operation, json.dumps(request).encode(), CALLER)


def pages(stream: FormulaStream) -> list[list[dict[str, Any]]]:
    found, after = [], {}
    while True:
        page = json.loads(call(stream, "DescribeStream", **after))["StreamDescription"]
        found.append(page["Shards"])
        if "LastEvaluatedShardId" not in page:
            return found
        after = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}


def test_each_lineage_has_an_open_shard_and_six_that_have_ended(stream: FormulaStream) -> None:
    listed = pages(stream)
    assert [len(page) for page in listed] == [100, 100, 100, 50]
    shards = [shard for page in listed for shard in page]
    assert len({shard["ShardId"] for shard in shards}) == 350
    assert sum("EndingSequenceNumber" not in shard["SequenceNumberRange"] for shard in shards) == 50


def test_what_has_left_the_stream_is_not_listed(stream: FormulaStream) -> None:
    oldest = stream.world.now - RETENTION_SECONDS
    first = pages(stream)[0][0]["ShardId"]
    _, generation, lineage = first.split("-")
    shard = ShardName(int(lineage, 16), int(generation))
    assert stream.ended(shard) > oldest
    before = (
        ShardName(shard.lineage - 1, shard.generation)
        if shard.lineage
        else ShardName(49, shard.generation - 1)
    )
    assert stream.ended(before) <= oldest


def test_a_parent_leads_to_its_child(stream: FormulaStream) -> None:
    shards = [shard for page in pages(stream) for shard in page]
    parent = next(shard["ParentShardId"] for shard in reversed(shards))
    only = {"Type": "CHILD_SHARDS", "ShardId": parent}
    [child] = json.loads(call(stream, "DescribeStream", ShardFilter=only))["StreamDescription"]["Shards"]
    assert child == shards[-1]
    # Otherwise, a shard would have no ancestors as soon as its parent has left, and count as unknown.
    assert all("ParentShardId" in shard for shard in shards)


def test_records_follow_each_other(stream: FormulaStream) -> None:
    shard = pages(stream)[-1][0]["ShardId"]
    answer = call(stream, "GetShardIterator", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    page = parse(call(stream, "GetRecords", **json.loads(answer), Limit=30))
    assert len({record.event_id for record in page.records}) == 30
    last = page.records[9].sequence_number
    answer = call(
        stream,
        "GetShardIterator",
        ShardId=shard,
        ShardIteratorType="AFTER_SEQUENCE_NUMBER",
        SequenceNumber=last,
    )
    assert parse(call(stream, "GetRecords", **json.loads(answer), Limit=20)).records == page.records[10:]
    name, first = stream.record_of(page.records[3].sequence_number)
    assert (stream.number(name, first), stream.event(name, first)) == page.records[3][:2]


def test_an_open_shard_must_be_read_again_and_an_ended_one_need_not(stream: FormulaStream) -> None:
    opened = [shard for page in pages(stream) for shard in page][-1]["ShardId"]
    _, generation, lineage = opened.split("-")
    left = stream.ended(ShardName(int(lineage, 16), int(generation))) - stream.world.now

    def read() -> None:
        answer = call(stream, "GetShardIterator", ShardId=opened, ShardIteratorType="LATEST")
        call(stream, "GetRecords", **json.loads(answer))

    stream.world.now += left - 50
    stream.watch()
    read()
    stream.world.now += 60
    read()
    assert stream.longest_gap == 60
    stream.world.now += 100
    read()
    assert stream.longest_gap == 60


def test_a_short_stream_has_only_what_was_written_since(stream: FormulaStream) -> None:
    stream.kept_from = stream.world.now - 2
    stream.page_shards = 500
    page = pages(stream)[0]
    assert len(page) == 350
    answer = call(stream, "GetShardIterator", ShardId=page[-9]["ShardId"], ShardIteratorType="TRIM_HORIZON")
    assert len(parse(call(stream, "GetRecords", **json.loads(answer))).records) == 20


def test_tasks_have_a_busy_core_one_after_another() -> None:
    world = World(1)
    host = Host("function", cpu_factor=1e-9)
    had: list[tuple[str, float]] = []

    def work(name: str) -> None:
        for _ in range(2):
            had.append((name, round(world.now - began, 3)))
            host.spend(world.now, 1e9)
            world.sleep(0.5)

    began = world.now
    for name in ("a", "b", "c"):
        world.spawn(host, work, name)
    world.run(began + 20)
    assert had == [("a", 0), ("b", 1), ("c", 2), ("a", 3), ("b", 4), ("c", 5)]
