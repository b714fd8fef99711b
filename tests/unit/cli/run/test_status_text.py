"""What a status means: what ends a watch, and what nothing in it may do to a terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest

from tablecopy.control.status import DeadLetterStatus, Status
from tablecopy_cli.common.terminal import Style
from tablecopy_cli.run.status_text import (
    UNTIL,
    Outcome,
    dead_letter_lines,
    headline,
    outcome_of,
    state_lines,
    warnings,
)
from tests.unit.cli.run.control import NO_RUN, status, verification

EVIL = "\x1b[2J\u202e\n"
REACHED, STOPPED, HELD = Outcome.REACHED, Outcome.STOPPED, Outcome.HELD
FIRST = {"slice": 0}
PHASES = (
    NO_RUN,
    *map(status, ("preflight", "pausing", "slice", "resuming", "draining", "ready")),
    *map(status, ("sealing", "sealed", "stopped")),
)


# The end of a watch


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
def test_a_seal_that_came_too_early_is_not_a_success(until: str) -> None:
    assert outcome_of(status("sealed", reason="the source was written to"), until) is Outcome.LATE
    assert Outcome.LATE.exit_code == 1


def test_ready_is_over_when_a_letter_has_come() -> None:
    assert outcome_of(status("ready", dead_letters=1), "ready") is None
    assert outcome_of(status("sealed", dead_letters=1), "ready") is REACHED


@pytest.mark.parametrize("until", ["ready", "sealed"])
def test_what_needs_a_person_holds_the_run_until_that_person_has_acted(until: str) -> None:
    held = status("draining", segments_done=16, dead_letters=2, blocked=True)
    assert outcome_of(held, until) is HELD
    assert outcome_of({**held, "redrive": True}, until) is None


def test_dead_letters_hold_nothing_while_there_is_something_else_to_do() -> None:
    assert outcome_of(status("slice", dead_letters=2), "ready") is None
    assert outcome_of(status("draining", segments_done=16, dead_letters=2), "ready") is None


def test_the_exit_codes_are_distinct_and_the_worst_comes_first() -> None:
    assert [outcome.exit_code for outcome in Outcome] == [2, 1, 1, 4, 3, 0]


# For people


@pytest.mark.parametrize("seen", PHASES, ids=lambda seen: seen["phase"])
def test_people_read_words_in_place_of_phases(seen: Status) -> None:
    words = headline(seen).replace(":", " ").split()
    assert not {"slice", "pausing", "resuming", "draining", "preflight", "none"} & set(words)


def test_a_comparison_in_the_account_is_shown() -> None:
    shown = list(state_lines(status("ready", verification=verification()), Style(io.StringIO())))
    assert shown[-1].startswith("  verify     comparing in the account: 4 of 16 segments")
    found = verification("done", tracking={"state": "off", "reason": "the stream is off"})
    shown = list(state_lines(status("ready", verification=found), Style(io.StringIO())))
    assert shown[-1] == "  written    not verified any more: the stream is off"
    assert not any("  verify" in line for line in state_lines(status("ready"), Style(io.StringIO())))


def test_without_a_copy_there_is_only_a_comparison() -> None:
    seen: Status = {**NO_RUN, "comparison_only": True, "verification": verification("done")}
    first, second = state_lines(seen, Style(io.StringIO()))
    assert first == "no copy, only a comparison"
    assert second.startswith("  verify     equal: 1,990 items match")
    assert outcome_of(seen, "ready") is Outcome.FAILED


def test_how_much_is_copied_is_part_of_the_phase() -> None:
    assert "4 of 16 segments" in headline(status("slice"))
    assert "4 of 16 segments" in headline(status("draining"))
    assert headline(status("draining", segments_done=16)).startswith("in sync")


def letter(**changes: Any) -> DeadLetterStatus:
    return {
        "key": {"country": {"S": "DE"}, "id": {"N": "1"}},
        "sequence_number": "100",
        "origin": "stream",
        "action": "put",
        "code": "ValidationException",
        "message": "Type mismatch for Index Key",
        "first_seen": 1_795_424_400.0,
        "attempts": 3,
        **changes,
    }


def lines(*letters: DeadLetterStatus, more: int = 0) -> list[str]:
    return list(dead_letter_lines(len(letters) + more, letters, Style(io.StringIO())))


def test_an_item_of_the_backfill_has_no_sequence_number() -> None:
    assert "sequence number" not in "".join(lines(letter(origin="backfill", sequence_number="", attempts=1)))


def test_an_image_is_shown_if_there_is_one() -> None:
    with_image = lines(letter(image={"id": {"N": "1"}}), letter())
    assert [line for line in with_image if '"N"' in line] == ['      {"id": {"N": "1"}}']


def test_letters_that_did_not_fit_into_the_answer_are_counted() -> None:
    shown = lines(letter(), more=1_999)
    assert "2,000 dead letters" in shown[0]
    assert "1,999 more" in shown[-1]


def test_nothing_steers_a_terminal() -> None:
    hostile = letter(
        key={EVIL: {"S": EVIL}},
        sequence_number=EVIL,
        origin=EVIL,
        action=EVIL,
        code=EVIL,
        message=EVIL,
        image={EVIL: {"S": EVIL}},
    )
    run = status("preflight", problems=[EVIL], reason=EVIL)
    shown = [
        *lines(hostile),
        *state_lines(run, Style(io.StringIO())),
        *(text for _, text in warnings(run)),
    ]
    assert all(line.isprintable() for line in shown)
    assert EVIL not in "".join(shown)


def test_a_seal_with_a_proof_has_its_grade() -> None:
    shown = headline(status("sealed", seal_grade="seen"))
    assert shown.startswith("sealed: equal (seen) at 2026-11-23T09:00:00Z. Later changes")


def test_a_fence_that_was_left_behind_is_shown() -> None:
    found = dict(warnings(status("ready", denied=["arn:orders"], cutting_over=True)))
    assert "arn:orders denies writes" in found["fence"]
    assert "--lift-fence" in found["fence"]
    assert "in progress" in found["cutover"]
