"""What a copy is expected to take, and what a run notes of its tables."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tablecopy.control.estimate import Estimate, estimate, inspect_tables
from tablecopy.dynamodb.client import DynamoDBClient, Json
from tablecopy.settings import Prices, ReconcilerSettings
from tests.unit.tablecopy.control.descriptions import destination, index, source
from tests.unit.tablecopy.functions import ENVIRONMENT

SETTINGS = replace(
    ReconcilerSettings.from_environment(ENVIRONMENT),
    total_segments=10,
    concurrency=1_000,
    prices=Prices("EUR", 0.2, 1.0),
)


def made(read: Json, written: Json) -> Estimate:
    return estimate(read, written, SETTINGS)


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
    assert (result.read_units, result.write_units) == (10, 0)
    assert result.seconds < 1
    assert result.recommendation is None


class Described(DynamoDBClient):
    def __init__(self, tables: dict[str, Json]) -> None:
        self.tables = tables

    def call(self, operation: str, body: Any) -> Json:
        assert operation == "describe_table"
        return {"Table": self.tables[body["TableName"]]}


def test_the_run_notes_what_it_finds(capsys: pytest.CaptureFixture[str]) -> None:
    # A table of 1 TB, so that there is a recommendation.
    read, written = source(10**9, 10**12), destination()
    client = Described({"source": read, "copy": written})
    noted = inspect_tables(client, "source", client, "copy", SETTINGS)
    result = estimate(read, written, SETTINGS)
    expected = json.loads(noted.pop("estimate"))
    assert expected == result.as_json()
    assert result.recommendation is not None
    assert expected["recommendation"]["text"] == result.recommendation.text
    assert noted == {"key_names": ("pk",), "read_ceiling": 0, "destination_id": "id"}
    assert json.loads(capsys.readouterr().out) == {"event": "estimate", **expected}
