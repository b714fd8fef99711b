"""Step Functions: Standard executions of the copy's state machine.

Sources: Step Functions API reference, StartExecution (idempotent by name and input) and DescribeExecution
(eventually consistent).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tools.simulation.background import start
from tools.simulation.errors import ServiceError
from tools.simulation.functions import Lambda
from tools.simulation.interpreter import TIMEOUT, Interpreter, StateFailed, check
from tools.simulation.scheduler import Host, Task, World

Json = dict[str, Any]

RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED = "RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"

_NAME_LENGTH = 80


@dataclass(frozen=True)
class StatesFaults:
    """Probabilities of what may become of an execution, and how late answers may be.

    Attributes
    ----------
    aborted
        Someone stops it, at any time within its timeout.
    unseen
        Seconds for which DescribeExecution may not know a new execution yet, or may not know that one has
        ended.
    """

    aborted: float = 0.0
    unseen: float = 1.0


class Execution:
    """An execution of the machine. ``tasks`` end with it."""

    def __init__(self, name: str, text: str, started: float) -> None:
        self.name = name
        self.input = text
        self.started = started
        self.status = RUNNING
        self.ended = 0.0
        self.error = ""
        # Moments from which DescribeExecution knows of the start and of the end.
        self.seen = self.end_seen = started
        self.tasks: list[Task] = []


class StepFunctions:
    """Step Functions with one state machine, which may be updated."""

    def __init__(
        self, world: World, arn: str, definition: Json, lambda_: Lambda, faults: StatesFaults = StatesFaults()
    ) -> None:
        self.arn = arn
        self.faults = faults
        self.executions: dict[str, Execution] = {}
        self._world = world
        self._host = Host("states")
        self._lambda = lambda_
        self.update(definition)

    def update(self, definition: Json) -> None:
        """Replace the definition. Running executions go on with theirs (UpdateStateMachine)."""
        check(definition)
        self._definition = definition

    def start_execution(self, arn: str, name: str, text: str) -> Json:
        """Start an execution.

        The same name and input as of a running execution start nothing, and give the same answer. Otherwise a
        name that was used is refused.

        Raises
        ------
        ServiceError
            StateMachineDoesNotExist, InvalidName, ExecutionAlreadyExists.
        """
        if arn != self.arn:
            raise ServiceError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        if not 0 < len(name) <= _NAME_LENGTH:
            raise ServiceError("InvalidName", f"Invalid Name: '{name}'")
        known = self.executions.get(name)
        if known is not None and (known.status != RUNNING or json.loads(known.input) != json.loads(text)):
            raise ServiceError("ExecutionAlreadyExists", f"Execution Already Exists: '{name}'")
        execution = known or self._start(name, text)
        return {"executionArn": self._execution_arn(name), "startDate": execution.started}

    def describe_execution(self, arn: str) -> Json:
        """Return an execution's status. Raises ServiceError (ExecutionDoesNotExist)."""
        execution = self.executions.get(arn.rpartition(":")[2])
        now = self._world.now
        if execution is None or now < execution.seen or arn != self._execution_arn(execution.name):
            raise ServiceError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        status = execution.status if now >= execution.end_seen else RUNNING
        return {
            "executionArn": arn,
            "stateMachineArn": self.arn,
            "name": execution.name,
            "status": status,
            "startDate": execution.started,
            **({"stopDate": execution.ended} if status != RUNNING else {}),
        }

    def stop_execution(self, name: str) -> None:
        """End an execution. The functions that it has invoked go on."""
        execution = self.executions.get(name)
        if execution is not None:
            self._end(execution, ABORTED)

    def _execution_arn(self, name: str) -> str:
        return self.arn.replace(":stateMachine:", ":execution:") + f":{name}"

    def _start(self, name: str, text: str) -> Execution:
        world = self._world
        execution = self.executions[name] = Execution(name, text, world.now)
        execution.seen = world.now + world.random.uniform(0.0, self.faults.unseen)
        world.trace("execution", name, text)
        definition = self._definition
        timeout = definition.get("TimeoutSeconds")
        if timeout is not None:
            world.call_later(timeout, self._end, execution, TIMED_OUT, TIMEOUT)
        if world.chance(self.faults.aborted):
            world.call_later(world.random.uniform(0.0, timeout or 3600.0), self._end, execution, ABORTED)

        def spawn(function: Callable[[], object], name: str = "") -> Task:
            task = start(world, self._host, function, name=name)
            execution.tasks.append(task)
            return task

        interpreter = Interpreter(world, self._lambda.invoke, spawn)

        def run() -> None:
            try:
                interpreter.run(definition, json.loads(text))
            except StateFailed as failed:
                self._end(execution, FAILED, failed.error)
            else:
                self._end(execution, SUCCEEDED)

        spawn(run, name)
        return execution

    def _end(self, execution: Execution, status: str, error: str = "") -> None:
        if execution.status != RUNNING:
            return
        world = self._world
        execution.status, execution.error, execution.ended = status, error, world.now
        execution.end_seen = world.now + world.random.uniform(0.0, self.faults.unseen)
        world.trace("execution", execution.name, status, error)
        for task in execution.tasks:
            task.kill()
