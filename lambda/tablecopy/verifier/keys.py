"""Reads items by their keys, with consistent reads and within a limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from tablecopy.clock import Machine, OutOfTime
from tablecopy.comparison.items import Key, KeySchema
from tablecopy.dynamodb import errors
from tablecopy.dynamodb.client import DynamoDB, Json, document, encode
from tablecopy.metrics import log
from tablecopy.throughput.limits import Usage
from tablecopy.throughput.rate import RateLimit

MOST_KEYS = 100
"""Most keys of one BatchGetItem (API reference)."""


class KeyReader:
    """Reads items of one table by their keys. Safe to use from several threads.

    Parameters
    ----------
    table
        Name of the table.
    keys
        Its key.
    capacity
        Limit on the table's throughput.
    usage
        Counts what was used.
    """

    def __init__(
        self,
        client: DynamoDB,
        table: str,
        keys: KeySchema,
        capacity: RateLimit,
        usage: Usage,
        machine: Machine,
    ) -> None:
        self._client = client
        self._table = table
        self._keys = keys
        self._capacity = capacity
        self._usage = usage
        self._machine = machine
        self._jitter = machine.random()
        self.units = 0.0

    def read(self, keys: Sequence[Json], until: float) -> dict[Key, Json]:
        """Return the items that exist, by their keys.

        Parameters
        ----------
        keys
            In DynamoDB JSON, each once.
        until
            Seconds since the epoch after which nothing is read.

        Raises
        ------
        OutOfTime
            ``until`` came first.
        botocore.exceptions.ClientError
            The table cannot be read.
        """
        found: dict[Key, Json] = {}
        for start in range(0, len(keys), MOST_KEYS):
            for item in self._batch(keys[start : start + MOST_KEYS], until):
                found[self._keys.of(item)] = item
        return found

    def _batch(self, keys: Sequence[Json], until: float) -> Iterator[Json]:
        left: list[Any] = list(keys)
        backoff = errors.Backoff(self._jitter)
        while left:
            answer = self._call(left, until)
            if answer is not None:
                yield from answer["Responses"].get(self._table, [])
                # What had no capacity, or no room in an answer of 16 MB (API reference, BatchGetItem).
                rest = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
                if len(rest) < len(left):
                    backoff.progress()
                left = rest
            if left:
                if self._machine.now() >= until:
                    raise OutOfTime
                self._machine.sleep(min(backoff.next(), max(0.0, until - self._machine.now())))

    def _call(self, keys: Sequence[Json], until: float) -> Json | None:
        request = {
            "RequestItems": {self._table: {"Keys": keys, "ConsistentRead": True}},
            "ReturnConsumedCapacity": "TOTAL",
        }
        taken = self._capacity.acquire(until)
        consumed = 0.0
        try:
            answer = document(self._client.send("BatchGetItem", encode(request)))
            consumed = self._usage.consumed(answer.get("ConsumedCapacity", ()))
            self.units += consumed
            return answer
        except ClientError as error:
            if not errors.is_transient(error):
                raise
            if errors.is_throttled(error):
                self._capacity.throttled()
                self._usage.throttled(error)
            log.event("read_retry", code=errors.code(error))
        except errors.NO_ANSWER as error:
            # It has most likely been read, at an unknown cost.
            consumed = taken
            log.event("read_no_answer", error=type(error).__name__)
        finally:
            self._capacity.settle(taken, consumed)
        return None
