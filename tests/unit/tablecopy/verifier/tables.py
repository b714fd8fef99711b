"""A table in memory behind Scan and BatchGetItem, as unhelpful as DynamoDB may be."""

from __future__ import annotations

import json
import random
import threading
import zlib
from collections.abc import Callable

from tablecopy.clock import Clock
from tablecopy.dynamodb.client import DynamoDB, Json, encode
from tests.unit.tablecopy.fakes import client_error, no_answer
from tests.unit.tablecopy.validation import check

UNIT_BYTES = 4096


class HostileTable(DynamoDB):
    """A table whose key is ``pk``.

    Parameters
    ----------
    rng
        Decides about faults, pages' ends, unprocessed keys and the order of attributes.
    faults
        Part of the calls that fail, or whose answers are lost or cut short.
    salt
        Of the hash that orders the items and deals them out to segments.
    respells
        Attributes come in another order each time.

    Attributes
    ----------
    items
        Items by the value of their key. Writers change them.
    before_call
        Called before each call that succeeds.
    units, gets
        Read units used by scans, and keys read.
    throttles_gets
        Whether reads by key are refused.
    """

    def __init__(
        self,
        name: str,
        rng: random.Random,
        *,
        faults: float = 0.0,
        salt: str = "",
        respells: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.items: dict[str, Json] = {}
        self.before_call: Callable[[], None] = lambda: None
        self.units = 0.0
        self.gets = 0
        self.throttles_gets = False
        self._name = name
        self._rng = rng
        self._faults = faults
        self._salt = salt
        self._respells = respells
        self._clock = clock or Clock()
        self._lock = threading.Lock()

    def credentials(self) -> None: ...  # type: ignore[override]

    def send(self, operation: str, body: bytes, credentials: object = None) -> bytes:
        check(operation, body)
        with self._lock:
            self.before_call()
            draw = self._rng.random() / self._faults if self._faults else 1.0
            if draw < 0.4:
                raise client_error("ProvisionedThroughputExceededException", operation=operation)
            if draw < 0.6:
                raise client_error("InternalServerError", 500, operation)
            if self.throttles_gets and operation == "BatchGetItem":
                raise client_error("ThrottlingException", operation=operation)
            answer = encode({"Scan": self._scan, "BatchGetItem": self._get}[operation](json.loads(body)))
            if draw < 0.8:
                raise no_answer()
            return answer[: len(answer) // 2] if draw < 1.0 else answer

    def keys_of(self, segment: int, segments: int) -> list[str]:
        """The keys of a segment, in the order of its scan."""
        mine = [key for key in self.items if self._hash(key) % segments == segment]
        return sorted(mine, key=lambda key: (self._hash(key), key))

    def _hash(self, key: str) -> int:
        return zlib.crc32(f"{self._salt}{key}".encode())

    def _scan(self, request: Json) -> Json:
        assert request["TableName"] == self._name
        assert request["ConsistentRead"] is True
        mine = [key for key in self.items if self._hash(key) % request["TotalSegments"] == request["Segment"]]
        # A scan goes on behind the place of its start key, whether that item exists still or not.
        start = request.get("ExclusiveStartKey", {}).get("pk", {}).get("S")
        if start is not None:
            place = (self._hash(start), start)
            mine = [key for key in mine if (self._hash(key), key) > place]
        mine.sort(key=lambda key: (self._hash(key), key))
        page = mine[: min(self._rng.randint(0, 12), request.get("Limit", 100))]
        answer: Json = {
            "Items": [self._spelled(self.items[key]) for key in page],
            "Count": len(page),
            "ScannedCount": len(page),
            "ConsumedCapacity": {"TableName": self._name, "CapacityUnits": self._cost(page)},
        }
        if len(page) < len(mine):
            if page:
                answer["LastEvaluatedKey"] = {"pk": {"S": page[-1]}}
            elif start is not None:
                return self._scan(request)
            else:
                return self._scan(request)
        return answer

    def _get(self, request: Json) -> Json:
        [(table, wanted)] = request["RequestItems"].items()
        assert table == self._name
        assert wanted["ConsistentRead"] is True
        keys = [key["pk"]["S"] for key in wanted["Keys"]]
        assert len(keys) == len(set(keys)) <= 100
        self.gets += len(keys)
        done = keys[: self._rng.randint(0, len(keys))] if self._faults else keys
        items = [self._spelled(self.items[key]) for key in done if key in self.items]
        self._rng.shuffle(items)
        left = [{"pk": {"S": key}} for key in keys[len(done) :]]
        return {
            "Responses": {table: items} if items else {},
            "UnprocessedKeys": {table: {"Keys": left, "ConsistentRead": True}} if left else {},
            "ConsumedCapacity": [{"TableName": table, "CapacityUnits": float(len(done))}],
        }

    def _cost(self, keys: list[str]) -> float:
        units = sum(len(json.dumps(self.items[key])) for key in keys) / UNIT_BYTES
        self.units += units
        return units

    def _spelled(self, item: Json) -> Json:
        names = list(item)
        if self._respells:
            self._rng.shuffle(names)
        return {name: item[name] for name in names}
