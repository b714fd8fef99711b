"""Applied batches are found by the value of their first sequence number, whatever its length."""

from __future__ import annotations

import pytest

from tablecopy.journal.applied_batches import AppliedBatch, AppliedBatches, sortable
from tablecopy.journal.codec import number
from tablecopy.journal.store import Store
from tests.unit.tablecopy.fakes import NOON, FakeClock

SHORT = "999999999999999999999"
LONG = "1000000000000000000000"
LONGEST = "4" * 40


@pytest.fixture
def marks(store: Store, clock: FakeClock) -> AppliedBatches:
    return AppliedBatches(store, clock)


def mark(first: str, last: str | None = None) -> AppliedBatch:
    return AppliedBatch(first, last or first, records=3, puts=2, deletes=1)


def test_sortable_sorts_like_the_value() -> None:
    assert sorted([LONGEST, LONG, SHORT], key=sortable) == [SHORT, LONG, LONGEST]


def test_both_ends_are_found(marks: AppliedBatches) -> None:
    for sequence_number in (SHORT, LONG, LONGEST):
        marks.put(mark(sequence_number))
    assert list(marks.between(SHORT, LONG)) == [sortable(SHORT), sortable(LONG)]
    assert list(marks.between(LONG, LONGEST)) == [sortable(LONG), sortable(LONGEST)]
    assert marks.between(SHORT, SHORT)[sortable(SHORT)] == mark(SHORT)


def test_a_batch_is_known_by_its_first_record(marks: AppliedBatches) -> None:
    marks.put(mark(SHORT, LONG))
    assert marks.get(SHORT) == mark(SHORT, LONG)
    assert marks.get(LONG) is None


def test_a_mark_grows_and_never_shrinks(marks: AppliedBatches) -> None:
    marks.put(mark(SHORT, LONG))
    marks.put(mark(SHORT, LONGEST))
    marks.put(mark(SHORT, SHORT))
    assert marks.get(SHORT) == mark(SHORT, LONGEST)


def test_marks_outlive_their_records(marks: AppliedBatches, store: Store) -> None:
    marks.put(mark(LONG))
    item = store.get("mark", sortable(LONG))
    assert item is not None
    assert item["expires_at"] == number(int(NOON) + 2 * 86_400)


NUMBERS = [SHORT, LONG, str(int(LONG) + 7), str(int(LONG) + 1000), LONGEST]


def test_the_rest_of_a_mark_gets_a_mark_of_its_own(marks: AppliedBatches) -> None:
    marks.record_numbers(NUMBERS)
    marks.put(mark(SHORT, LONGEST))
    marks.split(mark(SHORT, LONGEST), LONG)
    # What was done counts once.
    assert marks.get(NUMBERS[2]) == AppliedBatch(NUMBERS[2], LONGEST, records=0, puts=0, deletes=0)
    assert marks.get(SHORT) == mark(SHORT, LONGEST)


def test_a_rest_can_be_split_again(marks: AppliedBatches) -> None:
    marks.record_numbers(NUMBERS)
    marks.put(mark(SHORT, LONGEST))
    marks.split(mark(SHORT, LONGEST), SHORT)
    rest = marks.get(LONG)
    assert rest is not None
    marks.split(rest, NUMBERS[3])
    assert marks.get(LONGEST) == AppliedBatch(LONGEST, LONGEST, records=0, puts=0, deletes=0)


def test_a_mark_that_covers_a_part_of_its_batch_is_split_within_that_part(marks: AppliedBatches) -> None:
    marks.record_numbers(NUMBERS)
    marks.put(mark(SHORT, NUMBERS[3]))
    marks.split(mark(SHORT, NUMBERS[3]), LONG)
    assert marks.get(NUMBERS[2]) == AppliedBatch(NUMBERS[2], NUMBERS[3], records=0, puts=0, deletes=0)
    assert marks.get(LONGEST) is None


def test_numbers_with_leading_zeros_stay_as_they_were(marks: AppliedBatches) -> None:
    numbers = [f"{value:030}" for value in (7, 9, 12)]
    marks.record_numbers(numbers)
    marks.put(mark(numbers[0], numbers[2]))
    marks.split(mark(numbers[0], numbers[2]), numbers[0])
    assert marks.get(numbers[1]) == AppliedBatch(numbers[1], numbers[2], records=0, puts=0, deletes=0)


def test_what_a_batch_consists_of_is_no_mark(marks: AppliedBatches) -> None:
    marks.record_numbers(NUMBERS)
    assert marks.get(SHORT) is None
    assert marks.between(SHORT, LONGEST) == {}


def test_the_numbers_of_the_largest_batch_fit_and_outlive_their_records(
    marks: AppliedBatches, store: Store
) -> None:
    # 10,000 records (event source mapping, BatchSize), further apart than those of any stream.
    numbers = [str(int(LONG) + index * 10**15 + index**3) for index in range(10_000)]
    marks.record_numbers(numbers)
    item = store.get("numbers", sortable(LONG))
    assert item is not None
    assert item["expires_at"] == number(int(NOON) + 2 * 86_400)
    assert len(str(item)) < 350_000
    marks.put(mark(LONG, numbers[-1]))
    marks.split(mark(LONG, numbers[-1]), numbers[-2])
    assert marks.get(numbers[-1]) is not None
