"""Lambda's event source mapping of a DynamoDB stream: pollers, batches, checkpoints, states.

Sources: Lambda developer guide, "Using AWS Lambda with Amazon DynamoDB" (a poller for each shard at a base
rate of four polls a second, one invocation of a shard at a time, parents before children), "Parameters for
DynamoDB event source mappings", "Configuring partial batch response with DynamoDB and Lambda", "How Lambda
processes records from stream and queue-based event sources" (at least once); Lambda API reference,
UpdateEventSourceMapping (disabling and enabling resumes from the same location).
"""

from __future__ import annotations

import math
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
        in another size. Also for each poller that starts: it begins at an earlier checkpoint.
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
    latest: float = 90.0
    switch: tuple[float, float] = (2.0, 20.0)
    backoff: float = 10.0
    held: float = 900.0


class Poller:
    """What reads one shard.

    Attributes
    ----------
    position
        Sequence number up to which the shard is processed; empty at the horizon.
    held
        Records behind the position that have been read.
    size
        Size of the batches if it is not the mapping's.
    failures
        How often in a row nothing of a batch was processed.
    wake
        Ends its wait for records.
    """

    def __init__(self, world: World, shard_id: str) -> None:
        self.shard_id = shard_id
        self.position = ""
        self.held: list[Record] = []
        self.size: int | None = None
        self.failures = 0
        self.stopped = False
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

    Attributes
    ----------
    on_processed
        Called with a shard, the sequence number up to which it was processed before, and the new one.
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
        self.on_processed: list[Callable[[str, str, str], None]] = []
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

    def configure(self, batch_size: int, window: float) -> None:
        """Change the batches. Each poller is restarted with the new settings ("Polling and stream starting
        positions": up to 90 seconds to stop and restart polling)."""
        if (batch_size, window) == (self.batch_size, self.window):
            return
        self.batch_size, self.window = batch_size, window
        self.state = "Updating"
        seconds = self._world.random.uniform(*self.faults.switch)
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
        if self._enabled:
            self._poll(poller.shard_id)

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
            if shard.id in self.finished and shard.closed + _CHILDREN_SECONDS > self._world.now:
                # Its children may not all be listed yet, and nothing has looked for them while disabled.
                self._adopt(shard.id, self._world.now + _CHILDREN_SECONDS)

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
        world, shard_id = self._world, poller.shard_id
        world.sleep(world.random.random())
        poller.position = self.checkpoints.get(shard_id, "")
        if world.chance(self.faults.falls_back):
            poller.position = self._earlier(shard_id)
        shard = self._stream.shard(shard_id)
        if shard is not None:
            # It polls all the time, even if there is nothing to read.
            shard.readers[self.uuid] = math.inf
        while not poller.stopped:
            if not poller.held:
                at_end = self._gather(poller)
                if at_end:
                    self._finish(poller)
                elif not poller.held:
                    self._wait(poller)
                continue
            batch = _cut(poller.held, poller.size or self.batch_size)
            falls_back = world.chance(self.faults.falls_back)
            gives_up = falls_back or world.chance(self.faults.gives_up)
            applied = self._deliver(batch, self._patience() if gives_up else None)
            if self.pollers.get(shard_id) is not poller:
                return
            if falls_back:
                poller.position = self._earlier(shard_id)
                self._recut(poller)
                world.sleep(world.random.expovariate(1.0))
            elif applied == len(batch) and world.chance(self.faults.duplicated):
                world.trace("delivers again", shard_id, len(batch))
            else:
                self._account(poller, batch, applied)
        if shard is not None and self.pollers.get(shard_id) is poller:
            shard.readers.pop(self.uuid, None)

    def _account(self, poller: Poller, batch: Sequence[Record], applied: int) -> None:
        """Move the checkpoint behind what was processed; wait before a batch of which nothing was."""
        if applied:
            poller.failures = 0
            before = poller.position
            self._move(poller, batch[:applied])
            for note in self.on_processed:
                note(poller.shard_id, before, poller.position)
        else:
            poller.failures += 1
            self._world.sleep(self._backoff(poller.failures))
            discarded = self._expired(batch)
            if discarded:
                self._move(poller, batch[:discarded])
                self._give_up(discarded)
        if applied < len(batch) and self._world.chance(self.faults.recut):
            self._recut(poller)

    def _move(self, poller: Poller, done: Sequence[Record]) -> None:
        poller.held = poller.held[len(done) :]
        poller.position = self.checkpoints[poller.shard_id] = done[-1].sequence_number
        self._history[poller.shard_id].append(poller.position)

    def _recut(self, poller: Poller) -> None:
        """Let the poller read its next records again, and cut them into batches of another size."""
        poller.held = []
        poller.size = self._world.random.randint(1, self.batch_size)

    def _earlier(self, shard_id: str) -> str:
        """Return one of the shard's checkpoints, most often one of the last ones."""
        world, history = self._world, self._history[shard_id]
        back = world.random.randrange(len(history))
        if not world.chance(0.2):
            back = min(back, int(world.random.expovariate(0.5)))
        world.trace("falls back", shard_id, back)
        return history[-1 - back]

    def _gather(self, poller: Poller) -> bool:
        """Read, and within the batching window read on unless a batch is full.

        Returns whether the shard has ended before the poller's position.
        """
        held = self._read(poller.shard_id, poller.position)
        if not held:
            return self._is_at_end(poller.shard_id, poller.position)
        if len(held) < (poller.size or self.batch_size) and self.window:
            self._world.sleep(self.window)
            held += self._read(poller.shard_id, held[-1].sequence_number)
        poller.held = held
        return False

    def _read(self, shard_id: str, after: str) -> list[Record]:
        return self._stream.read(shard_id, after, _PAGE) if self._stream.shard(shard_id) is not None else []

    def _is_at_end(self, shard_id: str, after: str) -> bool:
        # A shard that is gone had no record left.
        return self._stream.shard(shard_id) is None or self._stream.is_read_to_end(shard_id, after)

    def _wait(self, poller: Poller) -> None:
        """Wait for a record, and then for the poller's next poll."""
        shard = self._stream.shard(poller.shard_id)
        if shard is not None and shard.records and shard.records[-1].visible > self._world.now:
            # A record was made before, and cannot be read yet.
            self._world.call_at(shard.records[-1].visible, poller.wake.set)
        else:
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

    def _finish(self, poller: Poller) -> None:
        """Begin with the children once they are listed."""
        poller.stop()
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
