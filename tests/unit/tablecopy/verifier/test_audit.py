"""An audit finds what was different at the seal, and only that, whatever the new writers do."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tablecopy.control.audit import LATEST_SECONDS
from tablecopy.control.commands import NotPossible
from tablecopy.journal.run import Phase
from tablecopy.journal.verifications import State
from tablecopy.tracker.auditor import Auditor
from tablecopy.verifier import audit as audit_module
from tests.unit.tablecopy.verifier.audits import Audited

SEEDS = range(60)
RNG = random.Random(0)


def sealed(**spoilt: int | None) -> Audited:
    """A sealed copy of which some items were spoilt before: written by no one that the copy knows of."""
    scene = Audited()
    for key, value in spoilt.items():
        scene.destination.write(key, None if value is None else {"pk": {"S": key}, "v": {"N": str(value)}})
    scene.seal()
    scene.clock.tick(5)
    return scene


def audited(scene: Audited) -> Audited:
    scene.commands().audit()
    scene.finish(RNG)
    return scene


def test_equal_tables_without_new_writers_are_equal() -> None:
    scene = audited(sealed())
    scene.check()
    assert scene.run.seal_grade == "audited"
    assert scene.commands().status()["verdict"] == "equal"


def test_what_new_writers_change_is_no_difference() -> None:
    scene = sealed()
    scene.write("k1", 100)
    scene.write("k2", None)
    scene.write("new", 1)
    audited(scene).check()
    assert scene.run.seal_grade == "audited"


@pytest.mark.parametrize(
    "spoilt", [{"k1": 999}, {"k1": None}, {"stranger": 1}], ids=["changed", "missing", "extra"]
)
@pytest.mark.parametrize(
    "then",
    [
        [],
        [500],
        # A later write makes it equal, and hides it from every scan.
        [1],
        [None],
        [500, 1],
        [None, 1],
        [500, None, 1, 2],
    ],
    ids=str,
)
def test_a_difference_at_the_seal_is_found_whatever_follows(
    spoilt: dict[str, int | None], then: list[int | None]
) -> None:
    scene = sealed(**spoilt)
    [key] = spoilt
    for value in then:
        scene.write(key, value)
    audited(scene).check()
    assert set(scene.found()) == {key}
    assert scene.run.seal_grade == "different"


def test_a_key_written_between_its_scan_and_the_read_of_the_stream() -> None:
    scene = sealed(k3=999)
    scene.commands().audit()

    def late() -> None:
        if scene.audit.scanned:
            scene.write("k3", 3)
            scene.write("k4", 400)

    scene.meanwhile = late
    scene.finish(RNG)
    scene.check()
    assert scene.found() == {"k3": "changed"}


def test_a_record_that_is_shown_a_minute_after_its_write() -> None:
    scene = sealed()
    scene.delay = lambda: 60.0
    scene.commands().audit()
    written: list[int] = []

    def once() -> None:
        if not written:
            written.append(1)
            scene.write("k1", 100)

    scene.meanwhile = once
    scene.finish(RNG)
    scene.check()
    assert not scene.found()


def test_a_difference_that_is_hidden_before_its_scan_and_shown_much_later() -> None:
    """The scan finds both items equal, so only the stream shows it, and only after the scans."""
    scene = sealed(k1=999)
    scene.clock.tick(200)
    scene.delay = lambda: 100.0
    scene.commands().audit()

    def hide() -> None:
        scene.write("k1", 1)

    scene.meanwhile = hide
    scene.finish(RNG)
    scene.check()
    assert scene.found() == {"k1": "changed"}


def test_a_last_write_of_the_copy_that_the_stream_shows_after_the_seal() -> None:
    """It is older than the seal, so its old image is not what the key held there."""
    scene = Audited()
    scene.delay = lambda: 60.0
    scene.write("k1", 999)
    scene.seal()
    assert scene.hidden
    audited(scene).check()
    assert scene.found() == {"k1": "changed"}


def test_what_the_copy_wrote_long_before_is_not_read_again() -> None:
    scene = sealed()
    scene.write("k1", 100)
    scene.destination.stream.iterators.clear()
    audited(scene).check()
    kinds = {request["ShardIteratorType"] for request in scene.destination.stream.iterators}
    assert kinds <= {"AFTER_SEQUENCE_NUMBER"}, kinds


def test_the_first_record_counts_across_shards() -> None:
    scene = sealed()
    scene.write("k1", 100)
    scene.split()
    scene.write("k1", 101)
    scene.clock.tick(200)
    scene.split()
    scene.write("k1", 102)
    audited(scene).check()
    assert scene.run.seal_grade == "audited"


def test_what_expires_does_not_count() -> None:
    scene = sealed()
    scene.destination.items["old"] = {"pk": {"S": "old"}, "expires": {"N": str(int(scene.clock.time) - 60)}}
    scene.destination.items["other"] = dict(scene.destination.items["old"], pk={"S": "other"})
    # The source has deleted both. The destination deletes one of them now.
    scene.write("other", None)
    scene.commands().audit()
    scene.finish(RNG)
    assert scene.found() == {"old": "expired", "other": "expired"}
    assert scene.commands().status()["verdict"] == "equal"


def test_a_write_to_the_source_since_the_seal_is_a_difference() -> None:
    scene = sealed()
    scene.put("k1", 77)
    audited(scene)
    assert scene.found() == {"k1": "changed"}


def test_a_stream_that_was_trimmed_ends_the_audit() -> None:
    scene = sealed()
    scene.write("k1", 100)
    scene.commands().audit()
    auditor = scene.auditor()
    scene.clock.tick(25 * 3600)
    for shard in scene.destination.stream.shards.values():
        shard.trimmed = len(shard.records)
    scene.finish(RNG)
    auditor.step()
    assert scene.audit.state is State.FAILED
    assert "was not read for" in scene.audit.reason
    scene.audits.settle()
    assert scene.run.seal_grade == "seen"


def test_a_tracker_that_is_silent_ends_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = sealed()
    scene.commands().audit()
    monkeypatch.setattr(Auditor, "step", lambda self: False)
    scene.finish(RNG)
    assert scene.audit.state is State.FAILED
    assert "the tracker has not read" in scene.audit.reason


def test_more_keys_than_can_be_judged_end_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_module, "MOST_KEYS_OF_A_BUCKET", 1)
    scene = sealed()
    for number in range(200):
        scene.write(f"new{number}", 1)
    audited(scene)
    assert scene.audit.state is State.FAILED
    assert "cannot judge so many" in scene.audit.reason


def test_records_without_old_images_end_the_audit() -> None:
    scene = sealed()
    scene.tables.described = replace(scene.tables.described, shows_old_images=False)
    audited(scene)
    assert scene.audit.state is State.FAILED
    assert "NEW_AND_OLD_IMAGES" in scene.audit.reason


def test_another_stream_ends_the_audit() -> None:
    scene = sealed()
    scene.tables.described = replace(scene.tables.described, destination_stream="another")
    audited(scene)
    assert "was replaced" in scene.audit.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"phase": Phase.READY}, "is not sealed"),
        ({"seal_grade": ""}, "without a proof"),
        ({"fenced_at": 0.0}, "earlier version"),
    ],
)
def test_what_cannot_be_audited(changes: dict[str, object], reason: str) -> None:
    scene = sealed()
    scene.change_run(**changes)
    with pytest.raises(NotPossible, match=reason):
        scene.commands().audit()


def test_too_late() -> None:
    scene = sealed()
    scene.clock.tick(LATEST_SECONDS)
    with pytest.raises(NotPossible, match="must begin within 22 h"):
        scene.commands().audit()


def test_a_comparison_after_the_seal_keeps_what_an_audit_needs() -> None:
    scene = sealed()
    scene.change_run(total_segments=0)
    tracking = scene.tracking
    begun = scene.commands().begin(writes_stopped=False)
    assert scene.tracking == tracking
    with pytest.raises(NotPossible, match=f"{begun['id']} has not ended"):
        scene.commands().audit()


def test_an_audit_is_begun_once_and_continued() -> None:
    scene = sealed()
    first = scene.commands().audit(request="a")
    assert scene.commands().audit(request="a")["id"] == first["id"]
    with pytest.raises(NotPossible, match="already in progress"):
        scene.commands().audit(request="b")
    scene.states.end()
    assert scene.commands().audit(request="b")["id"] == first["id"]
    assert scene.audit.execution == 2
    scene.finish(RNG)
    scene.check()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_seed(seed: int) -> None:
    """Faults before the seal, new writers throughout, shards that end, deaths, and failing reads."""
    rng = random.Random(seed)
    scene = Audited(seed, items=rng.choice([3, 30, 90]))
    keys = [*scene.source.items, "x", "y", "z"]
    for _ in range(rng.choice([0, 0, 1, 5])):
        key, value = rng.choice(keys), rng.choice([None, 7_000 + rng.randrange(3)])
        scene.destination.write(key, None if value is None else {"pk": {"S": key}, "v": {"N": str(value)}})
    scene.seal()
    scene.delay = lambda: rng.choice([0.0, 0.0, 1.0, 30.0])
    scene.clock.tick(rng.choice([1, 30, 4_000]))
    busy = rng.choice([0.0, 0.05, 0.5])

    def write() -> None:
        scene.show()
        while rng.random() < busy:
            key = rng.choice(keys)
            number = key.removeprefix("k")
            # Often the value of the source, which hides a difference, or brings a deleted item back.
            equal = int(number) if number.isdigit() else None
            scene.write(key, rng.choice([None, equal, equal, rng.randrange(100, 110)]))

    for _ in range(rng.choice([0, 5, 50])):
        scene.clock.tick(1)
        write()
        if rng.random() < 0.1:
            scene.split(rng.choice(keys))
    scene.destination.stream.page_size = rng.choice([1, 7, 1_000])
    scene.commands().audit()
    splits = [0]

    def meanwhile() -> None:
        write()
        if rng.random() < 0.01 and splits[0] < 4:
            splits[0] += 1
            scene.split(rng.choice(keys))

    scene.meanwhile = meanwhile
    scene.source._faults = scene.destination._faults = rng.choice([0.0, 0.1])
    scene.finish(rng, kills=rng.choice([0.0, 0.3]))
    scene.meanwhile = lambda: None
    scene.check()
