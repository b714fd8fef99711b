"""What a slice is to do, and in which order."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from tablecopy.control.work import RemainingWork, interleaved
from tablecopy.journal.run import Phase, Run
from tablecopy.journal.segments import Segment
from tests.unit.tablecopy.fakes import NOON

RUN = Run("run", "arn", 4, NOON, Phase.SLICE, NOON, slice=2)
SEGMENTS = [Segment(0, items=3, done=True), Segment(1, items=2), Segment(2), Segment(3, items=1)]


def test_what_is_done_is_not_done_again() -> None:
    work = RemainingWork.of(RUN, SEGMENTS)
    assert work == RemainingWork(segments=(2, 1, 3), dead_letters=False, copied=6)
    assert work.parts == [2, 1, 3]


def test_letters_come_first_in_the_slice_that_is_for_them() -> None:
    asked = replace(RUN, redrive=True, redrive_slice=1)
    assert not RemainingWork.of(asked, SEGMENTS).dead_letters
    assert RemainingWork.of(replace(asked, redrive_slice=2), SEGMENTS).parts == ["letters", 2, 1, 3]


@pytest.mark.parametrize(("left", "concurrency", "workers"), [(9, 4, 4), (3, 4, 3), (0, 4, 1), (1, 1, 1)])
def test_no_more_workers_than_parts(left: int, concurrency: int, workers: int) -> None:
    assert RemainingWork(tuple(range(left)), dead_letters=False, copied=0).workers(concurrency) == workers


def test_the_letters_have_a_worker() -> None:
    assert RemainingWork((1,), dead_letters=True, copied=0).workers(4) == 2


@pytest.mark.parametrize("total", [1, 2, 3, 7, 16, 100, 1000])
@pytest.mark.parametrize("concurrency", [2, 4, 16])
def test_those_that_work_at_the_same_time_are_far_apart(total: int, concurrency: int) -> None:
    order = interleaved(range(total), total)
    assert sorted(order) == list(range(total))
    first = sorted(order[:concurrency])
    gaps = [after - before for before, after in pairwise(first)]
    # Evenly interleaved they were total / concurrency apart; with any number of segments half of it is kept.
    assert all(gap >= max(1, total // concurrency // 2) for gap in gaps)
