from __future__ import annotations

import pytest

from tablecopy.text import (
    compact_timestamp,
    count_text,
    duration_text,
    list_text,
    size_text,
    times_text,
    timestamp,
)


def test_counts_have_separators_and_a_plural() -> None:
    assert count_text(1, "item") == "1 item"
    assert count_text(0, "item") == "0 items"
    assert count_text(2_000, "process", "processes") == "2,000 processes"
    assert (times_text(1), times_text(2_000)) == ("once", "2,000 times")


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_lists_end_with_and(words: list[str], text: str) -> None:
    assert list_text(words) == text
    assert list_text(words, "or") == text.replace("and", "or")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.04, "0 s"),
        (3.5, "3.5 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (130.0, "2 min 10 s"),
        (3_599.7, "1 h"),
        (3_900.0, "1 h 5 min"),
        (90_000.0, "1 d 1 h"),
        (86_400_000.0, "1,000 d"),
    ],
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_500, "1.5 KB"),
        (999_949, "999.9 KB"),
        (999_960, "1.0 MB"),
        (20e6, "20.0 MB"),
        (3.2e9, "3.2 GB"),
        (4e15, "4,000.0 TB"),
    ],
)
def test_sizes_have_decimal_units(number: float, text: str) -> None:
    assert size_text(number) == text


def test_times_are_iso_8601_in_utc() -> None:
    assert timestamp(1_764_063_000.9) == "2025-11-25T09:30:00Z"
    assert compact_timestamp(1_764_063_000.9) == "20251125T093000Z"
