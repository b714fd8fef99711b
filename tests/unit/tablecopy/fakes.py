"""Stand-ins that are passed where AWS or time would be."""

from __future__ import annotations

import functools
import hashlib
import json
import random
import threading
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.session import Session

from tablecopy.clock import Clock, Machine
from tablecopy.dynamodb.client import DynamoDB, DynamoDBClient, Json, encode
from tablecopy.dynamodb.requests import key_token
from tablecopy.handlers.context import Aws
from tablecopy.journal.applied_batches import batch_name
from tablecopy.journal.store import Conflict, Store, V
from tablecopy.settings import DestinationSettings
from tests.unit.tablecopy.validation import check

NOON = 1_750_000_000.0


class FakeClock(Machine):
    """Ticks by hand: only sleep() and whoever sets ``time`` move it."""

    def __init__(self, time: float = NOON) -> None:
        self.time = time
        self.slept: list[float] = []
        self.on_sleep: Callable[[], object] = lambda: None
        self._lock = threading.Lock()

    def random(self) -> random.Random:
        return random.Random(1)

    def now(self) -> float:
        return self.time

    def tick(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self.time += seconds

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        with self._lock:
            self.slept.append(seconds)
            self.time += seconds
        self.on_sleep()


@functools.cache
def moto_client() -> DynamoDBClient:
    """A client to the AWS that moto shows at the moment."""
    return DynamoDBClient(Session(), "eu-west-1", attempts=1)


def client_error(
    code: str, status: int = 400, operation: str = "BatchWriteItem", reasons: Sequence[Json] = ()
) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    if reasons:
        response["ThrottlingReasons"] = list(reasons)
    return ClientError(response, operation)


def no_answer() -> ReadTimeoutError:
    return ReadTimeoutError(endpoint_url="https://dynamodb")


Fault = Callable[[Sequence[Json]], "Answer"]
"""Looks at a call's requests and says what becomes of them."""


@dataclass
class Answer:
    """Which of a call's requests take effect, which come back as unprocessed, and what is raised."""

    applied: Sequence[Json]
    unprocessed: Sequence[Json] = ()
    error: Exception | None = None


def refuse(code: str, status: int = 400) -> Fault:
    """Nothing takes effect and the call fails."""
    return lambda requests: Answer([], error=client_error(code, status))


def lose_answer(requests: Sequence[Json]) -> Answer:
    """Everything takes effect, and nobody hears of it."""
    return Answer(requests, error=no_answer())


def leave(*indexes: int) -> Fault:
    """The requests at ``indexes`` come back as unprocessed."""

    def answer(requests: Sequence[Json]) -> Answer:
        left = [request for index, request in enumerate(requests) if index in indexes]
        return Answer([request for request in requests if request not in left], left)

    return answer


class FakeDestination(DynamoDBClient):
    """A table in memory behind BatchWriteItem, with its limits, and with faults for its next calls.

    Each write costs one unit, and for each index what ``indexes`` says. One call at a time takes effect, as
    if they came in that order. ``refuses`` are the tokens of keys that make any call with them a bad one.
    """

    def __init__(self, key_names: Sequence[str] = ("pk",), faults: Sequence[Fault] = ()) -> None:
        self.key_names = key_names
        self.faults = list(faults)
        self.refuses: set[str] = set()
        self.indexes: dict[str, float] = {}
        self.items: dict[str, Json] = {}
        self.calls: list[list[Json]] = []
        self.on_call: Callable[[], None] = lambda: None
        self.on_credentials: Callable[[], None] = lambda: None
        self.lock = threading.RLock()

    def credentials(self) -> None:
        self.on_credentials()

    def send(self, operation: str, body: bytes, credentials: object = None) -> bytes:
        assert operation == "BatchWriteItem"
        check(operation, body)
        request = json.loads(body)
        assert request["ReturnConsumedCapacity"] == "INDEXES"
        [(table, requests)] = request["RequestItems"].items()
        assert table == "copy"
        assert 1 <= len(requests) <= 25
        assert len(body) <= 16 * 1024 * 1024
        assert len({self.token(request) for request in requests}) == len(requests)
        with self.lock:
            self.calls.append(requests)
            self.on_call()
            answer = self.faults.pop(0)(requests) if self.faults else Answer(requests)
            if self.refuses & set(map(self.token, requests)):
                answer = refuse("ValidationException")(requests)
            for each in answer.applied:
                self.apply(each)
        if answer.error:
            raise answer.error
        return encode(
            {
                "UnprocessedItems": {table: list(answer.unprocessed)} if answer.unprocessed else {},
                "ConsumedCapacity": [self._consumed(table, len(answer.applied))],
            }
        )

    def _consumed(self, table: str, writes: int) -> Json:
        parts = {name: {"CapacityUnits": units * writes} for name, units in self.indexes.items()}
        return {
            "TableName": table,
            "CapacityUnits": writes * (1 + sum(self.indexes.values())),
            "Table": {"CapacityUnits": float(writes)},
            **({"GlobalSecondaryIndexes": parts} if parts else {}),
        }

    def token(self, request: Json) -> str:
        if "DeleteRequest" in request:
            return key_token(request["DeleteRequest"]["Key"])
        item = request["PutRequest"]["Item"]
        return key_token({name: item[name] for name in self.key_names})

    def apply(self, request: Json) -> None:
        with self.lock:
            if "DeleteRequest" in request:
                self.items.pop(self.token(request), None)
            else:
                self.items[self.token(request)] = request["PutRequest"]["Item"]


class GatheringDestination(FakeDestination):
    """A table that answers no call before so many of them are under way at the same time."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self._barrier = threading.Barrier(calls, timeout=20)

    def send(self, operation: str, body: bytes, credentials: object = None) -> bytes:
        self._barrier.wait()
        return super().send(operation, body, credentials)


class FakeSource(DynamoDBClient):
    """A table in memory behind Scan, in an order of its own, a few items a page, and behind GetItem.

    Each item read costs a unit. ``faults`` are for the next scans: an error that is raised, or what becomes
    of the answer's bytes.
    """

    def __init__(self, items: Sequence[Json], page_size: int = 3) -> None:
        self.items = list(items)
        self.page_size = page_size
        self.faults: list[Exception | Callable[[bytes], bytes]] = []
        self.scans: list[Json] = []
        self.on_scan: Callable[[], None] = lambda: None
        self.lock = threading.RLock()

    def send(self, operation: str, body: bytes, credentials: object = None) -> bytes:
        assert operation == "Scan"
        check(operation, body)
        request = json.loads(body)
        assert request["ConsistentRead"] is True
        assert request["ReturnConsumedCapacity"] == "TOTAL"
        with self.lock:
            self.scans.append(request)
            self.on_scan()
            fault = self.faults.pop(0) if self.faults else bytes
            if isinstance(fault, Exception):
                raise fault
            return fault(encode(self._page(request)))

    def call(self, operation: str, body: Any) -> Json:
        assert operation == "get_item"
        check("GetItem", encode(body))
        assert body["ConsistentRead"] is True
        assert body["ReturnConsumedCapacity"] == "TOTAL"
        with self.lock:
            found = [item for item in self.items if item["pk"] == body["Key"]["pk"]]
        consumed = {"TableName": body["TableName"], "CapacityUnits": 1.0}
        return {"ConsumedCapacity": consumed, **({"Item": found[0]} if found else {})}

    def _page(self, request: Json) -> Json:
        mine = [
            item
            for index, item in enumerate(self.items)
            if index % request["TotalSegments"] == request["Segment"]
        ]
        start = 0
        if "ExclusiveStartKey" in request:
            keys = [{"pk": item["pk"]} for item in mine]
            start = keys.index(request["ExclusiveStartKey"]) + 1
        size = min(self.page_size, request["Limit"])
        page = mine[start : start + size]
        answer: Json = {
            "ConsumedCapacity": {"TableName": request["TableName"], "CapacityUnits": float(len(page))},
            "Count": len(page),
            "Items": page,
        }
        # Like DynamoDB, a page that ends exactly at the end of the segment does not know that it does.
        if len(page) == size:
            answer["LastEvaluatedKey"] = {"pk": page[-1]["pk"]}
        return answer


class WatchedClient(DynamoDBClient):
    """Another client with ``before`` and ``after`` around each call: to interfere, or to be killed there."""

    def __init__(self, client: DynamoDB) -> None:
        self.client = client
        self.before: Callable[[str], None] = lambda operation: None
        self.after: Callable[[str], None] = lambda operation: None

    def call(self, operation: str, body: Any) -> Json:
        self.before(operation)
        answer = self.client.call(operation, body)
        self.after(operation)
        return answer

    def credentials(self) -> None:
        self.client.credentials()

    def send(self, operation: str, body: bytes, credentials: object = None) -> bytes:
        self.before(operation)
        answer = self.client.send(operation, body, credentials)
        self.after(operation)
        return answer


@dataclass
class FakeShard:
    """A shard of FakeStreams. ``gaps`` says how many empty pages come before the record at an index."""

    records: list[tuple[str, float]] = field(default_factory=list)
    closed: bool = False
    trimmed: int = 0
    gaps: dict[int, int] = field(default_factory=dict)
    parent: str = ""


class FakeStreams(DynamoDB):
    """DynamoDB Streams as control uses it: ``list_size`` shards a page, ``page_size`` records a page.

    ``on_send`` looks at each request first, and may raise. ``described`` are the requests for lists,
    ``reads`` counts those for records, and ``read`` has the moment of each by shard. ``keys`` are the keys of
    records by their sequence number, if they are not named after it. ``befores`` are their old images, where
    records have them; None for an insert.
    """

    def __init__(self, page_size: int = 4, clock: Clock | None = None) -> None:
        self.shards: dict[str, FakeShard] = {}
        self.deleted = False
        self.enabled = True
        self.page_size = page_size
        self.list_size = 100
        self.clock = clock
        self.reads = 0
        self.read: dict[str, list[float]] = {}
        self.described: list[Json] = []
        self.iterators: list[Json] = []
        self.expired: set[str] = set()
        self.keys: dict[str, str] = {}
        self.befores: dict[str, Json | None] = {}
        self.on_read: Callable[[str], None] = lambda shard_id: None
        self.on_send: Callable[[str, Json], None] = lambda operation, request: None

    def credentials(self) -> Any: ...

    def send(self, operation: str, body: bytes, credentials: object = None) -> bytes:
        request = json.loads(body)
        self.on_send(operation, request)
        if operation == "GetRecords":
            return self._records(request)
        answers = {"DescribeStream": self._describe, "GetShardIterator": self._iterator}
        return encode(answers[operation](request))

    def _describe(self, request: Json) -> Json:
        if self.deleted:
            raise client_error("ResourceNotFoundException")
        self.described.append(request)
        ids = list(self.shards)
        if "ShardFilter" in request:
            assert request["ShardFilter"]["Type"] == "CHILD_SHARDS"
            if request["ShardFilter"]["ShardId"] not in self.shards:
                raise client_error("ResourceNotFoundException")
            ids = [id_ for id_ in ids if self.shards[id_].parent == request["ShardFilter"]["ShardId"]]
        start = ids.index(request["ExclusiveStartShardId"]) + 1 if "ExclusiveStartShardId" in request else 0
        page = ids[start : start + self.list_size]
        description: Json = {
            "StreamStatus": "ENABLED" if self.enabled else "DISABLED",
            "Shards": [_described(shard_id, self.shards[shard_id]) for shard_id in page],
        }
        if start + self.list_size < len(ids):
            description["LastEvaluatedShardId"] = page[-1]
        return {"StreamDescription": description}

    def _iterator(self, request: Json) -> Json:
        self.iterators.append(request)
        shard = self.shards.get(request["ShardId"])
        if shard is None or self.deleted:
            raise client_error("ResourceNotFoundException")
        index = shard.trimmed
        kind = request["ShardIteratorType"]
        if kind == "LATEST":
            index = len(shard.records)
        if kind in {"AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"}:
            number = request["SequenceNumber"]
            index = bisect_left(shard.records, int(number), key=lambda record: int(record[0]))
            assert shard.records[index][0] == number
            if index < shard.trimmed:
                raise client_error("TrimmedDataAccessException")
            index += kind == "AFTER_SEQUENCE_NUMBER"
        return {"ShardIterator": json.dumps([request["ShardId"], index, 0])}

    def _records(self, request: Json) -> bytes:
        self.reads += 1
        shard_id, index, waited = json.loads(request["ShardIterator"])
        if self.clock:
            self.read.setdefault(shard_id, []).append(self.clock.now())
        self.on_read(shard_id)
        if shard_id not in self.shards or self.deleted:
            raise client_error("ResourceNotFoundException")
        shard = self.shards[shard_id]
        if request["ShardIterator"] in self.expired:
            # Another one for the same place does not look different here.
            self.expired.remove(request["ShardIterator"])
            raise client_error("ExpiredIteratorException")
        if index < shard.trimmed:
            raise client_error("TrimmedDataAccessException")
        if waited < shard.gaps.get(index, 0):
            return _page([], [shard_id, index, waited + 1])
        end = min(
            [
                index + min(self.page_size, request["Limit"]),
                len(shard.records),
                *(gap for gap in shard.gaps if gap > index),
            ]
        )
        page = [self._record(number, created) for number, created in shard.records[index:end]]
        return _page(page, None if shard.closed and end == len(shard.records) else [shard_id, end, 0])

    def _record(self, number: str, created: float) -> bytes:
        before = self.befores.get(number)
        return _record(
            number, created, self.keys.get(number, f"key {number}"), json.dumps(before) if before else ""
        )


@functools.lru_cache(maxsize=100_000)
def _record(number: str, created: float, key: str, before: str) -> bytes:
    """A record, which is made once however often it is read. ``before`` is its old image, or empty."""
    stream_record = {
        "SequenceNumber": number,
        "ApproximateCreationDateTime": created,
        "Keys": {"pk": {"S": key}},
        **({"OldImage": json.loads(before)} if before else {}),
    }
    name = "MODIFY" if before else "INSERT"
    return encode({"eventID": event_id(number), "eventName": name, "dynamodb": stream_record})


def _page(records: list[bytes], following: list[Any] | None) -> bytes:
    iterator = encode({"NextShardIterator": json.dumps(following)})[1:-1] if following else b""
    return b'{"Records":[%b]%b%b}' % (b",".join(records), b"," if iterator else b"", iterator)


def _described(shard_id: str, shard: FakeShard) -> Json:
    numbers = {"StartingSequenceNumber": "1", **({"EndingSequenceNumber": "9"} if shard.closed else {})}
    parent = {"ParentShardId": shard.parent} if shard.parent else {}
    return {"ShardId": shard_id, "SequenceNumberRange": numbers, **parent}


STREAM_ARN = "arn:aws:dynamodb:eu-west-1:111111111111:table/t/stream/1"


def sequence_number(index: int) -> str:
    """Numbers of different lengths, as a stream has them: their text does not sort like their value."""
    return str(999_999_999_999_999_999_995 + index)


@functools.cache
def event_id(number: str) -> str:
    """The event ID of the record with this sequence number."""
    return hashlib.md5(number.encode(), usedforsecurity=False).hexdigest()


def name_of(number: str) -> str:
    """The name of a batch that begins with the record with this sequence number."""
    return batch_name(number, event_id(number))


def record(index: int, key: str, value: Json | None, at: float = NOON) -> Json:
    """A record of a Lambda event, made at ``at``, that sets attribute ``v``, or removes the item for None."""
    change: Json = {
        "ApproximateCreationDateTime": at // 1,
        "Keys": {"pk": {"S": key}},
        "SequenceNumber": sequence_number(index),
    }
    if value is not None:
        change["NewImage"] = {"pk": {"S": key}, "v": value}
    name = "REMOVE" if value is None else "MODIFY" if index % 2 else "INSERT"
    return {
        "eventID": event_id(change["SequenceNumber"]),
        "eventName": name,
        "eventSourceARN": STREAM_ARN,
        "dynamodb": change,
    }


MACHINE_ARN = "arn:aws:states:eu-west-1:111111111111:stateMachine:copy"


class FakeStates:
    """Step Functions' idempotency: the same name and input is the same execution, as long as it runs."""

    class exceptions:  # noqa: N801 - boto3 spells it so
        class ExecutionDoesNotExist(Exception): ...

        class ExecutionAlreadyExists(Exception): ...

    def __init__(self) -> None:
        self.executions: dict[str, str] = {}
        self.ended: dict[str, str] = {}
        self.lagging = False
        self.described = 0
        self.throttled = False

    def describe_execution(self, **request: Any) -> dict[str, str]:
        self.described += 1
        if self.throttled:
            raise client_error("ThrottlingException", operation="DescribeExecution")
        arn = request["executionArn"]
        if self.lagging or arn not in self.executions:
            raise self.exceptions.ExecutionDoesNotExist
        return {"status": self.ended.get(arn, "RUNNING")}

    def start_execution(self, **request: Any) -> None:
        if self.throttled:
            raise client_error("ThrottlingException", operation="StartExecution")
        assert request["stateMachineArn"] == MACHINE_ARN
        arn = MACHINE_ARN.replace("stateMachine", "execution") + ":" + request["name"]
        if self.executions.setdefault(arn, request["input"]) != request["input"] or arn in self.ended:
            raise self.exceptions.ExecutionAlreadyExists

    def end(self, status: str = "SUCCEEDED") -> None:
        """Whatever runs ends now."""
        self.ended = {arn: self.ended.get(arn, status) for arn in self.executions}


class FakeLambda:
    """One mapping whose changes take effect when the test says so."""

    def __init__(self, state: str = "Disabled") -> None:
        self.mapping: dict[str, Any] = {
            "UUID": "mine",
            "FunctionArn": "replicator",
            "State": state,
            "EventSourceArn": STREAM_ARN,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "StartingPosition": "TRIM_HORIZON",
            "ParallelizationFactor": 1,
            "MaximumRetryAttempts": -1,
            "MaximumRecordAgeInSeconds": -1,
        }
        self.others: list[dict[str, str]] = []
        self.updates: list[bool] = []
        self.gets = 0
        # Raised by the next calls, in their order; None lets one through.
        self.errors: list[Exception | None] = []

    def get_event_source_mapping(self, **request: Any) -> dict[str, Any]:
        assert request == {"UUID": "mine"}
        self.gets += 1
        self._fail()
        return dict(self.mapping)

    def update_event_source_mapping(self, **request: Any) -> dict[str, Any]:
        self._fail()
        assert self.mapping["State"] in {"Enabled", "Disabled"}, "ResourceInUseException"
        self.updates.append(request["Enabled"])
        self.mapping["State"] = "Enabling" if request["Enabled"] else "Disabling"
        return dict(self.mapping)

    def _fail(self) -> None:
        if self.errors and (error := self.errors.pop(0)):
            raise error

    def get_paginator(self, operation: str) -> FakeLambda:
        assert operation == "list_event_source_mappings"
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        assert request == {"EventSourceArn": STREAM_ARN}
        return [{"EventSourceMappings": [self.mapping]}, {"EventSourceMappings": self.others}]


class MemoryStore(Store):
    """The journal in memory: for tests of days in which moto would take hours."""

    def __init__(self) -> None:
        self.partitions: dict[str, dict[str, Json]] = {}

    def get(self, pk: str, sk: str) -> Json | None:
        return self.partitions.get(pk, {}).get(sk)

    def put(
        self,
        pk: str,
        sk: str,
        attributes: Json,
        *,
        condition: str | None = None,
        values: Json | None = None,
        names: dict[str, str] | None = None,
    ) -> None:
        self._check(pk, sk, condition, values or {}, names or {})
        self.partitions.setdefault(pk, {})[sk] = {"pk": {"S": pk}, "sk": {"S": sk}, **attributes}

    def get_many(self, keys: Sequence[tuple[str, str]], clock: Clock, jitter: random.Random) -> list[Json]:
        return [item for key in keys if (item := self.get(*key))]

    def update(
        self,
        pk: str,
        sk: str,
        *,
        assign: Json | None = None,
        add: Json | None = None,
        condition: str | None = None,
        values: Json | None = None,
        names: dict[str, str] | None = None,
    ) -> Json:
        self._check(pk, sk, condition, values or {}, names or {})
        item = self.partitions.setdefault(pk, {}).setdefault(sk, {"pk": {"S": pk}, "sk": {"S": sk}})
        changed = dict(assign or {})
        for attribute, amount in (add or {}).items():
            changed[attribute] = {"N": str(int(item.get(attribute, {"N": "0"})["N"]) + int(amount["N"]))}
        item.update(changed)
        return changed

    def save_and_add(
        self,
        pk: str,
        sk: str,
        record: V,
        to: tuple[str, str],
        add: Json,
        *,
        without: Collection[str] = (),
    ) -> V | None:
        before = self.get(pk, sk)
        try:
            return self.save(pk, sk, record, without=without)
        finally:
            # A transaction takes place as a whole, also if the caller ends before its answer.
            if self.get(pk, sk) is not before:
                self.update(*to, add=add)

    def save_with(
        self,
        key: tuple[str, str],
        record: V,
        items: Sequence[tuple[str, str, Json]],
        *,
        without: Collection[str] = (),
        extra: Json | None = None,
    ) -> V | None:
        before = self.get(*key)
        try:
            return self.save(*key, record, is_new=record.version == 0, without=without)
        finally:
            if self.get(*key) is not before:
                self.partitions[key[0]][key[1]].update(extra or {})
                for pk, sk, attributes in items:
                    MemoryStore.put(self, pk, sk, attributes)

    def delete(
        self,
        pk: str,
        sk: str,
        *,
        condition: str | None = None,
        values: Json | None = None,
        names: dict[str, str] | None = None,
    ) -> None:
        self._check(pk, sk, condition, values or {}, names or {})
        self.partitions.get(pk, {}).pop(sk, None)

    def delete_into(self, pk: str, sk: str, version: int, into: tuple[str, str], add: Json) -> None:
        self.delete(pk, sk, condition="version = :known", values={":known": {"N": str(version)}})
        self.update(*into, add=add)

    def count(self, pk: str) -> int:
        return len(self.partitions.get(pk, {}))

    def query(self, pk: str, *, only: Sequence[str] = ()) -> Iterator[Json]:
        partition = self.partitions.get(pk, {})
        return iter([partition[sk] for sk in sorted(partition)])

    def _check(self, pk: str, sk: str, condition: str | None, values: Json, names: dict[str, str]) -> None:
        """Evaluates the few forms of conditions that the journal has."""
        item = self.get(pk, sk)
        alternatives = condition.split(" OR ") if condition else []
        if alternatives and not any(
            all(_holds(term, item, values, names) for term in each.split(" AND ")) for each in alternatives
        ):
            raise Conflict(sk)


def _holds(term: str, item: Json | None, values: Json, names: dict[str, str]) -> bool:
    if term == "attribute_not_exists(pk)":
        return item is None
    if term == "attribute_exists(pk)":
        return item is not None
    if term.startswith("attribute_not_exists("):
        name = term.removeprefix("attribute_not_exists(").removesuffix(")")
        return item is None or names.get(name, name) not in item
    name, operator, value = term.split(" ")
    if item is None:
        return False
    here, there = (_plain(each) for each in (item[names.get(name, name)], values[value]))
    return bool({"=": here == there, "<": here < there, "<=": here <= there}[operator])


def _plain(attribute: Json) -> Any:
    return float(attribute["N"]) if "N" in attribute else attribute["S"]


class FakeAws(Aws):
    """AWS as a handler finds it: a journal, a destination, and a source for a handler that reads one."""

    def __init__(self, store: Store, destination: FakeDestination, source: FakeSource | None = None) -> None:
        self._store = store
        self._destination = destination
        self._source = source

    def journal(self, table: str) -> Store:
        assert table == "journal"
        return self._store

    def source(self) -> DynamoDBClient:
        assert self._source is not None
        return self._source

    def destination(self, settings: DestinationSettings, function: str) -> DynamoDBClient:
        assert settings.destination_external_id == "external"
        return self._destination
