"""Step Functions, one rule in each test."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest

from tablecopy.handlers.context import Context
from tools.simulation.definition import definition
from tools.simulation.errors import ServiceError
from tools.simulation.functions import FunctionSettings, Handler, Lambda
from tools.simulation.interpreter import Unsupported, check, matches
from tools.simulation.machine import SimMachine
from tools.simulation.scheduler import START, World
from tools.simulation.states import (
    ABORTED,
    FAILED,
    RUNNING,
    SUCCEEDED,
    TIMED_OUT,
    StatesFaults,
    StepFunctions,
)

Json = dict[str, Any]
MACHINE = "arn:aws:states:eu-west-1:111111111111:stateMachine:m"
EXECUTION = "arn:aws:states:eu-west-1:111111111111:execution:m:x"
FUNCTION = "arn:aws:lambda:eu-west-1:111111111111:function:f"


class Machine:
    """The copy's own machine, and a worker that answers what ``results`` says, one after another."""

    def __init__(
        self,
        results: Sequence[str | Exception] | Callable[[Json, SimMachine], str],
        concurrency: int = 4,
        change: Callable[[Json], None] = lambda definition: None,
        faults: StatesFaults | None = None,
        **settings: Any,
    ) -> None:
        self.world = World(1)
        self.lambda_ = Lambda(self.world)
        self.calls: list[tuple[float, Json]] = []
        self.running = self.most = 0

        def answer(event: Json, machine: SimMachine) -> str:
            if callable(results):
                return results(event, machine)
            machine.sleep(1)
            result = results[min(len(self.calls), len(results)) - 1]
            if isinstance(result, Exception):
                raise result
            return result

        def build(environ: Mapping[str, str], machine: SimMachine) -> Handler:
            def handle(event: Json, context: Context) -> Json:
                self.calls.append((self.world.now - START, event))
                self.running += 1
                self.most = max(self.most, self.running)
                try:
                    return {"next": answer(event, machine)}
                finally:
                    self.running -= 1

            return handle

        self.lambda_.deploy(FunctionSettings("f", build, {}, **{"timeout": 300.0, **settings}))
        machine = definition(FUNCTION, concurrency, 3600, 300)
        change(machine)
        self.states = StepFunctions(self.world, MACHINE, machine, self.lambda_, faults or StatesFaults())

    def start(self, segments: Sequence[int] = (0,)) -> None:
        self.states.start_execution(
            MACHINE, "x", json.dumps({"run": "r", "slice": 2, "segments": list(segments)})
        )

    def run(self, seconds: float) -> str:
        self.world.run(self.world.now + seconds)
        return self.states.executions["x"].status


def test_a_worker_for_each_segment() -> None:
    machine = Machine(["done"])
    machine.start([5, 6, 7])
    assert machine.run(60) == SUCCEEDED
    events = [event for _, event in machine.calls]
    assert sorted(events, key=lambda event: event["segment"]) == [
        {"run": "r", "slice": 2, "segment": segment} for segment in (5, 6, 7)
    ]


def test_max_concurrency() -> None:
    machine = Machine(["done"], concurrency=3)
    machine.start(range(10))
    assert machine.run(60) == SUCCEEDED
    assert machine.most == 3


def test_no_segments() -> None:
    machine = Machine(["done"])
    machine.start([])
    assert machine.run(60) == SUCCEEDED
    assert machine.calls == []


def test_continue_invokes_again() -> None:
    machine = Machine(["continue", "continue", "stop"])
    machine.start()
    assert machine.run(60) == SUCCEEDED
    assert len(machine.calls) == 3


def test_wait_invokes_again_after_five_seconds() -> None:
    machine = Machine(["wait", "done"])
    machine.start()
    assert machine.run(60) == SUCCEEDED
    (first, _), (second, _) = machine.calls
    assert 6 <= second - first <= 7


def test_an_error_is_retried_and_tolerated() -> None:
    """The function's errors are retried four times. The Map tolerates that all segments fail."""
    machine = Machine([ValueError("no")])
    machine.start()
    assert machine.run(600) == SUCCEEDED
    assert len(machine.calls) == 5


def test_more_failures_than_tolerated() -> None:
    def change(machine: Json) -> None:
        machine["States"]["Segments"]["ToleratedFailurePercentage"] = 50

    def fail(event: Json, machine: SimMachine) -> str:
        if event["segment"] < failing:
            raise ValueError
        return "done"

    failing = 2
    machine = Machine(fail, change=change)
    machine.start(range(4))
    assert machine.run(600) == SUCCEEDED
    failing = 3
    machine = Machine(fail, change=change)
    machine.start(range(4))
    assert machine.run(600) == FAILED
    assert machine.states.executions["x"].error == "States.ExceedToleratedFailureThreshold"


def test_a_throttle_is_retried_with_jitter_up_to_the_longest_delay() -> None:
    machine = Machine(["done"], reserved=0)
    machine.start()
    assert machine.run(1000) == RUNNING
    waited = [each[0] for each in machine.world.remembered if each[1] == "throttled"]
    delays = [later - earlier for earlier, later in pairwise(waited)]
    assert max(delays) < 31
    assert max(delays) > 20
    assert min(delays[6:]) < 10


def test_the_timeout_of_a_task_is_retried() -> None:
    """Nobody hears of an invocation that is longer than TimeoutSeconds; the next one may overlap with it."""

    def change(machine: Json) -> None:
        machine["States"]["Segments"]["ItemProcessor"]["States"]["Scan"]["TimeoutSeconds"] = 20

    def slow(event: Json, machine: SimMachine) -> str:
        machine.sleep(50)
        return "done"

    machine = Machine(slow, change=change)
    machine.start()
    machine.run(60)
    assert machine.most >= 2


def test_the_timeout_of_the_execution() -> None:
    def never(event: Json, machine: SimMachine) -> str:
        machine.sleep(10)
        return "continue"

    machine = Machine(never)
    machine.start()
    assert machine.run(4190) == RUNNING
    assert machine.run(20) == TIMED_OUT
    calls = len(machine.calls)
    machine.run(600)
    assert len(machine.calls) == calls


def test_a_stopped_execution_leaves_its_invocations_alone() -> None:
    ended: list[Json] = []

    def slow(event: Json, machine: SimMachine) -> str:
        machine.sleep(100)
        ended.append(event)
        return "continue"

    machine = Machine(slow)
    machine.start()
    machine.run(30)
    machine.states.stop_execution("x")
    assert machine.run(600) == ABORTED
    assert len(ended) == len(machine.calls) == 1


def test_an_execution_that_is_aborted_by_chance() -> None:
    machine = Machine(["continue"], faults=StatesFaults(aborted=1.0))
    machine.start()
    assert machine.run(4200) == ABORTED


def test_the_same_start_again() -> None:
    machine = Machine(["continue"])
    machine.start()
    machine.start()
    machine.run(30)
    assert machine.most == 1


def test_another_input_under_the_name() -> None:
    machine = Machine(["continue"])
    machine.start([1])
    with pytest.raises(ServiceError, match="ExecutionAlreadyExists"):
        machine.start([2])


def test_a_name_of_an_execution_that_has_ended() -> None:
    machine = Machine(["done"])
    machine.start()
    assert machine.run(60) == SUCCEEDED
    with pytest.raises(ServiceError, match="ExecutionAlreadyExists"):
        machine.start()


def test_describe_is_eventually_consistent() -> None:
    machine = Machine(["done"], faults=StatesFaults(unseen=5.0))
    with pytest.raises(ServiceError, match="ExecutionDoesNotExist"):
        machine.states.describe_execution(EXECUTION)
    machine.start()
    with pytest.raises(ServiceError, match="ExecutionDoesNotExist"):
        machine.states.describe_execution(EXECUTION)
    machine.run(60)
    assert machine.states.describe_execution(EXECUTION)["status"] == SUCCEEDED


def test_another_machine() -> None:
    machine = Machine(["done"])
    with pytest.raises(ServiceError, match="StateMachineDoesNotExist"):
        machine.states.start_execution(MACHINE + "2", "x", "{}")


@pytest.mark.parametrize(
    ("names", "error", "matched"),
    [
        (["States.TaskFailed"], "Sandbox.Timedout", True),
        (["States.TaskFailed"], "States.Timeout", False),
        (["States.ALL"], "States.Timeout", True),
        (["Lambda.Unknown"], "Lambda.Unknown", True),
        (["Lambda.Unknown"], "ValueError", False),
    ],
)
def test_error_names(names: list[str], error: str, matched: bool) -> None:
    assert matches({"ErrorEquals": names}, error) is matched


def scan(definition: Json) -> Json:
    found: Json = definition["States"]["Segments"]["ItemProcessor"]["States"]["Scan"]
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda machine: scan(machine).update(HeartbeatSeconds=5),
        lambda machine: scan(machine)["Retry"][0].update(Unknown=5),
        lambda machine: scan(machine).update(Resource="arn:aws:states:::sqs:sendMessage"),
        lambda machine: machine["States"]["Segments"].update(Type="Parallel"),
        lambda machine: machine["States"]["Segments"]["ItemProcessor"].update(ProcessorConfig={}),
        lambda machine: scan(machine).update(ResultSelector={"next.$": "States.Format('{}', $.x)"}),
    ],
)
def test_what_is_not_simulated_is_refused(change: Callable[[Json], None]) -> None:
    machine = definition(FUNCTION, 4, 3600, 300)
    change(machine)
    with pytest.raises(Unsupported):
        check(machine)
