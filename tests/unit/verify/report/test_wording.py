"""What every report says: the headline of each verdict, what was left out, what to do next."""

from __future__ import annotations

import dataclasses

import pytest

from tests.unit.verify.report.comparisons import (
    EQUAL,
    NO_RECOVERY,
    NOON,
    PROVISIONED,
    SAMPLE,
    UNTAGGED,
    expired,
    key,
    letter,
    with_differences,
)
from verify.report.wording import (
    duration_text,
    expiry_text,
    headline,
    how_read,
    letter_text,
    next_steps,
    place,
    restrictions,
    sample_text,
    seen_text,
)
from verify.results import Comparison, Difference, Sample

MISSING = Difference("missing", key(1))
MOVING = Difference("extra", key(2), standing=False)
STOPPED = dataclasses.replace(EQUAL, writes_stopped=True)


def said(comparison: Comparison) -> str:
    sentence = headline(comparison)
    return f"{sentence.word}: {sentence.text}"


@pytest.mark.parametrize(
    ("comparison", "sentence"),
    [
        (EQUAL, "Equal: 33,421 items compared, none differs."),
        (
            with_differences(expired(1)),
            "Equal: 33,421 items compared, none differs "
            "(1 expired item on one side only, which is no difference).",
        ),
        (
            dataclasses.replace(EQUAL, filter_expression="a = :a", ignored=("b", "c")),
            "Equal: 33,421 items compared (filtered, without 2 ignored attributes), none differs.",
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
            "Sample: 10% (51 of 512 segments): 33,421 items compared, no difference found; "
            "the rest was not read.",
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


@pytest.mark.parametrize(
    ("comparison", "steps"),
    [
        (
            EQUAL,
            ["before the cutover, stop the writers, let the copy drain, verify with --writes-stopped."],
        ),
        (STOPPED, ["the destination holds what the source holds: seal the copy, then move the writers."]),
        (
            dataclasses.replace(STOPPED, filter_expression="a = :a"),
            ["verify without --filter-expression before the cutover; what it leaves out was not compared."],
        ),
        (dataclasses.replace(STOPPED, sample=SAMPLE), ["verify without --sample before the cutover."]),
        (
            with_differences(MISSING),
            ["if the copy was still catching up, let it drain and verify again; what stands then is real."],
        ),
        (
            with_differences(MISSING, writes_stopped=True),
            [
                "do not move the writers; find out why these differ, then verify again.",
                "or verify with --repair-plan FILE, read the plan, and have verify repair FILE carry it out.",
            ],
        ),
        (
            with_differences(MOVING),
            ["verify again in a moment; if changes take longer than 5 s to arrive, raise --lag."],
        ),
        (
            dataclasses.replace(STOPPED, settled=2),
            ["find what still writes to the tables, stop it and verify again."],
        ),
    ],
)
def test_every_verdict_has_its_next_step(comparison: Comparison, steps: list[str]) -> None:
    assert next_steps(comparison, 0) == steps


def test_letters_and_findings_that_can_lose_data_come_before_the_cutover() -> None:
    comparison = dataclasses.replace(STOPPED, findings=(NO_RECOVERY, PROVISIONED, UNTAGGED))
    refused, mend, cutover = next_steps(comparison, 2)
    assert refused.startswith("the destination refuses 2 items (dead letters)")
    assert refused.endswith("then tablecopy redrive.")
    assert mend == (
        "before the cutover, mend what differs between the definitions and can lose data (1 finding)."
    )
    assert "seal the copy" in cutover
    assert len(next_steps(dataclasses.replace(STOPPED, findings=(PROVISIONED, UNTAGGED)), 0)) == 1


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


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (130.0, "2 min 10 s"),
        (3_599.7, "1 h"),
        (3_900.0, "1 h 5 min"),
        (90_000.0, "1 d 1 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_when_and_how_the_tables_were_read() -> None:
    assert how_read(EQUAL) == "2026-11-23 12:00:00 UTC, 12 s"
    assert how_read(dataclasses.replace(EQUAL, generations=1)).endswith("12 s, rechecked once")
    assert how_read(dataclasses.replace(EQUAL, generations=3, settled=1)) == (
        "2026-11-23 12:00:00 UTC, 12 s, rechecked 3 times at least 5 s apart; 1 item differed in the scan "
        "and no longer did when read again (changes underway)"
    )


@pytest.mark.parametrize(
    ("last", "checks", "text"),
    [
        (NOON, 0, ""),
        (NOON, 1, "seen 2026-11-23 12:00:00 UTC, read again once"),
        (NOON + 12, 2, "seen 2026-11-23 12:00:00 to 12:00:12 UTC, read again 2 times"),
        (NOON + 86_400, 2, "seen 2026-11-23 12:00:00 to 2026-11-24 12:00:00 UTC, read again 2 times"),
    ],
)
def test_when_a_difference_was_seen(last: float, checks: int, text: str) -> None:
    assert seen_text(Difference("missing", key(1), first_seen=NOON, last_seen=last, checks=checks)) == text


def test_an_expired_item_says_since_when_and_where_it_still_is() -> None:
    item = expired(1)
    assert expiry_text(item) == "expired 2026-11-23 11:00:00 UTC, only at the source"
    other = dataclasses.replace(item, source_digest=None, destination_digest="00")
    assert expiry_text(other) == "expired 2026-11-23 11:00:00 UTC, only at the destination"
    assert expiry_text(MISSING) == ""


def test_a_letter_says_what_is_refused_and_why() -> None:
    assert letter_text(letter()) == (
        "ValidationException: Type mismatch for Index Key (put refused 3 times since 2026-11-23 11:59:00 UTC)"
    )
    assert "delete refused once since" in letter_text(letter(action="delete", attempts=1))


def test_an_arn_is_taken_apart() -> None:
    assert place(EQUAL.destination.arn) == ("cities-new", "222222222222", "eu-central-1")
