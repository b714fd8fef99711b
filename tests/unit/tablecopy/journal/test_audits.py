"""Notes of an audit: the first one of a key comes first, and no worker replaces what another has noted."""

from __future__ import annotations

from dataclasses import replace

from tablecopy.comparison.differences import Difference, Kind
from tablecopy.comparison.items import Key
from tablecopy.journal.audits import (
    BUCKETS,
    AuditNotes,
    Part,
    Reading,
    Written,
    bucket_of,
    order_of,
)
from tests.unit.tablecopy.fakes import NOON, FakeClock, MemoryStore


def notes(store: MemoryStore | None = None, name: str = "a-1") -> AuditNotes:
    return AuditNotes(store or MemoryStore(), FakeClock(), name)


def written(key: str, digest: str) -> tuple[Key, Written]:
    return (key,), Written({"pk": {"S": key}}, digest)


def first(found: AuditNotes, key: str) -> str:
    """The digest of the first note of a key."""
    bucket = bucket_of(order_of((key,)))
    return next(each.digest for each in found.written(bucket) if each.key["pk"]["S"] == key)


def difference(key: str) -> Difference:
    return Difference(Kind.CHANGED, {"pk": {"S": key}}, (), "a", "b", NOON, NOON, 1)


def test_the_notes_of_a_parent_come_before_those_of_its_child() -> None:
    found = notes()
    found.note(Part(1, "a-child", "7", "9"), [written("k", "late")])
    found.note(Part(0, "z-parent", "100", "200"), [written("k", "early")])
    assert first(found, "k") == "early"


def test_sequence_numbers_are_ordered_by_their_value() -> None:
    found = notes()
    found.note(Part(0, "s", "10", "11"), [written("k", "late")])
    found.note(Part(0, "s", "9", "9"), [written("k", "early")])
    assert first(found, "k") == "early"


def test_parts_that_overlap() -> None:
    """Another environment has read the same records in other pages."""
    found = notes()
    found.note(Part(0, "s", "1", "5"), [written("k", "early")])
    found.note(Part(0, "s", "4", "6"), [written("k", "late")])
    found.note(Part(0, "s", "1", "3"), [written("k", "early")])
    assert first(found, "k") == "early"


def test_every_key_is_in_the_bucket_of_its_order() -> None:
    found = notes()
    keys = [f"k{number}" for number in range(5_000)]
    found.note(Part(0, "s", "1", "5000"), [written(key, key) for key in keys])
    by_bucket = [[each.key["pk"]["S"] for each in found.written(bucket)] for bucket in range(BUCKETS)]
    assert sorted(key for bucket in by_bucket for key in bucket) == sorted(keys)
    for bucket, held in enumerate(by_bucket):
        assert held
        assert {bucket_of(order_of((key,))) for key in held} == {bucket}


def test_two_workers_of_a_segment_replace_nothing() -> None:
    store = MemoryStore()
    same = [f"k{number}" for number in range(1_000) if bucket_of(order_of((f"k{number}",))) == 0]
    one, other = same[:2]
    for name in (one, other, one):
        notes(store).differ(1, [((name,), difference(name))])
    found = {each.key["pk"]["S"] for bucket in range(BUCKETS) for each in notes(store).differing(bucket)}
    assert found == {one, other}


def test_the_reading_of_another_audit_does_not_count() -> None:
    store = MemoryStore()
    reading = Reading("a-1", looked_at=NOON, noted_to=NOON, records=3)
    notes(store).save_reading(reading)
    assert notes(store).reading() == reading
    assert notes(store, "a-2").reading() == replace(
        reading, verification_id="a-2", looked_at=0, noted_to=0, records=0
    )
