"""An account in memory and a clock that ticks by hand."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from tablecopy.clock import Clock
from tools.local.mapping.mapping import Backoff, Mapping, Settings

START = 1_700_000_000.0
STREAM = "arn:aws:dynamodb:eu-west-1:111111111111:table/music/stream/2026-01-01T00:00:00.000"
FUNCTION = "arn:aws:lambda:eu-west-1:111111111111:function:replicator"
ROLE = "arn:aws:iam::111111111111:role/replicator"
QUEUE = "arn:aws:sqs:eu-west-1:111111111111:failures"
UUID = "00000000-0000-0000-0000-000000000001"


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "Operation")


class HandClock(Clock):
    def __init__(self) -> None:
        self.time = START

    def now(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


class HandWorkers:
    """Does the work when told to; until then it is under way."""

    def __init__(self) -> None:
        self.under_way: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []

    def submit(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self.under_way.append((work, done))

    def collect(self, timeout: float = 0) -> None:
        under_way, self.under_way = self.under_way, []
        for work, done in under_way:
            done(work())


def raw_record(number: int, key: str = "a", created: float = START, **change: Any) -> dict[str, Any]:
    return {
        "eventID": f"event-{number}",
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": int(created),
            "Keys": {"pk": {"S": key}},
            "SequenceNumber": str(number),
            "SizeBytes": 10,
            "StreamViewType": "NEW_IMAGE",
            **change,
        },
    }


@dataclass
class FakeShard:
    records: list[dict[str, Any]] = field(default_factory=list)
    parent: str | None = None
    closed: bool = False
    trimmed: int = 0


class FakeStreams:
    """A stream of shards; an iterator is `shard/place/serial`."""

    def __init__(self) -> None:
        self.shards: dict[str, FakeShard] = {"shard-0": FakeShard()}
        self.page = 100
        self.errors: list[str] = []
        self.issued: list[str] = []
        self.expired: set[str] = set()
        self.reads = 0
        self._serial = itertools.count()

    def describe_stream(self, StreamArn: str, ExclusiveStartShardId: str | None = None) -> Any:  # noqa: N803
        names = list(self.shards)
        start = names.index(ExclusiveStartShardId) + 1 if ExclusiveStartShardId else 0
        listed = names[start : start + self.page]
        description: dict[str, Any] = {"Shards": []}
        for name in listed:
            shard = self.shards[name]
            numbers = {"StartingSequenceNumber": "0"} | (
                {"EndingSequenceNumber": "9"} if shard.closed else {}
            )
            parent = {"ParentShardId": shard.parent} if shard.parent else {}
            description["Shards"].append({"ShardId": name, "SequenceNumberRange": numbers, **parent})
        if start + self.page < len(names):
            description["LastEvaluatedShardId"] = listed[-1]
        return {"StreamDescription": description}

    def get_shard_iterator(
        self,
        StreamArn: str,  # noqa: N803
        ShardId: str,  # noqa: N803
        ShardIteratorType: str,  # noqa: N803
        SequenceNumber: str | None = None,  # noqa: N803
    ) -> Any:
        shard = self.shards[ShardId]
        numbers = [record["dynamodb"]["SequenceNumber"] for record in shard.records]
        if ShardIteratorType == "AFTER_SEQUENCE_NUMBER":
            place = numbers.index(SequenceNumber) + 1
            if place < shard.trimmed:
                raise client_error("TrimmedDataAccessException")
        else:
            assert ShardIteratorType == "TRIM_HORIZON"
            place = shard.trimmed
        return {"ShardIterator": self._iterator(ShardId, place)}

    def get_records(self, ShardIterator: str, Limit: int) -> Any:  # noqa: N803
        self.reads += 1
        if self.errors:
            raise client_error(self.errors.pop(0))
        if ShardIterator in self.expired:
            raise client_error("ExpiredIteratorException")
        shard_id, place, _ = ShardIterator.split("/")
        shard, start = self.shards[shard_id], int(place)
        if start < shard.trimmed:
            raise client_error("TrimmedDataAccessException")
        records = shard.records[start : start + Limit]
        answer: dict[str, Any] = {"Records": records}
        if not shard.closed or start + len(records) < len(shard.records):
            answer["NextShardIterator"] = self._iterator(shard_id, start + len(records))
        return answer

    def _iterator(self, shard_id: str, place: int) -> str:
        iterator = f"{shard_id}/{place}/{next(self._serial)}"
        self.issued.append(iterator)
        return iterator

    def expire_iterators(self, count: int | None = None) -> None:
        """Let the oldest iterators expire, by default all."""
        self.expired.update(self.issued[:count])


class FunctionError(Exception):
    """What a handler raises to fail."""


class FakeFunctions:
    """Invokes a handler of the test's."""

    def __init__(self) -> None:
        self.handler: Callable[[dict[str, Any]], Any] = lambda event: None
        self.events: list[dict[str, Any]] = []

    def get_function_configuration(self, FunctionName: str) -> Any:  # noqa: N803
        return {"Role": ROLE}

    def invoke(self, FunctionName: str, InvocationType: str, Payload: bytes) -> Any:  # noqa: N803
        assert InvocationType == "RequestResponse"
        event = json.loads(Payload)
        answer = {
            "StatusCode": 200,
            "ExecutedVersion": "$LATEST",
            "ResponseMetadata": {"RequestId": "request"},
        }
        try:
            self.events.append(event)
            returned = self.handler(event)
        except FunctionError as error:
            answer["FunctionError"] = "Unhandled"
            returned = {"errorMessage": str(error), "errorType": "FunctionError"}
        return answer | {"Payload": io.BytesIO(json.dumps(returned).encode())}

    @property
    def batches(self) -> list[list[int]]:
        """The sequence numbers of each invocation."""
        return [numbers(event) for event in self.events]


def numbers(event: dict[str, Any]) -> list[int]:
    return [int(record["dynamodb"]["SequenceNumber"]) for record in event["Records"]]


class FakeIam:
    def __init__(self) -> None:
        self.denied: set[str] = set()
        self.questions = 0

    def simulate_principal_policy(
        self,
        PolicySourceArn: str,  # noqa: N803
        ActionNames: list[str],  # noqa: N803
        ResourceArns: list[str],  # noqa: N803
    ) -> Any:
        self.questions += 1
        return {
            "EvaluationResults": [
                {"EvalActionName": name, "EvalDecision": "implicitDeny" if name in self.denied else "allowed"}
                for name in ActionNames
            ]
        }


class FakeMappings:
    def __init__(self) -> None:
        self.mappings: list[dict[str, Any]] = []
        self.error: str | None = None

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_event_source_mappings"
        return self

    def paginate(self) -> Any:
        if self.error:
            raise client_error(self.error)
        # One mapping a page: whoever reads only the first page misses some.
        return [{"EventSourceMappings": [mapping]} for mapping in self.mappings]


class FakeClients:
    def __init__(self) -> None:
        self.account = "111111111111"
        self.region = "eu-west-1"
        self.functions = FakeFunctions()
        self.mappings = FakeMappings()
        self.streams = FakeStreams()
        self.iam = FakeIam()


class World:
    """A mapping at work on the fakes."""

    def __init__(self, **settings: Any) -> None:
        self.clock = HandClock()
        self.workers = HandWorkers()
        self.clients = FakeClients()
        self.settings = Settings(UUID, FUNCTION, STREAM, **({"enabled": True} | settings))
        clients: Any = self.clients
        self.mapping = Mapping(self.settings, clients, self.clock, self.workers, Backoff(cap=1.0))

    def put(self, *records: tuple[int, str] | int, shard: str = "shard-0") -> None:
        """Append records, given as a sequence number or as one with its key."""
        for record in records:
            number, key = record if isinstance(record, tuple) else (record, "a")
            self.clients.streams.shards[shard].records.append(raw_record(number, key, self.clock.now()))

    def run(self, seconds: float = 1.0, tick: float = 0.05) -> None:
        """Let time pass; functions answer at once."""
        for _ in range(round(seconds / tick)):
            self.mapping.step()
            self.workers.collect()
            self.clock.advance(tick)

    @property
    def functions(self) -> FakeFunctions:
        return self.clients.functions

    @property
    def batches(self) -> list[list[int]]:
        return self.functions.batches

    def handler(self, handle: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        self.functions.handler = handle
        return handle
