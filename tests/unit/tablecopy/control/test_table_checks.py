"""The tables are checked once a minute, and a check without an answer finds nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tablecopy.control.tables import NotProved, StopReason, TableChecks
from tablecopy.journal.dead_letters import DeadLetters
from tablecopy.journal.run import Phase, Run
from tests.unit.tablecopy.fakes import NOON, FakeClock, MemoryStore, client_error, no_answer

RUN = Run("run", "arn", 4, NOON, Phase.SLICE, NOON, destination_id="id")


def watch(clock: FakeClock, *checks: Callable[[Run], list[str]]) -> TableChecks:
    return TableChecks(clock, checks, DeadLetters(MemoryStore(), clock))


def test_nothing_wrong_stops_nothing(clock: FakeClock) -> None:
    assert watch(clock, lambda run: []).check(RUN) is None


def test_everything_that_is_wrong_is_told(clock: FakeClock) -> None:
    checks = watch(clock, lambda run: ["one"], lambda run: [f"not {run.destination_id}"])
    assert checks.check(RUN) == StopReason("one; not id", resumable=False)


def test_it_looks_once_a_minute_unless_it_has_to(clock: FakeClock) -> None:
    asked: list[float] = []

    def check(run: Run) -> list[str]:
        asked.append(clock.time)
        return []

    watched = watch(clock, check)
    for _ in range(121):
        watched.check(RUN)
        clock.time += 1
    assert asked == [NOON, NOON + 60, NOON + 120]
    watched.check_now(RUN)
    assert len(asked) == 4


def test_a_check_without_an_answer_finds_nothing(
    clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(run: Run) -> list[str]:
        raise client_error("AccessDeniedException", operation="DescribeTable")

    assert watch(clock, denied, lambda run: ["two"]).check(RUN) == StopReason("two", resumable=False)
    assert "AccessDeniedException" in capsys.readouterr().out


@pytest.mark.parametrize("error", [client_error("AccessDeniedException"), no_answer()])
def test_where_an_answer_is_needed_none_is_not_enough(clock: FakeClock, error: Exception) -> None:
    def fail(run: Run) -> list[str]:
        raise error

    checks = watch(clock, fail, lambda run: [])
    assert checks.check(RUN) is None
    with pytest.raises(NotProved, match="the tables cannot be checked"):
        checks.check_now(RUN)
    # What another check has found counts all the same.
    assert watch(clock, fail, lambda run: ["two"]).check_now(RUN) == StopReason("two", resumable=False)


@pytest.mark.parametrize(("seconds", "is_proved"), [(1.5, True), (2.5, False)])
def test_a_check_that_takes_long_proves_nothing(clock: FakeClock, seconds: float, is_proved: bool) -> None:
    def slow(run: Run) -> list[str]:
        clock.tick(seconds)
        return []

    if is_proved:
        assert watch(clock, slow).check_now(RUN) is None
    else:
        with pytest.raises(NotProved, match="AWS answers slowly"):
            watch(clock, slow).check_now(RUN)
    assert watch(clock, slow).check(RUN) is None
