"""Reading a table: its key schema, its segments, single items."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sides import Side, UserError
from sides.errors import explained
from sides.items import Item
from verify.canonical import digest
from verify.keys import KeySchema

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

BATCH_KEYS = 100
"""Keys of one BatchGetItem call at most (DynamoDB API reference)."""

# A wrong region or endpoint shows in the first call; retrying that for a minute helps nobody.
_PROBE_ATTEMPTS = 3
_LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True)
class Page:
    """One page of a scan.

    Parameters
    ----------
    entries
        Packed key and digest of each item.
    consumed
        Read capacity units it took.
    """

    entries: Sequence[tuple[bytes, bytes]]
    consumed: float


@dataclass(frozen=True)
class Table:
    """A table that can be read. Made by `connect` or `describe`.

    Parameters
    ----------
    side
        Where the table is; errors name it.
    client
        Low-level DynamoDB client on that side.
    arn
        ARN of the table.
    key_schema
        Its primary key.
    """

    side: Side
    client: DynamoDBClient
    arn: str
    key_schema: KeySchema

    @classmethod
    def connect(cls, side: Side, *, connections: int = 10) -> Table:
        """Sign in on a side and look the table up.

        Parameters
        ----------
        side
            Names the table and how to reach it.
        connections
            How many threads will read at once.

        Raises
        ------
        sides.UserError
            The table does not exist or cannot be reached.
        """
        cls.describe(side, side.client("dynamodb", attempts=_PROBE_ATTEMPTS))
        return cls.describe(side, side.client("dynamodb", connections=connections))

    @classmethod
    def describe(cls, side: Side, client: DynamoDBClient) -> Table:
        """Look the table up with a client of the caller's.

        Raises
        ------
        sides.UserError
            The table does not exist or cannot be reached.
        """
        if side.table_name is None:
            raise UserError(f"no {side.name} table; give --{side.name} TABLE", side.name)
        with explained(side):
            description = client.describe_table(TableName=side.table_name)["Table"]
        return cls(side, client, description["TableArn"], KeySchema.of(description))

    @property
    def name(self) -> str:
        """Name of the table."""
        return self.arn.rpartition("/")[2]

    def is_same_as(self, other: Table) -> bool:
        """Whether both are one table. Two local AWS may hold the same ARN: the endpoint counts too."""
        return self.arn == other.arn and self.client.meta.endpoint_url == other.client.meta.endpoint_url

    def scan(self, segment: int, segments: int, *, consistent: bool, stop: threading.Event) -> Iterator[Page]:
        """Read one segment of the table, page by page, until its end or `stop`.

        Parameters
        ----------
        segment, segments
            Which part of how many, from 0.
        consistent
            Strongly consistent reads, at twice the capacity.
        stop
            Set to end between two pages.
        """
        start: Item | None = None
        while not stop.is_set():
            more: dict[str, Any] = {} if start is None else {"ExclusiveStartKey": start}
            with explained(self.side):
                response = self.client.scan(
                    TableName=self.name,
                    Segment=segment,
                    TotalSegments=segments,
                    ConsistentRead=consistent,
                    ReturnConsumedCapacity="TOTAL",
                    **more,
                )
            pack = self.key_schema.pack
            yield Page([(pack(item), digest(item)) for item in response["Items"]], _units(response))
            start = response.get("LastEvaluatedKey")
            if not start:
                return

    def get(self, packed_keys: Sequence[bytes], *, stop: threading.Event) -> tuple[dict[bytes, Item], float]:
        """Read single items, strongly consistent.

        Parameters
        ----------
        packed_keys
            At most `BATCH_KEYS` packed keys.
        stop
            Set to give up between two calls.

        Returns
        -------
        tuple
            Packed key to item, for the items there are; read capacity units.
        """
        items: dict[bytes, Item] = {}
        units = 0.0
        wanted: Any = [self.key_schema.unpack(packed) for packed in packed_keys]
        failures = 0
        while wanted and not stop.is_set():
            with explained(self.side):
                response: Any = self.client.batch_get_item(
                    RequestItems={self.name: {"Keys": wanted, "ConsistentRead": True}},
                    ReturnConsumedCapacity="TOTAL",
                )
            units += sum(_units({"ConsumedCapacity": part}) for part in response.get("ConsumedCapacity", []))
            found = response.get("Responses", {}).get(self.name, [])
            items.update((self.key_schema.pack(item), item) for item in found)
            wanted = response.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
            if wanted:
                # More than 16 MB, or throttled: then nothing came, and asking at once would not help.
                failures = 0 if found else failures + 1
                stop.wait(
                    random.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.05 * 2**failures)) if failures else 0
                )
        return items, units


def _units(response: Any) -> float:
    # A local AWS may leave the capacity out.
    return float((response.get("ConsumedCapacity") or {}).get("CapacityUnits") or 0)
