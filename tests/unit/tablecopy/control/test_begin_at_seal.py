"""A copy that begins where one in the other direction was sealed: no scan, and no write is left out."""

from __future__ import annotations

import pytest

from tablecopy.journal.run import Phase
from tests.unit.tablecopy.control.test_reconciler import HOUR, Scene, _apply
from tests.unit.tablecopy.fakes import NOON, FakeShard

SEALED = NOON - 600


@pytest.fixture
def scene() -> Scene:
    scene = Scene(begin_at=SEALED)
    scene.commands.begin()
    return scene


def follow(scene: Scene, seconds: float = 30) -> Phase:
    for _ in range(int(seconds)):
        scene.step()
        scene.clock.time += 1
        scene.finish_switching()
    return scene.now().phase


def test_it_scans_nothing_and_applies_at_once(scene: Scene) -> None:
    assert follow(scene) is Phase.DRAINING
    run = scene.now()
    assert (run.slice, run.total_segments) == (0, 1)
    assert (run.scan_began, run.covered_to) == (SEALED, SEALED - 30)
    assert scene.commands.status()["segments_done"] == 1
    assert scene.lambda_.mapping["State"] == "Enabled"
    assert scene.states.executions == {}
    assert follow(scene, 70) is Phase.READY


def test_what_was_written_since_the_seal_must_be_applied(scene: Scene) -> None:
    """Also what preflight has read before, and in shards that have ended since."""
    scene.write(1, age=HOUR)
    scene.write(2, age=300)
    scene.end_shard("a", "b")
    scene.streams.shards["b"].records.append((str(10**24 + 3), scene.clock.time - 60))
    assert follow(scene, 100) is Phase.DRAINING
    # The first record is from before the seal, so the batch begins at the second one.
    _apply(scene, 2, 2)
    assert follow(scene, 100) is Phase.DRAINING
    _apply(scene, 3, 3)
    assert follow(scene, 100) is Phase.READY


def test_what_the_other_copy_wrote_just_before_the_seal_is_applied_as_well(scene: Scene) -> None:
    """Clocks differ, so it may be a write from after the seal."""
    scene.write(1, age=600 + 20)
    assert follow(scene, 100) is Phase.DRAINING
    _apply(scene, 1, 1)
    assert follow(scene, 100) is Phase.READY


def test_what_is_from_before_the_seal_is_not_waited_for(scene: Scene) -> None:
    scene.write(1, age=600 + 40)
    assert follow(scene, 120) is Phase.READY


def test_it_is_refused_when_it_is_too_late() -> None:
    scene = Scene(begin_at=NOON - 13 * HOUR)
    scene.commands.begin()
    assert follow(scene) is Phase.PREFLIGHT
    [problem] = scene.now().problems
    assert "sealed 13 h ago" in problem
    assert "within 12 h" in problem
    assert "Remove begin_at_seal" in problem


def test_it_is_refused_before_the_seal() -> None:
    scene = Scene(begin_at=NOON + HOUR)
    scene.commands.begin()
    assert follow(scene) is Phase.PREFLIGHT
    assert "in the future" in scene.now().problems[0]


def test_records_that_left_the_stream_stop_it(scene: Scene) -> None:
    """It began in time, and then its changes were not applied for a day."""
    scene.streams.shards["a"] = FakeShard()
    scene.write(1, age=100)
    assert follow(scene) is Phase.DRAINING
    scene.clock.time += 24 * HOUR
    assert follow(scene, 5) is Phase.STOPPED
    assert not scene.now().resumable


def test_a_stopped_one_continues_without_a_scan(scene: Scene) -> None:
    follow(scene)
    run = scene.now()
    scene.run.save(run.enter(Phase.STOPPED, scene.clock.time, reason="why"))
    scene.commands.start()
    assert follow(scene, 100) is Phase.READY
    assert scene.now().slice == 0
