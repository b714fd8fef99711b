"""Marks are found by the value of their first sequence number, whatever its length."""

from __future__ import annotations

import pytest

from tablecopy.journal.marks import Mark, Marks, sortable
from tablecopy.journal.store import Store, number
from tests.unit.tablecopy.fakes import NOON, FakeClock

SHORT = "999999999999999999999"
LONG = "1000000000000000000000"
LONGEST = "4" * 40


@pytest.fixture
def marks(store: Store, clock: FakeClock) -> Marks:
    return Marks(store, clock)


def mark(first: str, last: str | None = None) -> Mark:
    return Mark(first, last or first, records=3, puts=2, deletes=1)


def test_sortable_sorts_like_the_value() -> None:
    assert sorted([LONGEST, LONG, SHORT], key=sortable) == [SHORT, LONG, LONGEST]


def test_both_ends_are_found(marks: Marks) -> None:
    for sequence_number in (SHORT, LONG, LONGEST):
        marks.put(mark(sequence_number))
    assert list(marks.between(SHORT, LONG)) == [sortable(SHORT), sortable(LONG)]
    assert list(marks.between(LONG, LONGEST)) == [sortable(LONG), sortable(LONGEST)]
    assert marks.between(SHORT, SHORT)[sortable(SHORT)] == mark(SHORT)


def test_a_batch_is_known_by_its_first_record(marks: Marks) -> None:
    marks.put(mark(SHORT, LONG))
    assert marks.get(SHORT) == mark(SHORT, LONG)
    assert marks.get(LONG) is None


def test_a_mark_grows_and_never_shrinks(marks: Marks) -> None:
    marks.put(mark(SHORT, LONG))
    marks.put(mark(SHORT, LONGEST))
    marks.put(mark(SHORT, SHORT))
    assert marks.get(SHORT) == mark(SHORT, LONGEST)


def test_marks_outlive_their_records(marks: Marks, store: Store) -> None:
    marks.put(mark(LONG))
    item = store.get("mark", sortable(LONG))
    assert item is not None
    assert item["expires_at"] == number(int(NOON) + 2 * 86_400)
