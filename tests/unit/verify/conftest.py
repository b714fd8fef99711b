"""Tables to compare: in memory with a scan order of the test's choosing, and in moto."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from sides import Side
from verify import Table
from verify.canonical import canonical

KEYS = (("pk", "S"), ("sk", "N"))


class FakeClient:
    """The calls of a DynamoDB client that `verify` makes, served from a list in the list's order.

    `stored` may be changed by a test between the scan and the recheck: `before_get` is called then.
    """

    def __init__(self, items: Sequence[dict[str, Any]], keys: tuple[tuple[str, str], ...], arn: str) -> None:
        self.stored = list(items)
        self.page_size = 3
        self.keys = keys
        self.arn = arn
        self.meta = SimpleNamespace(endpoint_url="memory://")
        self.before_get: Callable[[], None] = lambda: None
        self.unprocessed_calls = 0
        self.scans: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def describe_table(self, **request: Any) -> dict[str, Any]:
        kinds = ("HASH", "RANGE")
        return {
            "Table": {
                "TableArn": self.arn,
                "KeySchema": [
                    {"AttributeName": name, "KeyType": kind}
                    for (name, _), kind in zip(self.keys, kinds, strict=False)
                ],
                "AttributeDefinitions": [
                    {"AttributeName": name, "AttributeType": kind} for name, kind in self.keys
                ],
            }
        }

    def scan(self, **request: Any) -> dict[str, Any]:
        with self._lock:
            self.scans.append(request)
        mine = self.stored[request["Segment"] :: request["TotalSegments"]]
        start = int(request["ExclusiveStartKey"]["at"]["N"]) if "ExclusiveStartKey" in request else 0
        page = mine[start : start + self.page_size]
        response: dict[str, Any] = {"Items": page, "ConsumedCapacity": {"CapacityUnits": 0.5}}
        if start + self.page_size < len(mine):
            response["LastEvaluatedKey"] = {"at": {"N": str(start + self.page_size)}}
        return response

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        self.before_get()
        ((table, wanted),) = request["RequestItems"].items()
        assert wanted["ConsistentRead"] is True
        assert len(wanted["Keys"]) <= 100
        keys = wanted["Keys"]
        unprocessed: dict[str, Any] = {}
        with self._lock:
            if self.unprocessed_calls:
                self.unprocessed_calls -= 1
                unprocessed = {table: {"Keys": keys[1:]}}
                keys = keys[:1]
        index = {self._identity(item): item for item in self.stored}
        found = [index[self._identity(key)] for key in keys if self._identity(key) in index]
        return {
            "Responses": {table: found},
            "UnprocessedKeys": unprocessed,
            "ConsumedCapacity": [{"TableName": table, "CapacityUnits": 1.0}],
        }

    def _identity(self, item: dict[str, Any]) -> tuple[str, ...]:
        return tuple(canonical(item[name]) for name, _ in self.keys)


class MakeTable:
    """Makes tables in memory: `make(items)` the source, `make(items, "destination")` the other."""

    def __call__(
        self,
        items: Sequence[dict[str, Any]],
        name: str = "source",
        keys: tuple[tuple[str, str], ...] = KEYS,
    ) -> Table:
        account = "111111111111" if name == "source" else "222222222222"
        client: Any = FakeClient(items, keys, f"arn:aws:dynamodb:eu-west-1:{account}:table/cities")
        return Table.describe(Side(name, table_name="cities"), client)


@pytest.fixture
def make_table() -> MakeTable:
    return MakeTable()


@pytest.fixture
def moto_tables(aws: None) -> Callable[..., tuple[Any, Any]]:
    """Create the table `cities` in eu-west-1 (source) and eu-central-1 (destination) of one moto account."""

    def create(keys: tuple[tuple[str, str], ...] = KEYS, other: Any = None) -> tuple[Any, Any]:
        clients = []
        for region, schema in (("eu-west-1", keys), ("eu-central-1", other or keys)):
            client = boto3.client("dynamodb", region_name=region)
            client.create_table(
                TableName="cities",
                KeySchema=[
                    {"AttributeName": name, "KeyType": kind}
                    for (name, _), kind in zip(schema, ("HASH", "RANGE"), strict=False)
                ],
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": kind} for name, kind in schema
                ],
                BillingMode="PAY_PER_REQUEST",
            )
            clients.append(client)
        return clients[0], clients[1]

    return create
