"""A simulated account that tests call with documents instead of bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from tablecopy.dynamodb.client import Json, encode
from tools.simulation.capacity import Capacity
from tools.simulation.dynamodb import DynamoDBService
from tools.simulation.errors import ServiceError
from tools.simulation.names import REGION, SOURCE_ACCOUNT
from tools.simulation.network import Caller
from tools.simulation.scheduler import World
from tools.simulation.streams import Shard, Stream
from tools.simulation.streams_api import StreamsService
from tools.simulation.table import Table, TableSettings

UNLIMITED = Capacity(unlimited=True)


class Account:
    """One account with DynamoDB and Streams, whose time tests move by hand."""

    def __init__(self, seed: int = 1) -> None:
        self.world = World(seed)
        self.dynamodb = DynamoDBService(self.world, SOURCE_ACCOUNT, REGION)
        self.streams = StreamsService(self.dynamodb)

    def table(self, name: str = "orders", capacity: Capacity = UNLIMITED, **settings: Any) -> Table:
        return self.dynamodb.create_table(TableSettings(name, capacity=capacity, **settings))

    def call(self, operation: str, host: str = "host", **members: Any) -> Json:
        service = self.streams if operation in _STREAMS else self.dynamodb
        answer: Json = json.loads(service.handle(operation, encode(members), Caller(host, SOURCE_ACCOUNT)))
        return answer

    def error(self, operation: str, **members: Any) -> ServiceError:
        with pytest.raises(ServiceError) as caught:
            self.call(operation, **members)
        return caught.value

    def put(self, pk: str, table: str = "orders", **attributes: Json) -> Json:
        return self.call("PutItem", TableName=table, Item={"pk": {"S": pk}, **attributes})

    def delete(self, pk: str, table: str = "orders") -> Json:
        return self.call("DeleteItem", TableName=table, Key={"pk": {"S": pk}})

    def get(self, pk: str, table: str = "orders") -> Json | None:
        answer = self.call("GetItem", TableName=table, Key={"pk": {"S": pk}}, ConsistentRead=True)
        return answer.get("Item")

    def batch(self, keys: Iterable[str], table: str = "orders", **members: Any) -> Json:
        requests = [{"PutRequest": {"Item": {"pk": {"S": key}}}} for key in keys]
        return self.call("BatchWriteItem", RequestItems={table: requests}, **members)

    def wait(self, seconds: float) -> None:
        self.world.run(self.world.now + seconds)

    def iterator(self, shard: Shard, kind: str = "TRIM_HORIZON", number: str = "") -> str:
        more = {"SequenceNumber": number} if number else {}
        answer = self.call(
            "GetShardIterator",
            StreamArn=shard.stream.arn,
            ShardId=shard.id,
            ShardIteratorType=kind,
            **more,
        )
        iterator: str = answer["ShardIterator"]
        return iterator

    def records(
        self, shard: Shard, kind: str = "TRIM_HORIZON", number: str = "", calls: int = 10
    ) -> list[Json]:
        """Read a shard a second a call, until its end or for ``calls`` calls."""
        iterator: str | None = self.iterator(shard, kind, number)
        found: list[Json] = []
        for _ in range(calls):
            self.wait(1)
            page = self.call("GetRecords", ShardIterator=iterator)
            found += page["Records"]
            iterator = page.get("NextShardIterator")
            if iterator is None:
                break
        return found

    def shards(self, stream: Stream, **members: Any) -> list[Json]:
        """List all shards, page by page."""
        found: list[Json] = []
        while True:
            page = self.call("DescribeStream", StreamArn=stream.arn, **members)["StreamDescription"]
            found += page["Shards"]
            if "LastEvaluatedShardId" not in page:
                return found
            members["ExclusiveStartShardId"] = page["LastEvaluatedShardId"]
            self.wait(0.2)


_STREAMS = frozenset({"DescribeStream", "GetShardIterator", "GetRecords"})


def stream_of(table: Table) -> Stream:
    assert table.stream is not None
    return table.stream


def text(value: str) -> Json:
    return {"S": value}


def number(value: float) -> Json:
    return {"N": repr(value)}
