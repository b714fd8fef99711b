"""The tracker's entry point: a minute of steps, one invocation at a time, and what it publishes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tablecopy.dynamodb.client import DynamoDB
from tablecopy.journal.audits import BUCKETS
from tablecopy.journal.leases import TRACKER, Turn
from tablecopy.journal.run import Phase
from tablecopy.journal.verifications import State
from tablecopy.settings import DestinationSettings
from tests.unit.tablecopy.fakes import FakeAws
from tests.unit.tablecopy.functions import ENVIRONMENT, Context, tracker
from tests.unit.tablecopy.published import published
from tests.unit.tablecopy.tracker.scene import Scene


class Aws(FakeAws):
    """Both tables and the destination's stream."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.store, scene.destination, scene.source)  # type: ignore[arg-type]
        self._streams = scene.destination.stream

    def destination_streams(self, settings: DestinationSettings, function: str) -> DynamoDB:
        assert function == "tracker"
        return self._streams


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.steps(15)
    return scene


def handler(scene: Scene) -> tracker.Handler:
    return tracker.build(ENVIRONMENT, scene.clock, Aws(scene))


def test_it_works_for_most_of_a_minute_and_publishes(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.put("k", 1)
    scene.put("lost", 1)
    scene.replicate(lose="lost")
    scene.steps(2)
    capsys.readouterr()
    began = scene.clock.time
    assert handler(scene)({}, Context()) == {"left": 1, "standing": 0}
    assert 55 <= scene.clock.time - began < 60
    values = published(capsys.readouterr().out)
    assert values["TouchedKeysLeft"][""][-1] == 1
    assert values["TouchedDifferences"][""] == [0, 0]
    assert set(values) >= {"VerifiedThroughAge", "ConsumedReadUnits"}


def test_a_cutover_is_not_interrupted(scene: Scene) -> None:
    began = scene.clock.time
    scene.change_run(cutover="one", seal_by=began + 300)
    handler(scene)({}, Context())
    assert 100 <= scene.clock.time - began < 105


def test_the_next_one_tracks_when_the_first_one_has_ended(scene: Scene) -> None:
    first, began = Turn(scene.store, scene.clock, "first", TRACKER), scene.clock.time
    assert first.take()
    scene.clock.on_sleep = lambda: first.take() if scene.clock.time < began + 20 else first.give_back()
    assert "left" in handler(scene)({}, Context())
    # Until its own minute is over, so that the next scheduled call finds the turn free.
    assert 55 <= scene.clock.time - began < 60


def test_a_cutover_that_is_requested_as_it_ends_is_not_left_to_another_one(scene: Scene) -> None:
    began = scene.clock.time

    def request() -> None:
        run = scene.runs.read()
        if scene.clock.time >= began + 55 and run and not run.cutover:
            scene.change_run(cutover="one", seal_by=began + 300)

    scene.clock.on_sleep = request
    handler(scene)({}, Context())
    assert 100 <= scene.clock.time - began < 105


def test_without_a_tracking_it_ends_immediately(scene: Scene) -> None:
    scene.change_run(phase=Phase.SEALED)
    began = scene.clock.time
    handle = handler(scene)
    assert handle({}, Context()) == {}
    assert handle({}, Context()) == {}
    assert scene.clock.time == began


def test_an_audit_keeps_it_reading(scene: Scene) -> None:
    scene.change_run(phase=Phase.SEALED)
    handle = handler(scene)
    handle({}, Context())
    known = scene.verifications.read()
    assert known is not None
    audit = replace(
        known, verification_id="a-1", audited_run="run", tracking_id="v-1", since=scene.clock.time
    )
    audit_ = scene.verifications.save(audit)
    assert audit_ is not None
    scene.clock.tick(2)
    scene.destination.write("k", {"pk": {"S": "k"}, "v": {"N": "1"}})
    began = scene.clock.time
    assert handle({}, Context()) == {}
    assert 55 <= scene.clock.time - began < 60
    notes = scene.verifications.notes(audit_)
    assert notes.reading().looked_at > began + 50
    assert [each.digest for bucket in range(BUCKETS) for each in notes.written(bucket)] == [""]
    scene.verifications.save(replace(audit_, state=State.DONE))
    began = scene.clock.time
    handle({}, Context())
    assert scene.clock.time == began


def test_one_invocation_tracks_at_a_time(scene: Scene) -> None:
    other = Turn(scene.store, scene.clock, "another", TRACKER)
    assert other.take()
    scene.clock.on_sleep = other.take
    began = scene.clock.time
    assert "skipped" in handler(scene)({"wait": False}, Context())
    assert scene.clock.time == began
    assert "skipped" in handler(scene)({}, Context())
    scene.clock.on_sleep = lambda: None
    # The reconciler's turn is another one.
    assert Turn(scene.store, scene.clock, "r").take()
    other.give_back()
    assert "left" in handler(scene)({}, Context())


def test_an_error_gives_the_turn_back(scene: Scene) -> None:
    scene.put("k", 1)
    scene.replicate()
    scene.clock.tick(1)
    scene.look()

    def refuse() -> None:
        raise ConnectionError("cut")

    scene.source.before_call = refuse
    with pytest.raises(ConnectionError):
        handler(scene)({}, Context())
    scene.source.before_call = lambda: None
    assert "left" in handler(scene)({}, Context())
