"""Calls from a host to a service: they take time, get lost, come late, and outlive their sender."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from tablecopy.dynamodb.client import DynamoDB, Json
from tools.simulation.errors import ServiceError
from tools.simulation.machine import SimMachine
from tools.simulation.scheduler import Event, World

T = TypeVar("T")


@dataclass(frozen=True)
class Caller:
    """Who calls: the host's name, the account it works in, and the role it has assumed, if any."""

    host: str
    account: str
    role: str = ""


class Service(Protocol):
    """A service that answers JSON with JSON. It changes its state at the moment of the call."""

    def handle(self, operation: str, body: bytes, caller: Caller) -> bytes:
        """Carry out ``operation``. Raises ServiceError for an error answer."""
        ...


@dataclass(frozen=True)
class NetworkFaults:
    """Probabilities of what may become of one call, and how long calls take (seconds).

    Attributes
    ----------
    lost_request
        The service never gets it, and no answer comes.
    lost_answer
        It takes effect, and no answer comes.
    late_request
        No answer comes, and it takes effect up to ``latest`` seconds after the sender has given up.
    late_write
        The same for BatchWriteItem only, besides.
    server_error
        A 5xx answer; half of these calls have taken effect.
    slow
        It takes up to ``slowest`` seconds.
    fastest, usual
        Shortest and mean time that a call takes otherwise.
    """

    lost_request: float = 0.0
    lost_answer: float = 0.0
    late_request: float = 0.0
    late_write: float = 0.0
    server_error: float = 0.0
    slow: float = 0.0
    fastest: float = 0.002
    usual: float = 0.006
    slowest: float = 8.0
    latest: float = 9.0

    @property
    def any(self) -> float:
        """The probability that something happens to a call."""
        return self.lost_request + self.lost_answer + self.late_request + self.server_error + self.slow


class Network:
    """Carries calls. ``faults`` may be exchanged at any time."""

    def __init__(self, world: World, faults: NetworkFaults = NetworkFaults()) -> None:
        self.world = world
        self.faults = faults

    def call(self, name: str, serve: Callable[[], T], read_timeout: float = 10.0) -> T:
        """Let a service ``serve`` one call, and return its answer.

        A call that has been sent is served even if its sender is killed meanwhile.

        Raises
        ------
        ServiceError
            The service's error answer.
        ReadTimeoutError, ConnectionClosedError
            No answer came.
        """
        world, faults = self.world, self.faults
        if world.over:
            world.switch()
        draw = world.random.random
        latency = faults.fastest + (faults.usual - faults.fastest) * 2 * draw()
        any_fault = faults.any
        chance = draw() if any_fault else 1.0
        is_late = faults.late_write and name == "BatchWriteItem" and draw() < faults.late_write
        if chance >= any_fault and not is_late:
            return self._undisturbed(serve, latency / 2)
        answered: Event[tuple[bool, T | ServiceError]] = Event(world)
        to_service = latency / 2
        kind = "late_request" if is_late else self._fault(chance)
        if kind == "slow":
            to_service = latency + (faults.slowest - latency) * draw()
        elif kind == "late_request":
            to_service = read_timeout + faults.latest * draw()

        def arrive() -> None:
            if kind == "lost_request":
                return
            answer: tuple[bool, T | ServiceError]
            try:
                answer = True, serve()
            except ServiceError as error:
                answer = False, error
            if kind in {"lost_answer", "late_request"}:
                return
            if kind == "server_error":
                answer = False, ServiceError("InternalServerError", "internal error", 500)
            world.call_later(latency / 2, answered.set, answer)

        if kind == "server_error" and draw() < 0.5:
            error = ServiceError("InternalServerError", "internal error", 500)
            world.call_later(latency, answered.set, (False, error))
        else:
            world.call_later(to_service, arrive)
        world.trace("network", kind, name)
        # A connection that breaks is noticed at once, a lost packet only by the timeout.
        breaks = kind in {"lost_request", "lost_answer"} and draw() < 0.5
        if not answered.wait(latency if breaks else read_timeout):
            url = f"https://{name}"
            raise ConnectionClosedError(endpoint_url=url) if breaks else ReadTimeoutError(endpoint_url=url)
        assert answered.value is not None
        succeeded, answer = answered.value
        if succeeded:
            return answer  # type: ignore[return-value]
        assert isinstance(answer, ServiceError)
        raise answer

    def _undisturbed(self, serve: Callable[[], T], one_way: float) -> T:
        """Carry a call to which nothing happens. No timeout is needed, so this takes half of the events."""
        world = self.world
        task = world.current
        assert task is not None, "only a task can call"
        turn = task.turn
        refused: ServiceError | None = None
        served: T | None = None

        def arrive() -> None:
            nonlocal served, refused
            try:
                served = serve()
            except ServiceError as error:
                refused = error
            world.call_later(one_way, task.resume, turn)

        world.call_later(one_way, arrive)
        world.switch()
        if refused is not None:
            raise refused
        return served  # type: ignore[return-value]

    def _fault(self, chance: float) -> str:
        for kind in ("lost_request", "lost_answer", "late_request", "server_error"):
            chance -= getattr(self.faults, kind)
            if chance < 0:
                return kind
        return "slow"


class SimDynamoDB(DynamoDB):
    """The product's transport of DynamoDB, or of DynamoDB Streams, over the simulated network.

    Parameters
    ----------
    service
        DynamoDB or Streams of one account.
    check
        Called before each call is served; raises ServiceError if the caller's credentials are refused.

    Attributes
    ----------
    cpu_seconds
        CPU time of a signed call over HTTP, which a host that counts CPU time is kept busy for.
    """

    cpu_seconds = 0.0

    def __init__(
        self,
        machine: SimMachine,
        network: Network,
        service: Service,
        caller: Caller,
        *,
        attempts: int = 5,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(machine, machine.random(), attempts, renews=bool(caller.role))
        self._host = machine.host
        self._network = network
        self._service = service
        self._caller = caller
        self._check = check

    def call(self, operation: str, body: Mapping[str, Any] | bytes) -> Json:
        """Send ``body`` until it succeeds. Its JSON is made and read by a library that takes less time."""
        return super().call(operation, body if isinstance(body, bytes) else _encode(body))

    def credentials(self) -> ReadOnlyCredentials:
        """Return credentials that nothing reads."""
        return _CREDENTIALS

    def send(self, operation: str, body: bytes, credentials: ReadOnlyCredentials | None = None) -> bytes:
        """Send once."""

        def serve() -> bytes:
            self._check()
            return self._service.handle(operation, body, self._caller)

        if self._host.cpu_factor:
            self._host.spend(self._network.world.now, self.cpu_seconds)
        try:
            return self._network.call(operation, serve)
        except ServiceError as error:
            raise error.as_client_error(operation) from None

    def _answer(self, operation: str, body: bytes) -> Json:
        answer: Json = _decode(self.send(operation, body))
        return answer


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

_CREDENTIALS = ReadOnlyCredentials("AKIASIMULATED", "secret", "token", None)
