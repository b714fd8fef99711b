"""Lambda: functions, their execution environments, and the ways to invoke them.

Sources: Lambda developer guide, "Understanding the Lambda execution environment lifecycle" (one invocation at
a time in an environment, frozen in between, started anew after a timeout), "Understanding Lambda function
scaling" (concurrency), "How Lambda handles errors and retries with asynchronous invocation".
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tablecopy.handlers.context import Context
from tools.simulation.capacity import Bucket
from tools.simulation.errors import ServiceError
from tools.simulation.machine import SimMachine
from tools.simulation.scheduler import Event, Host, World

Json = dict[str, Any]
Handler = Callable[[Json, Context], Any]

TIMED_OUT = "Sandbox.Timedout"
EXITED = "Runtime.ExitError"
_MARSHAL = "Runtime.MarshalError"

# CPU in proportion to the memory; at this much a function has one core (developer guide, "Configure Lambda
# function memory").
_CORE_MB = 1769

# A function gets up to 1,000 new environments every ten seconds ("Understanding Lambda function scaling").
_NEW_AT_ONCE = 1000.0
_NEW_A_SECOND = 100.0

_ASYNC_FIRST_BACKOFF = 1.0
_ASYNC_LONGEST_BACKOFF = 300.0
_ASYNC_RETRY_AFTER = (60.0, 120.0)


@dataclass(frozen=True)
class FunctionSettings:
    """A function as it is deployed.

    Attributes
    ----------
    build
        Makes the handler in a new execution environment, from the environment variables and the machine.
    timeout
        Seconds after which Lambda ends an invocation.
    reserved
        Reserved concurrency; None to use the account's unreserved one.
    retries, max_age
        Asynchronous invocation: attempts after the first one, and the age in seconds at which Lambda drops
        an event. The defaults are Lambda's.
    """

    name: str
    build: Callable[[Mapping[str, str], SimMachine], Handler]
    environ: Mapping[str, str]
    timeout: float
    memory_mb: int = 512
    reserved: int | None = None
    retries: int = 2
    max_age: float = 21_600.0


@dataclass(frozen=True)
class LambdaFaults:
    """Probabilities of what may become of one invocation, and how far hosts differ.

    Attributes
    ----------
    killed
        Its execution environment dies. The caller learns of it.
    abandoned
        The caller gets an error, or no answer, and the invocation goes on all the same.
    stalled
        Its execution environment stands still for up to ``longest_stall`` seconds, and then goes on.
    refused
        Lambda answers with a server error before it starts.
    duplicated, dropped
        An asynchronous event is delivered twice, or never.
    skew
        Seconds by which the clock of a host may be ahead or behind.
    slow_start
        Seconds that the longest cold start takes.
    overtime
        Seconds for which an invocation may go on after its timeout.
    """

    killed: float = 0.0
    abandoned: float = 0.0
    stalled: float = 0.0
    refused: float = 0.0
    duplicated: float = 0.0
    dropped: float = 0.0
    longest_stall: float = 120.0
    skew: float = 1.0
    slow_start: float = 2.5
    overtime: float = 0.2


@dataclass(frozen=True)
class Answer:
    """What a synchronous invocation answers: what the handler returned, or the type of its error.

    ``raised`` is the handler's exception, for the judge.
    """

    payload: Any = None
    error: str = ""
    message: str = ""
    raised: Exception | None = None


class Invocation:
    """One run of a handler.

    Attributes
    ----------
    done
        Happens with the Answer when the caller gets it, or with a ServiceError that it gets instead.
    deadline
        Moment (true time) at which Lambda ends it; infinite before the handler is called.
    ended
        Whether the handler has ended, in whatever way.
    """

    def __init__(self, world: World, request_id: str, event: Json) -> None:
        self.request_id = request_id
        self.event = event
        self.done: Event[Answer | ServiceError] = Event(world)
        self.deadline = math.inf
        self.ended = False
        self.on_end: list[Callable[[Answer], None]] = []


class SimContext:
    """Lambda's context object.

    The runtime subtracts its host's clock from a deadline that Lambda has set (aws-lambda-python-runtime-
    interface-client, lambda_context.py), so the deadline is in Lambda's time, whatever the host's clock says.
    """

    def __init__(self, invocation: Invocation, machine: SimMachine) -> None:
        self.aws_request_id = invocation.request_id
        self._deadline = invocation.deadline
        self._machine = machine

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the invocation."""
        return max(0, int((self._deadline - self._machine.now()) * 1000))


class Environment:
    """An execution environment: a host with the handler's state, for one invocation at a time.

    Calls that are under way when the handler returns stay frozen with the host until the next invocation
    ("Understanding the Lambda execution environment lifecycle").
    """

    def __init__(self, world: World, settings: FunctionSettings, number: int, faults: LambdaFaults) -> None:
        draw = world.random.uniform
        self.settings = settings
        self.host = Host(f"{settings.name}/{number}", skew=draw(-faults.skew, faults.skew))
        self.machine = SimMachine(world, self.host)
        self.invocation: Invocation | None = None
        self.idle_since = world.now
        # How long Lambda keeps an idle environment, and any environment, is not documented.
        self.kept_idle = draw(300.0, 2700.0)
        self.ends = world.now + draw(3600.0, 14_400.0)
        self._world = world
        self._faults = faults
        self._handler: Handler | None = None

    def is_stale(self, now: float) -> bool:
        """Return whether Lambda has removed the idle environment."""
        return now - self.idle_since > self.kept_idle or now > self.ends

    def begin(self, invocation: Invocation, end: Callable[[Environment, Answer], None]) -> None:
        """Run the handler. ``end`` is called with the answer when it returns or raises."""
        self.invocation = invocation
        self.host.thaw()
        self._world.spawn(self.host, self._run, invocation, end, name=self.settings.name)

    def _run(self, invocation: Invocation, end: Callable[[Environment, Answer], None]) -> None:
        world = self._world
        if self._handler is None:
            world.sleep(world.random.uniform(0.2, self._faults.slow_start))
            self._handler = self.settings.build(self.settings.environ, self.machine)
        invocation.deadline = world.now + self.settings.timeout
        overtime = self._faults.overtime * world.random.random()
        world.call_at(invocation.deadline + overtime, self._expire, invocation, end)
        try:
            returned = self._handler(invocation.event, SimContext(invocation, self.machine))
        except Exception as error:
            end(self, Answer(error=type(error).__name__, message=str(error), raised=error))
            return
        try:
            payload = json.loads(json.dumps(returned))
        except (TypeError, ValueError) as error:
            end(self, Answer(error=_MARSHAL, message=str(error)))
            return
        end(self, Answer(payload))

    def _expire(self, invocation: Invocation, end: Callable[[Environment, Answer], None]) -> None:
        if not invocation.ended:
            message = f"Task timed out after {self.settings.timeout:.2f} seconds"
            end(self, Answer(error=TIMED_OUT, message=message))


class Function:
    """A deployed function and its environments."""

    def __init__(self, settings: FunctionSettings, now: float) -> None:
        self.settings = settings
        self.scaling = Bucket(_NEW_A_SECOND, _NEW_AT_ONCE, _NEW_AT_ONCE, now)
        self.idle: list[Environment] = []
        self.busy: dict[Environment, None] = {}
        self.made = 0


class Lambda:
    """Lambda's data plane in one account and Region.

    Parameters
    ----------
    concurrency
        Concurrent executions of the account. The default is AWS's for an account in use (Lambda quotas).
    cpu
        Seconds of a host with one core that a measured second of this one takes; 0 to count no CPU time.
    """

    def __init__(
        self, world: World, concurrency: int = 1000, faults: LambdaFaults = LambdaFaults(), cpu: float = 0.0
    ) -> None:
        self.world = world
        self.concurrency = concurrency
        self.faults = faults
        self.functions: dict[str, Function] = {}
        # Called with the function's name and the answer whenever an invocation ends.
        self.on_end: list[Callable[[str, Answer], None]] = []
        self._cpu = cpu

    @property
    def unreserved(self) -> int:
        """Concurrent executions that no function has reserved."""
        return self.concurrency - sum(each.settings.reserved or 0 for each in self.functions.values())

    def deploy(self, settings: FunctionSettings) -> None:
        """Create or update a function. Later invocations get new environments; those that run go on."""
        function = self.functions.get(settings.name)
        if function is None:
            self.functions[settings.name] = Function(settings, self.world.now)
            return
        function.settings = settings
        while function.idle:
            function.idle.pop().host.kill()

    def function(self, name: str) -> Function:
        """Return the function of this name or ARN. Raises ServiceError if there is none."""
        function = self.functions.get(name.rpartition(":")[2])
        if function is None:
            raise ServiceError("ResourceNotFoundException", f"Function not found: {name}", 404)
        return function

    def start(self, name: str, event: Json, request_id: str = "") -> Invocation:
        """Start a synchronous invocation.

        Raises
        ------
        ServiceError
            TooManyRequestsException beyond the concurrency ("Understanding Lambda function scaling"), or a
            server error.
        """
        function = self.function(name)
        if self.world.chance(self.faults.refused):
            raise ServiceError("ServiceException", "The Lambda service encountered an internal error", 500)
        self._check_concurrency(function)
        invocation = Invocation(self.world, request_id or self._request_id(), event)
        environment = self._environment(function)
        function.busy[environment] = None
        self.world.trace("invoke", environment.host.name, invocation.request_id)
        environment.begin(invocation, self._end)
        self._harm(environment, invocation)
        return invocation

    def invoke(self, name: str, event: Json, timeout: float | None = None) -> Answer | None:
        """Invoke, and let the current task wait for the answer for up to ``timeout`` seconds.

        Returns None if no answer has come by then; the invocation goes on.

        Raises
        ------
        ServiceError
            See ``start``.
        """
        invocation = self.start(name, event)
        if not invocation.done.wait(timeout):
            return None
        value = invocation.done.value
        if isinstance(value, ServiceError):
            raise value
        return value

    def send(self, name: str, event: Json) -> None:
        """Queue an asynchronous invocation (InvocationType Event)."""
        function = self.function(name)
        request_id = self._request_id()
        copies = 0 if self.world.chance(self.faults.dropped) else 1
        # A second delivery of an event has the same request ID.
        copies += self.world.chance(self.faults.duplicated)
        for number in range(copies):
            delay = self.world.random.uniform(0.01, 0.1) + number * self.world.random.uniform(0.0, 30.0)
            self.world.call_later(delay, _Queued(self, function, event, request_id).attempt)

    def kill(self, name: str) -> None:
        """Kill the execution environments of a function's invocations."""
        for environment in list(self.function(name).busy):
            if environment.invocation is not None:
                self._kill(environment, environment.invocation)

    def _check_concurrency(self, function: Function) -> None:
        reserved = function.settings.reserved
        if reserved is not None:
            running, limit, scope = len(function.busy), reserved, "ReservedFunction"
        else:
            running = sum(
                len(each.busy) for each in self.functions.values() if each.settings.reserved is None
            )
            limit, scope = self.unreserved, ""
        if running >= limit:
            self.world.trace("throttled", function.settings.name)
            reason = f"{scope}ConcurrentInvocationLimitExceeded"
            raise ServiceError("TooManyRequestsException", f"Rate Exceeded. ({reason})", 429)

    def _environment(self, function: Function) -> Environment:
        now, idle = self.world.now, function.idle
        while idle:
            # Which of several idle environments Lambda takes is not documented.
            place = self.world.random.randrange(len(idle))
            idle[place], idle[-1] = idle[-1], idle[place]
            environment = idle.pop()
            if not environment.is_stale(now):
                return environment
            environment.host.kill()
        if not function.scaling.admits(1, now):
            self.world.trace("throttled", function.settings.name)
            raise ServiceError("TooManyRequestsException", "Rate Exceeded.", 429)
        function.scaling.take(1)
        function.made += 1
        environment = Environment(self.world, function.settings, function.made, self.faults)
        # Threads of Python share one core, however many there are.
        environment.host.cpu_factor = self._cpu * max(1.0, _CORE_MB / function.settings.memory_mb)
        return environment

    def _end(self, environment: Environment, answer: Answer) -> None:
        invocation = environment.invocation
        if invocation is None or invocation.ended:
            return
        world, function = self.world, self.functions[environment.settings.name]
        invocation.ended = True
        environment.invocation = None
        environment.idle_since = world.now
        function.busy.pop(environment, None)
        if answer.error in {TIMED_OUT, EXITED} or environment.settings is not function.settings:
            environment.host.kill()
        else:
            environment.host.freeze()
            function.idle.append(environment)
        world.trace("return", environment.host.name, invocation.request_id, answer.error)
        world.call_later(world.random.uniform(0.001, 0.01), invocation.done.set, answer)
        for hear in invocation.on_end:
            hear(answer)
        for listen in self.on_end:
            listen(function.settings.name, answer)

    def _harm(self, environment: Environment, invocation: Invocation) -> None:
        world, faults = self.world, self.faults
        if world.chance(faults.killed):
            world.call_later(self._moment(environment), self._kill, environment, invocation)
        if world.chance(faults.stalled):
            world.call_later(self._moment(environment), self._stall, environment, invocation)
        if world.chance(faults.abandoned):
            error = ServiceError("ServiceException", "The Lambda service encountered an internal error", 500)
            world.call_later(self._moment(environment), invocation.done.set, error)

    def _moment(self, environment: Environment) -> float:
        """Return seconds within an invocation; most take a fraction of their time, so most are short."""
        return math.exp(self.world.random.uniform(math.log(0.005), math.log(environment.settings.timeout)))

    def _kill(self, environment: Environment, invocation: Invocation) -> None:
        if not invocation.ended:
            self.world.trace("killed", environment.host.name)
            self._end(environment, Answer(error=EXITED, message="RequestId: Error: Runtime exited"))

    def _stall(self, environment: Environment, invocation: Invocation) -> None:
        if invocation.ended or environment.host.frozen:
            return
        seconds = math.exp(self.world.random.uniform(math.log(0.1), math.log(self.faults.longest_stall)))
        self.world.trace("stalled", environment.host.name, seconds)
        environment.host.freeze()
        self.world.call_later(seconds, self._wake, environment, invocation)

    def _wake(self, environment: Environment, invocation: Invocation) -> None:
        if not invocation.ended:
            environment.host.thaw()

    def _request_id(self) -> str:
        return str(UUID(int=self.world.random.getrandbits(128), version=4))


class _Queued:
    """An event in a function's asynchronous queue.

    After an error of the function Lambda tries again after one and two minutes, as often as configured. After
    a throttle or a server error it tries again from one second up to five minutes later, until the event is
    too old ("How Lambda handles errors and retries with asynchronous invocation").
    """

    def __init__(self, lambda_: Lambda, function: Function, event: Json, request_id: str) -> None:
        self._lambda = lambda_
        self._function = function
        self._event = event
        self._request_id = request_id
        self._sent = lambda_.world.now
        self._failures = 0
        self._backoff = _ASYNC_FIRST_BACKOFF

    def attempt(self) -> None:
        """Start an invocation, or try again later."""
        world, settings = self._lambda.world, self._function.settings
        if world.now - self._sent > settings.max_age:
            world.trace("expired", settings.name, self._request_id)
            return
        try:
            invocation = self._lambda.start(settings.name, self._event, self._request_id)
        except ServiceError:
            world.call_later(self._backoff, self.attempt)
            self._backoff = min(_ASYNC_LONGEST_BACKOFF, 2 * self._backoff)
            return
        invocation.on_end.append(self._ended)

    def _ended(self, answer: Answer) -> None:
        if answer.error and self._failures < min(self._function.settings.retries, len(_ASYNC_RETRY_AFTER)):
            wait = _ASYNC_RETRY_AFTER[self._failures]
            self._failures += 1
            self._lambda.world.call_later(wait, self.attempt)
