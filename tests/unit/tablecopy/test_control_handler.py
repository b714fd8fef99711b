"""Control's entry point: which command does what, in the environment that Terraform gives it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import cast

import pytest

from tablecopy.control.commands import Commands
from tablecopy.control.reconciler import Outcome
from tablecopy.handlers.context import Context
from tablecopy.journal.letters import Letters
from tablecopy.journal.run import Phase, RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.journal.shards import Shards
from tablecopy.wire import Json
from tests.unit.tablecopy.fakes import STREAM_ARN, FakeClock, MemoryStore
from tests.unit.tablecopy.test_handlers import ENVIRONMENT

NAME = "tablecopy.handlers.control"


class Stepping:
    """A reconciler that does nothing but be seen."""

    def __init__(self, run: RunRecord) -> None:
        self.run = run
        self.steps = 0

    def step(self) -> Outcome:
        self.steps += 1
        run = self.run.read()
        assert run is not None
        self.run.save(run.enter(run.phase, 0.0, problems=("one",)))
        return Outcome.IDLE


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    yield importlib.import_module(NAME)
    sys.modules.pop(NAME)


@pytest.fixture
def run(handler: ModuleType, monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> RunRecord:
    store = MemoryStore()
    record = RunRecord(store)
    commands = Commands(record, Segments(store), Shards(store), Letters(store, clock), clock, STREAM_ARN, 4)
    monkeypatch.setattr(handler, "_COMMANDS", commands)
    return record


@pytest.fixture
def reconciler(handler: ModuleType, run: RunRecord, monkeypatch: pytest.MonkeyPatch) -> Stepping:
    stepping = Stepping(run)
    monkeypatch.setattr(handler, "_reconciler", lambda: stepping)
    return stepping


def ask(handler: ModuleType, action: str, **details: object) -> Json:
    return cast(Json, handler.handle({"action": action, **details}, cast(Context, None)))


def test_the_first_answer_to_start_tells_what_is_in_the_way(
    handler: ModuleType, reconciler: Stepping
) -> None:
    status = ask(handler, "start")["status"]
    assert (status["phase"], status["problems"]) == ("preflight", ["one"])
    assert reconciler.steps == 1


def test_a_run_that_goes_on_needs_no_such_look(
    handler: ModuleType, run: RunRecord, reconciler: Stepping
) -> None:
    ask(handler, "start")
    stopped = run.read()
    assert stopped is not None
    run.save(stopped.enter(Phase.STOPPED, 0.0))
    assert ask(handler, "start")["status"]["phase"] == "resuming"
    assert reconciler.steps == 1


def test_what_is_not_possible_is_said(handler: ModuleType, reconciler: Stepping) -> None:
    ask(handler, "start")
    assert "is under way" in ask(handler, "start")["error"]
    assert "no open dead letter" in ask(handler, "redrive")["error"]
    assert ask(handler, "letters") == {"count": 0, "letters": []}
    unknown = ask(handler, "copy")["error"]
    assert unknown.endswith("known are reconcile, start, status, seal, redrive, letters")


def test_a_throttled_call_is_made_again(handler: ModuleType) -> None:
    for client in (handler._STREAMS, handler._LAMBDA):
        assert client.meta.config.retries == {"mode": "standard", "total_max_attempts": 6}


def test_everything_fits_together(handler: ModuleType) -> None:
    assert handler._reconciler() is not None
