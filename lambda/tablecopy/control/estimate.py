"""The estimate of a backfill: request units, time, what limits its speed, and settings that fit the table.

Counts and sizes are those of DescribeTable, which AWS updates about every six hours.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

from tablecopy.control.bounds import (
    READ_UNIT_BYTES,
    WRITE_UNIT_BYTES,
    Work,
    partitions,
    read_ceiling,
    slowest,
)
from tablecopy.control.sizing import Recommendation, recommendation
from tablecopy.control.tables import Caller, key_definition
from tablecopy.dynamodb.client import Json
from tablecopy.metrics import log
from tablecopy.settings import CopySettings


@dataclass(frozen=True)
class Estimate:
    """What the backfill of a table will take. Changes made during the copy are not included.

    Attributes
    ----------
    items, bytes
        What the source holds: DynamoDB's ItemCount and TableSizeBytes, which are up to six hours old.
    read_units, write_units
        Request units. Writes include the destination's indexes, as if every item were in each index.
    units_per_item
        Write units of an average item and its index entries, for each change.
    cost, currency
        Cost of these units at on-demand prices.
    seconds
        Copy time without the pauses between slices.
    limit
        The limit that determines the time: "read_capacity", "write_capacity" (the budgets),
        "source_provisioned", "source_partitions", "source_maximum", "destination_provisioned",
        "destination_on_demand", "destination_maximum", "table_quota" or "workers".
    limit_reason
        The same limit for people.
    recommendation
        Settings that fit the table better; ``None`` if the present ones fit.
    shards
        Open shards that the source's stream is expected to have, about one for each partition.
    """

    items: int
    bytes: int
    read_units: int
    write_units: int
    units_per_item: float
    cost: float
    currency: str
    seconds: float
    limit: str
    limit_reason: str
    recommendation: Recommendation | None
    shards: int

    def as_json(self) -> Json:
        """Return the fields by their names."""
        return asdict(self)


def estimate(source: Json, destination: Json, settings: CopySettings) -> Estimate:
    """Estimate copying ``source`` to ``destination``, each the ``Table`` of DescribeTable."""
    items, size = int(source.get("ItemCount", 0)), int(source.get("TableSizeBytes", 0))
    work = _work(items, size, destination, settings)
    binding = slowest(source, destination, work, settings)
    prices = settings.prices
    cost = (work.read_units * prices.read_per_million + work.write_units * prices.write_per_million) / 1e6
    return Estimate(
        items=items,
        bytes=size,
        read_units=work.read_units,
        write_units=work.write_units,
        units_per_item=work.write_units / items if items else 1.0,
        cost=round(cost, 4),
        currency=prices.currency,
        seconds=round(binding.seconds, 1),
        limit=binding.limit,
        limit_reason=binding.reason,
        recommendation=recommendation(source, destination, work, settings, binding),
        shards=partitions(source),
    )


def inspect_tables(
    source: Caller, source_table: str, destination: Caller, destination_table: str, settings: CopySettings
) -> Json:
    """Return the fields of a run that follow from its tables, which preflight has found.

    Returns
    -------
    dict
        ``key_names``, ``read_ceiling``, ``destination_id`` and ``estimate`` (JSON text): see journal.run.Run.
    """
    read = source.call("describe_table", {"TableName": source_table})["Table"]
    written = destination.call("describe_table", {"TableName": destination_table})["Table"]
    expected = estimate(read, written, settings).as_json()
    log.event("estimate", **expected)
    return {
        "key_names": tuple(name for name, _, _ in key_definition(read)),
        "read_ceiling": read_ceiling(read, settings),
        "destination_id": written.get("TableId", ""),
        "estimate": json.dumps(expected),
    }


def _item_units(items: int, size: int) -> int:
    return max(1, math.ceil(size / items / WRITE_UNIT_BYTES)) if items else 0


def _index_units(index: Json, items: int, size: int) -> int:
    """Return write units per item. The size of a partial projection is unknown and counts as one unit."""
    whole = index.get("Projection", {}).get("ProjectionType") == "ALL"
    return _item_units(items, size) if whole else 1


def _work(items: int, size: int, destination: Json, settings: CopySettings) -> Work:
    def index_units(kind: str) -> dict[str, int]:
        return {
            index["IndexName"]: items * _index_units(index, items, size)
            for index in destination.get(kind) or []
        }

    return Work(
        bytes=size,
        # An empty page takes a unit as well, and each segment has a last one.
        read_units=math.ceil(size / READ_UNIT_BYTES) + settings.total_segments,
        # A local index uses the table's capacity, a global index has its own.
        table_units=items * _item_units(items, size) + sum(index_units("LocalSecondaryIndexes").values()),
        index_units=index_units("GlobalSecondaryIndexes"),
    )
