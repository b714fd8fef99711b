"""Chunks of touched keys in the journal, and the tracking that they belong to."""

from __future__ import annotations

import base64
import random
from dataclasses import replace
from itertools import pairwise

import pytest

from tablecopy.comparison.differences import Difference, Kind
from tablecopy.comparison.items import Side
from tablecopy.dynamodb.client import Json
from tablecopy.journal import touched
from tablecopy.journal.store import Store
from tablecopy.journal.touched import (
    CHUNK_CHARACTERS,
    PARTITIONS,
    Checked,
    Chunk,
    Note,
    TouchedKeys,
    Tracking,
    TrackingRecord,
    TrackingState,
)
from tests.unit.tablecopy.fakes import FakeClock


@pytest.fixture
def keys(store: Store, clock: FakeClock) -> TouchedKeys:
    return TouchedKeys(store, clock, "v-1")


def note(number: int, key: str = "", at: float = 5.0) -> Note:
    return Note(str(10**24 + number), b'{"pk":{"S":"%b"}}' % (key or str(number)).encode(), at)


def chunks(keys: TouchedKeys, side: Side = Side.SOURCE) -> list[Chunk]:
    return [chunk for partition in range(PARTITIONS) for chunk in keys.chunks(side, partition)]


def left(keys: TouchedKeys, side: Side = Side.SOURCE) -> list[str]:
    return sorted(key["pk"]["S"] for chunk in chunks(keys, side) for key in chunk.unpacked())


def test_a_chunk_has_each_key_once_and_knows_its_records(keys: TouchedKeys) -> None:
    keys.note(Side.SOURCE, "a", [note(1, "x", 5.0), note(2, "y", 6.0), note(3, "x", 7.0)])
    [chunk] = chunks(keys)
    assert chunk.unpacked() == [{"pk": {"S": "x"}}, {"pk": {"S": "y"}}]
    assert (chunk.count, chunk.first, chunk.last) == (2, 5.0, 7.0)
    assert not chunks(keys, Side.DESTINATION)


def test_other_sides_shards_and_trackings_are_kept_apart(
    keys: TouchedKeys, store: Store, clock: FakeClock
) -> None:
    keys.note(Side.SOURCE, "a", [note(1)])
    keys.note(Side.DESTINATION, "a", [note(1, "there")])
    keys.note(Side.SOURCE, "b", [note(1, "other")])
    assert left(keys) == ["1", "other"]
    assert left(keys, Side.DESTINATION) == ["there"]
    assert not left(TouchedKeys(store, clock, "v-2"))


def test_noting_twice_does_no_harm(keys: TouchedKeys) -> None:
    notes = [note(number) for number in range(9)]
    keys.note(Side.SOURCE, "a", notes)
    keys.note(Side.SOURCE, "a", notes)
    assert len(chunks(keys)) == 1


def test_a_shorter_part_takes_nothing_from_a_longer_one(keys: TouchedKeys) -> None:
    """An environment that is behind notes the same records again, and gets less far."""
    keys.note(Side.SOURCE, "a", [note(number) for number in range(9)])
    keys.note(Side.SOURCE, "a", [note(number) for number in range(4)])
    assert set(left(keys)) == {str(number) for number in range(9)}


def test_a_longer_part_adds_to_a_shorter_one(keys: TouchedKeys) -> None:
    keys.note(Side.SOURCE, "a", [note(number) for number in range(4)])
    keys.note(Side.SOURCE, "a", [note(number) for number in range(9)])
    assert set(left(keys)) == {str(number) for number in range(9)}


def test_more_keys_than_an_item_holds_become_several_chunks(moto_store: Store, clock: FakeClock) -> None:
    """Binary keys of 3 KB, which do not compress, in a table with DynamoDB's limits."""
    keys = TouchedKeys(moto_store, clock, "v-1")
    rng = random.Random(1)

    def binary(size: int) -> bytes:
        return base64.b64encode(rng.randbytes(size))

    notes = [
        Note(
            str(10**24 + number),
            b'{"pk":{"B":"%b"},"sk":{"B":"%b"}}' % (binary(2048), binary(1024)),
            float(number),
        )
        for number in range(300)
    ]
    keys.note(Side.SOURCE, "a", notes)
    found = sorted(chunks(keys), key=lambda chunk: chunk.first)
    assert len(found) > 2
    assert sum(chunk.count for chunk in found) == 300
    assert (found[0].first, found[-1].last) == (0.0, 299.0)
    assert all(one.last < other.first for one, other in pairwise(found))
    assert all(len(chunk.packed) < CHUNK_CHARACTERS for chunk in found)


def test_a_key_of_any_spelling_comes_back_untouched(keys: TouchedKeys) -> None:
    odd = '{"pk": {"S": "\\ud83d\\ude00 \\" \\\\ ü \\u0000"}, "sk":{"N":"1.50"}}'.encode()
    keys.note(Side.SOURCE, "a", [Note("7", odd, 1.0)])
    [chunk] = chunks(keys)
    [key] = chunk.unpacked()
    assert key == {"pk": {"S": '\U0001f600 " \\ ü \0'}, "sk": {"N": "1.50"}}
    kept = keys.keep(chunk, [key])
    assert kept is not None
    assert kept.unpacked() == [key]


def test_a_kept_chunk_has_the_other_keys_no_more_and_lives_longer(
    keys: TouchedKeys, clock: FakeClock
) -> None:
    keys.note(Side.SOURCE, "a", [note(number) for number in range(3)])
    [chunk] = chunks(keys)
    clock.tick(86_400)
    kept = keys.keep(chunk, [{"pk": {"S": "1"}}])
    assert kept is not None
    assert chunks(keys) == [kept]
    assert left(keys) == ["1"]
    assert kept.count == 1
    assert (kept.first, kept.last) == (chunk.first, chunk.last)
    assert kept.expires_at == chunk.expires_at + 86_400


def test_only_the_latest_state_of_a_chunk_can_be_replaced_or_removed(keys: TouchedKeys) -> None:
    keys.note(Side.SOURCE, "a", [note(number) for number in range(3)])
    [chunk] = chunks(keys)
    kept = keys.keep(chunk, [{"pk": {"S": "1"}}])
    assert kept is not None
    assert not keys.remove(chunk)
    assert keys.keep(chunk, []) is None
    assert left(keys) == ["1"]
    assert keys.remove(kept)
    assert not chunks(keys)
    assert not keys.remove(kept)


def test_a_rechecked_chunk_does_not_come_back_when_it_is_noted_again(keys: TouchedKeys) -> None:
    notes = [note(number) for number in range(3)]
    keys.note(Side.SOURCE, "a", notes)
    [chunk] = chunks(keys)
    keys.keep(chunk, [{"pk": {"S": "1"}}])
    keys.note(Side.SOURCE, "a", notes)
    assert left(keys) == ["1"]


def test_the_tracking_is_on_when_both_sides_note(store: Store) -> None:
    record = TrackingRecord(store)
    assert record.read() is None
    tracking = record.save(Tracking("v-1", "run", 100.0), is_new=True)
    assert tracking is not None
    assert record.save(Tracking("v-2", "run", 100.0), is_new=True) is None
    assert (tracking.state, tracking.since) == (TrackingState.REQUESTED, 0.0)
    half = tracking.noting(Side.DESTINATION, 120.0, destination_stream="arn")
    assert (half.state, half.since) == (TrackingState.REQUESTED, 0.0)
    on = half.noting(Side.SOURCE, 110.0)
    assert (on.state, on.since, on.destination_stream) == (TrackingState.ON, 120.0, "arn")
    saved = record.save(on)
    assert record.read() == saved
    assert record.save(replace(tracking, reason="late")) is None


def test_a_tracking_that_was_switched_off_stays_off(store: Store) -> None:
    off = Tracking("v-1", "run", 100.0, source_since=1.0).off(130.0, "records have expired")
    assert not off.is_active
    late = off.noting(Side.DESTINATION, 140.0)
    assert (late.state, late.since, late.reason) == (TrackingState.OFF, 0.0, "records have expired")


def difference(number: int) -> Difference:
    key: Json = {"pk": {"S": str(number)}}
    return Difference(Kind.CHANGED, key, (), "00", "11", first_seen=1.0, last_seen=2.0, checks=2)


def test_what_was_checked_belongs_to_one_tracking(keys: TouchedKeys, store: Store, clock: FakeClock) -> None:
    assert keys.checked() == Checked("v-1")
    saved = keys.save_checked(Checked("v-1", looked_at=9.0, left=7, waits_for="changes"))
    assert keys.checked() == saved
    assert TouchedKeys(store, clock, "v-2").checked() == Checked("v-2")


def test_standing_differences_are_listed(keys: TouchedKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(touched, "_LIST_CHARACTERS", 400)
    many = [difference(number) for number in range(9)]
    first = keys.save_checked(Checked("v-1", standing=9), many)
    assert first.listed_chunks > 1
    assert list(keys.standing()) == many
    keys.save_checked(replace(first, looked_at=3.0))
    assert list(keys.standing()) == many
    keys.save_checked(replace(first, standing=0), [])
    assert not list(keys.standing())
