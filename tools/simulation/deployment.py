"""A copy as Terraform deploys it: the functions, the mapping, the state machine, the schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tools.simulation import names
from tools.simulation.definition import definition, verification_definition
from tools.simulation.dynamodb import DynamoDBService
from tools.simulation.functions import Answer, FunctionSettings, Handler, Lambda, LambdaFaults
from tools.simulation.handlers import backfill, control, reconciler, replicator, tracker, verifier
from tools.simulation.machine import SimMachine
from tools.simulation.mapping import EventSourceMapping, MappingFaults
from tools.simulation.network import Network, NetworkFaults
from tools.simulation.schedule import Schedule, ScheduleFaults
from tools.simulation.scheduler import World
from tools.simulation.services import (
    LAMBDA_REQUESTS_A_SECOND,
    Account,
    Queue,
    RequestRate,
    SimAws,
)
from tools.simulation.states import StatesFaults, StepFunctions
from tools.simulation.streams import Stream
from tools.simulation.streams_api import StreamsService
from tools.simulation.table import Table, TableSettings

Json = dict[str, Any]

# Step Functions quotas, DescribeExecution: what an account's bucket is refilled with in smaller Regions.
_DESCRIBE_EXECUTIONS_A_SECOND = 15.0


SOURCE = TableSettings(
    names.SOURCE_TABLE, stream="NEW_IMAGE", stream_label=names.STREAM_ARN.rpartition("/")[2]
)
DESTINATION = TableSettings(names.DESTINATION_TABLE)
JOURNAL = TableSettings(names.JOURNAL_TABLE, key=(("pk", "S"), ("sk", "S")), ttl="expires_at")


@dataclass(frozen=True)
class Settings:
    """The module's variables. The defaults are the module's, but for fewer segments.

    Attributes
    ----------
    verification_segments
        Segments of a comparison in the account; 0 to deploy none of its functions.
    environ
        More environment variables of all functions, by their names in lower case.
    """

    segments: int = 4
    concurrency: int = 4
    slice_seconds: int = 3600
    drained_after_seconds: int = 60
    batch_size: int = 1000
    batching_window_seconds: int = 1
    backfill_timeout: int = 300
    replicator_timeout: int = 60
    backfill_reserved: int | None = None
    replicator_reserved: int | None = None
    control_reserved: int | None = None
    memory_mb: Mapping[str, int] = field(default_factory=dict)
    start_on_apply: bool = True
    verification_segments: int = 0
    verification_timeout: int = 60
    environ: Mapping[str, object] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, object]:
        """The environment variables that the functions share."""
        return {
            "total_segments": self.segments,
            "concurrency": self.concurrency,
            "slice_seconds": self.slice_seconds,
            "drained_after_seconds": self.drained_after_seconds,
            "unreserved_concurrency": (self.concurrency if self.backfill_reserved is None else 0)
            + (self.replicator_reserved is None)
            + (self.control_reserved is None)
            + 1,
            "replicator_reserved": self.replicator_reserved is not None,
            "start_on_apply": self.start_on_apply,
            **self._verification,
            **self.environ,
        }

    @property
    def _verification(self) -> dict[str, object]:
        if not self.verification_segments:
            return {}
        return {
            "verification_machine_arn": names.VERIFICATION_ARN,
            "verification_segments": self.verification_segments,
            "verification_concurrency": self.verification_segments,
        }


@dataclass(frozen=True)
class Faults:
    """What may go wrong with each service of the copy's account.

    ``others`` is the share of Lambda's control plane that others of the account use, and ``new_role`` the
    longest time in seconds for which AWS denies a role after the first apply.
    """

    lambda_: LambdaFaults = field(default_factory=LambdaFaults)
    network: NetworkFaults = field(default_factory=NetworkFaults)
    mapping: MappingFaults = field(default_factory=MappingFaults)
    states: StatesFaults = field(default_factory=StatesFaults)
    schedule: ScheduleFaults = field(default_factory=ScheduleFaults)
    others: float = 0.0
    new_role: float = 0.0


@dataclass(frozen=True)
class Side:
    """One account with a table that is copied, from or to it.

    Attributes
    ----------
    dynamodb, streams
        DynamoDB of the account, and DynamoDB Streams.
    """

    dynamodb: DynamoDBService
    streams: StreamsService
    table: Table

    @classmethod
    def new(cls, world: World, account: str, settings: TableSettings) -> Side:
        """Return an account with a new table."""
        dynamodb = DynamoDBService(world, account, names.REGION)
        return cls(dynamodb, StreamsService(dynamodb), dynamodb.create_table(settings))


class Deployment:
    """Two accounts with their tables, and one copy, from its first apply on.

    Parameters
    ----------
    source, destination
        Settings of the tables, by default with the key ``pk``. The source needs a stream with new images. Or
        accounts that exist, in which another copy works or has worked.
    concurrency
        Concurrent executions of the source account.
    cpu
        See `Lambda`.

    Attributes
    ----------
    source, destination, journal
        The tables.
    source_account, destination_account, streams
        DynamoDB of both accounts, and DynamoDB Streams of the source account.
    sides
        Both accounts, for another copy.
    """

    def __init__(
        self,
        world: World,
        settings: Settings = Settings(),
        faults: Faults = Faults(),
        source: TableSettings | Side = SOURCE,
        destination: TableSettings | Side = DESTINATION,
        journal: TableSettings = JOURNAL,
        *,
        concurrency: int = 1000,
        cpu: float = 0.0,
    ) -> None:
        self.world = world
        self.settings = settings
        self.faults = faults
        self.network = Network(world, faults.network)
        if isinstance(source, TableSettings):
            source = Side.new(world, names.SOURCE_ACCOUNT, source)
        self.source_account, self.streams, self.source = source.dynamodb, source.streams, source.table
        self.journal = self.source_account.create_table(journal)
        if isinstance(destination, TableSettings):
            destination = Side.new(world, names.DESTINATION_ACCOUNT, destination)
        self.destination_account, self.destination = destination.dynamodb, destination.table
        self.sides = source, destination
        self._stream_arn = self.stream.arn
        self.lambda_ = Lambda(world, concurrency, faults.lambda_, cpu)
        self.account = Account(
            source=self.source_account,
            destination=self.destination_account,
            streams=self.streams,
            lambda_=self.lambda_,
            mappings={},
            states=StepFunctions(
                world, names.STATE_MACHINE_ARN, self._definition(), self.lambda_, faults.states
            ),
            queue=Queue(world),
            control_plane=RequestRate(world, LAMBDA_REQUESTS_A_SECOND, faults.others),
            executions_rate=RequestRate(world, _DESCRIBE_EXECUTIONS_A_SECOND),
            destination_streams=destination.streams,
            verification=StepFunctions(
                world,
                names.VERIFICATION_ARN,
                self._verification_definition(),
                self.lambda_,
                faults.states,
            )
            if settings.verification_segments
            else None,
            role_from=world.now + world.random.uniform(0.0, faults.new_role),
            own_role_from=world.now + world.random.uniform(0.0, faults.new_role),
        )
        self._mappings = 0
        self.mapping = self._new_mapping()
        self._deploy_functions()
        self.schedule = Schedule(world, lambda: self.lambda_.send(names.RECONCILER, {}), faults.schedule)
        self.tracking: Schedule | None = None
        if settings.verification_segments:
            self.tracking = Schedule(world, lambda: self.lambda_.send(names.TRACKER, {}), faults.schedule)

    def redeploy(self, settings: Settings) -> None:
        """Apply again with other settings. Functions get new environments; what runs goes on."""
        self.settings = settings
        self.mapping.configure(settings.batch_size, float(settings.batching_window_seconds))
        self.account.states.update(self._definition())
        self._deploy_functions()

    def set_faults(self, faults: Faults) -> None:
        """Let other things go wrong from now on."""
        self.faults = faults
        self.network.faults = faults.network
        self.lambda_.faults = faults.lambda_
        self.mapping.faults = faults.mapping
        self.account.states.faults = faults.states
        self.schedule.faults = faults.schedule
        if self.tracking is not None:
            self.tracking.faults = faults.schedule
        if self.account.verification is not None:
            self.account.verification.faults = faults.states
        self.account.control_plane = RequestRate(self.world, LAMBDA_REQUESTS_A_SECOND, faults.others)

    def replace_mapping(self) -> None:
        """Replace the event source mapping by a new one, which begins at the horizon and is disabled."""
        self.mapping.delete()
        self.mapping = self._new_mapping()
        self._deploy_functions()

    def replace_journal(self) -> None:
        """Replace the journal by an empty one, and the mapping with it (modules/replicator).

        Only the run of the first journal starts by itself (modules/copy, ``first_journal``).
        """
        settings = self.journal.settings
        self.mapping.delete()
        self.source_account.delete_table(settings.name)
        self.journal = self.source_account.create_table(settings)
        self.mapping = self._new_mapping()
        self.redeploy(replace(self.settings, start_on_apply=False))

    def operate(self, action: str, **arguments: object) -> Answer | None:
        """Invoke control, as ``tablecopy`` does, from the current task. Raises ServiceError."""
        return self.lambda_.invoke(names.CONTROL, {"action": action, **arguments}, timeout=60.0)

    @property
    def stream(self) -> Stream:
        """The source table's stream."""
        stream = self.source.stream
        assert stream is not None
        return stream

    def _new_mapping(self) -> EventSourceMapping:
        self._mappings += 1
        uuid = f"{names.MAPPING_UUID[:-2]}{self._mappings:02d}"
        mapping = self.account.mappings[uuid] = EventSourceMapping(
            self.world,
            uuid,
            self.stream,
            self.lambda_,
            names.function_arn(names.REPLICATOR),
            batch_size=self.settings.batch_size,
            window=float(self.settings.batching_window_seconds),
            faults=self.faults.mapping,
            give_up=self._give_up,
        )
        return mapping

    def _give_up(self, records: int) -> None:
        self.account.queue.send()

    def _definition(self) -> Json:
        settings = self.settings
        return definition(
            names.function_arn(names.BACKFILL),
            settings.concurrency,
            settings.slice_seconds,
            settings.backfill_timeout,
        )

    def _verification_definition(self) -> Json:
        settings = self.settings
        segments, timeout = settings.verification_segments, settings.verification_timeout
        return verification_definition(names.function_arn(names.VERIFIER), segments, timeout)

    def _deploy_functions(self) -> None:
        settings = self.settings
        variables = {
            **settings.variables,
            "mapping_uuid": self.mapping.uuid,
            "source_table": self.source.name,
            "destination_table": self.destination.name,
            "stream_arn": self._stream_arn,
        }

        def deploy(
            name: str, build: Callable[..., Handler], memory_mb: int, timeout: float, **more: Any
        ) -> None:
            def made(environ: Mapping[str, str], machine: SimMachine) -> Handler:
                return build(environ, machine, SimAws(machine, self.network, self.account))

            self.lambda_.deploy(
                FunctionSettings(
                    name,
                    made,
                    names.environ(name, variables)
                    | {
                        "AWS_LAMBDA_FUNCTION_NAME": name,
                        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings.memory_mb.get(name, memory_mb)),
                    },
                    timeout,
                    settings.memory_mb.get(name, memory_mb),
                    **more,
                )
            )

        timeout, reserved = settings.replicator_timeout, settings.replicator_reserved
        deploy(names.REPLICATOR, replicator.build, 512, timeout, reserved=reserved)
        deploy(
            names.BACKFILL,
            backfill.build,
            512,
            settings.backfill_timeout,
            reserved=settings.backfill_reserved,
        )
        # modules/control: 120 s, no retries of an asynchronous call, and none that is older than a minute.
        reserved = settings.control_reserved
        deploy(names.RECONCILER, reconciler.build, 256, 120, reserved=reserved, retries=0, max_age=60.0)
        deploy(names.CONTROL, control.build, 256, 30)
        if settings.verification_segments:
            deploy(names.VERIFIER, verifier.build, 512, float(settings.verification_timeout))
            # modules/tracker: as the reconciler.
            deploy(names.TRACKER, tracker.build, 512, 120, retries=0, max_age=60.0)
