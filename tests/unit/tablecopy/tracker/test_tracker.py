"""The tracker: what was written is verified on both sides, or is known not to be."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from tablecopy.clock import OutOfTime
from tablecopy.comparison.differences import Difference, Kind
from tablecopy.journal.run import Phase
from tablecopy.journal.touched import TouchedKeys, TrackingState
from tablecopy.journal.verifications import Compared, State
from tests.unit.tablecopy.fakes import NOON, client_error
from tests.unit.tablecopy.tracker.scene import Scene


class Killed(Exception):
    """The function was ended."""


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.steps(15)
    assert scene.tracking.state is TrackingState.ON
    return scene


def test_it_begins_when_both_sides_note() -> None:
    scene = Scene()
    assert scene.tracking.state is TrackingState.REQUESTED
    found = scene.tracker.step()
    assert found is not None
    assert not scene.tracking.source_since
    assert scene.checked.waits_for == "the reconciler does not note the source's changes yet"
    scene.steps(13)
    tracking = scene.tracking
    assert tracking.state is TrackingState.ON
    assert tracking.destination_stream == scene.destination.arn
    assert 0 < tracking.since <= scene.clock.time
    # A shard may have split just before, and its second child be listed later.
    assert scene.checked.verified_through == 0
    scene.steps(70)
    assert not scene.checked.waits_for
    assert scene.checked.verified_through >= scene.clock.time - 3


def test_without_a_request_there_is_nothing_to_do() -> None:
    scene = Scene()
    scene.store.partitions.pop("touched")
    assert scene.tracker.step() is None


def test_what_is_written_is_verified_within_seconds(scene: Scene) -> None:
    for number in range(300):
        scene.put(f"k{number % 40}", number)
        if number % 3 == 0:
            scene.replicate()
        scene.step()
    scene.replicate()
    stopped = scene.clock.time
    scene.steps(70)
    checked = scene.checked
    assert (checked.left, checked.standing, scene.left()) == (0, 0, set())
    assert checked.list_read_at > stopped
    assert checked.destination_noted_to > stopped
    through = checked.verified_through
    assert scene.clock.time - 5 < through <= scene.clock.time


def test_behind_a_replicator_that_is_late_keys_are_left(scene: Scene) -> None:
    scene.put("k", 1)
    made = scene.clock.time
    scene.steps(100)
    checked = scene.checked
    assert (checked.left, checked.standing) == (1, 0)
    assert checked.verified_through <= made
    scene.replicate()
    scene.steps(40)
    assert scene.checked.left == 0


@pytest.mark.parametrize("kind", [Kind.MISSING, Kind.CHANGED, Kind.EXTRA])
def test_a_change_that_the_replicator_lost_is_a_difference(scene: Scene, kind: Kind) -> None:
    if kind is not Kind.MISSING:
        scene.put("k", 1)
        scene.replicate()
        scene.steps(20)
    scene.put("k", None if kind is Kind.EXTRA else 2)
    scene.put("other", 1)
    scene.replicate(lose="k")
    found = scene.steps(150)
    assert found is not None
    assert (found.left, found.standing) == (1, 1)
    [difference] = TouchedKeys(scene.store, scene.clock, "v-1").standing()
    assert (difference.kind, difference.key) == (kind, {"pk": {"S": "k"}})
    # An operator repairs it.
    scene.destination.write("k", scene.source.items.get("k"))
    scene.steps(60)
    assert (scene.checked.left, scene.checked.standing) == (0, 0)
    assert not list(TouchedKeys(scene.store, scene.clock, "v-1").standing())


def test_what_was_invented_at_the_destination_is_a_difference(scene: Scene) -> None:
    scene.put("k", 1)
    scene.replicate()
    scene.destination.write("invented", {"pk": {"S": "invented"}})
    found = scene.steps(150)
    assert found is not None
    assert found.standing == 1
    assert scene.left() == {"invented"}


def test_a_write_that_lands_late_is_noticed(scene: Scene) -> None:
    scene.put("k", 1)
    scene.put("k", 2)
    scene.replicate()
    scene.steps(70)
    assert scene.checked.left == 0
    scene.destination.write("k", {"pk": {"S": "k"}, "v": {"N": "1"}})
    scene.steps(5)
    assert scene.checked.left == 1


def test_a_cutover_is_quick(scene: Scene) -> None:
    scene.steps(70)
    scene.put("k", 1)
    scene.steps(20)
    scene.change_run(seal_by=scene.clock.time + 60, fence="f-1")
    scene.replicate()
    scene.steps(3)
    checked = scene.checked
    assert checked.left == 0
    assert checked.fence == "f-1"
    assert checked.fence_seen_at == scene.clock.time - 2
    assert checked.list_read_at >= checked.fence_seen_at
    scene.change_run(fence="")
    scene.step()
    assert (scene.checked.fence, scene.checked.fence_seen_at) == ("", 0.0)


def test_the_fence_is_read_before_the_stream_and_the_list(scene: Scene) -> None:
    """A record that is noted after the fence was set may be of a write before it."""
    looked: list[str] = []

    def look(operation: str, request: dict[str, object]) -> None:
        if not looked:
            looked.append(operation)
            scene.change_run(fence="f-1")

    scene.destination.stream.on_send = look  # type: ignore[assignment]
    scene.clock.tick(1)
    scene.tracker.step()
    assert looked
    assert not scene.checked.fence


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"phase": Phase.SEALED}, ""),
        ({"phase": Phase.STOPPED, "resumable": False}, "the copy has stopped and cannot be resumed"),
        ({"run_id": "run-2"}, "another copy has begun"),
    ],
)
def test_it_ends_with_the_copy(scene: Scene, changes: dict[str, object], reason: str) -> None:
    scene.change_run(**changes)
    assert scene.step() is None
    assert (scene.tracking.state, scene.tracking.reason) == (TrackingState.OFF, reason)
    assert scene.tracking.ended


def test_a_stopped_copy_that_can_be_resumed_is_tracked(scene: Scene) -> None:
    scene.change_run(phase=Phase.STOPPED)
    assert scene.step() is not None


@pytest.mark.parametrize(
    ("arn", "reason"),
    [
        (None, "destination table copy has no stream. Enable one with any view type"),
        ("arn:another", "the destination's stream was replaced by another one"),
    ],
)
def test_another_stream_proves_nothing(scene: Scene, arn: str | None, reason: str) -> None:
    scene.steps(20)
    scene.destination.arn = arn
    scene.steps(70)
    assert (scene.tracking.state, scene.tracking.reason) == (TrackingState.OFF, reason)


def test_a_destination_without_a_stream_cannot_be_tracked() -> None:
    scene = Scene()
    scene.destination.arn = None
    scene.step()
    assert scene.tracking.reason == "destination table copy has no stream. Enable one with any view type"


def test_a_tracker_that_did_not_run_for_a_day_proves_nothing(scene: Scene) -> None:
    scene.destination.write("k", {"pk": {"S": "k"}})
    scene.steps(40)
    scene.clock.tick(25 * 3600)
    shard = scene.destination.stream.shards["s0"]
    shard.trimmed = len(shard.records)
    scene.destination.stream.expired.update(scene.destination.stream.shards)
    scene.tracker = scene.trackers()
    places = scene.store.partitions["touched#v-1#places"].values()
    scene.destination.stream.expired.update(place["iterator"]["S"] for place in places)
    scene.destination.write("k", {"pk": {"S": "k"}, "v": {"N": "1"}})
    scene.tracker.step()
    assert scene.tracking.state is TrackingState.OFF
    assert "was not read for 25 hours" in scene.tracking.reason


def test_without_the_reconciler_nothing_is_said_to_differ(scene: Scene) -> None:
    scene.put("k", 1)
    scene.steps(5)
    scene.replicate(lose="k")
    for _ in range(300):
        scene.clock.tick(1)
        scene.tracker.step()
    checked = scene.checked
    assert (checked.left, checked.standing) == (1, 0)
    assert checked.waits_for == "the reconciler has not looked at the source's stream for some minutes"


def test_the_tracker_takes_a_workers_part_of_the_budgets_during_the_scans(scene: Scene) -> None:
    limits = []
    for table in scene.tracker._tables:
        table.capacity.set_limit = limits.append  # type: ignore[method-assign]
    scene.steps(4)
    assert limits == [100_000.0 / 3] * 2
    limits.clear()
    verification = scene.verifications.read()
    assert verification is not None
    scene.verifications.save(replace(verification, state=State.DONE))
    scene.steps(4)
    assert limits == [100_000.0] * 2


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_nothing_is_verified_that_differs(seed: int) -> None:
    """A replicator that loses and invents, splits, faults of tables, and ends in any call."""
    scene = Scene(seed, faults=0.1)
    rng = random.Random(seed + 1000)
    rate = 0.0

    def die(*given: object) -> None:
        if rng.random() < rate:
            raise Killed

    put = scene.store.put

    def dying_put(*given: object, **more: object) -> None:
        die()
        put(*given, **more)  # type: ignore[arg-type]
        die()

    scene.store.put = dying_put  # type: ignore[method-assign]
    scene.source.stream.on_send = scene.destination.stream.on_send = die
    faithful = rng.random() < 0.5
    touched: set[str] = set()
    known: set[str] = set()
    since = 0.0
    for _ in range(90):
        rate = 0.0
        scene.clock.tick(rng.choice([0.0, 0.0, 3.0, 35.0]))
        if scene.tracking.state is TrackingState.ON and not since:
            # The baseline begins, and finds what is equal now.
            since = scene.clock.time
            known = scene.differ()
        for _ in range(rng.choice([0, 1, 5])):
            key = f"k{rng.randrange(12)}"
            scene.put(key, rng.choice([None, 1, 2, 3]))
            if since:
                touched.add(key)
        if rng.random() < 0.6:
            lost = "" if faithful or rng.random() < 0.7 else f"k{rng.randrange(12)}"
            scene.replicate(rng.choice([1, 3, None]), lose=lost)
        if not faithful and rng.random() < 0.05:
            key = f"k{rng.randrange(14)}"
            scene.destination.write(key, rng.choice([None, {"pk": {"S": key}}]))
        for table in (scene.source, scene.destination):
            if rng.random() < 0.05:
                table.split()
        rate = rng.choice([0.0, 0.0, 0.02])
        try:
            scene.step()
        except Killed:
            scene.control, scene.tracker = scene.controls(), scene.trackers()
        except OutOfTime:
            pytest.fail("a step ends by itself")
        check(scene, since, known)
    rate = 0.0
    assert since
    scene.replicate()
    # What the baseline has seen before it was applied is in no list, unless its record at the destination is.
    stopped = scene.clock.time
    for _ in range(400):
        scene.step()
    check(scene, since, known)
    checked = scene.checked
    assert checked.list_read_at > stopped
    assert checked.destination_noted_to > stopped
    assert scene.shards.summary().noted_to > stopped
    differ = scene.differ() - (known - touched)
    assert differ <= scene.left()
    assert checked.standing >= len(differ)
    if faithful:
        assert (checked.left, checked.standing) == (0, 0)


def check(scene: Scene, since: float, known: set[str]) -> None:
    """If nothing is left of what was noted up to now, nothing differs but what the baseline found."""
    checked = scene.checked
    last = [
        created
        for table in (scene.source, scene.destination)
        for shard in table.stream.shards.values()
        for _, created in shard.records
    ]
    newest = max(last, default=0.0)
    if since and checked.left == 0 and checked.verified_through > newest + 1:
        assert scene.differ() <= known


def test_an_error_of_a_table_is_one_of_the_step(scene: Scene) -> None:
    scene.put("k", 1)
    scene.replicate()
    scene.steps(2)
    before = scene.checked

    def refuse() -> None:
        raise client_error("AccessDeniedException")

    scene.source.before_call = refuse
    with pytest.raises(Exception, match="AccessDenied"):
        scene.steps(10)
    assert scene.checked.looked_at >= before.looked_at
    scene.source.before_call = lambda: None
    scene.steps(20)
    assert scene.checked.left == 0


def difference(key: str) -> Difference:
    return Difference(Kind.MISSING, {"pk": {"S": key}}, (), "here", None, NOON, NOON, 1)


def test_the_list_is_read_every_fourth_second_and_each_second_in_a_cutover(scene: Scene) -> None:
    scene.steps(20)
    before = scene.checked.list_read_at
    scene.steps(3)
    assert scene.checked.list_read_at - before <= 3
    read = []
    for _ in range(12):
        scene.step()
        read.append(scene.checked.list_read_at)
    assert len(set(read)) == 3
    scene.change_run(cutover="one", seal_by=scene.clock.time + 60)
    read.clear()
    for _ in range(4):
        scene.step()
        read.append(scene.checked.list_read_at)
    assert len(set(read)) == 4


def test_what_the_baseline_has_left_open_is_rechecked(scene: Scene) -> None:
    """It may differ since before the keys of changes were noted, so no record leads to it."""
    scene.source.items["lost"] = {"pk": {"S": "lost"}}
    scene.steps(20)
    left = Compared(1, scanned=True, open=1)
    assert scene.verifications.save_segment("v-1", left, still_open=[difference("lost")])
    assert (scene.checked.left, scene.checked.open_noted) == (0, False)
    verification = scene.verifications.read()
    assert verification is not None
    scene.verifications.save(replace(verification, state=State.DONE, ended=scene.clock.time))
    scene.steps(5)
    assert (scene.checked.left, scene.checked.open_noted) == (1, True)
    assert scene.left() == {"lost"}
    scene.tracker = scene.trackers()
    scene.steps(60)
    assert scene.checked.standing == 1
    scene.destination.items["lost"] = {"pk": {"S": "lost"}}
    scene.steps(40)
    assert (scene.checked.left, scene.checked.open_noted) == (0, True)


def test_a_place_is_written_twice_a_minute_and_not_at_each_look() -> None:
    scene = Scene()
    scene.steps(15)
    written: list[str] = []
    put = scene.store.put

    def watch(pk: str, sk: str, *given: Any, **more: Any) -> None:
        written.append(pk)
        put(pk, sk, *given, **more)

    scene.store.put = watch  # type: ignore[method-assign]
    scene.steps(60)
    assert 1 <= sum("places" in pk for pk in written) <= 3
