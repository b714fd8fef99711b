"""The operator: verifies a copy and runs `tablecopy cutover`, which is the command's own code.

The command asks its questions, polls control, puts and lifts the fence, and may be interrupted or die, in
which case the operator runs it again.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ReadTimeoutError

from tablecopy.clock import Clock
from tablecopy_cli.advice import Commands
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.control_function import ControlFunction
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.cutover.command import Cutover, CutoverOptions
from tablecopy_cli.cutover.fence import Fence
from tablecopy_cli.run.copies import Target
from tools.simulation import names
from tools.simulation.cutover.policy import Policies, PolicyClient
from tools.simulation.deployment import Deployment
from tools.simulation.errors import ServiceError
from tools.simulation.machine import SimMachine
from tools.simulation.scheduler import Host, World

Json = dict[str, Any]

_ANSWER_SECONDS = 40.0
_ATTEMPTS = 3


class LambdaClient:
    """The operator's client of Lambda, as boto3 makes it."""

    def __init__(self, copy: Deployment) -> None:
        self._copy = copy

    def invoke(self, *, FunctionName: str, Payload: str) -> Json:  # noqa: N803
        """Invoke a function, and try again as botocore does."""
        world, event = self._copy.world, json.loads(Payload)
        for attempt in range(_ATTEMPTS):
            error: Exception
            try:
                answer = self._copy.lambda_.invoke(FunctionName, event, _ANSWER_SECONDS)
            except ServiceError as refused:
                error = refused.as_client_error("Invoke")
            else:
                if answer is not None:
                    return _response(answer.payload, answer.error, answer.message)
                error = ReadTimeoutError(endpoint_url="https://lambda")
            if attempt == _ATTEMPTS - 1:
                raise error
            world.sleep(world.random.random() * 2**attempt)
        raise AssertionError("not reached")


def _response(payload: Any, error: str, message: str) -> Json:
    if not error:
        return {"Payload": io.BytesIO(json.dumps(payload).encode())}
    failed = {"errorType": error, "errorMessage": message}
    return {"Payload": io.BytesIO(json.dumps(failed).encode()), "FunctionError": "Unhandled"}


class _Side(Side):
    """A side whose clients are simulated."""

    clients: dict[str, Any]

    def client(self, service: str, **settings: Any) -> Any:
        """Return a client."""
        return self.clients[service]


def _side(name: str, table: str, **clients: Any) -> _Side:
    side = _Side(name, table)
    object.__setattr__(side, "clients", clients)
    return side


class _Interrupted(SimMachine):
    """The machine of a command that is interrupted from the keyboard at a moment.

    Attributes
    ----------
    at
        Of the virtual time; infinite for never.
    """

    at = float("inf")

    def sleep(self, seconds: float) -> None:
        """Wait, unless the interrupt comes."""
        if self.world.now >= self.at:
            self.at = float("inf")
            raise KeyboardInterrupt
        super().sleep(seconds)


class _Answer(io.StringIO):
    """The keyboard: the operator stops the writers, and types yes."""

    def __init__(self, stop: Callable[[], None]) -> None:
        super().__init__()
        self._stop = stop

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        """Answer the question."""
        self._stop()
        return "yes\n"


class Operator:
    """Operates one copy, on a host of its own.

    Parameters
    ----------
    policies
        Of the source and of the destination.
    stop_writers
        Called when the command asks for it.

    Attributes
    ----------
    code
        What the latest command has returned; None if it has died, or has ended with an error.
    interrupt_at
        When the next command is interrupted.
    """

    def __init__(
        self,
        copy: Deployment,
        policies: tuple[Policies, Policies],
        stop_writers: Callable[[], None],
        *,
        fence: bool,
        max_stop: float,
        quiet_seconds: float,
    ) -> None:
        self.copy = copy
        self.world: World = copy.world
        self.host = Host("operator")
        self.code: int | None = None
        self.interrupt_at = float("inf")
        self._stop_writers = stop_writers
        self._options = CutoverOptions(
            max_stop=max_stop,
            quiet=quiet_seconds,
            yes=False,
            fence=fence,
            lift_fence=False,
            format_="jsonl",
        )
        client = LambdaClient(copy)
        accounts = (
            (copy.source_account, copy.source, "source"),
            (copy.destination_account, copy.destination, "destination"),
        )
        self._sides = [
            _side(
                name,
                table.name,
                **{"lambda": client},
                dynamodb=PolicyClient(copy.network, account, table, policy),
            )
            for (account, table, name), policy in zip(accounts, policies, strict=True)
        ]
        self.function = ControlFunction(self._sides[0], names.CONTROL)

    def ask(self, what: Callable[[], Any]) -> Any:
        """Ask control, again until it answers."""
        while True:
            try:
                return what()
            except UserError as error:
                if not error.transient:
                    raise
            self.world.sleep(2.0)

    def cut_over(self) -> None:
        """Run the command once."""
        self.code = None
        machine = _Interrupted(self.world, self.host)
        machine.at, self.interrupt_at = self.interrupt_at, float("inf")
        command = Cutover(
            Target(None, self._sides[0], names.CONTROL, Commands((), (), {}), None),
            self.function,
            self._options,
            machine,
            self._fences,
            _Answer(self._stop_writers),
        )
        try:
            self.code = command.run()
        except (UserError, KeyboardInterrupt) as error:
            self.world.trace("cutover failed", str(error))
            return
        self.world.trace("cutover", self.code)

    def lift_fence(self) -> None:
        """Lift what a command that has failed has left behind."""
        for fence in self._fences(self.function, SimMachine(self.world, self.host)):
            try:
                fence.lift()
            except UserError as error:
                self.world.trace("lift failed", str(error))

    def _fences(self, function: ControlFunction, clock: Clock) -> list[Fence]:
        def record(table_arn: str, denied: bool) -> None:
            self.ask(lambda: function.deny(table_arn, denied=denied))

        source, destination = self._sides
        return [
            Fence(source, record, clock),
            Fence(destination, record, clock, except_role=names.DESTINATION_ROLE),
        ]
