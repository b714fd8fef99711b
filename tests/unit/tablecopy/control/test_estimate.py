"""What a copy is expected to take, and what is named as its limit."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tablecopy.control.estimate import (
    WORKER_BYTES_PER_SECOND,
    WORKER_ITEMS_PER_SECOND,
    Estimate,
    estimate,
    inspect_tables,
    read_ceiling,
)
from tablecopy.dynamodb.client import DynamoDBClient, Json
from tablecopy.settings import Prices, ReconcilerSettings
from tests.unit.tablecopy.functions import ENVIRONMENT

SETTINGS = replace(
    ReconcilerSettings.from_environment(ENVIRONMENT),
    total_segments=10,
    concurrency=1_000,
    prices=Prices("EUR", 0.2, 1.0),
)
ON_DEMAND: Json = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}


def source(items: int = 1_000_000, size: int = 1_536_000_000, read: int = 0) -> Json:
    throughput = {"ReadCapacityUnits": read, "WriteCapacityUnits": 1}
    return {
        "ItemCount": items,
        "TableSizeBytes": size,
        "ProvisionedThroughput": throughput if read else ON_DEMAND,
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    }


def index(name: str, projection: str, write: int = 0) -> Json:
    throughput = {"ReadCapacityUnits": 1, "WriteCapacityUnits": write}
    return {
        "IndexName": name,
        "Projection": {"ProjectionType": projection},
        "ProvisionedThroughput": throughput if write else ON_DEMAND,
    }


def destination(write: int = 0, **more: Any) -> Json:
    throughput = {"ReadCapacityUnits": 1, "WriteCapacityUnits": write}
    return {"ProvisionedThroughput": throughput if write else ON_DEMAND, "TableId": "id", **more}


WARM = destination(WarmThroughput={"WriteUnitsPerSecond": 1_000_000})


def made(read: Json, written: Json, **changes: Any) -> Estimate:
    return estimate(read, written, replace(SETTINGS, **changes))


def test_units_and_money() -> None:
    result = made(source(), destination())
    # 1.536 GB by 4 KB, and one for each segment's end; 1.5 KB an item are two units.
    assert (result.read_units, result.write_units) == (375_000 + 10, 2_000_000)
    assert result.cost == pytest.approx(0.375 * 0.2 + 2.0, abs=1e-4)
    assert (result.items, result.bytes, result.currency) == (1_000_000, 1_536_000_000, "EUR")


def test_indexes_take_writes_too() -> None:
    written = destination(
        GlobalSecondaryIndexes=[index("all", "ALL"), index("keys", "KEYS_ONLY")],
        LocalSecondaryIndexes=[index("local", "INCLUDE")],
    )
    assert made(source(), written).write_units == 2_000_000 + 2_000_000 + 1_000_000 + 1_000_000


def test_an_empty_table_takes_next_to_nothing() -> None:
    result = made(source(0, 0), destination())
    assert (result.read_units, result.write_units, result.seconds) == (10, 0, 0)


@pytest.mark.parametrize(
    ("read", "written", "changes", "limit", "seconds"),
    [
        (source(), destination(), {"read_capacity": 100.0}, "read_capacity", 3_750.1),
        (source(), destination(), {"write_capacity": 100.0}, "write_capacity", 20_000),
        (source(read=200), destination(), {}, "source_provisioned", 3_750.1),
        (source(), destination(50), {}, "destination_provisioned", 40_000),
        (source(), destination(), {}, "destination_on_demand", 500),
        (source(), WARM, {}, "workers", None),
        (source(), WARM, {"concurrency": 1}, "workers", None),
    ],
)
def test_what_binds_is_named(
    read: Json, written: Json, changes: Json, limit: str, seconds: float | None
) -> None:
    result = made(read, written, **changes)
    assert result.limit == limit
    if seconds is None:
        workers = changes.get("concurrency", 10)
        slowest = max(1e6 / WORKER_ITEMS_PER_SECOND, 1.536e9 / WORKER_BYTES_PER_SECOND)
        seconds = slowest / workers
        assert f"{workers} worker" in result.limit_reason
    assert result.seconds == pytest.approx(seconds, abs=0.1)
    assert "second" in result.limit_reason or "worker" in result.limit_reason


def test_a_small_index_may_bind() -> None:
    written = destination(1_000, GlobalSecondaryIndexes=[index("small", "KEYS_ONLY", 10)])
    result = made(source(), written)
    assert (result.limit, result.seconds) == ("destination_provisioned", 100_000)
    assert "index small" in result.limit_reason


def test_a_local_index_takes_of_the_tables_capacity() -> None:
    written = destination(100, LocalSecondaryIndexes=[index("local", "KEYS_ONLY")])
    assert made(source(), written).seconds == 30_000


@pytest.mark.parametrize(
    ("read", "budget", "ceiling"), [(200, None, 100), (200, 150.0, 0), (0, None, 0)], ids=str
)
def test_half_of_a_provisioned_source_is_left_to_others(
    read: int, budget: float | None, ceiling: float
) -> None:
    assert read_ceiling(source(read=read), replace(SETTINGS, read_capacity=budget)) == ceiling


class Described(DynamoDBClient):
    def __init__(self, tables: dict[str, Json]) -> None:
        self.tables = tables

    def call(self, operation: str, body: Any) -> Json:
        assert operation == "describe_table"
        return {"Table": self.tables[body["TableName"]]}


def test_the_run_notes_what_it_finds(capsys: pytest.CaptureFixture[str]) -> None:
    read, written = source(read=200), destination()
    client = Described({"source": read, "copy": written})
    noted = inspect_tables(client, "source", client, "copy", SETTINGS)
    expected = estimate(read, written, SETTINGS).as_json()
    assert json.loads(noted.pop("estimate")) == expected
    assert noted == {"key_names": ("pk",), "read_ceiling": 100, "destination_id": "id"}
    assert json.loads(capsys.readouterr().out) == {"event": "estimate", **expected}
