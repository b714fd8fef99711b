"""Candidates are judged by what both tables hold before, while and after a change is on its way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tablecopy.comparison.differences import Kind, fitting, read, texts
from tablecopy.comparison.items import Key, KeySchema
from tablecopy.comparison.window import Candidate
from tablecopy.dynamodb.client import Json
from tablecopy.verifier.recheck import Recheck
from tests.unit.tablecopy.fakes import NOON, FakeClock

KEYS = KeySchema(["pk"])
KEY = {"pk": {"S": "a"}}
LATER = NOON + 900


def item(value: int | None) -> Json | None:
    return None if value is None else {**KEY, "n": {"N": str(value)}}


class Reads:
    """Returns what a table holds at each read."""

    units = 0.0

    def __init__(self, *values: int | None) -> None:
        self._values = list(values)

    def read(self, keys: Sequence[Json], until: float) -> dict[Key, Json]:
        assert until == LATER
        if not keys:
            return {}
        found = item(self._values.pop(0))
        return {} if found is None else {KEYS.of(found): found}


def recheck(source: Reads, destination: Reads, **options: Any) -> Recheck:
    return Recheck((source, destination), KEYS, FakeClock(), **options)  # type: ignore[arg-type]


SEEN = Candidate(KEY, item(1), None)


@pytest.mark.parametrize(
    ("before", "there", "after", "equal", "opened"),
    [
        (1, 1, 2, 1, 0),
        (1, 2, 2, 1, 0),
        (1, None, None, 0, 0),
        (1, 2, 3, 0, 1),
        (1, None, 1, 0, 1),
    ],
)
def test_a_key_is_equal_if_the_source_was_so_before_or_after(
    before: int, there: int | None, after: int | None, equal: int, opened: int
) -> None:
    seen = Candidate(KEY, item(before), None)
    judged = recheck(Reads(after), Reads(there)).judge([seen], LATER)
    assert (judged.equal, len(judged.open), judged.standing) == (equal, opened, [])


@pytest.mark.parametrize(
    ("before", "there", "after", "equal", "opened"),
    [
        # The source's scan has it.
        (1, 2, 2, 0, 0),
        (None, 2, None, 0, 1),
        (None, 2, 2, 1, 0),
        (None, None, 1, 0, 0),
    ],
)
def test_a_key_that_only_the_destination_has_shown_is_looked_for_in_the_source(
    before: int | None, there: int | None, after: int | None, equal: int, opened: int
) -> None:
    seen = Candidate(KEY, None, item(2))
    judged = recheck(Reads(before, after), Reads(there)).judge([seen], LATER)
    assert (judged.equal, len(judged.open), judged.standing) == (equal, opened, [])


def test_what_is_equal_by_one_read_is_read_once() -> None:
    source, destination = Reads(), Reads(1)
    assert recheck(source, destination).judge([SEEN], LATER).equal == 1


@pytest.mark.parametrize(
    ("before", "there", "after", "stands"),
    [
        (1, 2, 1, True),
        # Something has changed since, on one side or the other.
        (1, 3, 1, False),
        (1, 2, 4, False),
        (4, 2, 1, False),
    ],
)
def test_an_open_key_is_a_difference_once_both_sides_stay(
    before: int, there: int, after: int, stands: bool
) -> None:
    first = recheck(Reads(1), Reads(2)).judge([SEEN], LATER).open
    again = recheck(Reads(before, after), Reads(there)).judge_again(first, LATER)
    assert (len(again.standing), len(again.open)) == (stands, not stands)
    [difference] = again.standing + again.open
    assert (difference.first_seen, difference.checks) == (first[0].first_seen, 2)


@pytest.mark.parametrize(
    ("source", "destination", "kind"),
    [(1, None, Kind.MISSING), (None, 1, Kind.EXTRA), (1, 2, Kind.CHANGED)],
)
def test_with_writes_stopped_a_difference_is_one_at_once(
    source: int | None, destination: int | None, kind: Kind
) -> None:
    # What a scan has not seen is read.
    reads = recheck(Reads(None), Reads(None), writes_stopped=True)
    [difference] = reads.judge([Candidate(KEY, item(source), item(destination))], LATER).standing
    assert (difference.kind, difference.key) == (kind, KEY)
    assert [each.path for each in difference.paths] == ([("n",)] if kind is Kind.CHANGED else [])


@pytest.mark.parametrize(
    ("age", "kind"), [(60.0, Kind.EXPIRED), (-60.0, Kind.MISSING), (6 * 365.25 * 86_400, Kind.MISSING)]
)
def test_an_item_whose_time_to_live_is_over_may_be_gone(age: float, kind: Kind) -> None:
    seen = {**KEY, "expires": {"N": str(int(NOON - age))}}
    reads = recheck(Reads(), Reads(None), writes_stopped=True, expiry="expires")
    [difference] = reads.judge([Candidate(KEY, seen, None)], LATER).standing
    assert difference.kind is kind


@pytest.mark.parametrize(("applied_to", "stands"), [(NOON, False), (NOON + 4, False), (NOON + 6, True)])
def test_a_key_stays_open_until_the_copy_has_applied_what_was_on_its_way(
    applied_to: float, stands: bool
) -> None:
    first = recheck(Reads(1), Reads(2)).judge([SEEN], LATER).open
    again = recheck(Reads(1, 1), Reads(2)).judge_again(first, LATER, applied_to)
    assert (len(again.standing), len(again.open)) == (stands, not stands)
    [difference] = again.standing + again.open
    assert difference.first_seen == NOON


def test_a_key_that_has_moved_is_seen_anew() -> None:
    clock = FakeClock()
    first = recheck(Reads(1), Reads(2)).judge([SEEN], LATER).open
    clock.tick(100)
    later = Recheck((Reads(1, 1), Reads(3)), KEYS, clock)  # type: ignore[arg-type]
    [difference] = later.judge_again(first, LATER).open
    assert difference.first_seen == NOON + 100


def test_long_names_of_attributes_do_not_fill_the_journal() -> None:
    here = {**KEY, **{f"{n}{'x' * 1_000}": {"N": "1"} for n in range(30)}}
    found = recheck(Reads(), Reads(1), writes_stopped=True).judge([Candidate(KEY, here, None)], LATER)
    [difference] = found.standing
    assert 0 < len(difference.paths) < 5


@pytest.mark.parametrize("characters", [0, 300, 1_000_000])
def test_what_fits_is_what_the_texts_take(characters: int) -> None:
    many = recheck(Reads(1), Reads(2)).judge([SEEN], LATER).open * 10
    count = fitting(many, characters)
    assert sum(map(len, texts(many[:count], characters))) <= characters + 1
    assert count == {0: 0, 300: 1, 1_000_000: 10}[characters]


def test_differences_come_back_from_their_texts() -> None:
    one = recheck(Reads(1), Reads(2)).judge([SEEN], LATER).open
    chunks = list(texts(one * 10, 500))
    assert len(chunks) > 1
    assert [difference for chunk in chunks for difference in read(chunk)] == one * 10
    assert not any('"n":' in chunk for chunk in chunks)
