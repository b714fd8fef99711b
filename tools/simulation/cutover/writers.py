"""Applications that write to one table, and later to the other, and a ledger of what was acknowledged.

They write at the table, without a network between: what a table has acknowledged is what it has done.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from tools.simulation.attributes import Key
from tools.simulation.cutover.policy import Policies
from tools.simulation.cutover.scenario import Traffic
from tools.simulation.scheduler import World
from tools.simulation.streams import Record, Shard
from tools.simulation.table import Table


@dataclass(frozen=True)
class Shown:
    """The latest record of a key: from when on it can be read, unless its shard is listed later."""

    record: Record
    shard: Shard

    @property
    def made(self) -> float:
        """When the change was made."""
        return self.record.made

    @property
    def at(self) -> float:
        """When the record could be read first."""
        return max(self.record.visible, self.shard.listed)


class Records:
    """The latest record of each key of a table.

    Attributes
    ----------
    shown_at
        From when on the last one of all could be read.
    listed_at
        When a shard with a record was listed last that was not listed when it began.
    """

    def __init__(self, table: Table) -> None:
        self.latest: dict[Key, Shown] = {}
        self.shown_at = self.listed_at = 0.0
        assert table.stream is not None
        table.stream.on_append.append(self._appended)

    def _appended(self, shard: Shard, record: Record) -> None:
        item = record.new or record.old
        assert item is not None
        shown = self.latest[item.key] = Shown(record, shard)
        self.shown_at = max(self.shown_at, shown.at)
        if shard.listed > shard.opened:
            self.listed_at = max(self.listed_at, shard.listed)


def item(number: int, version: int) -> bytes:
    """Return an item as the writers make them; every value is a new one."""
    return msgspec.json.encode({"pk": {"S": f"k{number:04d}"}, "v": {"N": str(version)}})


class Writers:
    """Write to the table that they use now, unless they are stopped or its policy denies it.

    Attributes
    ----------
    ledger
        What every key was when a write of it was acknowledged last; None for a delete.
    """

    def __init__(self, world: World, table: Table, policies: Policies, traffic: Traffic, seed: int) -> None:
        self.ledger: dict[Key, bytes | None] = {}
        self._world = world
        self._table = table
        self._policies = policies
        self._traffic = traffic
        self._random = random.Random(f"writers {seed}")
        self._version = 0
        self._stopped = True
        # Which chain of writes goes on.
        self._turn = 0
        self.on_straggle: Callable[[Key], None] = lambda key: None

    def fill(self) -> None:
        """Put the first items."""
        for number in range(self._traffic.items):
            self._put(number)

    def begin(self) -> None:
        """Write from now on."""
        if self._stopped:
            self._stopped = False
            self._turn += 1
            self._plan(self._turn)

    def stop(self) -> None:
        """Write no more."""
        self._stopped = True

    def move(self, table: Table, policies: Policies) -> None:
        """Use another table from now on."""
        self._table, self._policies = table, policies

    def straggle(self) -> None:
        """Write once although the writers have stopped, as a forgotten one does."""
        key = self._write(must_change=True)
        if key is not None:
            self.on_straggle(key)

    def _plan(self, turn: int) -> None:
        self._world.call_later(self._random.expovariate(self._traffic.rate), self._next, turn)

    def _next(self, turn: int) -> None:
        if not self._stopped and turn == self._turn:
            self._write()
            self._plan(turn)

    def _write(self, *, must_change: bool = False) -> Key | None:
        draw, traffic = self._random, self._traffic
        number = 0 if draw.random() < traffic.hot else draw.randrange(traffic.keys)
        deletes = draw.random() < traffic.deletes
        if self._policies.denies():
            return None
        if not deletes or must_change:
            return self._put(number)
        key = self._table.key_of(item(number, 0))
        self._table.delete(key)
        self.ledger[key] = None
        return key

    def _put(self, number: int) -> Key:
        self._version += 1
        body = item(number, self._version)
        key = self._table.put(body)
        self.ledger[key] = body
        return key
