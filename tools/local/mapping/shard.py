"""One shard of a mapping: a reader and its lanes."""

from __future__ import annotations

import zlib

from tools.local.mapping.backoff import Backoff
from tools.local.mapping.clock import Clock
from tools.local.mapping.lane import Lane
from tools.local.mapping.reader import ShardReader
from tools.local.mapping.settings import Settings

IDLE_SECONDS = 0.2
# An iterator is good for 15 minutes. A disabled mapping reads now and then, so that its position
# stays a place in the shard; what it reads waits in the lanes.
KEEP_ALIVE_SECONDS = 300.0


class Shard:
    """Hands what it reads to lanes, all records of one key to the same lane.

    It reads on as long as any lane could take more. A blocked lane therefore keeps piling up records
    while the others go on.

    Parameters
    ----------
    shard_id : str
        Its id in the stream.
    reader : ShardReader
        Reads it.
    clock : Clock
        Tells the time.
    backoff : Backoff
        Waits of the lanes.
    """

    def __init__(self, shard_id: str, reader: ShardReader, clock: Clock, backoff: Backoff) -> None:
        self.shard_id = shard_id
        self.lanes: list[Lane] = []
        self._reader = reader
        self._clock = clock
        self._backoff = backoff
        self._next_read = 0.0
        self._last_read = 0.0

    @property
    def is_finished(self) -> bool:
        """Whether it is closed, read to the end, and everything is processed."""
        return self._reader.is_at_end and all(lane.is_done for lane in self.lanes)

    def fit_lanes(self, settings: Settings) -> None:
        """Have as many lanes as the mapping asks for, once nothing is under way."""
        if len(self.lanes) == settings.lanes or any(lane.is_busy for lane in self.lanes):
            return
        records = [record for lane in self.lanes for record in lane.unfinished()]
        self.lanes = [Lane(self._backoff) for _ in range(settings.lanes)]
        for record in sorted(records, key=lambda record: int(record.sequence_number)):
            self._lane_of(record.key).add(record, self._clock.now())

    def read(self, settings: Settings) -> None:
        """Read a page, if it is time to and a lane has room."""
        now = self._clock.now()
        if now < self._next_read or not any(lane.wants_records(settings) for lane in self.lanes):
            return
        self._last_read = now
        # Also after an error, so that a stream in trouble is not asked all the time.
        self._next_read = now + IDLE_SECONDS
        records = self._reader.read()
        for record in records:
            self._lane_of(record.key).add(record, now)
        if records:
            self._next_read = now

    def keep_alive(self, settings: Settings) -> None:
        """Renew the iterator of a mapping that is disabled."""
        if self._clock.now() - self._last_read >= KEEP_ALIVE_SECONDS:
            self.read(settings)

    def due(self, settings: Settings) -> float | None:
        """When reading has a point again."""
        if self._reader.is_at_end or not any(lane.wants_records(settings) for lane in self.lanes):
            return None
        return self._next_read

    def _lane_of(self, key: str) -> Lane:
        return self.lanes[zlib.crc32(key.encode()) % len(self.lanes)]
