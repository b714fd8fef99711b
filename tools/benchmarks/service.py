"""The answers of the loopback server: prepared pages, items by key, counted writes, a journal, a role.

Bodies on the hot path are searched, not parsed: the server must use less of its core than any subject uses of
its own.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from tools.benchmarks.items import SIZES, Pages

Json = dict[str, Any]

_CLAUSE = re.compile(r"(SET|ADD) (.*?)(?= SET | ADD |$)")
_TERM = re.compile(r"([#\w]+)( = | )(:\w+)")


class NotUnderstood(Exception):
    """A request that this table cannot answer correctly."""


class MemoryTable:
    """Items by ``pk`` and ``sk``, both strings."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], Json] = {}

    def answer(self, operation: str, request: Json) -> Json:
        """The answer to ``operation``, in DynamoDB's JSON."""
        match operation:
            case "GetItem":
                found = self._items.get(_key(request["Key"]))
                return {} if found is None else {"Item": found}
            case "PutItem":
                self._items[_key(request["Item"])] = request["Item"]
            case "DeleteItem":
                self._items.pop(_key(request["Key"]), None)
            case "UpdateItem":
                return {"Attributes": self._update(request)}
            case "Query":
                return self._query(request)
            case "BatchGetItem":
                return self._batch_get(request)
            case "BatchWriteItem":
                return self._batch_write(request)
            case "TransactWriteItems":
                for ((kind, part),) in (entry.items() for entry in request["TransactItems"]):
                    if kind != "ConditionCheck":
                        self.answer(f"{kind}Item", part)
            case _:
                raise NotUnderstood(f"the journal of the benchmark does not know {operation}")
        return {}

    def _update(self, request: Json) -> Json:
        """Set attributes and add to numbers; the changed attributes."""
        expression: str = request["UpdateExpression"]
        names = request.get("ExpressionAttributeNames", {})
        values = request.get("ExpressionAttributeValues", {})
        clauses = _CLAUSE.findall(expression)
        terms = [(verb, _TERM.fullmatch(term)) for verb, listed in clauses for term in listed.split(", ")]
        key = _key(request["Key"])
        item = {**request["Key"], **self._items.get(key, {})}
        changed: Json = {}
        for verb, term in terms:
            if term is None or (verb == "SET") != (term[2] == " = ") or term[3] not in values:
                raise NotUnderstood(f"the journal of the benchmark does not understand {expression!r}")
            name, value = names.get(term[1], term[1]), values[term[3]]
            if verb == "ADD":
                value = {"N": str(int(item.get(name, {"N": "0"})["N"]) + int(value["N"]))}
            changed[name] = value
        if not changed:
            raise NotUnderstood(f"the journal of the benchmark does not understand {expression!r}")
        self._items[key] = {**item, **changed}
        return changed

    def _query(self, request: Json) -> Json:
        """Equality of pk, and a range or prefix of sk by the names of the values that bound it."""
        condition: str = request["KeyConditionExpression"]
        values = {
            name: value["S"] for name, value in request["ExpressionAttributeValues"].items() if "S" in value
        }
        wanted = re.fullmatch(
            r"\S+ = (:\w+)(?: AND (?:\S+ BETWEEN (:\w+) AND (:\w+)|begins_with\(\S+, (:\w+)\)))?", condition
        )
        if wanted is None:
            raise NotUnderstood(f"the journal of the benchmark does not understand {condition!r}")
        partition, first, last, prefix = wanted.groups()
        found = [
            item
            for (pk, sk), item in sorted(self._items.items())
            if pk == values[partition]
            and (first is None or values[first] <= sk <= values[last])
            and (prefix is None or sk.startswith(values[prefix]))
        ]
        return {"Items": found, "Count": len(found), "ScannedCount": len(found)}

    def _batch_get(self, request: Json) -> Json:
        found = {
            table: [self._items[_key(key)] for key in wanted["Keys"] if _key(key) in self._items]
            for table, wanted in request["RequestItems"].items()
        }
        return {"Responses": found, "UnprocessedKeys": {}}

    def _batch_write(self, request: Json) -> Json:
        for writes in request["RequestItems"].values():
            for write in writes:
                if "PutRequest" in write:
                    self.answer("PutItem", write["PutRequest"])
                else:
                    self.answer("DeleteItem", write["DeleteRequest"])
        return {"UnprocessedItems": {}}


def _key(item: Json) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


SOURCE = "source"
DESTINATION = "copy"
JOURNAL = "journal"

_BATCH_REQUESTS = 25
_BATCH_KEYS = 100
_READ_UNIT = 4096
_WRITE_UNIT = 1024

_NUMBER = re.compile(rb'"k(\d{15})"')
_TABLE = re.compile(rb'"(?:RequestItems":\s*\{\s*|TableName":\s*|ResourceArn":\s*)"(?:arn:[^"]*/)?([^"]+)"')
_WANTS_CAPACITY = re.compile(rb'"ReturnConsumedCapacity":\s*"(?:TOTAL|INDEXES)"')

_WRITES = frozenset({"BatchWriteItem", "PutItem", "DeleteItem"})

# What else is asked of a table that is compared; both tables are set alike.
_SETTINGS: dict[str, Any] = {
    "DescribeContinuousBackups": {
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
        }
    },
    "DescribeTimeToLive": {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}},
    "ListTagsOfResource": {"Tags": []},
}

_ROLE = b"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<AssumedRoleUser><AssumedRoleId>AROABENCH:bench</AssumedRoleId>
<Arn>arn:aws:sts::222222222222:assumed-role/copy/bench</Arn></AssumedRoleUser>
<Credentials><AccessKeyId>ASIABENCH</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>
<SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleResult><ResponseMetadata><RequestId>bench</RequestId></ResponseMetadata></AssumeRoleResponse>"""


@dataclass
class Tally:
    """What has passed through the server: the numbers in the items' keys, counted and added up.

    ``sum`` distinguishes one item written twice and one lost from all items written once.
    """

    items: int = 0
    sum: int = 0

    def add(self, items: int, numbers: int) -> None:
        """Count ``items`` more whose numbers add up to ``numbers``."""
        self.items += items
        self.sum += numbers


@dataclass
class Service:
    """Answers requests by their operation and body.

    Attributes
    ----------
    pages
        Contents of the source.
    watched
        Number of the item whose writes are counted separately.
    copy
        Contents of the destination, if it is read. Writes are counted, but not kept.
    """

    pages: Pages
    shape: str
    watched: int = -1
    copy: Pages | None = None
    served: Tally = field(default_factory=Tally)
    received: Tally = field(default_factory=Tally)
    watched_writes: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    journal: MemoryTable = field(default_factory=MemoryTable)

    def answer(self, operation: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        self.calls[operation] += 1
        if not operation:
            return 200, _ROLE
        named = _TABLE.search(body)
        table = named.group(1).decode() if named else JOURNAL
        try:
            if table == JOURNAL:
                return self._journal(operation, body)
            if operation in _WRITES:
                return self._write(operation, table, body)
            pages = self.copy if table == DESTINATION else self.pages
            if operation == "DescribeTable":
                return 200, json.dumps(_description(table, pages.items if pages else 0, self.shape)).encode()
            if operation == "Scan" and pages is not None:
                return self._scan(pages, body)
            if operation == "BatchGetItem" and pages is not None:
                return self._batch_get(pages, table, body)
            if operation in _SETTINGS:
                return 200, json.dumps(_SETTINGS[operation]).encode()
        except NotUnderstood as not_understood:
            return _refusal(str(not_understood))
        return _refusal(f"the benchmark's server does not know {operation} of {table}")

    def stats(self) -> dict[str, Any]:
        """What was served and received so far."""
        return {
            "served": asdict(self.served),
            "received": asdict(self.received),
            "watched_writes": self.watched_writes,
            "calls": self.calls,
        }

    def _scan(self, pages: Pages, body: bytes) -> tuple[int, bytes]:
        request = json.loads(body)
        page = pages.scan(
            request.get("Segment", 0),
            request.get("TotalSegments", 1),
            request.get("ExclusiveStartKey"),
            request.get("Limit"),
        )
        self.served.add(page.count, sum(range(page.first, page.first + page.count)))
        rest: dict[str, Any] = {"Count": page.count, "ScannedCount": page.count}
        if page.last_key is not None:
            rest["LastEvaluatedKey"] = page.last_key
        if request.get("ReturnConsumedCapacity", "NONE") != "NONE":
            units = -(-page.count * SIZES[self.shape] // _READ_UNIT)
            rest["ConsumedCapacity"] = {
                "TableName": request["TableName"],
                "CapacityUnits": units if request.get("ConsistentRead") else units / 2,
            }
        return 200, b'{"Items":[' + page.items + b"]," + json.dumps(rest).encode()[1:]

    def _batch_get(self, pages: Pages, table: str, body: bytes) -> tuple[int, bytes]:
        request = json.loads(body)
        wanted = request["RequestItems"][table]
        if len(wanted["Keys"]) > _BATCH_KEYS:
            return _refusal("Too many items requested for the BatchGetItem call")
        found = [item for item in map(pages.get, wanted["Keys"]) if item is not None]
        rest: dict[str, Any] = {"UnprocessedKeys": {}}
        if request.get("ReturnConsumedCapacity", "NONE") != "NONE":
            # What is not there costs a unit as well (API reference, BatchGetItem).
            units = len(found) * -(-SIZES[self.shape] // _READ_UNIT) + len(wanted["Keys"]) - len(found)
            consumed = units if wanted.get("ConsistentRead") else units / 2
            rest["ConsumedCapacity"] = [{"TableName": table, "CapacityUnits": consumed}]
        named = json.dumps(table).encode()
        return 200, b'{"Responses":{%b:[%b]},' % (named, b",".join(found)) + json.dumps(rest).encode()[1:]

    def _write(self, operation: str, table: str, body: bytes) -> tuple[int, bytes]:
        numbers = _NUMBER.findall(body)
        if len(numbers) > _BATCH_REQUESTS:
            return _refusal("Too many items requested for the BatchWriteItem call")
        if len(set(numbers)) < len(numbers):
            return _refusal("Provided list of item keys contains duplicates")
        values = list(map(int, numbers))
        self.received.add(len(values), sum(values))
        self.watched_writes += self.watched in values
        answer: dict[str, Any] = {"UnprocessedItems": {}} if operation == "BatchWriteItem" else {}
        if _WANTS_CAPACITY.search(body):
            consumed = {
                "TableName": table,
                "CapacityUnits": float(len(values) * -(-SIZES[self.shape] // _WRITE_UNIT)),
            }
            answer["ConsumedCapacity"] = [consumed] if operation == "BatchWriteItem" else consumed
        return 200, json.dumps(answer).encode()

    def _journal(self, operation: str, body: bytes) -> tuple[int, bytes]:
        request = json.loads(body)
        answer = self.journal.answer(operation, request)
        if request.get("ReturnConsumedCapacity", "NONE") != "NONE":
            consumed = {"TableName": JOURNAL, "CapacityUnits": 1.0}
            is_list = operation in {"BatchWriteItem", "BatchGetItem", "TransactWriteItems"}
            answer = {**answer, "ConsumedCapacity": [consumed] if is_list else consumed}
        return 200, json.dumps(answer).encode()


def _refusal(message: str) -> tuple[int, bytes]:
    kind = "com.amazon.coral.validate#ValidationException"
    return 400, json.dumps({"__type": kind, "message": message}).encode()


def _description(table: str, items: int, shape: str) -> dict[str, Any]:
    account = "222222222222" if table == DESTINATION else "111111111111"
    return {
        "Table": {
            "TableName": table,
            "TableStatus": "ACTIVE",
            "TableArn": f"arn:aws:dynamodb:eu-west-1:{account}:table/{table}",
            "TableId": f"00000000-0000-4000-8000-{account}",
            "ItemCount": items,
            "TableSizeBytes": items * SIZES[shape],
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
            ],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        }
    }
