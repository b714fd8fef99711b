"""The parts of DynamoDB's answers: consumed capacity, items, lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from tools.simulation.requests import NotSimulated
from tools.simulation.table import Cost, Table


class Consumed:
    """The units that a call has consumed of one table (API reference, ConsumedCapacity).

    Parameters
    ----------
    mode
        ReturnConsumedCapacity: "NONE", "TOTAL" or "INDEXES".
    """

    def __init__(self, table: Table, mode: str) -> None:
        self._table = table
        self._mode = mode
        self._units = 0.0
        self._indexes: dict[int, float] = {}

    def add(self, units: float) -> None:
        """Count units of the table."""
        self._units += units

    def add_cost(self, cost: Cost, times: int = 1) -> None:
        """Count what a write has cost."""
        self._units += times * cost.units
        for number, _, units in cost.indexes:
            self._indexes[number] = self._indexes.get(number, 0.0) + times * units

    def json(self) -> bytes:
        """Return the member's value; empty if it was not asked for."""
        if self._mode == "NONE":
            return b""
        total = float(self._units + sum(self._indexes.values()))
        name = msgspec.json.encode(self._table.name)
        if self._mode == "TOTAL":
            return b'{"CapacityUnits":%s,"TableName":%s}' % (repr(total).encode(), name)
        if self._mode != "INDEXES":
            raise NotSimulated(f"ReturnConsumedCapacity {self._mode}")
        parts: dict[str, object] = {"CapacityUnits": total}
        for is_local, member in ((False, "GlobalSecondaryIndexes"), (True, "LocalSecondaryIndexes")):
            units = {
                self._table.settings.indexes[number].name: {"CapacityUnits": float(used)}
                for number, used in sorted(self._indexes.items())
                if (self._table.indexes[number] is None) is is_local
            }
            if units:
                parts[member] = units
        parts["Table"] = {"CapacityUnits": float(self._units)}
        parts["TableName"] = self._table.name
        return msgspec.json.encode(parts)


def answer(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Return a JSON object with the members whose values are not empty."""
    return b"{" + b",".join(b'"%s":%s' % (name.encode(), value) for name, value in members if value) + b"}"


def array(elements: Sequence[bytes]) -> bytes:
    """Return a JSON array."""
    return b"[" + b",".join(elements) + b"]"
