"""A look ends by the clock, and every shard has its turn: at a thousand shards, and whatever AWS does."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tablecopy.clock import Machine
from tests.unit.tablecopy.control.stream.scene import DRAINED_AFTER, LOOK, Scene
from tests.unit.tablecopy.fakes import FakeClock, client_error, no_answer


class Lanes(FakeClock):
    """A clock on which calls of ``size`` threads take ``seconds`` each, at the same time."""

    def __init__(self, seconds: float, size: int = 32) -> None:
        super().__init__()
        self.seconds = seconds
        self.size = size

    def call(self) -> None:
        """A call of one of the threads has ended."""
        self.tick(self.seconds / self.size)


@pytest.fixture
def lanes() -> Lanes:
    return Lanes(0.25)


@pytest.fixture
def large(lanes: Lanes) -> Scene:
    scene = Scene(lanes)
    scene.streams.list_size = 5_000
    scene.streams.on_send = lambda operation, request: lanes.call()
    return scene


def ends(scene: Scene) -> float:
    """How long a look takes."""
    began = scene.clock.time
    scene.look()
    return scene.clock.time - began


def test_a_look_ends_in_time_however_many_shards_there_are(large: Scene) -> None:
    for index in range(2_000):
        large.add(f"{index}", index)
    for _ in range(10):
        assert ends(large) <= LOOK + 0.25


def test_every_shard_has_its_turn(large: Scene) -> None:
    for index in range(2_000):
        large.add(f"{index}", index)
    for _ in range(8):
        large.look()
    looked = [row.looked_at for row in large.stream._rows.current.values()]
    assert min(looked) > large.clock.time - 30
    assert large.look().looked_since > large.clock.time - 30


def test_what_a_look_did_not_reach_proves_nothing(large: Scene) -> None:
    for index in range(2_000):
        large.add(f"{index}")
    began = large.clock.time
    backlog = large.look()
    assert backlog.looked_since < began
    assert not backlog.drained


def test_progress_is_kept_by_another_environment(large: Scene) -> None:
    """Each look of an environment that lives for one look goes on where the one before ended."""
    for index in range(1_000):
        large.add(f"{index}", index)
        large.apply(index)
    for _ in range(12):
        backlog = large.look(large.environment())
        large.clock.tick(1)
    assert backlog.records == 1_000


def test_a_quiet_stream_of_many_shards_is_drained_soon(large: Scene) -> None:
    for index in range(1_000):
        large.add(f"{index}", index)
        large.apply(index)
    began = large.clock.time
    while not large.look().drained:
        large.clock.tick(1)
    assert large.clock.time - began < DRAINED_AFTER + 40


@pytest.mark.parametrize("shards", [1, 3])
def test_a_shard_is_read_twice_a_second_at_most(clock: FakeClock, shards: int) -> None:
    scene = Scene(clock)
    for index in range(shards):
        scene.add(f"{index}", *range(1_000 * index, 1_000 * index + 900))
    for _ in range(100):
        clock.tick(0.125)
        scene.look()
    for moments in scene.streams.read.values():
        assert len(moments) > 20
        assert all(later - earlier >= 0.5 for earlier, later in pairwise(moments))


def test_a_throttled_shard_does_not_keep_the_others_waiting(scene: Scene) -> None:
    for index in range(5):
        scene.add(f"{index}", index)
        scene.apply(index)
    scene.look()

    def throttle(operation: str, request: dict[str, str]) -> None:
        if '"0"' in request.get("ShardIterator", ""):
            raise client_error("LimitExceededException")

    scene.streams.on_send = throttle
    for index in range(5):
        scene.add(f"{index}", 10 + index)
        scene.apply(10 + index)
    backlog = scene.again()
    assert backlog.error
    assert backlog.records >= 5
    for _ in range(5):
        backlog = scene.again()
    assert backlog.records == 9
    scene.streams.on_send = lambda operation, request: None
    assert scene.again().records == 10


def test_a_service_that_does_not_answer_ends_the_look_in_time(clock: FakeClock) -> None:
    scene = Scene(clock)
    for index in range(40):
        scene.add(f"{index}")
    scene.look()

    def hang(operation: str, request: object) -> None:
        clock.tick(13 / 32)
        raise no_answer()

    scene.streams.on_send = hang
    clock.tick(1)
    assert ends(scene) < LOOK + 13


def test_without_the_permission_no_other_shard_is_tried(scene: Scene) -> None:
    for index in range(40):
        scene.add(f"{index}")
    scene.look()
    asked = []

    def deny(operation: str, request: object) -> None:
        asked.append(operation)
        raise client_error("AccessDeniedException")

    scene.streams.on_send = deny
    backlog = scene.again()
    assert "AccessDenied" in str(backlog.error)
    assert len(asked) <= 32


def test_one_shard_takes_no_threads(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Machine, size: int) -> None:
        raise AssertionError

    monkeypatch.setattr(Machine, "pool", refuse)
    scene.add("a", 1)
    scene.apply(1)
    assert scene.look_for(5).records == 1
