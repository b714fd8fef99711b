"""The States Language, as far as the copy's state machine uses it. Anything else is an error.

Sources: https://states-language.net/spec.html, and the Step Functions developer guide, "Handling errors in
Step Functions workflows", "Using Map state in Distributed mode", "Invoke an AWS Lambda function with Step
Functions".
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Any

from tools.simulation.errors import ServiceError
from tools.simulation.functions import EXITED, Answer
from tools.simulation.scheduler import Event, Task, World

Json = dict[str, Any]
Invoke = Callable[[str, Json, float], "Answer | None"]
Spawn = Callable[..., Task]

_COMMON = {"Type", "Comment", "Next", "End"}
_FIELDS = {
    "Task": {"Resource", "Parameters", "TimeoutSeconds", "ResultSelector", "ResultPath", "Retry", "Catch"},
    "Choice": {"Choices", "Default"},
    "Wait": {"Seconds", "SecondsPath"},
    "Succeed": set(),
    "Pass": {"Result", "ResultPath"},
    "Map": {
        "Label",
        "ItemsPath",
        "ItemSelector",
        "MaxConcurrency",
        "ToleratedFailurePercentage",
        "ItemProcessor",
        "ResultPath",
    },
}
_CHOICE = {"Variable", "StringEquals", "Next"}
_RETRY = {"ErrorEquals", "IntervalSeconds", "BackoffRate", "MaxAttempts", "MaxDelaySeconds", "JitterStrategy"}
_CATCH = {"ErrorEquals", "Next", "ResultPath"}
_DISTRIBUTED = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
_TOLERATED = "States.ExceedToleratedFailureThreshold"

_PATH = re.compile(r"\$\$?(\.\w+)*")

TIMEOUT = "States.Timeout"


class Unsupported(Exception):
    """The definition uses something that is not simulated."""


class StateFailed(Exception):
    """A state, or a whole execution, failed with an error of this name."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


def check(scope: Json) -> None:
    """Raise Unsupported if a definition uses a field or a type that is not simulated."""
    for name, state in scope["States"].items():
        kind = state["Type"]
        if kind not in _FIELDS:
            raise Unsupported(f"{name}: Type {kind}")
        _only(name, state, _COMMON | _FIELDS[kind])
        for retrier in state.get("Retry", []):
            _only(name, retrier, _RETRY)
        for catcher in state.get("Catch", []):
            _only(name, catcher, _CATCH)
        for choice in state.get("Choices", []):
            _only(name, choice, _CHOICE)
        if kind == "Task" and not state["Resource"].endswith(":states:::lambda:invoke"):
            raise Unsupported(f"{name}: Resource {state['Resource']}")
        for path in _paths(state):
            if not _PATH.fullmatch(path):
                raise Unsupported(f"{name}: path {path}")
        if kind == "Map":
            if state["ItemProcessor"].get("ProcessorConfig") != _DISTRIBUTED:
                raise Unsupported(f"{name}: ProcessorConfig")
            check(state["ItemProcessor"])


def _paths(value: Any, name: str = "") -> list[str]:
    """Return the reference paths in a state, without those of an inner scope."""
    if isinstance(value, dict):
        return [path for key, inner in value.items() if key != "ItemProcessor" for path in _paths(inner, key)]
    if isinstance(value, list):
        return [path for inner in value for path in _paths(inner)]
    is_path = name.endswith(".$") or name in {"Variable", "ItemsPath", "ResultPath", "SecondsPath"}
    return [value] if is_path and value is not None else []


def _only(name: str, found: Json, allowed: set[str]) -> None:
    unknown = sorted(found.keys() - allowed)
    if unknown:
        raise Unsupported(f"{name}: {', '.join(unknown)}")


class Interpreter:
    """Runs the states of an execution, in the current task.

    Parameters
    ----------
    invoke
        Invokes the function of an ARN with an event and waits for so many seconds; None if no answer came.
        Raises ServiceError.
    spawn
        Starts a task for a worker of a Map.
    """

    def __init__(self, world: World, invoke: Invoke, spawn: Spawn) -> None:
        self._world = world
        self._invoke = invoke
        self._spawn = spawn

    def run(self, scope: Json, data: Any, context: Json | None = None) -> Any:
        """Run from ``StartAt`` to an end, and return the output. Raises StateFailed."""
        name: str | None = scope["StartAt"]
        while name is not None:
            state = scope["States"][name]
            # A transition takes some tens of milliseconds; how many is not documented.
            self._world.sleep(self._world.random.uniform(0.01, 0.05))
            try:
                data, name = self._state(state, data, context or {})
            except StateFailed as failed:
                catcher = next((each for each in state.get("Catch", []) if matches(each, failed.error)), None)
                if catcher is None:
                    raise
                error = {"Error": failed.error, "Cause": failed.cause}
                data, name = _placed(catcher.get("ResultPath", "$"), data, error), catcher["Next"]
        return data

    def _state(self, state: Json, data: Any, context: Json) -> tuple[Any, str | None]:
        match state["Type"]:
            case "Task":
                data = self._task(state, data, context)
            case "Map":
                self._map(state, data)
                data = _placed(state.get("ResultPath", "$"), data, [])
            case "Wait":
                path = state.get("SecondsPath")
                self._world.sleep(_found(path, data, context) if path else state["Seconds"])
            case "Pass":
                data = _placed(state.get("ResultPath", "$"), data, state.get("Result", data))
            case "Choice":
                return data, self._choice(state, data, context)
        return data, state.get("Next")

    def _choice(self, state: Json, data: Any, context: Json) -> str:
        for choice in state["Choices"]:
            if _found(choice["Variable"], data, context) == choice["StringEquals"]:
                return str(choice["Next"])
        if "Default" not in state:
            raise StateFailed("States.NoChoiceMatched")
        return str(state["Default"])

    def _task(self, state: Json, data: Any, context: Json) -> Any:
        attempts: dict[int, int] = {}
        while True:
            try:
                result = self._lambda(state, data, context)
                break
            except StateFailed as failed:
                self._world.sleep(self._delay(state, failed, attempts))
        if "ResultSelector" in state:
            result = _filled(state["ResultSelector"], result, context)
        return _placed(state.get("ResultPath", "$"), data, result)

    def _delay(self, state: Json, failed: StateFailed, attempts: dict[int, int]) -> float:
        """Return the seconds until the next attempt; raise ``failed`` if there is none.

        The first retrier that matches counts its own attempts. The delay grows by BackoffRate up to
        MaxDelaySeconds, and with JitterStrategy FULL it is any time up to that ("Handling errors in Step
        Functions workflows", Retrying after an error).
        """
        for number, retrier in enumerate(state.get("Retry", [])):
            if not matches(retrier, failed.error):
                continue
            done = attempts.get(number, 0)
            if done >= retrier.get("MaxAttempts", 3):
                break
            attempts[number] = done + 1
            # The exponent is bounded, because there may be hundreds of attempts.
            longest = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** min(done, 64)
            longest = min(longest, retrier.get("MaxDelaySeconds", longest))
            is_full = retrier.get("JitterStrategy", "NONE") == "FULL"
            return float(self._world.random.uniform(0.0, longest) if is_full else longest)
        raise failed

    def _lambda(self, state: Json, data: Any, context: Json) -> Any:
        request = _filled(state["Parameters"], data, context)
        timeout = state.get("TimeoutSeconds", 99_999_999)
        try:
            answer = self._invoke(request["FunctionName"], request["Payload"], timeout)
        except ServiceError as error:
            raise StateFailed(f"Lambda.{_exception(error.code)}", error.message) from None
        if answer is None:
            raise StateFailed(TIMEOUT)
        if answer.error:
            # The runtime's exit is unknown to Step Functions; a timeout and the function's own errors have
            # names of their own ("Handling errors in Step Functions workflows").
            raise StateFailed("Lambda.Unknown" if answer.error == EXITED else answer.error, answer.message)
        return {"ExecutedVersion": "$LATEST", "StatusCode": 200, "Payload": answer.payload}

    def _map(self, state: Json, data: Any) -> None:
        """Run a child execution for each item, at most MaxConcurrency at a time.

        The Map fails once more children have failed than ToleratedFailurePercentage allows.
        """
        items = _found(state["ItemsPath"], data, {})
        if not isinstance(items, list):
            raise StateFailed("States.ItemReaderFailed", f"{state['ItemsPath']} is not a list")
        waiting = deque(enumerate(items))
        ended: Event[str] = Event(self._world)
        lanes = min(len(items), state.get("MaxConcurrency") or len(items))
        running, failures = lanes, 0
        tolerated = state.get("ToleratedFailurePercentage", 0) * len(items)

        def work() -> None:
            nonlocal running, failures
            while waiting and not ended.is_set:
                index, item = waiting.popleft()
                context = {"Map": {"Item": {"Index": index, "Value": item}}}
                self._world.sleep(self._world.random.uniform(0.05, 0.3))
                try:
                    child = _filled(state["ItemSelector"], data, context) if "ItemSelector" in state else item
                    self.run(state["ItemProcessor"], child)
                except StateFailed:
                    failures += 1
                    if failures * 100 > tolerated:
                        ended.set(_TOLERATED)
            running -= 1
            if not running:
                ended.set("")

        workers = [self._spawn(work, name="child") for _ in range(lanes)]
        if lanes:
            ended.wait()
        if ended.value:
            for worker in workers:
                worker.kill()
            raise StateFailed(ended.value)


def matches(rule: Json, error: str) -> bool:
    """Return whether a retrier or catcher names the error.

    States.ALL matches every error, and States.TaskFailed every one but States.Timeout ("Handling errors in
    Step Functions workflows", Error names).
    """
    names = rule["ErrorEquals"]
    return error in names or "States.ALL" in names or ("States.TaskFailed" in names and error != TIMEOUT)


def _exception(code: str) -> str:
    return code if code.endswith("Exception") else f"{code}Exception"


def _found(path: str, data: Any, context: Json) -> Any:
    """Return what a reference path names: ``$`` the data, ``$$`` the context object."""
    root, *names = path.split(".")
    value = context if root == "$$" else data
    for name in names:
        if not isinstance(value, dict) or name not in value:
            raise StateFailed("States.ParameterPathFailure", f"{path} does not exist")
        value = value[name]
    return value


def _filled(template: Json, data: Any, context: Json) -> Json:
    """Return a payload template with its paths replaced: members whose names end with ``.$``."""
    filled = {}
    for name, value in template.items():
        if name.endswith(".$"):
            filled[name[:-2]] = _found(value, data, context)
        elif isinstance(value, dict):
            filled[name] = _filled(value, data, context)
        else:
            filled[name] = value
    return filled


def _placed(path: str | None, data: Any, result: Any) -> Any:
    """Return the output of a state whose ``ResultPath`` is ``path``."""
    if path is None:
        return data
    if path == "$":
        return result
    return {**data, path.removeprefix("$."): result}
