"""The copy of any size that is cut over to measure the stop: its tables, its clock, and the measurement."""

from __future__ import annotations

import json

from tools.simulation import names
from tools.simulation.dynamodb import DynamoDBService
from tools.simulation.generated import GeneratedService, GeneratedTable, body
from tools.simulation.network import Caller
from tools.simulation.paced import PacedWorld
from tools.simulation.scheduler import START, World
from tools.simulation.stop import StopCase, measure
from tools.simulation.table import TableSettings

CALLER = Caller("host", names.SOURCE_ACCOUNT)
COUNT = 30_000


def key(number: int) -> str:
    return f"k{number:012d}"


def tables() -> tuple[GeneratedTable, GeneratedService]:
    world = World(1)
    service = DynamoDBService(world, names.SOURCE_ACCOUNT, names.REGION)
    settings = TableSettings("orders", stream="NEW_IMAGE")
    table = GeneratedTable(world, "arn:aws:dynamodb:eu-west-1:1:table/orders", settings, COUNT)
    service.tables["orders"] = table
    return table, GeneratedService(service, table)


def scanned(service: GeneratedService, segments: int) -> list[dict[str, dict[str, str]]]:
    found = []
    for segment in range(segments):
        request = {"TableName": "orders", "Segment": segment, "TotalSegments": segments}
        while True:
            page = json.loads(service.handle("Scan", json.dumps(request).encode(), CALLER))
            assert page["Count"] == len(page["Items"])
            found += page["Items"]
            if "LastEvaluatedKey" not in page:
                break
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    return found


def test_a_scan_has_each_item_once_and_what_was_written() -> None:
    table, service = tables()
    table.apply((key(7),), table.schema.item(body(7, 1)))
    table.apply((key(20_000),), None)
    items = scanned(service, 3)
    assert [item["pk"]["S"] for item in items] == [key(number) for number in range(COUNT) if number != 20_000]
    assert [item["v"]["N"] for item in items if item["v"]["N"] != "0"] == ["1"]
    assert len(table) == COUNT - 1


def test_items_are_read_by_key_and_writes_are_in_the_stream() -> None:
    table, _ = tables()
    assert table.find((key(COUNT),)) is None
    found = table.find((key(5),))
    assert found is not None
    assert found.body == body(5)
    table.apply((key(5),), table.schema.item(body(5)))
    table.apply((key(5),), table.schema.item(body(5, 2)))
    table.apply((key(5),), None)
    assert table.stream is not None
    records = [record for shard in table.stream.shards for record in shard.records]
    # A write that changes nothing makes no record.
    assert [record.event_name for record in records] == ["MODIFY", "REMOVE"]


def test_a_paced_world_is_never_ahead_of_the_clock() -> None:
    world = PacedWorld(1)
    seen: list[float] = []
    world.call_later(1_000.0, seen.append, 0.0)
    world.run(START + 1_000.0)
    assert (world.now, seen) == (START + 1_000.0, [0.0])
    world.pace()
    world.call_later(0.01, lambda: seen.append(world.now))
    world.run(world.now + 0.02)
    assert seen[1] >= START + 1_000.01


def test_the_stop_is_measured_until_the_seal() -> None:
    result = measure(StopCase(items=400, changes=20.0, shards=2), seed=1)
    assert (result.exit_code, result.reason, result.backfill_units) == (0, "", 0)
    assert 5 < result.stop_s <= 15
    # Each change has a record in both streams, unless several changes of an item were applied at once.
    assert result.changed < result.keys <= 2 * result.changed
    assert result.write_units > 0
    assert result.recheck_units >= result.changed
