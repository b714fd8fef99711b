"""The words that every report shares: headlines, restrictions, times, attribute paths and changes."""

from __future__ import annotations

import dataclasses

import pytest

from tests.unit.verify.report.comparisons import (
    EQUAL,
    NOON,
    PATHS,
    SAMPLE,
    VALUES,
    expired,
    key,
    letter,
    with_differences,
)
from verify.comparison.results import Comparison, Difference, Sample
from verify.report.wording import (
    change_text,
    dead_letter_text,
    expiry_text,
    headline,
    how_read,
    location,
    path_text,
    restrictions,
    sample_text,
    seen_text,
    share_text,
    what_changed,
    where_text,
)

MISSING = Difference("missing", key(1))
MOVING = Difference("extra", key(2), standing=False)
STOPPED = dataclasses.replace(EQUAL, writes_stopped=True)


@pytest.mark.parametrize(
    ("comparison", "sentence"),
    [
        (EQUAL, "Equal: all 33,421 items match."),
        (
            dataclasses.replace(EQUAL, source=dataclasses.replace(EQUAL.source, items=1)),
            "Equal: the only item matches.",
        ),
        (
            with_differences(expired(1)),
            "Equal: all 33,421 items match. Not counted: 1 expired item on one side only.",
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
            "Equal within the filter: all 33,421 filtered items match.",
        ),
        (
            dataclasses.replace(EQUAL, filter_expression="a = :a", ignored=("b", "c\x1b")),
            'Equal except "b" and "c\\x1b", within the filter: all 33,421 filtered items match.',
        ),
        (
            with_differences(MISSING, filter_expression="a = :a", ignored=("b",)),
            'Different except "b", within the filter: 1 missing.',
        ),
        (
            dataclasses.replace(EQUAL, sample=SAMPLE, ignored=("b",)),
            'Sample except "b": 10% (51 of 512 segments) was read and all 33,421 items match. '
            "The rest was not read.",
        ),
        (
            with_differences(MISSING, MISSING, Difference("changed", key(1)), expired(3)),
            "Different: 2 missing, 1 changed.",
        ),
        (with_differences(MISSING, MOVING), "Different: 1 missing, 1 extra (1 still changing)."),
        (with_differences(MOVING), "Still changing: 1 extra."),
        (with_differences(MOVING, writes_stopped=True), "Different: 1 extra (1 still changing)."),
        (
            dataclasses.replace(STOPPED, settled=2),
            "Still changing: no difference is left, but 2 items changed after you declared that writes "
            "had stopped.",
        ),
        (
            with_differences(MISSING, sample=SAMPLE),
            "Different: in a sample of 10% (51 of 512 segments), 1 missing.",
        ),
        (
            with_differences(MOVING, sample=SAMPLE),
            "Still changing: in a sample of 10% (51 of 512 segments), 1 extra.",
        ),
    ],
)
def test_every_verdict_has_its_sentence(comparison: Comparison, sentence: str) -> None:
    assert str(headline(comparison)) == sentence


@pytest.mark.parametrize(
    ("items", "counts", "text"),
    [
        ((33_055, 33_055), {"changed": 12, "missing": 3, "expired": 9}, "15 of 33,055 items differ (0.045%)"),
        ((9, 10), {"extra": 1}, "1 of 10 items differs (10%)"),
        ((3, 0), {"missing": 3}, "3 of 3 items differ (100%)"),
        ((1, 1), {"changed": 1}, "1 of 1 item differs (100%)"),
        ((10_000_000, 10_000_000), {"changed": 1}, "1 of 10,000,000 items differs (less than 0.001%)"),
        ((100_000, 1), {"missing": 99_999}, "99,999 of 100,000 items differ (more than 99.9%)"),
        ((800, 800), {"changed": 101}, "101 of 800 items differ (12.6%)"),
        # The table grew after the scan.
        ((0, 0), {"extra": 2}, "2 of 2 items differ (100%)"),
        ((0, 0), {}, "0 of 0 items differ (0%)"),
    ],
)
def test_the_share_of_items_that_differ(items: tuple[int, int], counts: dict[str, int], text: str) -> None:
    source, destination = (
        dataclasses.replace(side, items=count)
        for side, count in zip((EQUAL.source, EQUAL.destination), items, strict=True)
    )
    comparison = dataclasses.replace(EQUAL, source=source, destination=destination, counts=counts)
    assert share_text(comparison) == text


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
    assert how_read(EQUAL) == "Started 2026-11-23T12:00:00Z, took 12 s."
    assert how_read(dataclasses.replace(EQUAL, generations=1)).endswith("took 12 s. Rechecked once.")
    assert how_read(dataclasses.replace(EQUAL, generations=3, settled=1)) == (
        "Started 2026-11-23T12:00:00Z, took 12 s. Rechecked 3 times, at least 5 s apart. "
        "1 item differed in the scan but matched when read again."
    )


@pytest.mark.parametrize(
    ("last", "checks", "text"),
    [
        (NOON, 0, ""),
        (NOON, 1, "seen 2026-11-23T12:00:00Z, read again once"),
        (NOON + 12, 2, "seen 2026-11-23T12:00:00Z to 2026-11-23T12:00:12Z, read again 2 times"),
    ],
)
def test_when_a_difference_was_seen(last: float, checks: int, text: str) -> None:
    assert seen_text(Difference("missing", key(1), first_seen=NOON, last_seen=last, checks=checks)) == text


def test_an_expired_item_has_its_time_and_its_table() -> None:
    item = expired(1)
    assert expiry_text(item) == "expired 2026-11-23T11:00:00Z, only in the source"
    other = dataclasses.replace(item, source_digest=None, destination_digest="00")
    assert expiry_text(other) == "expired 2026-11-23T11:00:00Z, only in the destination"
    assert expiry_text(MISSING) == ""


def test_the_table_that_has_the_item() -> None:
    assert where_text(MISSING) == "only in the source"
    assert where_text(MOVING) == "only in the destination"
    assert where_text(Difference("changed", key(1))) == ""


def test_a_dead_letter_has_its_error() -> None:
    assert dead_letter_text(letter()) == (
        "ValidationException: Type mismatch for Index Key (put rejected 3 times since 2026-11-23T11:59:00Z)"
    )
    assert "delete rejected once since" in dead_letter_text(letter(action="delete", attempts=1))


def test_an_arn_is_split() -> None:
    assert location(EQUAL.destination.arn) == ("cities-new", "222222222222", "eu-central-1")


def test_paths_are_unambiguous() -> None:
    assert path_text(("a", "b", 0, "c.d", 'e"f')) == 'a.b[0]["c.d"]["e\\"f"]'
    assert path_text(("a.b",)) != path_text(("a", "b"))


def test_every_change_has_its_words() -> None:
    words = [
        "value changed",
        "only in the destination",
        "type changed (N in the source, S in the destination)",
        "only in the source",
        "set changed (2 only in the source, 1 only in the destination)",
    ]
    assert [what_changed(path) for path in PATHS] == words
    assert [change_text(path) for path in PATHS] == words


def test_values_where_there_are_any() -> None:
    assert [change_text(path) for path in VALUES] == [
        'value changed: "x\\u001b" -> "y"',
        'only in the destination: {"L": [{"N": "1"}, {"B": "MQ=="}]}',
        "only in the source: 1",
    ]
    assert [what_changed(path) for path in VALUES] == [
        "value changed",
        "only in the destination",
        "only in the source",
    ]
