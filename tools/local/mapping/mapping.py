"""One event source mapping at work."""

from __future__ import annotations

import logging

from botocore.exceptions import BotoCoreError, ClientError

from tools.local.mapping.backoff import Backoff
from tools.local.mapping.batch import Batch
from tools.local.mapping.clients import Clients
from tools.local.mapping.clock import Clock
from tools.local.mapping.destination import FailureDestination
from tools.local.mapping.discard import Discard
from tools.local.mapping.function import Function
from tools.local.mapping.lane import Lane
from tools.local.mapping.outcome import Outcome
from tools.local.mapping.permissions import STREAM_ACTIONS, Permissions
from tools.local.mapping.reader import ShardReader
from tools.local.mapping.settings import Settings
from tools.local.mapping.shard import Shard
from tools.local.mapping.stream import describe_shards
from tools.local.mapping.workers import Workers

logger = logging.getLogger(__name__)

# New shards are looked for this often, and at once when one is finished.
SHARDS_SECONDS = 4.0
PROBLEM_SECONDS = 1.0
CANNOT_ACCESS = (
    "PROBLEM: Cannot access stream {stream}. Please ensure the role can perform the GetRecords, "
    "GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM."
)


class Mapping:
    """Reads every shard of a stream and has a function process it.

    All its methods are called by one thread; what takes a while is given to `workers`.

    Parameters
    ----------
    settings : Settings
        What to do at first; `update` changes it.
    clients : Clients
        Clients of its account and region.
    clock : Clock
        Tells the time.
    workers : Workers
        Invoke the function and send to the failure destination.
    backoff : Backoff
        Waits between attempts.
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
        self._destination = FailureDestination(clients.sqs, clients.acting_as, self._permissions)
        self._shards: dict[str, Shard] = {}
        self._finished: set[str] = set()
        self._knows_shards = False
        self._next_look = 0.0
        self._not_before = 0.0
        self._problem: str | None = None

    def update(self, settings: Settings) -> None:
        """Go on with changed settings, from the same place."""
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
                for shard in self._shards.values():
                    shard.keep_alive(self.settings)
                return
            problem = self._find_problem()
            if problem is None:
                self._look_for_shards()
                self._read_and_start()
        except (ClientError, BotoCoreError, OSError) as error:
            problem = f"PROBLEM: {error}"
        self._report(problem)

    def due(self) -> float | None:
        """When `step` has something to do again, if nothing is handed back before."""
        if not self.settings.enabled:
            return None
        if self._problem:
            return self._not_before
        now = self._clock.now()
        times: list[float | None] = [self._next_look]
        for shard in self._shards.values():
            times.append(shard.due(self.settings))
            times.extend(lane.due(self.settings, now) for lane in shard.lanes)
        return min(time for time in times if time is not None)

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
        # The starting position speaks of the shards there are at the start; later ones are read from their
        # beginning, or changes would be lost where a shard splits.
        from_latest = not self._knows_shards and self.settings.starting_position == "LATEST"
        for shard in listed:
            if from_latest and shard.is_closed:
                self._finished.add(shard.shard_id)
        for shard in listed:
            waits_for_parent = shard.parent_id in ids and shard.parent_id not in self._finished
            if shard.shard_id not in self._finished | self._shards.keys() and not waits_for_parent:
                self._shards[shard.shard_id] = self._new_shard(
                    shard.shard_id, "LATEST" if from_latest else "TRIM_HORIZON"
                )
        self._knows_shards = True
        self._next_look = self._clock.now() + SHARDS_SECONDS

    def _new_shard(self, shard_id: str, starting_position: str) -> Shard:
        reader = ShardReader(self._clients.streams, self.settings.stream_arn, shard_id, starting_position)
        return Shard(shard_id, reader, self._clock, self._backoff)

    def _read_and_start(self) -> None:
        for shard in self._shards.values():
            shard.fit_lanes(self.settings)
            shard.read(self.settings)
            for lane in shard.lanes:
                self._start_next(shard, lane)

    def _start_next(self, shard: Shard, lane: Lane) -> None:
        step = lane.next_step(self.settings, self._clock.now())
        if isinstance(step, Batch):
            self._invoke(lane, step)
        elif isinstance(step, Discard):
            self._send(shard, lane, step)

    def _invoke(self, lane: Lane, batch: Batch) -> None:
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
            lane.finished_batch(outcome, self.settings, self._clock.now())

        self._workers.submit(
            lambda: self._function.process(settings.function_arn, batch, settings.partial_responses), done
        )

    def _send(self, shard: Shard, lane: Lane, discard: Discard) -> None:
        settings = self.settings
        logger.error(
            "%s: discarded %d records: %s", settings.uuid, len(discard.batch.records), discard.condition
        )
        destination = settings.on_failure
        if destination is None:
            lane.finished_discard(True, self._clock.now())
            return
        now = self._clock.now()
        message = discard.message(settings.function_arn, settings.stream_arn, shard.shard_id, now)
        self._workers.submit(
            lambda: self._deliver(destination, settings.function_arn, message),
            lambda delivered: lane.finished_discard(delivered, self._clock.now()),
        )

    def _deliver(self, destination_arn: str, function_arn: str, message: str) -> bool:
        try:
            role = self._function.role_arn(function_arn)
            self._destination.deliver(destination_arn, role, message)
        except (ClientError, BotoCoreError, OSError) as error:
            logger.warning("could not reach the failure destination %s: %s", destination_arn, error)
            return False
        return True
