"""The watch: when it looks, what it tells, what ends it."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from tablecopy.control.status import Status
from tablecopy_cli.common.aws_errors import user_errors
from tablecopy_cli.common.control_function import Throttled
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.run.status_text import Outcome
from tablecopy_cli.run.watch import PATIENCE_SECONDS, FailedPoll, RunWatcher, Snapshot, Watched
from tests.unit.cli.run.control import SIDE, Control, HandClock, status


def error(code: str) -> UserError:
    """An error of the function's service, as the client raises it."""
    with pytest.raises(UserError) as caught, user_errors(SIDE):
        raise ClientError({"Error": {"Code": code, "Message": "why"}}, "Invoke")
    return caught.value


THROTTLED = error("TooManyRequestsException")


class Kept:
    """A view that keeps what it is told."""

    def __init__(self, tick_seconds: float = math.inf) -> None:
        self.tick_seconds = tick_seconds
        self.snapshots: list[Snapshot] = []
        self.failed: list[FailedPoll] = []
        self.ticks = 0

    def show(self, copy: str | None, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)

    def fail(self, copy: str | None, failed: FailedPoll) -> None:
        self.failed.append(failed)

    def tick(self) -> None:
        self.ticks += 1

    @property
    def phases(self) -> list[str]:
        return [snapshot.status["phase"] for snapshot in self.snapshots]


class Scene:
    def __init__(
        self, *answers: Status | BaseException, timeout: float = math.inf, tick: float = math.inf
    ) -> None:
        self.clock = HandClock()
        self.control = Control(self.clock, answers)
        self.view = Kept(tick)
        self.watch = RunWatcher({None: self.control.connect}, self.view, self.clock, 5.0, timeout)

    def until(self, phase: str = "ready") -> Outcome:
        [self.last] = self.watch.until(phase)
        return self.last.outcome


def test_it_looks_until_the_phase_is_reached() -> None:
    scene = Scene(status("slice"), status("draining"), status("ready"))
    assert scene.until() is Outcome.REACHED
    assert scene.view.phases == ["slice", "draining", "ready"]
    assert scene.control.asked == [0, 5, 10]
    assert scene.last.snapshot is not None
    assert scene.last.snapshot.status["phase"] == "ready"


def test_a_throttled_first_look_is_made_again() -> None:
    busy = Throttled("no execution left", transient=True)
    scene = Scene(busy, busy, status("ready"))
    assert scene.until() is Outcome.REACHED
    assert [failed.message for failed in scene.view.failed] == ["no execution left"] * 2
    assert scene.control.asked == [0, 10, 30]


def test_a_first_look_that_is_throttled_for_ever_ends_it() -> None:
    with pytest.raises(UserError, match="no execution left; control has not answered"):
        Scene(Throttled("no execution left", transient=True)).until()
    with pytest.raises(Throttled):
        Scene(Throttled("no execution left", transient=True), timeout=30.0).until()


def test_each_look_is_one_call() -> None:
    scene = Scene(*[status("slice")] * 9, status("ready"), tick=1.0)
    scene.until()
    assert len(scene.control.asked) == 10
    assert scene.control.connected == 1
    # The view may be drawn in between.
    assert scene.view.ticks == 45


def test_ready_may_be_left_and_reached_again_while_the_seal_is_waited_for() -> None:
    seen = ["ready", "draining", "ready", "sealing", "sealed"]
    scene = Scene(*map(status, seen))
    assert scene.until("sealed") is Outcome.REACHED
    assert scene.view.phases == seen


def test_a_run_that_has_stopped_ends_it_at_once() -> None:
    scene = Scene(status("slice"), status("stopped", reason="why"))
    assert scene.until() is Outcome.STOPPED
    assert scene.control.asked == [0, 5]


def test_so_does_what_takes_a_person() -> None:
    scene = Scene(status("draining"), status("draining", blocked=True, dead_letters=1))
    assert scene.until() is Outcome.HELD


def test_time_is_up_after_a_last_look() -> None:
    scene = Scene(status("slice"), timeout=12.0)
    assert scene.until() is Outcome.TIMED_OUT
    assert scene.control.asked == [0, 5, 10, 12]


def test_the_last_look_counts() -> None:
    scene = Scene(status("slice"), status("slice"), status("slice"), status("ready"), timeout=12.0)
    assert scene.until() is Outcome.REACHED


def test_a_timeout_of_nothing_looks_once() -> None:
    scene = Scene(status("slice"), timeout=0.0)
    assert scene.until() is Outcome.TIMED_OUT
    assert scene.control.asked == [0]


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ServiceException", "ExpiredTokenException"])
def test_an_error_at_the_first_look_ends_it(code: str) -> None:
    scene = Scene(error(code), status("ready"))
    with pytest.raises(UserError, match=code):
        scene.until()


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_a_definite_error_ends_it_at_any_time(code: str) -> None:
    scene = Scene(status("slice"), error(code), status("ready"))
    with pytest.raises(UserError, match=code):
        scene.until()


def test_an_error_that_passes_is_told_and_passes() -> None:
    scene = Scene(status("slice"), THROTTLED, THROTTLED, status("slice"), status("ready"))
    assert scene.until() is Outcome.REACHED
    assert [failed.since for failed in scene.view.failed] == [5, 15]
    assert "throttled" in scene.view.failed[0].message
    # Gently: each pause is twice the one before, until there is an answer again.
    assert scene.control.asked == [0, 5, 15, 35, 40]


def test_after_an_error_the_credentials_are_read_again() -> None:
    scene = Scene(status("slice"), error("ExpiredTokenException"), status("slice"), status("ready"))
    scene.until()
    assert scene.control.connected == 2


def test_a_connection_that_is_cut_passes() -> None:
    with pytest.raises(UserError) as cut, user_errors(SIDE):
        raise EndpointConnectionError(endpoint_url="https://lambda")
    assert Scene(status("slice"), cut.value, status("ready")).until() is Outcome.REACHED


def test_patience_has_an_end() -> None:
    scene = Scene(status("slice"), THROTTLED)
    with pytest.raises(UserError, match=r"throttled.*; control has not answered for 1\d min"):
        scene.until()
    assert PATIENCE_SECONDS <= scene.clock.now() <= PATIENCE_SECONDS + 60
    assert max(after - before for before, after in pairwise(scene.control.asked)) == 60


def test_patience_begins_anew_with_every_answer() -> None:
    long_troubles = [THROTTLED] * 12
    scene = Scene(status("slice"), *long_troubles, status("slice"), *long_troubles, status("ready"))
    assert scene.until() is Outcome.REACHED
    assert scene.clock.now() > PATIENCE_SECONDS


def test_time_is_up_without_an_answer_too() -> None:
    scene = Scene(status("slice"), THROTTLED, timeout=60.0)
    assert scene.until() is Outcome.TIMED_OUT
    assert scene.clock.now() == 60


class TestSeveral:
    """Several copies in one state."""

    def watch(
        self, answers: dict[str, list[Status | BaseException]], timeout: float = math.inf
    ) -> dict[str | None, Watched]:
        self.clock = HandClock()
        self.controls = {name: Control(self.clock, each) for name, each in answers.items()}
        connect = {name: control.connect for name, control in self.controls.items()}
        watcher = RunWatcher({**connect}, Kept(), self.clock, 5.0, timeout)
        return {each.copy: each for each in watcher.until("ready")}

    def outcomes(self, ended: dict[str | None, Watched]) -> dict[str | None, Outcome]:
        return {name: each.outcome for name, each in ended.items()}

    def test_it_ends_when_each_has_an_outcome_at_the_same_time(self) -> None:
        ended = self.watch(
            {
                "carts": [status("ready"), status("draining"), status("ready")],
                "orders": [status("slice"), status("stopped", reason="why")],
            }
        )
        assert self.outcomes(ended) == {"carts": Outcome.REACHED, "orders": Outcome.STOPPED}
        assert self.controls["carts"].asked == self.controls["orders"].asked == [0, 5, 10]

    def test_one_that_cannot_be_asked_does_not_end_the_others(self) -> None:
        refused = error("AccessDeniedException")
        ended = self.watch({"carts": [refused], "orders": [status("slice"), status("ready")]})
        assert self.outcomes(ended) == {"carts": Outcome.FAILED, "orders": Outcome.REACHED}
        assert ended["carts"].error == str(refused)
        assert self.controls["carts"].asked == [0]

    def test_each_waits_longer_after_its_own_failures(self) -> None:
        ended = self.watch(
            {
                "carts": [status("slice"), THROTTLED, status("ready")],
                "orders": [status("slice"), status("slice"), status("ready")],
            }
        )
        assert set(self.outcomes(ended).values()) == {Outcome.REACHED}
        assert self.controls["carts"].asked == [0, 5, 15]
        assert self.controls["orders"].asked == [0, 5, 10, 15]

    def test_time_is_up_for_each(self) -> None:
        busy = Throttled("no execution left", transient=True)
        ended = self.watch(
            {"carts": [busy], "orders": [status("slice")], "users": [status("ready")]}, timeout=12.0
        )
        assert self.outcomes(ended) == {
            "carts": Outcome.FAILED,
            "orders": Outcome.TIMED_OUT,
            "users": Outcome.REACHED,
        }
        assert self.controls["orders"].asked == [0, 5, 10, 12]
