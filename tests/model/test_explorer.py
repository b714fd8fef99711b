"""The explorer finds what there is to find in a model small enough to see through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.model.explorer import TooManyStatesError, explore


class Jug:
    """A jug that is filled by 3, emptied by 5, and cracks at 9; from 9 nothing happens any more."""

    def initial(self) -> Iterator[int]:
        yield 0

    def fault(self, state: int) -> str:
        return "full" if state == 7 else ""

    def steps(self, state: int) -> Iterator[tuple[str, int, str]]:
        if state >= 5 and state != 9:
            yield "out", state - 5, ""
        if state + 3 <= 9:
            yield "in", state + 3, "cracked" if state + 3 == 9 else ""


def test_visits_every_state_once() -> None:
    found = explore(Jug(), ())
    assert found.counterexample is None
    assert sorted(found.states) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_returns_a_shortest_way_to_a_state() -> None:
    trace = explore(Jug(), {"full"}).counterexample
    assert trace is not None
    assert (trace.rule, list(trace.states)) == ("full", [0, 3, 6, 1, 4, 7])
    assert list(trace.labels) == ["in", "in", "out", "in", "in"]
    assert trace.text(str).splitlines()[-1] == "  5. in   7"


def test_returns_a_shortest_way_to_a_step() -> None:
    trace = explore(Jug(), {"cracked"}).counterexample
    assert trace is not None
    assert list(trace.states) == [0, 3, 6, 9]


def test_finds_the_nearest_state_without_a_way_out() -> None:
    found = explore(Jug(), ())
    stuck = found.stuck(lambda state: state == 0)
    assert stuck is not None
    assert list(stuck.states) == [0, 3, 6, 9]
    assert found.stuck(lambda state: state == 9) is None


def test_gives_up_on_a_model_that_is_too_large() -> None:
    with pytest.raises(TooManyStatesError):
        explore(Jug(), (), most=4)


def test_relies_on_no_step_that_does_not_help() -> None:
    found = explore(Jug(), (), helps=lambda label: label == "in")
    assert len(found.states) == 10
    assert found.stuck(lambda state: state in (7, 8, 9)) is None
    stuck = found.stuck(lambda state: state in (7, 9))
    assert stuck is not None
    assert list(stuck.states) == [0, 3, 6, 1, 4, 7, 2]
