"""The AWS clients that a handler gets: what `tablecopy.handlers.context.Aws` returns, over the simulation.

The clients of Lambda, Step Functions and SQS have the methods that the product uses, and retry as botocore's
standard mode does (boto3 guide, "Retries").
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeVar

from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError, ReadTimeoutError

from tablecopy.dynamodb import errors
from tablecopy.dynamodb.client import DynamoDB
from tablecopy.handlers.context import Aws
from tablecopy.journal.store import Store
from tablecopy.settings import DestinationSettings
from tools.simulation import names
from tools.simulation.capacity import Bucket
from tools.simulation.errors import ServiceError
from tools.simulation.functions import Invocation, Lambda
from tools.simulation.machine import SimMachine
from tools.simulation.mapping import EventSourceMapping
from tools.simulation.network import Caller, Network, Service, SimDynamoDB
from tools.simulation.scheduler import Event, World
from tools.simulation.states import StepFunctions

Json = dict[str, Any]
T = TypeVar("T")

# Lambda quotas: "Rate of control plane API requests", for all of them together.
LAMBDA_REQUESTS_A_SECOND = 15.0

# Role chaining: one hour (IAM user guide, "Roles terms and concepts").
ROLE_SECONDS = 3600.0
# botocore renews credentials that end within this time.
_RENEWED_BEFORE = 600.0
_RENEWED_SECONDS = 1.0

# botocore's standard mode.
_ATTEMPTS = 3
_LONGEST_BACKOFF = 20.0

# Lambda quotas: a synchronous invocation's request and answer, each.
_PAYLOAD_BYTES = 6 * 1024 * 1024
# The client's timeout (`tablecopy.handlers.context`).
_READ_SECONDS = 10.0


class RequestRate:
    """``rate`` requests a second, and as many at once.

    ``others`` is the share of them that the account's other users take.

    Attributes
    ----------
    used, refused
        How many requests were served and throttled.
    on_take
        Called with each request.
    """

    def __init__(self, world: World, rate: float, others: float = 0.0) -> None:
        left = rate * (1 - others)
        most = max(1.0, left)
        self.used = 0
        self.refused = 0
        self.on_take: list[Callable[[], None]] = []
        self._world = world
        self._bucket = Bucket(left, most, most, world.now)

    def take(self) -> None:
        """Take one request. Raises ServiceError (TooManyRequestsException)."""
        for note in self.on_take:
            note()
        if not self._bucket.admits(1, self._world.now):
            self.refused += 1
            raise ServiceError("TooManyRequestsException", "Rate exceeded", 429)
        self._bucket.take(1)
        self.used += 1


class Queue:
    """The failure queue.

    Its counts are approximate and may lag by a minute (SQS API reference, GetQueueAttributes).
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._counted_from: list[float] = []

    def send(self) -> None:
        """Add a message."""
        self._counted_from.append(self._world.now + self._world.random.uniform(0.0, 60.0))

    def purge(self) -> None:
        """Delete all messages."""
        self._counted_from.clear()

    @property
    def messages(self) -> int:
        """The messages in the queue now."""
        return len(self._counted_from)

    @property
    def depth(self) -> int:
        """The messages as SQS counts them."""
        return sum(moment <= self._world.now for moment in self._counted_from)


@dataclass
class Account:
    """The services that a host of the copy reaches.

    Attributes
    ----------
    source, destination, streams
        DynamoDB of both accounts, and DynamoDB Streams of the source account.
    destination_streams
        DynamoDB Streams of the destination account; None if no function reads them.
    mappings
        Event source mappings by UUID, in the order in which they were made.
    states, verification
        Step Functions with the state machine of the copy, and with that of comparisons; None without one.
    foreign
        What ListEventSourceMappings shows besides, for readers that are not the copy's.
    control_plane
        Lambda's request rate.
    role_from, own_role_from
        Moments from which STS lets the functions assume the destination role, and from which their own roles
        have their permissions: a new role is denied for a while (IAM user guide, "Changes that I make are not
        always immediately visible").
    """

    source: Service
    destination: Service
    streams: Service
    lambda_: Lambda
    mappings: dict[str, EventSourceMapping]
    states: StepFunctions
    queue: Queue
    control_plane: RequestRate
    executions_rate: RequestRate
    destination_streams: Service | None = None
    verification: StepFunctions | None = None
    role_from: float = 0.0
    own_role_from: float = 0.0
    foreign: tuple[Json, ...] = ()

    def check_own_role(self) -> None:
        """Raise ServiceError (AccessDeniedException) while the functions' own roles are too new."""
        if self.lambda_.world.now < self.own_role_from:
            raise ServiceError("AccessDeniedException", "User is not authorized to perform this action", 403)

    def machine(self, arn: str) -> StepFunctions:
        """Return Step Functions with the state machine of an ARN, or of the ARN of an execution."""
        name = arn.split(":")[6]
        other = self.verification
        return other if other is not None and other.arn.endswith(f":{name}") else self.states

    def mapping(self, uuid: str) -> EventSourceMapping:
        """Return a mapping. Raises ServiceError (ResourceNotFoundException)."""
        found = self.mappings.get(uuid)
        if found is None or found.deleted:
            raise ServiceError("ResourceNotFoundException", "The resource you requested does not exist.", 404)
        return found


class _Client:
    """Sends calls as boto3's clients do, and raises what they raise."""

    def __init__(
        self, machine: SimMachine, network: Network, account: Account, service: str, exceptions: type
    ) -> None:
        self.exceptions = exceptions
        self._account = account
        self._machine = machine
        self._network = network
        self._service = service

    def _call(self, operation: str, serve: Callable[[], T]) -> T:
        def allowed() -> T:
            self._account.check_own_role()
            return serve()

        random = self._machine.world.random
        for attempt in range(_ATTEMPTS):
            is_last = attempt == _ATTEMPTS - 1
            try:
                return self._network.call(f"{self._service}.{operation}", allowed)
            except ServiceError as error:
                raised = self._raised(error, operation)
                if is_last or not _is_retried(raised):
                    raise raised from None
            except errors.NO_ANSWER:
                if is_last:
                    raise
            self._machine.sleep(random.random() * min(_LONGEST_BACKOFF, 2.0**attempt))
        raise AssertionError("not reached")

    def _raised(self, error: ServiceError, operation: str) -> ClientError:
        raised = error.as_client_error(operation)
        kind = getattr(self.exceptions, error.code, None)
        return kind(raised.response, operation) if kind else raised


def _is_retried(error: ClientError) -> bool:
    return errors.is_throttled(error) or errors.is_server_error(error)


class LambdaExceptions:
    """The exceptions of the Lambda client that are caught by their class."""

    class ResourceNotFoundException(ClientError):
        """There is no such resource."""


class StatesExceptions:
    """The exceptions of the Step Functions client that are caught by their class."""

    class ExecutionDoesNotExist(ClientError):
        """DescribeExecution does not know the execution."""

    class ExecutionAlreadyExists(ClientError):
        """The name was used."""


class QueueExceptions:
    """The exceptions of the SQS client that are caught by their class."""


class SimLambda(_Client):
    """The client of Lambda."""

    def __init__(self, machine: SimMachine, network: Network, account: Account) -> None:
        super().__init__(machine, network, account, "lambda", LambdaExceptions)

    def get_event_source_mapping(self, *, UUID: str) -> Json:  # noqa: N803
        """Return a mapping's settings and state."""
        return self._control("GetEventSourceMapping", lambda: self._account.mapping(UUID).describe())

    def update_event_source_mapping(self, *, UUID: str, Enabled: bool) -> Json:  # noqa: N803
        """Enable or disable a mapping."""

        def update() -> Json:
            mapping = self._account.mapping(UUID)
            mapping.update(Enabled)
            return mapping.describe()

        return self._control("UpdateEventSourceMapping", update)

    def get_paginator(self, operation: str) -> _MappingPages:
        """Return the paginator of ListEventSourceMappings."""
        assert operation == "list_event_source_mappings"
        return _MappingPages(self)

    def list_event_source_mappings(self, arn: str) -> Json:
        """Return the mappings of a stream. Two pages are never needed."""

        def found() -> Json:
            own = [each.describe() for each in self._account.mappings.values() if not each.deleted]
            return {
                "EventSourceMappings": [
                    each for each in (*own, *self._account.foreign) if each["EventSourceArn"] == arn
                ]
            }

        return self._control("ListEventSourceMappings", found)

    def get_account_settings(self) -> Json:
        """Return the account's concurrency."""
        lambda_ = self._account.lambda_
        limit = {
            "ConcurrentExecutions": lambda_.concurrency,
            "UnreservedConcurrentExecutions": lambda_.unreserved,
        }
        return self._control("GetAccountSettings", lambda: {"AccountLimit": limit})

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> Json:  # noqa: N803
        """Invoke. Invocations are not in the control plane's rate."""
        if InvocationType == "RequestResponse":
            return self._invoke_and_wait(FunctionName, Payload)
        assert InvocationType == "Event"

        def send() -> Json:
            self._account.lambda_.send(FunctionName, json.loads(Payload))
            return {"StatusCode": 202}

        return self._call("Invoke", send)

    def _invoke_and_wait(self, function: str, payload: bytes) -> Json:
        """Invoke synchronously, once (`tablecopy.handlers.context.Aws.invocations`)."""
        assert len(payload) <= _PAYLOAD_BYTES, f"a payload of {len(payload)} bytes"

        def start() -> Invocation:
            self._account.check_own_role()
            return self._account.lambda_.start(function, json.loads(payload))

        try:
            invocation = self._network.call("lambda.Invoke", start)
            if not invocation.done.wait(_READ_SECONDS):
                raise ReadTimeoutError(endpoint_url="https://lambda.Invoke")
            answer = invocation.done.value
            if isinstance(answer, ServiceError):
                raise answer
        except ServiceError as error:
            raise self._raised(error, "Invoke") from None
        assert answer is not None
        if answer.error:
            body = {"errorType": answer.error, "errorMessage": answer.message}
            return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": _body(body)}
        return {"StatusCode": 200, "Payload": _body(answer.payload)}

    def _control(self, operation: str, serve: Callable[[], Json]) -> Json:
        def within_rate() -> Json:
            self._account.control_plane.take()
            return serve()

        return self._call(operation, within_rate)


def _body(value: object) -> BytesIO:
    body = json.dumps(value).encode()
    assert len(body) <= _PAYLOAD_BYTES, f"an answer of {len(body)} bytes"
    return BytesIO(body)


class _MappingPages:
    def __init__(self, client: SimLambda) -> None:
        self._client = client

    def paginate(self, *, EventSourceArn: str) -> Iterator[Json]:  # noqa: N803
        """Yield the pages."""
        yield self._client.list_event_source_mappings(EventSourceArn)


class SimStates(_Client):
    """The client of Step Functions."""

    def __init__(self, machine: SimMachine, network: Network, account: Account) -> None:
        super().__init__(machine, network, account, "states", StatesExceptions)

    def describe_execution(self, *, executionArn: str) -> Json:  # noqa: N803
        """Return an execution."""

        def describe() -> Json:
            self._account.executions_rate.take()
            return self._account.machine(executionArn).describe_execution(executionArn)

        return self._call("DescribeExecution", describe)

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> Json:  # noqa: N803
        """Start an execution."""
        states = self._account.machine(stateMachineArn)
        return self._call("StartExecution", lambda: states.start_execution(stateMachineArn, name, input))


class SimQueues(_Client):
    """The client of SQS."""

    def __init__(self, machine: SimMachine, network: Network, account: Account) -> None:
        super().__init__(machine, network, account, "sqs", QueueExceptions)

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> Json:  # noqa: N803
        """Return the approximate number of messages."""

        def attributes() -> Json:
            if QueueUrl != names.QUEUE_URL:
                raise ServiceError("QueueDoesNotExist", "The specified queue does not exist.")
            counts = {"ApproximateNumberOfMessages": str(self._account.queue.depth)}
            return {"Attributes": {name: counts.get(name, "0") for name in AttributeNames}}

        return self._call("GetQueueAttributes", attributes)


class SimRoleDynamoDB(SimDynamoDB):
    """DynamoDB in the destination account, with a role that lasts an hour.

    The role is assumed at the first call, and again shortly before its credentials end by this host's clock,
    as botocore does; or when a call was refused because they have ended, as `DynamoDBClient` does.
    """

    def __init__(
        self, machine: SimMachine, network: Network, service: Service, caller: Caller, account: Account
    ) -> None:
        super().__init__(machine, network, service, caller)
        self._machine = machine
        self._account = account
        self._expires = -math.inf
        self._assumed_at = -math.inf
        self._renewal: Event[None] | None = None
        self._frozen = ReadOnlyCredentials("", "", "0", None)

    def credentials(self) -> ReadOnlyCredentials:
        """Return the role's credentials, after assuming the role if they end soon.

        One call at a time assumes the role, and the others wait for it.
        """
        while self._machine.now() > self._expires - _RENEWED_BEFORE:
            if self._renewal is not None:
                self._renewal.wait()
                continue
            self._renewal = Event(self._machine.world)
            try:
                self._expires = self._network.call("sts.AssumeRole", self._assume)
            except ServiceError as error:
                raise error.as_client_error("AssumeRole") from None
            finally:
                self._renewal.set()
                self._renewal = None
            self._assumed_at = self._machine.now()
            self._frozen = ReadOnlyCredentials("ASIASIMULATED", "secret", f"{self._expires}", None)
        return self._frozen

    def send(self, operation: str, body: bytes, credentials: ReadOnlyCredentials | None = None) -> bytes:
        """Send once. If the role's credentials are refused, the next call assumes the role again."""
        used = credentials or self.credentials()

        def serve() -> bytes:
            if float(used.token or "0") <= self._machine.world.now:
                message = "The security token included in the request is expired"
                raise ServiceError("ExpiredTokenException", message)
            return self._service.handle(operation, body, self._caller)

        try:
            return self._network.call(operation, serve)
        except ServiceError as refused:
            error = refused.as_client_error(operation)
            if errors.is_expired(error) and self._machine.now() - self._assumed_at > _RENEWED_SECONDS:
                self._expires = -math.inf
            raise error from None

    def _assume(self) -> float:
        now = self._machine.world.now
        if now < self._account.role_from:
            raise ServiceError("AccessDenied", "not authorized to perform: sts:AssumeRole", 403)
        return now + ROLE_SECONDS


class SimAws(Aws):
    """The clients of one execution environment."""

    def __init__(self, machine: SimMachine, network: Network, account: Account) -> None:
        self._machine = machine
        self._network = network
        self._account = account
        self._caller = Caller(machine.host.name, names.SOURCE_ACCOUNT)

    def journal(self, table: str) -> Store:
        """Return the journal."""
        return Store(self.source(), table)

    def source(self) -> DynamoDB:
        """Return DynamoDB in the source account."""
        account = self._account
        check = account.check_own_role
        return SimDynamoDB(self._machine, self._network, account.source, self._caller, check=check)

    def destination(self, settings: DestinationSettings, function: str) -> DynamoDB:
        """Return DynamoDB in the destination account, with that account's role."""
        return self._with_role(self._account.destination, settings)

    def destination_streams(self, settings: DestinationSettings, function: str) -> DynamoDB:
        """Return DynamoDB Streams in the destination account, with that account's role."""
        streams = self._account.destination_streams
        assert streams is not None, "the destination's stream is not simulated"
        return self._with_role(streams, settings)

    def _with_role(self, service: Service, settings: DestinationSettings) -> DynamoDB:
        caller = Caller(self._machine.host.name, names.DESTINATION_ACCOUNT, settings.destination_role_arn)
        return SimRoleDynamoDB(self._machine, self._network, service, caller, self._account)

    def lambda_(self) -> Any:
        """Return Lambda."""
        return SimLambda(self._machine, self._network, self._account)

    def invocations(self) -> Any:
        """Return Lambda."""
        return self.lambda_()

    def states(self) -> Any:
        """Return Step Functions."""
        return SimStates(self._machine, self._network, self._account)

    def queues(self) -> Any:
        """Return SQS."""
        return SimQueues(self._machine, self._network, self._account)

    def streams(self) -> DynamoDB:
        """Return DynamoDB Streams."""
        account = self._account
        check = account.check_own_role
        return SimDynamoDB(self._machine, self._network, account.streams, self._caller, check=check)
