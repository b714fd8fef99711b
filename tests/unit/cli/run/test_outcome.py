"""What ends a watch, phase by phase."""

from __future__ import annotations

import pytest

from tablecopy_cli.common.control_function import Status
from tablecopy_cli.run.outcome import UNTIL, Outcome, outcome_of
from tests.unit.cli.run.control import NO_RUN, status

REACHED, STOPPED, HELD = Outcome.REACHED, Outcome.STOPPED, Outcome.HELD
FIRST = {"slice": 0}


@pytest.mark.parametrize(
    ("seen", "slice_", "ready", "sealed"),
    [
        (NO_RUN, None, None, None),
        (status("preflight", **FIRST), None, None, None),
        (status("pausing", **FIRST), None, None, None),
        (status("slice"), REACHED, None, None),
        (status("resuming"), REACHED, None, None),
        (status("draining"), REACHED, None, None),
        (status("pausing"), REACHED, None, None),
        (status("ready"), REACHED, REACHED, None),
        (status("sealing"), REACHED, REACHED, None),
        (status("sealed"), REACHED, REACHED, REACHED),
        (status("stopped"), STOPPED, STOPPED, STOPPED),
    ],
    ids=lambda value: value["phase"] if isinstance(value, dict) else "",
)
def test_every_phase(
    seen: Status, slice_: Outcome | None, ready: Outcome | None, sealed: Outcome | None
) -> None:
    assert [outcome_of(seen, until) for until in UNTIL] == [slice_, ready, sealed]


@pytest.mark.parametrize("until", UNTIL)
def test_a_seal_that_came_too_early_is_no_success(until: str) -> None:
    assert outcome_of(status("sealed", reason="the source was written to"), until) is Outcome.LATE
    assert Outcome.LATE.exit_code == 1


def test_ready_is_over_when_a_letter_has_come() -> None:
    assert outcome_of(status("ready", dead_letters=1), "ready") is None
    assert outcome_of(status("sealed", dead_letters=1), "ready") is REACHED


@pytest.mark.parametrize("until", ["ready", "sealed"])
def test_what_takes_a_person_holds_it_up_until_that_one_has_acted(until: str) -> None:
    held = status("draining", segments_done=16, dead_letters=2, blocked=True)
    assert outcome_of(held, until) is HELD
    assert outcome_of({**held, "redrive": True}, until) is None


def test_letters_hold_up_nothing_while_there_is_something_else_to_do() -> None:
    assert outcome_of(status("slice", dead_letters=2), "ready") is None
    assert outcome_of(status("draining", segments_done=16, dead_letters=2), "ready") is None


def test_a_control_function_of_an_earlier_release_says_nothing_of_holding() -> None:
    earlier = status("draining")
    del earlier["blocked"]
    assert outcome_of(earlier, "ready") is None


def test_the_exit_codes_are_distinct_and_none_means_trouble() -> None:
    codes = {outcome: outcome.exit_code for outcome in Outcome}
    # Both say that the copy is not what it should be, and does not get so by itself.
    assert codes.pop(Outcome.LATE) == codes[Outcome.STOPPED]
    assert len(set(codes.values())) == len(codes)
    assert not set(codes.values()) & {2, 130}
