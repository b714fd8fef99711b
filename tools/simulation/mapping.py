"""Lambda's event source mapping of a DynamoDB stream: pollers, batches, checkpoints, states.

Sources: Lambda developer guide, "Using AWS Lambda with Amazon DynamoDB" (a poller for each shard at a base
rate of four polls a second, one invocation of a shard at a time, parents before children), "Parameters for
DynamoDB event source mappings", "Configuring partial batch response with DynamoDB and Lambda", "How Lambda
processes records from stream and queue-based event sources" (at least once); Lambda API reference,
UpdateEventSourceMapping (disabling and enabling resumes from the same location).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tools.simulation.background import start
from tools.simulation.errors import ServiceError
from tools.simulation.functions import Answer, Lambda
from tools.simulation.scheduler import Event, Host, World
from tools.simulation.streams import Record, Shard, Stream

Json = dict[str, Any]

NO_RECORDS = "No records processed"
OK = "OK"
PROBLEM = "PROBLEM: Function call failed"

_POLL_SECONDS = 0.25
# GetRecords returns at most 1,000 records (API reference).
_PAGE = 1000
# What a synchronous invocation takes (Lambda quotas).
_PAYLOAD_BYTES = 6 * 1024 * 1024
_RETENTION_SECONDS = 86_400.0
_REMEMBERED_CHECKPOINTS = 30
# The second child of a split may be listed after the first one.
_CHILDREN_SECONDS = 120.0


@dataclass(frozen=True)
class MappingFaults:
    """Probabilities, for each batch unless said otherwise, and how long Lambda takes.

    Attributes
    ----------
    duplicated
        A batch that was processed is delivered once more.
    gives_up
        The poller stops waiting for an invocation that is running, and delivers the batch again.
    falls_back
        The poller ends during an invocation. Its successor begins at an earlier checkpoint, and cuts batches
        in another size.
    recut
        After a partial or failed batch, the next one is read again and not cut as the rest of the last one.
    late
        For each poller that is switched off: it goes on for up to ``latest`` seconds after the mapping is
        reported as disabled.
    switch
        Shortest and longest time in seconds that enabling or disabling takes.
    backoff
        Longest wait in seconds before a failed batch is delivered again.
    held
        Seconds beyond the retention for which a poller may hold the records of a failing batch.
    """

    duplicated: float = 0.0
    gives_up: float = 0.0
    falls_back: float = 0.0
    recut: float = 0.0
    late: float = 0.0
    latest: float = 30.0
    switch: tuple[float, float] = (2.0, 20.0)
    backoff: float = 10.0
    held: float = 900.0


class Poller:
    """What reads one shard. ``wake`` ends its wait for records."""

    def __init__(self, world: World, shard_id: str) -> None:
        self.shard_id = shard_id
        self.stopped = False
        self.ended = False
        self.wake: Event[None] = Event(world)

    def stop(self) -> None:
        """Let it end before its next poll or delivery."""
        self.stopped = True
        self.wake.set()


class EventSourceMapping:
    """One mapping with the settings of the copy.

    Starting position TRIM_HORIZON, ParallelizationFactor 1, unlimited retries and record age, bisecting off.

    Parameters
    ----------
    give_up
        Called with a number of records that Lambda discards because they have expired.
    """

    def __init__(
        self,
        world: World,
        uuid: str,
        stream: Stream,
        lambda_: Lambda,
        function_arn: str,
        *,
        batch_size: int = 1000,
        window: float = 1.0,
        faults: MappingFaults = MappingFaults(),
        give_up: Callable[[int], None] = lambda records: None,
    ) -> None:
        self.uuid = uuid
        self.stream_arn = stream.arn
        self.function_arn = function_arn
        self.batch_size = batch_size
        self.window = window
        self.faults = faults
        self.state = "Disabled"
        self.last_result = NO_RECORDS
        self.deleted = False
        # The last processed sequence number of each shard, the earlier ones, and the shards processed whole.
        self.checkpoints: dict[str, str] = {}
        self.finished: dict[str, None] = {}
        self.pollers: dict[str, Poller] = {}
        self._history: dict[str, deque[str]] = {}
        self._enabled = False
        self._world = world
        self._host = Host("mapping")
        self._stream = stream
        self._waiting: dict[str, Poller] = {}
        stream.on_append.append(self._hear)
        stream.on_close.append(self._hear_end)
        self._lambda = lambda_
        self._give_up = give_up

    def describe(self) -> Json:
        """Return the mapping as GetEventSourceMapping shows it."""
        return {
            "UUID": self.uuid,
            "EventSourceArn": self.stream_arn,
            "FunctionArn": self.function_arn,
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": self.batch_size,
            "MaximumBatchingWindowInSeconds": int(self.window),
            "ParallelizationFactor": 1,
            "BisectBatchOnFunctionError": False,
            "MaximumRetryAttempts": -1,
            "MaximumRecordAgeInSeconds": -1,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "State": self.state,
            "LastProcessingResult": self.last_result,
        }

    def update(self, enabled: bool) -> None:
        """Enable or disable. The new state comes after a while, and pollers follow one by one.

        Raises
        ------
        ServiceError
            ResourceInUseException while an earlier update is not finished.
        """
        if self.state not in {"Enabled", "Disabled"}:
            raise ServiceError(
                "ResourceInUseException", f"The event source mapping is in state {self.state}", 400
            )
        seconds = self._world.random.uniform(*self.faults.switch)
        self._world.trace("mapping", self.uuid, "enable" if enabled else "disable")
        if enabled is self._enabled:
            self.state = "Updating"
        else:
            self.state = "Enabling" if enabled else "Disabling"
            self._enabled = enabled
            if enabled:
                self._world.call_later(seconds * self._world.random.random(), self._discover)
            else:
                self._stop(seconds)
        self._world.call_later(seconds, self._settle)

    def delete(self) -> None:
        """Delete the mapping. Its pollers end as if it was disabled."""
        self.deleted = True
        self._enabled = False
        self.state = "Deleting"
        self._stop(self._world.random.uniform(*self.faults.switch))

    def _settle(self) -> None:
        if not self.deleted:
            self.state = "Enabled" if self._enabled else "Disabled"
            self._world.trace("mapping", self.uuid, self.state)

    def _stop(self, seconds: float) -> None:
        world, faults = self._world, self.faults
        for poller in self.pollers.values():
            moment = seconds * world.random.random()
            if world.chance(faults.late):
                moment = seconds + faults.latest * world.random.random()
            world.call_later(moment, self._end, poller)

    def _end(self, poller: Poller) -> None:
        poller.stop()
        # The mapping may have been enabled again in the meantime.
        self._discover()

    def _discover(self) -> None:
        """Start a poller for each shard whose parent is processed, or is no longer listed."""
        if not self._enabled:
            return
        listed = self._stream.listed()
        names = {shard.id for shard in listed}
        for shard in listed:
            parent = shard.parent.id if shard.parent else ""
            if parent in self.finished or (parent not in names and parent not in self.pollers):
                self._poll(shard.id)

    def _poll(self, shard_id: str) -> None:
        running = self.pollers.get(shard_id)
        if shard_id in self.finished or (running is not None and not running.stopped):
            return
        # A stopped poller may still be waiting for its invocation; then two deliver at the same time.
        poller = self.pollers[shard_id] = Poller(self._world, shard_id)
        self._history.setdefault(shard_id, deque([""], maxlen=_REMEMBERED_CHECKPOINTS))
        start(self._world, self._host, self._work, poller)

    def _work(self, poller: Poller) -> None:
        """Poll a shard until it is processed to its closed end, or until the poller is stopped."""
        world, faults, shard_id = self._world, self.faults, poller.shard_id
        world.sleep(world.random.random())
        position = self.checkpoints.get(shard_id, "")
        size, failures = self.batch_size, 0
        held: list[Record] = []
        while not poller.stopped:
            if not held:
                held, at_end = self._gather(poller, position, size)
                if not held:
                    if at_end:
                        self._finish(poller)
                        return
                    self._wait(poller)
                    continue
            batch = _cut(held, size)
            waits: float | None = None
            falls_back = world.chance(faults.falls_back)
            if falls_back or world.chance(faults.gives_up):
                waits = self._patience()
            applied = self._deliver(batch, waits)
            if self.pollers.get(shard_id) is not poller:
                return
            if falls_back:
                position = self._earlier(shard_id)
                held, size = [], world.random.randint(1, self.batch_size)
                continue
            if applied == len(batch) and world.chance(faults.duplicated):
                world.trace("delivers again", shard_id, len(batch))
                continue
            if applied:
                failures = 0
                position = batch[applied - 1].sequence_number
                self._save(shard_id, position)
                held = held[applied:]
            else:
                failures += 1
                world.sleep(self._backoff(failures))
                discarded = self._expired(batch)
                if discarded:
                    position = batch[discarded - 1].sequence_number
                    self._save(shard_id, position)
                    held = held[discarded:]
                    self._give_up(discarded)
            if applied < len(batch) and world.chance(faults.recut):
                held, size = [], world.random.randint(1, self.batch_size)

    def _earlier(self, shard_id: str) -> str:
        """Return one of the shard's checkpoints, most often one of the last ones."""
        world, history = self._world, self._history[shard_id]
        back = world.random.randrange(len(history))
        if not world.chance(0.2):
            back = min(back, int(world.random.expovariate(0.5)))
        world.trace("falls back", shard_id, back)
        return history[-1 - back]

    def _gather(self, poller: Poller, position: str, size: int) -> tuple[list[Record], bool]:
        """Read, and within the batching window read on unless a batch is full.

        Returns the records, and whether the closed shard has none left.
        """
        held = self._read(poller.shard_id, position)
        if not held:
            return held, self._is_at_end(poller.shard_id, position)
        if len(held) < size and self.window:
            self._world.sleep(self.window)
            held += self._read(poller.shard_id, held[-1].sequence_number)
        return held, False

    def _read(self, shard_id: str, after: str) -> list[Record]:
        return self._stream.read(shard_id, after, _PAGE) if self._stream.shard(shard_id) is not None else []

    def _is_at_end(self, shard_id: str, after: str) -> bool:
        # A shard that is gone had no record left.
        return self._stream.shard(shard_id) is None or self._stream.is_read_to_end(shard_id, after)

    def _wait(self, poller: Poller) -> None:
        """Wait for a record, and then for the poller's next poll."""
        self._waiting[poller.shard_id] = poller
        poller.wake.wait()
        poller.wake = Event(self._world)
        self._world.sleep(self._world.random.uniform(0.0, _POLL_SECONDS))

    def _hear(self, shard: Shard, record: Record) -> None:
        poller = self._waiting.pop(shard.id, None)
        if poller is not None:
            self._world.call_at(record.visible, poller.wake.set)

    def _hear_end(self, shard: Shard) -> None:
        poller = self._waiting.pop(shard.id, None)
        if poller is not None:
            poller.wake.set()

    def _deliver(self, batch: Sequence[Record], waits: float | None) -> int:
        """Return how many records, counted from the first one, were processed."""
        try:
            event = {"Records": [record.event() for record in batch]}
            answer = self._lambda.invoke(self.function_arn, event, waits)
        except ServiceError:
            answer = None
        applied = 0 if answer is None else processed(answer, batch)
        self.last_result = PROBLEM if answer is None or answer.error else OK
        return applied

    def _save(self, shard_id: str, position: str) -> None:
        self.checkpoints[shard_id] = position
        self._history[shard_id].append(position)

    def _finish(self, poller: Poller) -> None:
        """Begin with the children once they are listed."""
        poller.ended = True
        self.finished[poller.shard_id] = None
        self._world.trace("finished", poller.shard_id)
        self._adopt(poller.shard_id, self._world.now + _CHILDREN_SECONDS)

    def _adopt(self, parent: str, until: float) -> None:
        if not self._enabled:
            # Enabling discovers all shards.
            return
        if self._stream.shard(parent) is None:
            return
        children = self._stream.children(parent)
        for child in children:
            self._poll(child)
        if not children or self._world.now < until:
            self._world.call_later(self._world.random.uniform(2.0, 15.0), self._adopt, parent, until)

    def _expired(self, batch: Sequence[Record]) -> int:
        """Return how many of a failed batch's records have expired, and are not tried again.

        With unlimited retries and age, Lambda retries until the records expire ("How Lambda processes
        records"). How soon it notices is not documented.
        """
        horizon = self._world.now - _RETENTION_SECONDS
        if batch[0].made >= horizon:
            return 0
        horizon -= self.faults.held * self._world.random.random()
        return sum(record.made < horizon for record in batch)

    def _patience(self) -> float:
        timeout = self._lambda.function(self.function_arn).settings.timeout
        return timeout * self._world.random.random() ** 3

    def _backoff(self, failures: int) -> float:
        longest = min(self.faults.backoff, 0.1 * 2.0 ** min(failures, 20))
        return longest * self._world.random.uniform(0.5, 1.0)


def processed(answer: Answer, batch: Sequence[Record]) -> int:
    """Return how many records of a batch, counted from the first one, an answer lets pass.

    With ReportBatchItemFailures: no value, an empty object, and an absent, null or empty list are success. Of
    several records the lowest sequence number is the checkpoint. An error, and an entry that is empty or not
    of this batch, are complete failure ("Configuring partial batch response with DynamoDB and Lambda").
    """
    if answer.error:
        return 0
    if answer.payload is None or answer.payload == {}:
        return len(batch)
    if not isinstance(answer.payload, dict):
        return 0
    failures = answer.payload.get("batchItemFailures")
    if failures is None:
        return len(batch)
    if not isinstance(failures, list):
        return 0
    places = {record.sequence_number: place for place, record in enumerate(batch)}
    lowest = len(batch)
    for failure in failures:
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        place = places.get(identifier) if isinstance(identifier, str) else None
        if place is None:
            return 0
        lowest = min(lowest, place)
    return lowest


def _cut(held: Sequence[Record], size: int) -> list[Record]:
    """Return the next batch: up to ``size`` records, and up to what an invocation takes."""
    batch: list[Record] = []
    room = _PAYLOAD_BYTES
    for record in held[:size]:
        # An event's JSON is larger than what DynamoDB counts.
        room -= 2 * record.size + 500
        if batch and room < 0:
            break
        batch.append(record)
    return batch
