"""Applications that write to the source.

They write at the table, without a network between: what the source has acknowledged is what it has done.
"""

from __future__ import annotations

import random
from typing import Any

import msgspec

from tools.simulation.plans import Traffic
from tools.simulation.scheduler import World
from tools.simulation.table import Table

Json = dict[str, Any]

REJECTED = "rejected"
"""Attribute of the items that the destination rejects."""

_SMALL_BYTES = 200

_EARLY_SECONDS = 600.0


def key_name(number: int) -> str:
    """Return the key of an item by its number."""
    return f"k{number:05d}"


class Writers:
    """Writes to the source as a plan says. The first key is the hot one."""

    def __init__(self, world: World, source: Table, plan: Traffic, seed: int) -> None:
        self._world = world
        self._source = source
        self._plan = plan
        self._random = random.Random(f"writers {seed}")
        self._written = 0
        # What was put last: repeating it changes nothing.
        self._items: dict[str, bytes] = {}

    def fill(self) -> None:
        """Put the table's first items."""
        for number in range(self._plan.items):
            self._put(key_name(number))

    def begin(self, changes: int, seconds: float) -> None:
        """Write ``changes`` times within the next ``seconds``."""
        draw = self._random
        moments: list[float] = []
        for _ in range(changes):
            together = bool(moments) and draw.random() < self._plan.bursts
            moments.append(moments[-1] if together else draw.uniform(0, seconds))
        for moment in sorted(moments):
            self._world.call_later(moment, self.write)

    def write_history(self) -> None:
        """Write as in the time before the copy: half of the writes come in its first minutes."""
        plan = self._plan
        early = plan.history_changes // 2
        self.begin(early, _EARLY_SECONDS)
        self.begin(plan.history_changes - early, plan.history_seconds)

    def put_rejected(self) -> None:
        """Put an item that the destination rejects."""
        self._put(key_name(0), rejected=True)

    def write(self) -> None:
        """Write once: put, delete, repeat a put, or let an item expire."""
        draw, plan = self._random, self._plan
        number = 0 if draw.random() < plan.hot else draw.randrange(max(1, plan.keys))
        key = key_name(number)
        chance = draw.random() - plan.deletes
        if chance < 0:
            self._remove(key, by_ttl=False)
        elif chance < plan.expiries:
            self._remove(key, by_ttl=True)
        elif key in self._items and chance < plan.expiries + plan.repeats:
            self._source.put(self._items[key])
        else:
            self._put(key)

    def _remove(self, key: str, *, by_ttl: bool) -> None:
        self._items.pop(key, None)
        self._source.apply((key,), None, by_ttl=by_ttl)

    def _put(self, key: str, *, rejected: bool = False) -> None:
        draw, plan = self._random, self._plan
        self._written += 1
        item: Json = {"pk": {"S": key}, "v": {"N": str(self._written)}}
        if draw.random() < plan.large:
            item["text"] = {"S": "x" * draw.randrange(_SMALL_BYTES, plan.large_bytes)}
        if rejected or draw.random() < plan.rejected:
            item[REJECTED] = {"BOOL": True}
        self._items[key] = body = msgspec.json.encode(item)
        self._source.put(body)
