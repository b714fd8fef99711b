"""DynamoDB as far as `verify` needs it: tables in memory, in a scan order of the test's choosing.

`FakeTable.send` stands in for signed calls in process; `serving` serves tables over HTTP on the loopback.
"""

from __future__ import annotations

import json
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from tablecopy_cli.common.accounts import Side
from tests import loopback
from tests.loopback import Answer, Request
from tests.unit.tablecopy.validation import check
from verify import KeySchema, Table

Item = dict[str, Any]

KEYS = (("pk", "S"), ("sk", "N"))


class FakeTable:
    """A table in memory.

    Parameters
    ----------
    items
        Its items, in the order a scan returns them.
    name, account
        For its ARN.
    page_size
        Items of a page.

    Attributes
    ----------
    calls
        Every call: operation and request.
    id
        Its ``TableId``, unless one that follows from its ARN will do.
    before
        Called before each call with the operation's name: a test changes the table, or raises, in it.
    older
        Asked by each eventually consistent scan: what it still sees in the place of some items (``None``: no
        item), by `KeySchema.identity`.
    """

    def __init__(
        self,
        items: Sequence[Item] = (),
        *,
        name: str = "cities",
        account: str = "111111111111",
        keys: tuple[tuple[str, str], ...] = KEYS,
        page_size: int = 3,
        expiry: str | None = None,
    ) -> None:
        self.name = name
        self.id: str | None = None
        self.arn = f"arn:aws:dynamodb:eu-west-1:{account}:table/{name}"
        self.keys = keys
        self.page_size = page_size
        self.expiry = expiry
        self.item_count: int | None = None
        self.item_bytes = 100
        self.units_per_page = 0.5
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.before: Callable[[str], None] = lambda operation: None
        self.older: Callable[[], Mapping[str, Item | None]] = dict
        self.matches: Callable[[Item], bool] = lambda item: True
        self.unprocessed = 0
        self.lock = threading.RLock()
        self._schema = KeySchema(keys)
        # None where an item was deleted: scans go on behind it, and the next item of that key goes there.
        self._items: dict[str, Item | None] = {}
        for item in items:
            self.put(item)

    def put(self, item: Item) -> None:
        """Write an item. A key keeps its place in the scan order, even while it is deleted."""
        with self.lock:
            self._items[self._schema.identity(item)] = item

    def delete(self, key: Item) -> None:
        """Take an item out."""
        with self.lock:
            if self._schema.identity(key) in self._items:
                self._items[self._schema.identity(key)] = None

    def get(self, key: Item) -> Item | None:
        """Read an item."""
        with self.lock:
            return self._items.get(self._schema.identity(key))

    def replace_all(self, items: Sequence[Item]) -> None:
        """Hold these items and no others."""
        with self.lock:
            self._items.clear()
            for item in items:
                self.put(item)

    @property
    def items(self) -> list[Item]:
        """What it holds."""
        with self.lock:
            return [item for item in self._items.values() if item is not None]

    def count(self, operation: str) -> int:
        """How often an operation was called."""
        return sum(name == operation for name, _ in self.calls)

    def send(self, operation: str, body: bytes) -> bytes:
        """Answer a call. Raises botocore's ClientError for an operation it does not know."""
        check(operation, body)
        request = json.loads(body)
        self.before(operation)
        with self.lock:
            self.calls.append((operation, request))
            answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
                "Scan": self._scan,
                "BatchGetItem": self._batch_get,
                "DescribeTable": lambda _: {"Table": self.description()},
                "DescribeTimeToLive": lambda _: {"TimeToLiveDescription": self._time_to_live()},
                "ListTagsOfResource": lambda _: {"Tags": []},
                "DescribeKinesisStreamingDestination": lambda _: {"KinesisDataStreamDestinations": []},
                "DescribeContributorInsights": lambda _: {"ContributorInsightsStatus": "DISABLED"},
                "DescribeContinuousBackups": lambda _: {
                    "ContinuousBackupsDescription": {"ContinuousBackupsStatus": "ENABLED"}
                },
            }
            if operation == "GetResourcePolicy":
                raise ClientError(
                    {"Error": {"Code": "PolicyNotFoundException", "Message": "none"}}, operation
                )
            if operation not in answers:
                error: Any = {"Error": {"Code": "UnknownOperationException", "Message": operation}}
                raise ClientError(error, operation)
            # As DynamoDB spells it, but for the order of names: that is the item's own.
            return json.dumps(answers[operation](request), separators=(",", ":"), ensure_ascii=False).encode()

    def description(self) -> dict[str, Any]:
        """``Table`` of DescribeTable."""
        count = len(self.items) if self.item_count is None else self.item_count
        return {
            "TableName": self.name,
            "TableArn": self.arn,
            "TableId": self.id or f"id-of-{self.arn}",
            "CreationDateTime": 1_700_000_000.25,
            "TableStatus": "ACTIVE",
            "ItemCount": count,
            "TableSizeBytes": count * self.item_bytes,
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            "KeySchema": [
                {"AttributeName": name, "KeyType": kind}
                for (name, _), kind in zip(self.keys, ("HASH", "RANGE"), strict=False)
            ],
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind} for name, kind in self.keys
            ],
        }

    def table(self, side: str = "source") -> Table:
        """This table as `verify` reads it, without a network."""
        from verify.settings.describe import read_definition

        definition = None
        if self.expiry:
            client: Any = _Describing(self)
            definition = read_definition(client, Side(side), self.description())
        return Table(Side(side, table_name=self.name), self.send, self.description(), definition)

    def _scan(self, request: dict[str, Any]) -> dict[str, Any]:
        seen = self._items if request["ConsistentRead"] else {**self._items, **self.older()}
        mine = [
            identity
            for identity in seen
            if zlib.crc32(identity.encode()) % request["TotalSegments"] == request["Segment"]
        ]
        start = 0
        if "ExclusiveStartKey" in request:
            start = 1 + mine.index(self._schema.identity(request["ExclusiveStartKey"]))
        left = [item for identity in mine[start:] if (item := seen[identity]) is not None]
        page = left[: request.get("Limit", self.page_size)]
        shown = [item for item in page if self.matches(item)] if "FilterExpression" in request else page
        answer: dict[str, Any] = {"Items": shown, "Count": len(shown), "ScannedCount": len(page)}
        if len(page) < len(left):
            answer["LastEvaluatedKey"] = self._schema.key_of(page[-1])
        factor = 2 if request["ConsistentRead"] else 1
        answer["ConsumedCapacity"] = {"TableName": self.name, "CapacityUnits": self.units_per_page * factor}
        return answer

    def _batch_get(self, request: dict[str, Any]) -> dict[str, Any]:
        ((table, wanted),) = request["RequestItems"].items()
        assert wanted["ConsistentRead"] is True
        keys = wanted["Keys"]
        assert len(keys) <= 100
        left: dict[str, Any] = {}
        if self.unprocessed:
            self.unprocessed -= 1
            left, keys = {table: {"Keys": keys[1:], "ConsistentRead": True}}, keys[:1]
        found = [self._items.get(self._schema.identity(key)) for key in keys]
        return {
            "Responses": {table: [item for item in found if item is not None]},
            "UnprocessedKeys": left,
            "ConsumedCapacity": [{"TableName": table, "CapacityUnits": float(len(keys))}],
        }

    def _time_to_live(self) -> dict[str, Any]:
        if self.expiry is None:
            return {"TimeToLiveStatus": "DISABLED"}
        return {"TimeToLiveStatus": "ENABLED", "AttributeName": self.expiry}


class _Describing:
    """The calls of a boto3 client that describe a table."""

    def __init__(self, table: FakeTable) -> None:
        self._table = table

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = "".join(part.capitalize() for part in name.split("_"))
        return lambda **request: json.loads(self._table.send(operation, json.dumps(request).encode()))


class Served:
    """Tables that are served over HTTP, and what was asked for.

    Attributes
    ----------
    functions
        Lambda functions by name: each gets the event and returns the answer.
    instead
        Called first with operation and body; returns status and body of an answer that is none of DynamoDB's.
    crc
        Reckons the CRC-32 that goes with an answer.
    """

    def __init__(self, tables: Sequence[FakeTable]) -> None:
        # Of several tables of one name, which are then in several accounts, the caller has the first.
        self.tables = {table.name: table for table in reversed(tables)}
        self.by_arn = {table.arn: table for table in tables}
        self.url = ""
        self.operations: Counter[str] = Counter()
        self.functions: dict[str, Callable[[Any], Any]] = {}
        self.crc: Callable[[bytes], int] = zlib.crc32
        self.instead: Callable[[str, bytes], tuple[int, bytes] | None] = lambda operation, body: None

    def answer(self, operation: str, body: bytes) -> tuple[int, bytes]:
        """Status and body."""
        self.operations[operation] += 1
        instead = self.instead(operation, body)
        if instead is not None:
            return instead
        request = json.loads(body)
        name = request.get("TableName") or next(iter(request.get("RequestItems", {"": None})))
        name = name or request.get("ResourceArn", "")
        table = ({each.arn: each for each in self.tables.values()} | self.by_arn | self.tables).get(name)
        try:
            if table is None:
                raise ClientError(
                    {
                        "Error": {
                            "Code": "ResourceNotFoundException",
                            "Message": "Requested resource not found",
                        }
                    },
                    operation,
                )
            return 200, table.send(operation, body)
        except ClientError as error:
            found = error.response["Error"]
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
            return status, json.dumps({"__type": found["Code"], "message": found["Message"]}).encode()

    def invoke(self, name: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of a Lambda function's answer."""
        self.operations["Invoke"] += 1
        if name not in self.functions:
            return 404, json.dumps({"Type": "User", "Message": f"Function not found: {name}"}).encode()
        return 200, json.dumps(self.functions[name](json.loads(body))).encode()


@contextmanager
def serving(*tables: FakeTable) -> Iterator[Served]:
    """Serve ``tables`` on 127.0.0.1 while the body runs."""
    served = Served(tables)

    def answer(request: Request) -> Answer:
        if request.path.startswith("/2015-03-31/functions/"):
            status, body = served.invoke(unquote(request.path.split("/")[3]), request.body)
        else:
            status, body = served.answer(request.operation, request.body)
        headers = {"Content-Type": "application/x-amz-json-1.0", "x-amz-crc32": str(served.crc(body))}
        if status == 404:
            headers["x-amzn-ErrorType"] = "ResourceNotFoundException"
        return Answer(status, body, headers)

    with loopback.serving(answer) as served.url:
        yield served
