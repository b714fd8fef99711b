"""One event source mapping at work: its settings, its shards, and what it does next."""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from tablecopy.clock import Clock
from tools.local.mapping.clients import Clients
from tools.local.mapping.function import (
    ENVELOPE,
    PAYLOAD_LIMIT,
    STREAM_ACTIONS,
    Batch,
    Function,
    Outcome,
    Permissions,
)
from tools.local.mapping.records import Record, ShardReader, describe_shards

logger = logging.getLogger(__name__)

# While a mapping is being enabled or updated, Lambda reads already.
READING_STATES = frozenset({"Enabled", "Enabling", "Updating"})
ENVELOPE_SIZE = sum(map(len, ENVELOPE))
FIRST_WAIT_SECONDS = 0.1
DEFAULT_CAP_SECONDS = 5.0
IDLE_SECONDS = 0.2
# New shards are looked for this often, and immediately when one is finished.
SHARDS_SECONDS = 4.0
PROBLEM_SECONDS = 1.0
CANNOT_ACCESS = (
    "PROBLEM: Cannot access stream {stream}. Please ensure the role can perform the GetRecords, "
    "GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM."
)

Result = TypeVar("Result")


class Workers(Protocol):
    """Runs work that takes a while, and hands back its result later."""

    def submit(self, work: Callable[[], Result], done: Callable[[Result], None]) -> None:
        """Run ``work`` elsewhere; ``collect`` calls ``done`` with its result."""

    def collect(self, timeout: float) -> None:
        """Wait for results, at most ``timeout`` seconds for the first, and hand back those that are there."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential waits with jitter, up to ``cap`` seconds."""

    cap: float = DEFAULT_CAP_SECONDS
    random: random.Random = field(default_factory=random.Random)

    def seconds(self, failures: int) -> float:
        """The wait after that many failures in a row, at least half of what the exponent gives."""
        # The exponent is bounded as well: a blocked shard may fail for a day.
        longest = min(self.cap, FIRST_WAIT_SECONDS * 2.0 ** min(failures - 1, 32))
        return longest * self.random.uniform(0.5, 1)


@dataclass(frozen=True, slots=True)
class Settings:
    """A mapping as ``GetEventSourceMapping`` reports it, with AWS's defaults filled in.

    ``window`` is ``MaximumBatchingWindowInSeconds``; ``unsupported`` names a setting of it that is not
    reproduced here.
    """

    uuid: str
    function_arn: str
    stream_arn: str
    enabled: bool
    batch_size: int = 100
    window: int = 0
    partial_responses: bool = False
    unsupported: str | None = None

    @classmethod
    def from_api(cls, mapping: Dictionary[str, Any]) -> Self:
        """Read the settings from one mapping of the Lambda API."""
        return cls(
            uuid=mapping["UUID"],
            function_arn=mapping["FunctionArn"],
            stream_arn=mapping["EventSourceArn"],
            enabled=mapping.get("State") in READING_STATES,
            batch_size=mapping.get("BatchSize") or 100,
            window=mapping.get("MaximumBatchingWindowInSeconds") or 0,
            partial_responses="ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or ()),
            unsupported=_unsupported(mapping),
        )


def is_dynamodb_stream(mapping: Dictionary[str, Any]) -> bool:
    """Whether a mapping of the Lambda API reads a DynamoDB stream."""
    arn = mapping.get("EventSourceArn", "")
    return ":dynamodb:" in arn and "/stream/" in arn


def _unsupported(mapping: Dictionary[str, Any]) -> str | None:
    infinite = (None, -1)
    asked = {
        "FilterCriteria": bool((mapping.get("FilterCriteria") or {}).get("Filters")),
        "TumblingWindowInSeconds": bool(mapping.get("TumblingWindowInSeconds")),
        "StartingPosition": mapping.get("StartingPosition", "TRIM_HORIZON") != "TRIM_HORIZON",
        "ParallelizationFactor": (mapping.get("ParallelizationFactor") or 1) > 1,
        "BisectBatchOnFunctionError": bool(mapping.get("BisectBatchOnFunctionError")),
        "MaximumRetryAttempts": mapping.get("MaximumRetryAttempts") not in infinite,
        "MaximumRecordAgeInSeconds": mapping.get("MaximumRecordAgeInSeconds") not in infinite,
    }
    return next((name for name, is_asked in asked.items() if is_asked), None)


class Shard:
    """One shard: its records in order, one batch after the other.

    It decides and remembers; its mapping invokes. At most one batch is under way: after `next_batch` gave
    one, `finished` ends it.
    """

    def __init__(self, reader: ShardReader, clock: Clock, backoff: Backoff) -> None:
        self._reader = reader
        self._clock = clock
        self._backoff = backoff
        # Read, but in no batch yet.
        self._queue: deque[Record] = deque()
        self._queued_bytes = 0
        self._batch: Batch | None = None
        self._busy = False
        self._failures = 0
        self._not_before = 0.0
        self._window_opened = 0.0
        self._next_read = 0.0

    @property
    def is_finished(self) -> bool:
        """Whether it is closed, read to the end, and everything is processed."""
        return self._reader.is_at_end and not self._queue and self._batch is None

    def read(self, settings: Settings) -> None:
        """Read a page, if it is time to and less is held than a full batch takes."""
        now = self._clock.now()
        if now < self._next_read or not self._has_room(settings):
            return
        # Also after an error, so that a failing stream is not asked all the time.
        self._next_read = now + IDLE_SECONDS
        records = self._reader.read()
        if records and not self._queue:
            self._window_opened = max(self._window_opened, now)
        self._queue.extend(records)
        self._queued_bytes += sum(record.size for record in records)
        if records:
            self._next_read = now

    def next_batch(self, settings: Settings) -> Batch | None:
        """The batch to invoke the function with now, or None."""
        now = self._clock.now()
        if self._busy:
            return None
        if self._batch is None and self._queue:
            count, is_full = self._fitting(settings)
            if is_full or now >= self._window_opened + settings.window:
                self._batch = Batch(tuple(self._queue.popleft() for _ in range(count)))
                self._queued_bytes -= sum(record.size for record in self._batch.records)
        if self._batch is None or now < self._not_before:
            return None
        self._busy = True
        return self._batch

    def finished(self, batch: Batch, outcome: Outcome) -> None:
        """Record what became of the batch under way: what failed comes first in the next one."""
        now = self._clock.now()
        self._busy = False
        self._window_opened = now
        if outcome.failed_from is None:
            self._failures = 0
            self._batch = None
            return
        # If something was achieved, the function is not simply down.
        self._failures = 1 if outcome.failed_from > 0 else self._failures + 1
        self._not_before = now + self._backoff.seconds(self._failures)
        self._batch = batch.starting_at(outcome.failed_from)

    def due(self, settings: Settings) -> list[float]:
        """When there is something to do again, if nothing else happens before."""
        times = []
        if not self._reader.is_at_end and self._has_room(settings):
            times.append(self._next_read)
        if not self._busy and self._batch is not None:
            times.append(self._not_before)
        elif not self._busy and self._queue:
            times.append(self._window_opened + settings.window)
        return times

    def _has_room(self, settings: Settings) -> bool:
        return len(self._queue) < settings.batch_size and self._queued_bytes < PAYLOAD_LIMIT

    def _fitting(self, settings: Settings) -> tuple[int, bool]:
        """How many queued records make one batch, and whether another would not fit."""
        size = ENVELOPE_SIZE
        for count, record in enumerate(self._queue):
            size += record.size + 1
            if count == settings.batch_size or (size > PAYLOAD_LIMIT and count > 0):
                return count, True
        return len(self._queue), len(self._queue) == settings.batch_size


class Mapping:
    """Reads every shard of a stream and has a function process it.

    All its methods are called by one thread; what takes a while is given to ``workers``.
    """

    def __init__(
        self, settings: Settings, clients: Clients, clock: Clock, workers: Workers, backoff: Backoff
    ) -> None:
        self.settings = settings
        self._clients = clients
        self._clock = clock
        self._workers = workers
        self._backoff = backoff
        self._permissions = Permissions(clients.iam, clock)
        self._function = Function(clients.functions, clock)
        self._shards: dict[str, Shard] = {}
        self._finished: set[str] = set()
        self._next_look = 0.0
        self._not_before = 0.0
        self._problem: str | None = None

    def update(self, settings: Settings) -> None:
        """Continue with changed settings, from the same place."""
        if settings.enabled != self.settings.enabled:
            logger.info("%s: %s", settings.uuid, "enabled" if settings.enabled else "disabled")
        elif settings != self.settings:
            logger.info("%s: changed", settings.uuid)
        self.settings = settings

    def step(self) -> None:
        """Do whatever there is to do now, without waiting for a function."""
        if self._clock.now() < self._not_before:
            return
        try:
            if not self.settings.enabled:
                return
            problem = self._find_problem()
            if problem is None:
                self._look_for_shards()
                self._read_and_start()
        except (ClientError, BotoCoreError, OSError) as error:
            problem = f"PROBLEM: {error}"
        self._report(problem)

    def due(self) -> float | None:
        """When `step` has something to do again, if no result arrives before."""
        if not self.settings.enabled:
            return None
        if self._problem:
            return self._not_before
        times = [time for shard in self._shards.values() for time in shard.due(self.settings)]
        return min([self._next_look, *times])

    def _find_problem(self) -> str | None:
        if self.settings.unsupported:
            return f"PROBLEM: {self.settings.unsupported} is not supported by the local poller"
        role = self._function.role_arn(self.settings.function_arn)
        if self._permissions.missing(role, STREAM_ACTIONS, self.settings.stream_arn):
            return CANNOT_ACCESS.format(stream=self.settings.stream_arn)
        return None

    def _report(self, problem: str | None) -> None:
        if problem and problem != self._problem:
            logger.error("%s: %s", self.settings.uuid, problem)
        if problem:
            self._not_before = self._clock.now() + PROBLEM_SECONDS
        self._problem = problem

    def _look_for_shards(self) -> None:
        for shard_id in [shard_id for shard_id, shard in self._shards.items() if shard.is_finished]:
            del self._shards[shard_id]
            self._finished.add(shard_id)
            # Its children may begin.
            self._next_look = 0.0
        if self._clock.now() < self._next_look:
            return
        listed = describe_shards(self._clients.streams, self.settings.stream_arn)
        ids = {shard.shard_id for shard in listed}
        # What is trimmed never comes back.
        self._finished &= ids
        for shard in listed:
            waits_for_parent = shard.parent_id in ids and shard.parent_id not in self._finished
            if shard.shard_id not in self._finished | self._shards.keys() and not waits_for_parent:
                reader = ShardReader(self._clients.streams, self.settings.stream_arn, shard.shard_id)
                self._shards[shard.shard_id] = Shard(reader, self._clock, self._backoff)
        self._next_look = self._clock.now() + SHARDS_SECONDS

    def _read_and_start(self) -> None:
        for shard in self._shards.values():
            shard.read(self.settings)
            batch = shard.next_batch(self.settings)
            if batch is not None:
                self._invoke(shard, batch)

    def _invoke(self, shard: Shard, batch: Batch) -> None:
        settings = self.settings

        def done(outcome: Outcome) -> None:
            if outcome.failed_from is not None:
                logger.warning(
                    "%s: %d of %d records failed: %s",
                    settings.uuid,
                    len(batch.records) - outcome.failed_from,
                    len(batch.records),
                    outcome.reason,
                )
            shard.finished(batch, outcome)

        self._workers.submit(
            lambda: self._function.process(settings.function_arn, batch, settings.partial_responses), done
        )
