"""A destination with DynamoDB's throttling, in virtual time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.credentials import ReadOnlyCredentials

from tablecopy.dynamodb.client import DynamoDB, Json, encode
from tests.unit.tablecopy.fakes import client_error
from tools.simulation.machine import SimMachine
from tools.simulation.scheduler import START, Host, World


@contextmanager
def virtual_time(seed: int = 1) -> Iterator[SimMachine]:
    """A machine in virtual time. Whatever still waits at the end is ended."""
    world = World(seed)
    try:
        yield SimMachine(world, Host("machine"))
    finally:
        world.end()


class Bucket:
    """Capacity of a table, a partition or an index. A write is accepted while it is positive.

    Parameters
    ----------
    rate
        Units a second.
    saved_seconds
        For how long unused capacity is kept. DynamoDB keeps it for 300 seconds, which it does not promise
        (Developer Guide, "Burst and adaptive capacity").
    """

    def __init__(self, rate: float, saved_seconds: float = 1.0, *, empty: bool = False) -> None:
        self.rate = rate
        self._saved_seconds = saved_seconds
        self._level = 0.0 if empty else rate * saved_seconds
        self._since = START

    def has_capacity(self, now: float) -> bool:
        self._level = min(self._level + (now - self._since) * self.rate, self.rate * self._saved_seconds)
        self._since = now
        return self._level > 0

    def take(self, units: float) -> None:
        self._level -= units


@dataclass(frozen=True)
class Write:
    """A write that was accepted."""

    at: float
    key: str
    units: float


class ThrottledTable(DynamoDB):
    """BatchWriteItem of a table whose items are keys ``pk`` and texts.

    Parameters
    ----------
    buckets
        The buckets that a write of a key takes its units from.
    units_per_kb
        More than 1 for a table with indexes.
    """

    def __init__(
        self,
        machine: SimMachine,
        buckets: Callable[[str], Sequence[Bucket]],
        latency: float = 0.008,
        units_per_kb: float = 1.0,
    ) -> None:
        super().__init__(machine, machine.random(), 5, renews=False)
        self._machine = machine
        self._buckets = buckets
        self._latency = latency
        self._units_per_kb = units_per_kb
        self._chance = machine.random()
        self.calls: list[tuple[float, bool]] = []
        """When each call came, and whether it was throttled."""
        self.writes: list[Write] = []

    def credentials(self) -> ReadOnlyCredentials:
        return ReadOnlyCredentials("AKIA", "secret", "token", None)

    def send(self, operation: str, body: bytes, credentials: object = None) -> bytes:
        assert operation == "BatchWriteItem"
        self._machine.sleep(self._latency * self._chance.uniform(0.3, 0.7))
        [(table, requests)] = json.loads(body)["RequestItems"].items()
        assert 1 <= len(requests) <= 25
        now = self._machine.now()
        left: list[Json] = []
        consumed = 0.0
        # Which of them are accepted does not depend on their order.
        for request in self._chance.sample(requests, len(requests)):
            key, kb = _write(request)
            units = kb * self._units_per_kb
            buckets = self._buckets(key)
            has_capacity = [bucket.has_capacity(now) for bucket in buckets]
            if all(has_capacity):
                for bucket in buckets:
                    bucket.take(units)
                consumed += units
                self.writes.append(Write(now, key, units))
            else:
                left.append(request)
        self.calls.append((now, bool(left)))
        self._machine.sleep(self._latency * self._chance.uniform(0.3, 0.7))
        if len(left) == len(requests):
            raise client_error("ProvisionedThroughputExceededException")
        return encode(
            {
                "UnprocessedItems": {table: left} if left else {},
                "ConsumedCapacity": [{"TableName": table, "CapacityUnits": consumed}],
            }
        )

    def used(self, since: float, until: float) -> float:
        """Units a second between two moments, in seconds from the start."""
        return sum(write.units for write in self.writes if since <= write.at - START < until) / (
            until - since
        )

    def throttled(self, since: float, until: float) -> float:
        """The part of the calls between two moments that was throttled."""
        calls = [throttled for at, throttled in self.calls if since <= at - START < until]
        return sum(calls) / len(calls)


def _write(request: Json) -> tuple[str, float]:
    if "DeleteRequest" in request:
        return request["DeleteRequest"]["Key"]["pk"]["S"], 1.0
    item = request["PutRequest"]["Item"]
    # Rounded up (Developer Guide, "DynamoDB throughput capacity").
    return item["pk"]["S"], float(
        -(-sum(len(name) + len(value["S"]) for name, value in item.items()) // 1024)
    )
