"""Control's entry point: which command does what, in the environment that Terraform gives it."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, cast

import pytest
from botocore.exceptions import ConnectTimeoutError

from tablecopy.control.commands import Commands
from tablecopy.dynamodb.client import Json
from tablecopy.handlers.context import Context
from tablecopy.journal.dead_letters import DeadLetters
from tablecopy.journal.run import Phase, RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.journal.shards import Shards
from tests.unit.tablecopy.fakes import STREAM_ARN, FakeClock, MemoryStore, client_error
from tests.unit.tablecopy.functions import COMMON, ENVIRONMENT, OWN

NAME = "tablecopy.handlers.control"


class Calls:
    """Lambda, which keeps what is invoked, or raises ``error``."""

    def __init__(self) -> None:
        self.made: list[Json] = []
        self.error: Exception | None = None

    def invoke(self, **request: Any) -> Json:
        self.made.append(request)
        if self.error:
            raise self.error
        return {}


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    for name in [*COMMON, *OWN["control"]]:
        monkeypatch.setenv(name, ENVIRONMENT[name])
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    yield importlib.import_module(NAME)
    sys.modules.pop(NAME)


@pytest.fixture
def run(handler: ModuleType, monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> RunRecord:
    store = MemoryStore()
    record = RunRecord(store)
    letters = DeadLetters(store, clock)
    commands = Commands(record, Segments(store), Shards(store), letters, clock, STREAM_ARN, 4, 60)
    monkeypatch.setattr(handler, "_COMMANDS", commands)
    return record


@pytest.fixture
def calls(handler: ModuleType, run: RunRecord, monkeypatch: pytest.MonkeyPatch) -> Calls:
    made = Calls()
    monkeypatch.setattr(handler, "_LAMBDA", made)
    return made


def ask(handler: ModuleType, action: str, **details: object) -> Json:
    return cast(Json, handler.handle({"action": action, **details}, cast(Context, None)))


def test_start_is_answered_before_anything_was_looked_at(handler: ModuleType, calls: Calls) -> None:
    status = ask(handler, "start")["status"]
    assert (status["phase"], status["problems"], status["checked"]) == ("preflight", [], 0)
    [call] = calls.made
    assert (call["FunctionName"], call["InvocationType"]) == ("move-reconciler", "Event")
    assert json.loads(call["Payload"]) == {}


def test_a_start_sent_again_is_no_error(handler: ModuleType, calls: Calls) -> None:
    first = ask(handler, "start", request="one")
    assert ask(handler, "start", request="one") == first
    assert "is under way" in ask(handler, "start", request="two")["error"]
    assert "is under way" in ask(handler, "start")["error"]


def test_commands_call_the_reconciler_and_questions_do_not(
    handler: ModuleType, run: RunRecord, calls: Calls
) -> None:
    ask(handler, "start")
    begun = run.read()
    assert begun is not None
    run.save(begun.enter(Phase.READY, 0.0))
    ask(handler, "status")
    ask(handler, "dead-letters")
    assert len(calls.made) == 1
    assert ask(handler, "seal")["status"]["seal_requested"]
    assert len(calls.made) == 2


@pytest.mark.parametrize(
    "error",
    [client_error("TooManyRequestsException", 429), ConnectTimeoutError(endpoint_url="https://lambda")],
)
def test_a_command_stands_although_the_reconciler_cannot_be_called(
    handler: ModuleType, run: RunRecord, calls: Calls, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    calls.error = error
    assert ask(handler, "start")["status"]["phase"] == "preflight"
    assert run.read() is not None
    [logged] = capsys.readouterr().out.splitlines()
    assert json.loads(logged) == {"event": "nudge_failed", "error": str(error)}


def test_what_is_not_possible_is_said(handler: ModuleType, calls: Calls) -> None:
    ask(handler, "start")
    assert "no open dead letter" in ask(handler, "redrive")["error"]
    assert ask(handler, "dead-letters") == {"count": 0, "dead_letters": []}
    for action in ("copy", "reconcile"):
        assert ask(handler, action)["error"].endswith("known are start, status, seal, redrive, dead-letters")
    assert len(calls.made) == 1


def test_a_service_out_of_reach_does_not_hold_up_an_answer(handler: ModuleType) -> None:
    config = handler._LAMBDA.meta.config
    # Lambda ends the function after 30 s.
    assert (config.connect_timeout + config.read_timeout) * config.retries["total_max_attempts"] < 30 + 10
    assert config.connect_timeout * config.retries["total_max_attempts"] < 10
