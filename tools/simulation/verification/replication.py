"""Applications that write to the source, and a copy that applies, delays or drops what they wrote.

The copy is a model: the comparison must find what a wrong copy has done, and the real one does nothing wrong.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tablecopy.comparison.items import Side
from tablecopy.journal import codec
from tablecopy.journal.touched import Tracking, TrackingState
from tools.simulation.attributes import HASHES, Key, same_item
from tools.simulation.scheduler import START, World
from tools.simulation.table import Table
from tools.simulation.verification.scenario import Tables, Traffic

Json = dict[str, Any]

PRIVATE = "private"
"""Every value that is not a key's begins with this. It may be in no item of the journal."""

EXPIRES = "expires"
"""The TTL attribute."""

# A look of the reconciler shows what the shards held some time before.
_STALE_SECONDS = 50.0


def key_attributes(number: int, tables: Tables) -> Json:
    """Return the key of an item by its number."""
    if not tables.sort_key:
        return {"pk": {"S": f"k{number:05d}"}}
    return {"pk": {"S": f"k{number // 3:05d}"}, "sk": {"N": str(number % 3)}}


class Content:
    """Makes the items of both tables."""

    def __init__(self, tables: Tables, seed: int) -> None:
        self._tables = tables
        self._random = random.Random(f"content {seed}")
        self._version = 0

    def item(self, number: int, expires: float | None = None) -> Json:
        """Return an item that no one has had before."""
        draw = self._random
        self._version += 1
        item: Json = {
            **key_attributes(number, self._tables),
            "a": {"S": f"{PRIVATE}{self._version}"},
            "n": {"N": str(self._version)},
            "tags": {"SS": [f"{PRIVATE}x", f"{PRIVATE}y"]},
        }
        if draw.random() < self._tables.large:
            item["pad"] = {"S": PRIVATE + "x" * self._tables.bytes}
        if expires is not None:
            item[EXPIRES] = {"N": str(int(expires))}
        return item

    def respelled(self, item: Json) -> Json:
        """Return the same item in another spelling."""
        turned = dict(reversed(item.items()))
        turned["tags"] = {"SS": list(reversed(item["tags"]["SS"]))}
        return {**turned, "n": {"N": f"{item['n']['N']}.0"}}

    def changed(self, item: Json) -> Json:
        """Return an item that differs in one of the ways in which items differ."""
        draw = self._random.randrange(6)
        if draw == 0:
            return {name: value for name, value in item.items() if name != "n"}
        changes: tuple[Json, ...] = (
            {"more": {"NULL": True}},
            {"n": {"S": item["n"]["N"]}},
            {"n": {"N": f"{item['n']['N']}.0000000000000000000000000000000001"}},
            {"tags": {"SS": [f"{PRIVATE}x"]}},
            {"a": {"S": f"{PRIVATE} "}},
        )
        return {**item, **changes[draw - 1]}

    def fill(self, source: Table, destination: Table) -> None:
        """Put the items of both tables, with the differences that are planned."""
        tables, draw = self._tables, self._random
        for number in range(tables.items):
            item = self.item(number)
            there = self.respelled(item) if draw.random() < tables.respelled else item
            if draw.random() >= tables.differences:
                _put(source, item)
                _put(destination, there)
                continue
            kind = draw.choice(["missing", "changed", "extra", "expired here", "expired there"])
            if kind == "changed":
                there = self.changed(item)
            if kind.startswith("expired"):
                item = there = self.item(number, START - 3600.0)
            if kind in {"missing", "changed", "expired here"}:
                _put(source, item)
            if kind in {"changed", "extra", "expired there"}:
                _put(destination, there)
        if tables.hole:
            keys = [item.key for item in destination.scan(0, HASHES, None)]
            length = int(len(keys) * tables.hole)
            first = draw.randrange(len(keys) - length + 1)
            for key in keys[first : first + length]:
                destination.delete(key)


def _put(table: Table, item: Json) -> None:
    table.put(msgspec.json.encode(item))


@dataclass(slots=True)
class Change:
    """A change of the source: when it was made, and when it is applied; ``inf`` for never.

    ``after`` is the item as the change leaves it, or None.
    """

    key: Key
    made: float
    after: bytes | None
    due: float
    applied: float = float("inf")
    dropped: bool = False


@dataclass
class Copy:
    """Applies the changes of the source to the destination, in their order, after a while or never.

    Attributes
    ----------
    changes
        The changes of each key.
    """

    world: World
    source: Table
    destination: Table
    traffic: Traffic
    seed: int
    changes: dict[Key, list[Change]] = field(default_factory=dict)

    def begin(self) -> None:
        """Apply what is changed from now on."""
        self._random = random.Random(f"copy {self.seed}")
        self._waiting: deque[Change] = deque()
        self._busy_until = self.world.now
        self.source.on_write(self._changed)

    def stall(self, seconds: float) -> None:
        """Apply nothing for a while."""
        self._busy_until = max(self._busy_until, self.world.now + seconds)

    def unapplied_since(self) -> float:
        """Return when the oldest change was made that waits to be applied; 0 if there is none."""
        return self._waiting[0].made if self._waiting else 0.0

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be applied."""
        return not self._waiting

    def _changed(self, key: Key, before: bytes | None, after: bytes | None) -> None:
        # A write that changes nothing has no record in the stream.
        if before == after or (before is not None and after is not None and same_item(before, after)):
            return
        now = self.world.now
        change = Change(key, now, after, now + self._random.uniform(*self.traffic.lag))
        self.changes.setdefault(key, []).append(change)
        if self._random.random() < self.traffic.dropped:
            change.dropped = True
            return
        self._busy_until = change.due = max(change.due, self._busy_until)
        self._waiting.append(change)
        self.world.call_at(change.due, self._apply)

    def _apply(self) -> None:
        change = self._waiting.popleft()
        change.applied = self.world.now
        if change.after is None:
            self.destination.delete(change.key)
        else:
            self.destination.put(change.after)


class Reconciler:
    """Notes in the journal how far the copy is, as the reconciler does once a minute or more often.

    It also notes that both sides' changes are tracked, for which a comparison waits. What becomes of the
    tracked keys is the subject of the scenario `cutover`.
    """

    def __init__(self, world: World, journal: Table, copy: Copy, seconds: float) -> None:
        self._world = world
        self._journal = journal
        self._copy = copy
        self._seconds = seconds
        self.look()

    def look(self) -> None:
        """Look now, and note what was seen a while later."""
        draw = self._world.random.uniform
        self._track()
        since = self._copy.unapplied_since()
        self._world.call_later(draw(0.0, _STALE_SECONDS), self._note, since)
        self._world.call_later(self._seconds * draw(0.8, 1.2), self.look)

    def _track(self) -> None:
        item = self._journal.get(("touched", "state"))
        tracking = None if item is None else codec.decode(Tracking, msgspec.json.decode(item))
        if tracking is None or tracking.state is not TrackingState.REQUESTED:
            return
        for side in Side:
            tracking = tracking.noting(side, self._world.now)
        noted = {"pk": {"S": "touched"}, "sk": {"S": "state"}, **codec.encode(tracking)}
        self._journal.put(msgspec.json.encode({**noted, "version": {"N": str(tracking.version + 1)}}))

    def _note(self, since: float) -> None:
        item = {
            "pk": {"S": "shard-totals"},
            "sk": {"S": "summary"},
            "looked_at": {"N": repr(self._world.now)},
            "unapplied_since": {"N": repr(since)},
        }
        self._journal.put(msgspec.json.encode(item))


class Writers:
    """Change the source as a plan says. Every value is a new one."""

    def __init__(
        self, world: World, source: Table, content: Content, tables: Tables, traffic: Traffic
    ) -> None:
        self._world = world
        self._source = source
        self._content = content
        self._tables = tables
        self._traffic = traffic
        self._random = random.Random(f"writers {world.seed}")

    def begin(self, seconds: float) -> None:
        """Make all changes, beginning within ``seconds`` and at the rate of the plan."""
        traffic = self._traffic
        first = self._random.uniform(0.0, seconds / 2)
        for number in range(traffic.changes):
            moment = first + number / traffic.rate
            self._world.call_later(min(moment, seconds), self._write)

    def _write(self) -> None:
        draw = self._random
        number = draw.randrange(self._traffic.keys)
        chance = draw.random()
        if chance < 0.2:
            key = key_attributes(number, self._tables)
            self._source.delete(self._source.key_of(key))
        else:
            expires = self._world.now - 10.0 if chance > 0.95 else None
            _put(self._source, self._content.item(number, expires))
