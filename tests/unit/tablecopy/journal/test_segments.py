"""Progress of segments in the journal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tablecopy.journal.segments import Segment, Segments
from tablecopy.journal.store import Conflict, Store

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
    listed = segments.read_all(11)
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
