"""What the entry points pass on, and what they read from their environment."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import pytest

from tablecopy.data.backfill import Next
from tests.unit.tablecopy.fakes import NOON, FakeClock, record
from tests.unit.tablecopy.test_handlers import ENVIRONMENT


class Context:
    aws_request_id = "r1"

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


class Recording:
    """Answers ``answer`` to whatever it is asked, and keeps that."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        def asked(*arguments: Any) -> Any:
            self.asked.append((name, *arguments))
            return self.answer

        return asked


def handler(name: str, monkeypatch: pytest.MonkeyPatch, **environment: str) -> ModuleType:
    for variable, value in {**ENVIRONMENT, **environment}.items():
        monkeypatch.setenv(variable, value)
    module = importlib.reload(importlib.import_module(f"tablecopy.handlers.{name}"))
    monkeypatch.setattr(module, "_CLOCK", FakeClock(), raising=False)
    return module


def test_a_segment_is_for_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    module = handler("backfill", monkeypatch)
    worker = Recording(Next.CONTINUE)
    monkeypatch.setattr(module, "_WORKER", worker)
    assert module.handle({"slice": 3, "segment": 7}, Context()) == {"next": "continue"}
    assert worker.asked == [("copy", 7, 3, "r1", NOON + 900)]


def test_letters_are_for_the_redrive(monkeypatch: pytest.MonkeyPatch) -> None:
    module = handler("backfill", monkeypatch)
    redrive = Recording(Next.DONE)
    monkeypatch.setattr(module, "_REDRIVE", redrive)
    assert module.handle({"slice": 3, "segment": "letters"}, Context()) == {"next": "done"}
    assert redrive.asked == [("settle", 3, "r1", NOON + 900)]


def test_records_are_for_the_replicator(monkeypatch: pytest.MonkeyPatch) -> None:
    module = handler("replicator", monkeypatch)
    replicator = Recording({"batchItemFailures": []})
    monkeypatch.setattr(module, "_REPLICATOR", replicator)
    records = [record(0, "a", None)]
    assert module.handle({"Records": records}, Context()) == {"batchItemFailures": []}
    assert replicator.asked == [("apply", records, "r1", NOON + 900)]


@pytest.mark.parametrize(
    ("environment", "read", "write"),
    [
        ({}, None, None),
        ({"READ_CAPACITY": "", "WRITE_CAPACITY": ""}, None, None),
        ({"READ_CAPACITY": "100"}, 100.0, None),
        ({"READ_CAPACITY": "0.5", "WRITE_CAPACITY": "2000"}, 0.5, 2000.0),
    ],
)
def test_budgets_are_set_where_the_environment_names_them(
    environment: dict[str, str], read: float | None, write: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = handler("context", monkeypatch, **environment)
    assert module.budgets() == (read, write)


def test_the_writer_is_held_to_the_share_of_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    module = handler("backfill", monkeypatch, WRITE_CAPACITY="1000")
    writer = module._WRITER_FOR(["pk"], NOON)
    assert writer._capacity is module._SHARES.write
    assert module._SHARES.write.rate == 1000.0
