"""The clients that handlers get, and the schedule, one rule in each test."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tablecopy.settings import DestinationSettings
from tools.simulation import names
from tools.simulation.definition import definition
from tools.simulation.errors import ServiceError
from tools.simulation.functions import FunctionSettings, Lambda
from tools.simulation.machine import SimMachine
from tools.simulation.network import Caller, Network, NetworkFaults
from tools.simulation.schedule import Schedule, ScheduleFaults
from tools.simulation.scheduler import START, Host, World
from tools.simulation.services import Account, Queue, RequestRate, SimAws
from tools.simulation.states import StatesFaults, StepFunctions

Json = dict[str, Any]
HOUR = 3600.0


class Table:
    """DynamoDB that remembers its callers."""

    def __init__(self) -> None:
        self.callers: list[Caller] = []

    def handle(self, operation: str, body: bytes, caller: Caller) -> bytes:
        self.callers.append(caller)
        return b"{}"


class Copy:
    """An account with clients on one host. ``run`` runs a function there."""

    def __init__(self) -> None:
        self.world = World(1)
        self.network = Network(self.world)
        self.lambda_ = Lambda(self.world, concurrency=100)
        machine = definition(names.function_arn(names.BACKFILL), 4, 3600, 300)
        self.table = Table()
        self.account = Account(
            source=self.table,
            destination=self.table,
            streams=self.table,
            lambda_=self.lambda_,
            mappings={},
            states=StepFunctions(
                self.world, names.STATE_MACHINE_ARN, machine, self.lambda_, StatesFaults(unseen=0.0)
            ),
            queue=Queue(self.world),
            control_plane=RequestRate(self.world, 15.0),
            executions_rate=RequestRate(self.world, 15.0),
        )
        self.host = Host("host")
        self.machine = SimMachine(self.world, self.host)
        self.aws = SimAws(self.machine, self.network, self.account)

    def run(self, function: Callable[[], Any], seconds: float = 60.0) -> Any:
        """Return the function's result, or raise its error."""
        task = self.world.spawn(self.host, function)
        self.world.run(self.world.now + seconds)
        if task.error:
            raise task.error
        assert task.done.is_set
        return task.done.value

    def refused(self, function: Callable[[], Any], seconds: float = 60.0) -> ClientError:
        """Return the error with which AWS answers."""
        with pytest.raises(ClientError) as caught:
            self.run(function, seconds)
        return caught.value


def code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


SETTINGS = DestinationSettings(
    journal_table="j",
    copy_name="c",
    destination_table="t",
    destination_region=names.REGION,
    destination_role_arn=names.DESTINATION_ROLE,
    destination_external_id="x",
)


def test_the_destination_is_called_with_its_role() -> None:
    copy = Copy()
    destination = copy.aws.destination(SETTINGS, "backfill")
    copy.run(lambda: destination.call("put_item", {}))
    copy.run(lambda: copy.aws.source().call("put_item", {}))
    assert [(each.account, each.role) for each in copy.table.callers] == [
        (names.DESTINATION_ACCOUNT, names.DESTINATION_ROLE),
        (names.SOURCE_ACCOUNT, ""),
    ]


def test_a_role_lasts_an_hour() -> None:
    copy = Copy()
    destination = copy.aws.destination(SETTINGS, "backfill")
    old = copy.run(destination.credentials)
    copy.run(lambda: destination.send("PutItem", b"{}", old), HOUR)
    assert code(copy.refused(lambda: destination.send("PutItem", b"{}", old))) == "ExpiredTokenException"


def test_a_role_is_assumed_again_before_it_ends() -> None:
    copy = Copy()
    destination = copy.aws.destination(SETTINGS, "backfill")
    old = copy.run(destination.credentials, HOUR - 700)
    assert copy.run(destination.credentials, 200) == old
    assert copy.run(destination.credentials) != old


def test_a_role_is_assumed_again_after_it_was_refused() -> None:
    """A host that stood still for an hour does not know that its credentials have ended."""
    copy = Copy()
    copy.host.skew = -2 * HOUR
    destination = copy.aws.destination(SETTINGS, "backfill")
    old = copy.run(destination.credentials, 2 * HOUR)
    copy.run(lambda: destination.call("put_item", {}))
    assert copy.run(destination.credentials) != old


def test_calls_at_the_same_time_assume_the_role_once() -> None:
    copy = Copy()
    destination = copy.aws.destination(SETTINGS, "backfill")
    found = [copy.world.spawn(copy.host, destination.credentials) for _ in range(5)]
    copy.world.run(START + 60)
    assert len({task.done.value for task in found}) == 1


def test_a_new_role_is_denied_for_a_while() -> None:
    copy = Copy()
    copy.account.role_from = START + 100
    destination = copy.aws.destination(SETTINGS, "backfill")
    assert code(copy.refused(destination.credentials)) == "AccessDenied"
    copy.run(lambda: None)
    copy.run(destination.credentials)


def test_the_functions_own_role_is_denied_for_a_while() -> None:
    copy = Copy()
    copy.account.own_role_from = START + 100
    calls = [
        copy.aws.lambda_().get_account_settings,
        lambda: copy.aws.source().call("get_item", {}),
        lambda: copy.aws.streams().call("describe_stream", {}),
    ]
    assert {code(copy.refused(call, 10)) for call in calls} == {"AccessDeniedException"}
    copy.run(lambda: None, 100)
    for call in calls:
        copy.run(call)


def test_lambda_takes_fifteen_control_plane_requests_a_second() -> None:
    copy = Copy()
    answers: list[str] = []

    def ask() -> None:
        try:
            copy.aws.lambda_().get_account_settings()
            answers.append("")
        except ClientError as error:
            answers.append(code(error))

    copy.network.faults = NetworkFaults(fastest=0.001, usual=0.001)
    for _ in range(100):
        copy.world.spawn(copy.host, ask)
    copy.world.run(START + 60)
    assert set(answers) == {"", "TooManyRequestsException"}
    # The client has tried each call three times, within three seconds.
    assert 15 < answers.count("") < 15 + 4 * 15


def test_the_clients_try_again_after_a_server_error() -> None:
    copy = Copy()
    copy.network.faults = NetworkFaults(server_error=0.15)
    for _ in range(10):
        copy.run(copy.aws.lambda_().get_account_settings)


def test_a_lost_answer_is_an_error_of_the_connection() -> None:
    copy = Copy()
    copy.network.faults = NetworkFaults(lost_answer=1.0)
    with pytest.raises(Exception, match=r"https://lambda\.GetAccountSettings"):
        copy.run(copy.aws.lambda_().get_account_settings)


def test_reserved_concurrency_is_not_left_for_others() -> None:
    copy = Copy()
    copy.lambda_.deploy(FunctionSettings("f", lambda environ, machine: lambda event, context: None, {}, 3.0))
    settings = FunctionSettings("g", copy.lambda_.functions["f"].settings.build, {}, 3.0, reserved=30)
    copy.lambda_.deploy(settings)
    assert copy.run(copy.aws.lambda_().get_account_settings)["AccountLimit"] == {
        "ConcurrentExecutions": 100,
        "UnreservedConcurrentExecutions": 70,
    }


def test_an_unknown_mapping() -> None:
    copy = Copy()
    lambda_ = copy.aws.lambda_()
    error = copy.refused(lambda: lambda_.get_event_source_mapping(UUID="none"))
    assert isinstance(error, lambda_.exceptions.ResourceNotFoundException)


def test_foreign_mappings_are_listed_by_stream() -> None:
    copy = Copy()
    own, other = {"EventSourceArn": "a", "UUID": "1"}, {"EventSourceArn": "b", "UUID": "2"}
    copy.account.foreign = (own, other)
    pages = copy.aws.lambda_().get_paginator("list_event_source_mappings").paginate(EventSourceArn="a")
    assert copy.run(lambda: list(pages)) == [{"EventSourceMappings": [own]}]


def test_executions() -> None:
    copy = Copy()
    states = copy.aws.states()
    arn = names.STATE_MACHINE_ARN
    execution = arn.replace(":stateMachine:", ":execution:") + ":x"
    missing = copy.refused(lambda: states.describe_execution(executionArn=execution))
    assert isinstance(missing, states.exceptions.ExecutionDoesNotExist)
    text = json.dumps({"run": "r", "slice": 1, "segments": []})
    copy.run(lambda: states.start_execution(stateMachineArn=arn, name="x", input=text))
    assert copy.run(lambda: states.describe_execution(executionArn=execution))["status"] == "SUCCEEDED"
    again = copy.refused(lambda: states.start_execution(stateMachineArn=arn, name="x", input=text))
    assert isinstance(again, states.exceptions.ExecutionAlreadyExists)


def test_the_queue_counts_late() -> None:
    copy = Copy()
    copy.account.queue.send()
    names_ = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def counted() -> Json:
        found: Json = copy.aws.queues().get_queue_attributes(QueueUrl=names.QUEUE_URL, AttributeNames=names_)
        return found

    assert copy.run(counted)["Attributes"] == {names_[0]: "0", names_[1]: "0"}
    assert copy.run(counted)["Attributes"] == {names_[0]: "1", names_[1]: "0"}


def schedule(world: World, faults: ScheduleFaults) -> list[float]:
    calls: list[float] = []
    Schedule(world, lambda: calls.append(world.now), faults)
    world.run(START + HOUR)
    return calls


def test_the_schedule_calls_every_minute() -> None:
    calls = schedule(World(1), ScheduleFaults())
    assert len(calls) == 60


def test_the_schedule_may_call_twice_late_or_never() -> None:
    assert len(schedule(World(1), ScheduleFaults(duplicated=1.0))) == 120
    assert len(schedule(World(1), ScheduleFaults(missed=1.0))) == 0
    calls = schedule(World(1), ScheduleFaults(late=1.0))
    assert min(later - earlier for earlier, later in pairwise(calls)) < 30


def test_an_error_of_the_target_does_not_end_the_schedule() -> None:
    calls: list[float] = []
    world = World(1)

    def call() -> None:
        calls.append(world.now)
        raise ServiceError("TooManyRequestsException", "no", 429)

    Schedule(world, call)
    world.run(START + 600)
    assert len(calls) == 10
