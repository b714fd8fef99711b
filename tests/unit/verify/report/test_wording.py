"""What every report says: the headline of each verdict, what was left out, what to do next."""

from __future__ import annotations

import dataclasses

import pytest

from tests.unit.verify.report.comparisons import (
    EQUAL,
    NOON,
    SAMPLE,
    expired,
    key,
    letter,
    with_differences,
)
from verify.comparison.results import Comparison, Difference, Sample
from verify.report.wording import (
    dead_letter_text,
    expiry_text,
    headline,
    how_read,
    place,
    restrictions,
    sample_text,
    seen_text,
)

MISSING = Difference("missing", key(1))
MOVING = Difference("extra", key(2), standing=False)
STOPPED = dataclasses.replace(EQUAL, writes_stopped=True)


def said(comparison: Comparison) -> str:
    sentence = headline(comparison)
    return f"{sentence.word}: {sentence.text}"


@pytest.mark.parametrize(
    ("comparison", "sentence"),
    [
        (EQUAL, "Equal: all 33,421 items match."),
        (
            with_differences(expired(1)),
            "Equal: all 33,421 items match, 1 expired item on one side only not counted.",
        ),
        (
            dataclasses.replace(EQUAL, ignored=("name",)),
            'Equal except "name": all 33,421 items match.',
        ),
        (
            dataclasses.replace(EQUAL, ignored=("a", "b", "c", "d", "e\x1b")),
            'Equal except "a", "b", "c" and 2 more: all 33,421 items match.',
        ),
        (
            dataclasses.replace(EQUAL, filter_expression="a = :a"),
            "Equal within the filter: 33,421 filtered items compared, all match.",
        ),
        (
            dataclasses.replace(EQUAL, filter_expression="a = :a", ignored=("b", "c")),
            'Equal except "b", "c", within the filter: 33,421 filtered items compared, all match.',
        ),
        (
            with_differences(MISSING, filter_expression="a = :a", ignored=("b",)),
            'Different except "b", within the filter: 1 missing.',
        ),
        (
            dataclasses.replace(EQUAL, sample=SAMPLE, ignored=("b",)),
            'Sample except "b": 10% (51 of 512 segments): all 33,421 items match. The rest was not read.',
        ),
        (with_differences(MISSING, MISSING, expired(3)), "Different: 2 missing."),
        (with_differences(MISSING, MOVING), "Different: 1 missing, 1 extra (1 still changing)."),
        (with_differences(MOVING), "Unsettled: 1 extra, still changing."),
        (
            dataclasses.replace(STOPPED, settled=2),
            "Unsettled: no difference is left, but 2 items changed during the comparison, "
            "although writes should have stopped.",
        ),
        (
            dataclasses.replace(EQUAL, sample=SAMPLE),
            "Sample: 10% (51 of 512 segments): all 33,421 items match. The rest was not read.",
        ),
        (
            with_differences(MISSING, sample=SAMPLE),
            "Different: in a sample of 10% (51 of 512 segments), 1 missing.",
        ),
        (
            with_differences(MOVING, sample=SAMPLE),
            "Unsettled: in a sample of 10% (51 of 512 segments), 1 extra, still changing.",
        ),
    ],
)
def test_every_verdict_has_its_sentence(comparison: Comparison, sentence: str) -> None:
    assert said(comparison) == sentence


def test_what_was_left_out_is_named() -> None:
    assert restrictions(EQUAL) == []
    restricted = dataclasses.replace(
        EQUAL, sample=SAMPLE, filter_expression="a = :a\u202e", ignored=("b", "c\x1b")
    )
    assert restrictions(restricted) == [
        ("sample", "10% (51 of 512 segments), seed 7"),
        ("filter", "a = :a\\u202e"),
        ("ignored", "b, c\\x1b"),
    ]


@pytest.mark.parametrize(("fraction", "text"), [(0.07, "7%"), (0.001, "0.1%"), (1.0, "100%")])
def test_fractions_are_percent(fraction: float, text: str) -> None:
    assert sample_text(Sample(fraction, 1, 2_000, 0)) == f"{text} (1 of 2,000 segments)"


def test_when_and_how_the_tables_were_read() -> None:
    assert how_read(EQUAL) == "2026-11-23T12:00:00Z, 12 s"
    assert how_read(dataclasses.replace(EQUAL, generations=1)).endswith("12 s, rechecked once")
    assert how_read(dataclasses.replace(EQUAL, generations=3, settled=1)) == (
        "2026-11-23T12:00:00Z, 12 s, rechecked 3 times at least 5 s apart; 1 item differed in the scan "
        "and no longer did when read again (changes underway)"
    )


@pytest.mark.parametrize(
    ("last", "checks", "text"),
    [
        (NOON, 0, ""),
        (NOON, 1, "seen 2026-11-23T12:00:00Z, read again once"),
        (NOON + 12, 2, "seen 2026-11-23T12:00:00Z to 2026-11-23T12:00:12Z, read again 2 times"),
        (NOON + 86_400, 2, "seen 2026-11-23T12:00:00Z to 2026-11-24T12:00:00Z, read again 2 times"),
    ],
)
def test_when_a_difference_was_seen(last: float, checks: int, text: str) -> None:
    assert seen_text(Difference("missing", key(1), first_seen=NOON, last_seen=last, checks=checks)) == text


def test_an_expired_item_says_since_when_and_where_it_still_is() -> None:
    item = expired(1)
    assert expiry_text(item) == "expired 2026-11-23T11:00:00Z, only at the source"
    other = dataclasses.replace(item, source_digest=None, destination_digest="00")
    assert expiry_text(other) == "expired 2026-11-23T11:00:00Z, only at the destination"
    assert expiry_text(MISSING) == ""


def test_a_letter_says_what_is_refused_and_why() -> None:
    assert dead_letter_text(letter()) == (
        "ValidationException: Type mismatch for Index Key (put refused 3 times since 2026-11-23T11:59:00Z)"
    )
    assert "delete refused once since" in dead_letter_text(letter(action="delete", attempts=1))


def test_an_arn_is_taken_apart() -> None:
    assert place(EQUAL.destination.arn) == ("cities-new", "222222222222", "eu-central-1")
