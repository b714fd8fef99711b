"""The reconciler's entry point: one that looks at a time, and what each pass tells CloudWatch."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import cast

import pytest
from botocore.exceptions import ClientError

from tablecopy.control.commands import Commands
from tablecopy.control.metrics import Pulse
from tablecopy.control.reconciler import Outcome
from tablecopy.dynamodb.client import Json
from tablecopy.handlers.context import Context
from tablecopy.journal.dead_letters import DeadLetters
from tablecopy.journal.leases import Turn
from tablecopy.journal.run import Phase, RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.journal.shards import Shards
from tests.unit.tablecopy.fakes import STREAM_ARN, FakeClock, MemoryStore, client_error
from tests.unit.tablecopy.functions import COMMON, ENVIRONMENT, OWN
from tests.unit.tablecopy.published import Published, published

NAME = "tablecopy.handlers.reconciler"


class Metered:
    """What the passes tell CloudWatch."""

    def __init__(self, handler: ModuleType, run: RunRecord, log: pytest.CaptureFixture[str]) -> None:
        self.handler = handler
        self.run = run
        self.log = log

    def enter(self, phase: Phase) -> None:
        self.handler._COMMANDS.begin()
        begun = self.run.read()
        assert begun is not None
        self.run.save(begun.enter(phase, 0.0))

    def told(self) -> Published:
        return published(self.log.readouterr().out)


class Stepping:
    """A reconciler that does nothing but be seen."""

    def __init__(self) -> None:
        self.steps = 0
        self.on_step: Callable[[], object] = lambda: None

    def step(self) -> Outcome:
        self.steps += 1
        self.on_step()
        return Outcome.IDLE


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    for name in [*COMMON, *OWN["reconciler"]]:
        monkeypatch.setenv(name, ENVIRONMENT[name])
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    yield importlib.import_module(NAME)
    sys.modules.pop(NAME)


@pytest.fixture
def store(handler: ModuleType, monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> MemoryStore:
    store = MemoryStore()
    monkeypatch.setattr(handler, "_STORE", store)
    monkeypatch.setattr(handler, "_CLOCK", clock)
    return store


@pytest.fixture
def run(
    handler: ModuleType, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> RunRecord:
    record = RunRecord(store)
    letters = DeadLetters(store, clock)
    commands = Commands(record, Segments(store), Shards(store), letters, clock, STREAM_ARN, 4, 60)
    monkeypatch.setattr(handler, "_COMMANDS", commands)
    return record


@pytest.fixture
def reconciler(handler: ModuleType, run: RunRecord, monkeypatch: pytest.MonkeyPatch) -> Stepping:
    stepping = Stepping()
    monkeypatch.setattr(handler, "_reconciler", lambda: stepping)
    return stepping


@pytest.fixture
def metered(
    handler: ModuleType,
    run: RunRecord,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Metered:
    monkeypatch.setattr(handler, "_PULSE", Pulse(clock, "move"))
    return Metered(handler, run, capsys)


def look(handler: ModuleType, request: str = "r1") -> Json:
    return cast(Json, handler.handle({}, cast(Context, SimpleNamespace(aws_request_id=request))))


def test_an_apply_begins_the_run_for_nobody_in_particular(
    handler: ModuleType, run: RunRecord, reconciler: Stepping
) -> None:
    assert look(handler)["status"]["phase"] == "preflight"
    begun = run.read()
    assert begun is not None
    assert not begun.confirmed
    assert reconciler.steps == 1


def test_a_sealed_run_is_never_begun_again(handler: ModuleType, run: RunRecord, reconciler: Stepping) -> None:
    look(handler)
    begun = run.read()
    assert begun is not None
    sealed = run.save(begun.enter(Phase.SEALED, 0.0))
    look(handler, "r2")
    assert run.read() == sealed


def test_nothing_begins_where_an_apply_is_not_to_start(
    handler: ModuleType, run: RunRecord, reconciler: Stepping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "_SETTINGS", replace(handler._SETTINGS, start_on_apply=False))
    assert look(handler)["status"]["phase"] == "none"
    assert run.read() is None


def test_of_two_at_a_time_one_looks(handler: ModuleType, reconciler: Stepping) -> None:
    answers: list[Json] = []
    reconciler.on_step = lambda: answers.append(look(handler, "r2"))
    assert "status" in look(handler, "r1")
    assert answers == [{"skipped": "another invocation of the reconciler is looking at the run"}]
    assert reconciler.steps == 1


def test_the_next_one_looks_whatever_became_of_the_last(handler: ModuleType, reconciler: Stepping) -> None:
    def fail() -> None:
        raise client_error("AccessDeniedException")

    reconciler.on_step = fail
    with pytest.raises(ClientError):
        look(handler, "r1")
    reconciler.on_step = lambda: None
    assert "status" in look(handler, "r2")
    assert "status" in look(handler, "r3")


def test_a_call_that_is_skipped_is_no_sign_of_life(
    metered: Metered, reconciler: Stepping, store: MemoryStore, clock: FakeClock
) -> None:
    assert Turn(store, clock, "other").take()
    look(metered.handler)
    assert reconciler.steps == 0
    assert metered.told() == {}


def test_a_throttled_call_is_made_again(handler: ModuleType) -> None:
    attempts = {handler._STREAMS: 6, handler._LAMBDA: 3, handler._STATES: 3}
    for client, times in attempts.items():
        assert client.meta.config.retries == {"mode": "standard", "total_max_attempts": times}


def test_a_service_out_of_reach_is_given_up_in_time(handler: ModuleType) -> None:
    for client in (handler._STREAMS, handler._LAMBDA, handler._STATES):
        assert (client.meta.config.connect_timeout, client.meta.config.read_timeout) == (3, 10)


def test_the_streams_endpoint_of_a_vpc_is_used(handler: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://vpce-1a2b3c4d-5e6f.streams.dynamodb.eu-west-1.vpce.amazonaws.com"
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", url)
    made = importlib.reload(handler)
    assert made._STREAMS.meta.endpoint_url == url
    assert made._LAMBDA.meta.endpoint_url == "https://lambda.eu-west-1.amazonaws.com"


def test_everything_fits_together(handler: ModuleType) -> None:
    assert handler._reconciler() is not None


class TestPulse:
    @pytest.mark.parametrize("phase", sorted(Phase))
    def test_each_pass_tells_the_state_of_the_run(
        self, phase: Phase, metered: Metered, reconciler: Stepping
    ) -> None:
        metered.enter(phase)
        look(metered.handler)
        expected: Json = {
            "Reconciliations": {"": [1]},
            "RunStopped": {"": [int(phase is Phase.STOPPED)]},
            "DeadLetters": {"": [0]},
            "EmptySlices": {"": [0]},
            "FailedWorkers": {"": [0]},
            "RunPhase": {phase.value: [1]},
        }
        if phase is Phase.SEALED:
            # Or an alarm that was on when the run was sealed would stay on.
            expected["OldestUnappliedChangeAge"] = {"": [0]}
        assert metered.told() == expected

    def test_open_dead_letters(
        self, metered: Metered, monkeypatch: pytest.MonkeyPatch, reconciler: Stepping
    ) -> None:
        metered.enter(Phase.DRAINING)
        status = metered.handler._COMMANDS.status()
        monkeypatch.setattr(metered.handler._COMMANDS, "status", lambda: {**status, "dead_letters": 3})
        look(metered.handler)
        assert metered.told()["DeadLetters"] == {"": [3]}

    def test_without_a_run_nothing_waits(self, metered: Metered, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = replace(metered.handler._SETTINGS, start_on_apply=False)
        monkeypatch.setattr(metered.handler, "_SETTINGS", settings)
        monkeypatch.setattr(
            metered.handler, "_reconciler", lambda: SimpleNamespace(step=lambda: Outcome.IDLE)
        )
        look(metered.handler)
        told = metered.told()
        assert told["RunPhase"] == {"none": [1]}
        assert (told["OldestUnappliedChangeAge"], told["DeadLetters"]) == ({"": [0]}, {"": [0]})

    def test_a_pass_that_fails_is_no_sign_of_life(
        self, metered: Metered, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail() -> None:
            raise client_error("AccessDeniedException")

        metered.enter(Phase.DRAINING)
        monkeypatch.setattr(metered.handler, "_reconciler", fail)
        with pytest.raises(ClientError):
            look(metered.handler)
        assert metered.told() == {}
