"""Marks are found by the value of their sequence numbers, whatever their length."""

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


def mark(sequence_number: str) -> Mark:
    return Mark(sequence_number, records=3, puts=2, deletes=1)


def test_sortable_sorts_like_the_value() -> None:
    assert sorted([LONGEST, LONG, SHORT], key=sortable) == [SHORT, LONG, LONGEST]


def test_both_ends_are_found(marks: Marks) -> None:
    for sequence_number in (SHORT, LONG, LONGEST):
        marks.put(mark(sequence_number))
    assert list(marks.between(SHORT, LONG)) == [sortable(SHORT), sortable(LONG)]
    assert list(marks.between(LONG, LONGEST)) == [sortable(LONG), sortable(LONGEST)]
    assert marks.between(SHORT, SHORT)[sortable(SHORT)] == mark(sortable(SHORT))


def test_a_mark_made_twice_is_one(marks: Marks) -> None:
    marks.put(mark(LONG))
    marks.put(mark(LONG))
    assert len(marks.between(SHORT, LONGEST)) == 1


def test_passed_marks_are_forgotten(marks: Marks) -> None:
    many = [mark(str(10**21 + index)) for index in range(60)]
    for each in many:
        marks.put(each)
    found = marks.between(LONG, LONGEST)
    marks.remove([found[sortable(each.sequence_number)] for each in many[:55]])
    assert len(marks.between(LONG, LONGEST)) == 5


def test_marks_outlive_their_records(marks: Marks, store: Store) -> None:
    marks.put(mark(LONG))
    item = store.get("mark", sortable(LONG))
    assert item is not None
    assert item["expires_at"] == number(int(NOON) + 2 * 86_400)
