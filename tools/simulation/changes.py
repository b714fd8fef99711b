"""The changes of the source: the records that they made in the stream, and whether they are applied."""

from __future__ import annotations

from dataclasses import dataclass, field

from tools.simulation.history import ABSENT, Histories, History, Landed


@dataclass
class ShardRecords:
    """The records of one shard, in order.

    Each has a key, a place in the key's history, a time, whether it is in a recorded batch, and an index by
    its number.
    """

    keys: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    created: list[float] = field(default_factory=list)
    in_batch: list[bool] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)


class Changes:
    """All changes of the source.

    A change is applied once it has arrived at the destination, or a later change of its key, or once the
    destination has rejected it.

    Attributes
    ----------
    source
        The values of each key.
    covered_to
        Changes made before this moment need not be applied: the scan reads what they led to.
    """

    def __init__(self) -> None:
        self.source = Histories()
        self.shards: dict[str, ShardRecords] = {}
        self.covered_to = float("inf")
        self._names: dict[str, list[tuple[str, int]]] = {}
        self._places: dict[tuple[str, int], tuple[ShardRecords, int]] = {}
        self._landed: dict[str, Landed] = {}
        self._rejected: dict[str, float] = {}

    def record(self, shard: str, number: str, name: str, key: str, place: int, created: float) -> None:
        """Add a stream record; see Judge.recorded."""
        records = self.shards.setdefault(shard, ShardRecords())
        records.numbers[number] = len(records.keys)
        self._names.setdefault(name, []).append((shard, len(records.keys)))
        self._places[key, place] = records, len(records.keys)
        records.in_batch.append(False)
        records.keys.append(key)
        records.places.append(place)
        records.created.append(created)

    def land(self, at: float, history: History, key: str, value: str) -> Landed:
        """Note that ``value``, which the source has had, has arrived at the destination."""
        landed = self._landed.get(key)
        if landed is None:
            landed = self._landed[key] = Landed()
        if value == ABSENT:
            landed.deleted = at
        else:
            landed.place = max(landed.place, history.last_place[value])
        return landed

    def reject(self, at: float, key: str) -> None:
        """Note that the destination has rejected the item of a key."""
        self._rejected[key] = at

    def was_written(self, key: str, since: float) -> bool:
        """Whether a worker's write of a key has arrived, or was rejected, since a moment."""
        return (
            self._landed.get(key, _NEVER).by_worker >= since
            or self._rejected.get(key, float("-inf")) >= since
        )

    def batch(self, name: str, last: str) -> tuple[str, int, int] | None:
        """Return the shard of a batch and the indexes of its first record and behind its last one.

        If two batches may be meant, the one that is applied is. None if there is no such batch.
        """
        found = [
            (shard, first, self.shards[shard].numbers[last] + 1)
            for shard, first in self._names.get(name, ())
            if last in self.shards[shard].numbers
        ]
        return next((each for each in found if not self.unapplied(*each)), found[0] if found else None)

    def add_batch(self, shard: str, first: int, end: int) -> None:
        """Note that the records from index ``first`` up to ``end`` are in a recorded batch."""
        self.shards[shard].in_batch[first:end] = [True] * (end - first)

    def is_in_batch(self, key: str, place: int) -> bool:
        """Whether the record of a change is in a recorded batch."""
        records, index = self._places.get((key, place), (None, 0))
        return records is not None and records.in_batch[index]

    def unapplied(self, shard: str, first: int, end: int) -> list[str]:
        """Return the keys whose records from index ``first`` up to ``end`` must be applied and are not."""
        records = self.shards[shard]
        return list(
            dict.fromkeys(
                records.keys[index]
                for index in range(first, end)
                if records.created[index] >= self.covered_to and not self._is_applied(records, index)
            )
        )

    def oldest(self) -> float:
        """Return when the oldest change was made that must be applied and is not; infinity without one."""
        return min(
            (
                records.created[index]
                for records in self.shards.values()
                for index in range(len(records.keys))
                if records.created[index] >= self.covered_to and not self._is_applied(records, index)
            ),
            default=float("inf"),
        )

    def count(self, since: float, until: float) -> tuple[int, int]:
        """Return how many changes must be applied and were made from ``since`` to ``until``; and all."""
        made = [created for records in self.shards.values() for created in records.created]
        since = max(since, self.covered_to)
        return sum(since <= created < until for created in made), len(made)

    def _is_applied(self, records: ShardRecords, index: int) -> bool:
        key, place = records.keys[index], records.places[index]
        landed = self._landed.get(key, _NEVER)
        made = self.source.of(key).times[place]
        return (
            landed.place >= place or landed.deleted >= made or self._rejected.get(key, float("-inf")) >= made
        )


_NEVER = Landed()
