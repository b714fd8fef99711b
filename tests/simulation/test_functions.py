"""Lambda, one rule in each test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tablecopy.handlers.context import Context
from tools.simulation.errors import ServiceError
from tools.simulation.functions import (
    EXITED,
    TIMED_OUT,
    Answer,
    FunctionSettings,
    Handler,
    Lambda,
    LambdaFaults,
)
from tools.simulation.machine import SimMachine
from tools.simulation.network import Network
from tools.simulation.scheduler import START, Host, World

Json = dict[str, Any]
SAME_CLOCK = LambdaFaults(skew=0.0)


class Account:
    """Lambda with one function, whose handler a test gives."""

    def __init__(
        self,
        handler: Callable[[Json, Context, SimMachine], Any],
        faults: LambdaFaults = SAME_CLOCK,
        concurrency: int = 1000,
        **settings: Any,
    ) -> None:
        self.world = World(1)
        self.lambda_ = Lambda(self.world, concurrency, faults)
        self.network = Network(self.world)
        self.builds = 0
        self.answers: list[Answer | ServiceError | None] = []

        def build(environ: Mapping[str, str], machine: SimMachine) -> Handler:
            self.builds += 1
            return lambda event, context: handler(event, context, machine)

        self.settings = FunctionSettings("f", build, {}, **{"timeout": 60.0, **settings})
        self.lambda_.deploy(self.settings)

    def invoke(self, event: Json | None = None, timeout: float | None = None) -> None:
        """Invoke in a task; its answer goes to ``answers``."""

        def call() -> None:
            try:
                self.answers.append(self.lambda_.invoke("f", event or {}, timeout))
            except ServiceError as error:
                self.answers.append(error)

        self.world.spawn(Host("caller"), call)

    def run(self, seconds: float = 600.0) -> None:
        """Let time pass."""
        self.world.run(self.world.now + seconds)


def sleeping(seconds: float) -> Callable[[Json, Context, SimMachine], Any]:
    def handle(event: Json, context: Context, machine: SimMachine) -> Any:
        machine.sleep(seconds)
        return {"slept": seconds}

    return handle


def test_an_environment_is_reused() -> None:
    account = Account(sleeping(1))
    account.invoke()
    account.run(10)
    account.invoke()
    account.run(10)
    assert account.answers == [Answer({"slept": 1})] * 2
    assert account.builds == 1


def test_one_invocation_at_a_time() -> None:
    account = Account(sleeping(1))
    account.invoke()
    account.invoke()
    account.run(10)
    assert account.builds == 2


def test_a_timeout_ends_all_tasks() -> None:
    alive: list[float] = []

    def handle(event: Json, context: Context, machine: SimMachine) -> None:
        def work() -> None:
            while True:
                machine.sleep(1)
                alive.append(machine.now())

        pool = machine.pool(1)
        pool.submit(work)
        machine.sleep(1000)

    account = Account(handle, timeout=10.0)
    account.invoke()
    account.run()
    [answer] = account.answers
    assert isinstance(answer, Answer)
    assert answer.error == TIMED_OUT
    assert 8 <= max(alive) - min(alive) <= 10


def test_a_timeout_takes_the_environment() -> None:
    account = Account(sleeping(100), timeout=10.0)
    account.invoke()
    account.run(50)
    account.invoke()
    account.run(50)
    assert account.builds == 2


def test_an_error_keeps_the_environment() -> None:
    def handle(event: Json, context: Context, machine: SimMachine) -> None:
        raise ValueError("no")

    account = Account(handle)
    account.invoke()
    account.run(50)
    account.invoke()
    account.run(50)
    assert [(each.error, each.message) for each in account.answers if isinstance(each, Answer)] == [
        ("ValueError", "no")
    ] * 2
    assert account.builds == 1


def test_what_is_left_goes_on_in_the_next_invocation() -> None:
    woken: list[float] = []

    def handle(event: Json, context: Context, machine: SimMachine) -> None:
        def work() -> None:
            machine.sleep(5)
            woken.append(machine.now())

        if event:
            machine.pool(1).submit(work)
        machine.sleep(1)

    account = Account(handle)
    account.invoke({"first": True})
    account.run(100)
    assert woken == []
    account.invoke()
    account.run(100)
    assert [round(moment - START) for moment in woken] == [100]


def test_a_call_that_was_sent_lands_without_its_sender() -> None:
    landed: list[float] = []

    def handle(event: Json, context: Context, machine: SimMachine) -> None:
        machine.sleep(9.999)
        account.network.call("late", lambda: landed.append(account.world.now))

    account = Account(handle, timeout=10.0)
    account.network.faults = account.network.faults.__class__(fastest=0.5, usual=0.5)
    account.invoke()
    account.run()
    assert len(landed) == 1


def test_the_deadline_is_in_true_time() -> None:
    """The host's clock is subtracted from it, so the deadline that the product computes is right."""
    deadlines: list[float] = []

    def handle(event: Json, context: Context, machine: SimMachine) -> None:
        deadlines.append(machine.now() + context.get_remaining_time_in_millis() / 1000 - account.world.now)

    account = Account(handle, LambdaFaults(skew=1.0))
    for _ in range(5):
        account.invoke()
    account.run()
    assert deadlines == pytest.approx([60.0] * 5, abs=0.002)


def test_reserved_concurrency() -> None:
    account = Account(sleeping(1), reserved=1)
    account.invoke()
    account.invoke()
    account.run()
    assert sorted(type(each).__name__ for each in account.answers) == ["Answer", "ServiceError"]
    [error] = [each for each in account.answers if isinstance(each, ServiceError)]
    assert (error.code, error.status) == ("TooManyRequestsException", 429)


def test_reserved_concurrency_is_taken_from_the_account() -> None:
    account = Account(sleeping(1), concurrency=3)
    account.lambda_.deploy(FunctionSettings("other", account.settings.build, {}, 60.0, reserved=2))
    account.invoke()
    account.invoke()
    account.run()
    assert sorted(type(each).__name__ for each in account.answers) == ["Answer", "ServiceError"]


def test_a_thousand_new_environments_in_ten_seconds() -> None:
    account = Account(sleeping(1), concurrency=5000)
    for _ in range(1200):
        account.invoke()
    account.run(5)
    assert sum(isinstance(each, Answer) for each in account.answers) == 1000
    for _ in range(1200):
        account.invoke()
    account.run(5)
    # 500 more are made in the five seconds since, and those that are there are used again.
    assert len(account.answers) == 2400
    assert sum(isinstance(each, Answer) for each in account.answers) == 1000 + 1200


def test_a_caller_that_gives_up_does_not_end_the_invocation() -> None:
    ended: list[str] = []

    def handle(event: Json, context: Context, machine: SimMachine) -> None:
        machine.sleep(20)
        ended.append(context.aws_request_id)

    account = Account(handle)
    account.invoke(timeout=5.0)
    account.run()
    assert account.answers == [None]
    assert len(ended) == 1


def test_an_update_replaces_environments() -> None:
    account = Account(sleeping(1))
    account.invoke()
    account.run(50)
    account.lambda_.deploy(account.settings)
    account.invoke()
    account.run(50)
    assert account.builds == 2


def test_an_update_does_not_end_what_runs() -> None:
    account = Account(sleeping(30))
    account.invoke()
    account.run(10)
    account.lambda_.deploy(FunctionSettings("f", account.settings.build, {}, 60.0))
    account.run(50)
    assert account.answers == [Answer({"slept": 30})]
    account.invoke()
    account.run(50)
    assert account.builds == 2


def test_a_killed_environment() -> None:
    account = Account(sleeping(59), LambdaFaults(killed=1.0))
    account.invoke()
    account.run()
    [answer] = account.answers
    assert isinstance(answer, Answer)
    assert answer.error == EXITED


def test_a_stalled_environment_goes_on() -> None:
    account = Account(sleeping(30), LambdaFaults(stalled=1.0, longest_stall=20.0))
    account.invoke()
    account.run()
    assert account.answers == [Answer({"slept": 30})]


def test_an_abandoned_invocation_goes_on() -> None:
    ended: list[str] = []

    def handle(event: Json, context: Context, machine: SimMachine) -> None:
        machine.sleep(59)
        ended.append(context.aws_request_id)

    account = Account(handle, LambdaFaults(abandoned=1.0))
    account.invoke()
    account.run()
    [error] = account.answers
    assert isinstance(error, ServiceError)
    assert len(ended) == 1


class Failing:
    """A handler that fails, and remembers when it was called with which request ID."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, str]] = []

    def __call__(self, event: Json, context: Context, machine: SimMachine) -> None:
        self.calls.append((machine.world.now - START, context.aws_request_id))
        raise ValueError


def test_an_asynchronous_call_is_retried_twice_with_its_request_id() -> None:
    handler = Failing()
    account = Account(handler)
    account.lambda_.send("f", {})
    account.run(3600)
    first, second, third = (moment for moment, _ in handler.calls)
    assert (round(second - first), round(third - second)) == (60, 120)
    assert len({request_id for _, request_id in handler.calls}) == 1


def test_no_retries_if_configured() -> None:
    handler = Failing()
    account = Account(handler, retries=0)
    account.lambda_.send("f", {})
    account.run(3600)
    assert len(handler.calls) == 1


@pytest.mark.parametrize(("max_age", "calls"), [(60.0, 1), (100.0, 2)])
def test_a_throttled_asynchronous_call_is_retried_until_it_is_too_old(max_age: float, calls: int) -> None:
    """The attempts come after 1, 3, 7, 15, 31 and 63 seconds."""
    called: list[str] = []

    def handle(event: Json, context: Context, machine: SimMachine) -> None:
        called.append(context.aws_request_id)
        machine.sleep(50)

    account = Account(handle, reserved=1, max_age=max_age)
    account.lambda_.send("f", {})
    account.lambda_.send("f", {})
    account.run()
    assert len(called) == calls


def test_a_duplicate_has_the_same_request_id() -> None:
    seen: list[str] = []

    def handle(event: Json, context: Context, machine: SimMachine) -> None:
        seen.append(context.aws_request_id)

    account = Account(handle, LambdaFaults(duplicated=1.0))
    account.lambda_.send("f", {})
    account.run()
    assert len(seen) == 2
    assert len(set(seen)) == 1
