"""Progress of segments in the journal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tablecopy.journal.run import Phase, Run
from tablecopy.journal.segments import Segment, Segments
from tablecopy.journal.store import Conflict, Store
from tests.unit.tablecopy.fakes import NOON

RUN = Run("run", "arn:stream", 4, NOON, Phase.SLICE, NOON, segments_id="run")
CHECKPOINT = {"pk": {"B": "AAH/"}, "sk": {"N": "1.50"}}


@pytest.fixture
def segments(store: Store) -> Segments:
    return Segments(store)


def test_a_segment_begins_at_its_beginning(segments: Segments) -> None:
    assert segments.read(3) == Segment(3, checkpoint=None, items=0, wire_bytes=0, done=False)


@pytest.mark.parametrize(
    "segment", [Segment(3, CHECKPOINT, 10, 2000), Segment(3, None, 0, 0, done=True)], ids=["half", "done"]
)
def test_progress_comes_back_untouched(segments: Segments, segment: Segment) -> None:
    saved = segments.save(segment)
    assert replace(saved, version=0) == segment
    assert segments.read(3) == saved


def test_all_segments_are_listed_touched_or_not(segments: Segments) -> None:
    for number in (10, 2, 999_999):
        segments.save(Segment(number, items=number))
    listed = segments.read_all(replace(RUN, total_segments=11, segments_id=""))
    assert [segment.number for segment in listed] == list(range(11))
    assert [segment.items for segment in listed] == [0, 0, 2, *[0] * 7, 10]


def test_progress_that_was_derived_from_older_progress_is_rejected(segments: Segments) -> None:
    first = segments.save(Segment(3, items=25))
    latest = segments.save(replace(first, items=50, done=True))
    for late in (Segment(3, items=25), replace(first, items=40)):
        with pytest.raises(Conflict):
            segments.save(late)
    assert segments.read(3) == latest


def test_a_call_that_is_repeated_after_a_lost_answer_has_written(segments: Segments) -> None:
    first = segments.save(Segment(3, CHECKPOINT, items=25, pace=1 / 3))
    assert segments.save(Segment(3, CHECKPOINT, items=25, pace=1 / 3)) == first
    second = segments.save(replace(first, items=50))
    assert segments.save(replace(first, items=50)) == second


def test_the_first_worker_writes_the_item_and_the_others_find_it(segments: Segments) -> None:
    first = segments.open(RUN, 3)
    assert first == Segment(3, version=1, run="run")
    saved = segments.save(replace(first, items=25))
    assert segments.open(RUN, 3) == saved


def test_of_two_that_open_a_segment_one_writes_it(segments: Segments, store: Store) -> None:
    class Late(Segments):
        def read(self, number: int, run: str = "") -> Segment:
            found = super().read(number, run)
            if not found.version:
                segments.save(Segment(number, items=25, run=run))
            return found

    assert Late(store).open(RUN, 3) == Segment(3, items=25, version=1, run="run")


def test_a_run_does_not_see_the_progress_of_another_one(segments: Segments) -> None:
    earlier = segments.save(Segment(3, CHECKPOINT, 10, 2000, run="earlier"))
    assert segments.read_all(RUN) == [Segment(number, run="run") for number in range(4)]
    own = segments.open(RUN, 3)
    segments.save(replace(earlier, items=20, done=True))
    assert segments.read(3, "run") == own


def test_a_run_of_an_earlier_version_keeps_its_progress(segments: Segments) -> None:
    saved = segments.save(Segment(3, CHECKPOINT, 10, 2000))
    before = replace(RUN, segments_id="")
    assert segments.open(before, 3) == segments.read_all(before)[3] == saved


def test_progress_is_not_saved_in_an_empty_journal(segments: Segments, store: Store) -> None:
    opened = segments.open(RUN, 3)
    store.delete("segment#run", "0000003")
    with pytest.raises(Conflict):
        segments.save(replace(opened, items=25))
    assert segments.read(3, "run") == Segment(3, run="run")
