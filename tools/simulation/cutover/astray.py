"""A destination at which writes of the replicator go astray, although they are acknowledged."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec

from tools.simulation import names
from tools.simulation.attributes import Key
from tools.simulation.cutover.policy import Policies
from tools.simulation.cutover.scenario import Kind
from tools.simulation.network import Caller, Service
from tools.simulation.scheduler import World
from tools.simulation.table import Table

Json = dict[str, Any]

# How much later a write lands that was acknowledged.
_LATE_SECONDS = (0.5, 20.0)

_FOREIGN = 10**9


class Astray:
    """DynamoDB of the destination's account.

    Attributes
    ----------
    happened
        Keys of the faults that have happened, with what and when.
    on_write
        Called with the host of each call that writes to the table.
    on_late
        Called with the key of a write that has happened long after it was acknowledged.
    """

    def __init__(self, world: World, service: Service, table: Table, policies: Policies) -> None:
        self.happened: dict[Key, tuple[Kind, float]] = {}
        self.on_write: Callable[[str], None] = lambda host: None
        self.on_late: Callable[[Key], None] = lambda key: None
        self._world = world
        self._service = service
        self._table = table
        self._policies = policies
        self._armed: list[Kind] = []

    def arm(self, kind: Kind, times: int) -> None:
        """Let the next writes go astray that can."""
        if kind == "foreign":
            for _ in range(times):
                self._write()
        else:
            self._armed += [kind] * times

    def disarm(self) -> None:
        """Let nothing go astray any more."""
        self._armed.clear()

    def handle(self, operation: str, body: bytes, caller: Caller) -> bytes:
        """Carry out ``operation``, unless it is one that goes astray."""
        if operation != "BatchWriteItem":
            return self._service.handle(operation, body, caller)
        self.on_write(caller.host)
        if not self._armed or not caller.host.startswith(names.REPLICATOR):
            return self._service.handle(operation, body, caller)
        request = json.loads(body)
        [(table, requests)] = request["RequestItems"].items()
        left = [each for each in requests if not self._goes_astray(each)]
        if len(left) == len(requests):
            return self._service.handle(operation, body, caller)
        if not left:
            return b'{"UnprocessedItems":{},"ConsumedCapacity":[]}'
        request["RequestItems"] = {table: left}
        return self._service.handle(operation, json.dumps(request).encode(), caller)

    def _goes_astray(self, request: Json) -> bool:
        kind = "undeleted" if "DeleteRequest" in request else "skipped"
        put = request.get("PutRequest", {}).get("Item")
        key = self._table.key_of(put or request["DeleteRequest"]["Key"])
        if kind in self._armed and not self._is_there(key, put):
            self._armed.remove("undeleted" if kind == "undeleted" else "skipped")
            self._note(key, "undeleted" if kind == "undeleted" else "skipped")
            return True
        if "late" in self._armed and not self._is_there(key, put):
            self._armed.remove("late")
            self._note(key, "late")
            self._world.call_later(self._world.random.uniform(*_LATE_SECONDS), self._land, key, put)
            return True
        return False

    def _is_there(self, key: Key, put: Json | None) -> bool:
        """Return whether a write changes nothing."""
        there = self._table.get(key)
        return (there is None) if put is None else there is not None and json.loads(there) == put

    def _land(self, key: Key, put: Json | None) -> None:
        self._note(key, "late")
        if put is None:
            self._table.delete(key)
        else:
            self._table.put(msgspec.json.encode(put))
        self.on_late(key)

    def _write(self) -> None:
        """Write to the destination, as someone does who should not."""
        if self._policies.denies():
            return
        draw = self._world.random
        known = [key for key, _ in self._table.items()]
        name = draw.choice(known)[0] if known and draw.random() < 0.7 else f"f{draw.randrange(100):04d}"
        key = self._table.put(
            msgspec.json.encode({"pk": {"S": name}, "v": {"N": str(_FOREIGN + draw.randrange(1_000))}})
        )
        self._note(key, "foreign")

    def _note(self, key: Key, kind: Kind) -> None:
        self.happened[key] = kind, self._world.now
        self._world.trace("astray", kind, *key)
