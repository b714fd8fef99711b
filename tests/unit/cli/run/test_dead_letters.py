"""Dead letters for people: what, why, since when; nothing in a letter steers a terminal."""

from __future__ import annotations

import io
from typing import Any

from tablecopy_cli.common.control_function import Letter
from tablecopy_cli.common.terminal import Style
from tablecopy_cli.run.dead_letters import letter_lines

EVIL = "\x1b[2J\u202e\n"


def letter(**changes: Any) -> Letter:
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


def lines(*letters: Letter, more: int = 0) -> list[str]:
    return list(letter_lines(len(letters) + more, letters, Style(io.StringIO())))


def test_none() -> None:
    assert lines() == ["no dead letters"]


def test_a_change() -> None:
    assert lines(letter()) == [
        "1 dead letter: the destination rejects these items",
        '  country="DE"  id=1',
        "      put from the stream, sequence number 100, rejected 3 times since 2026-11-23T09:00:00Z",
        "      ValidationException: Type mismatch for Index Key",
    ]


def test_an_item_of_the_backfill_has_no_sequence_number() -> None:
    shown = lines(letter(origin="backfill", sequence_number="", attempts=1))
    assert "      put from the backfill, rejected once since 2026-11-23T09:00:00Z" in shown


def test_an_image_is_shown_where_there_is_one() -> None:
    with_image = lines(letter(image={"id": {"N": "1"}}), letter())
    assert [line for line in with_image if '"N"' in line] == ['      {"id": {"N": "1"}}']


def test_letters_that_did_not_fit_into_the_answer_are_counted() -> None:
    shown = lines(letter(), more=1_999)
    assert shown[0].startswith("2,000 dead letters: ")
    assert "  ... and 1,999 more; settle these first" in shown


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
    shown = lines(hostile)
    assert all(line.isprintable() for line in shown)
    assert EVIL not in "".join(shown)
