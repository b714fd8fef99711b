"""How fast a run is, and how long it takes: told only where it is known."""

from __future__ import annotations

from typing import Any

import pytest

from tablecopy_cli.run.progress import Rates, RateTracker, time_left
from tests.unit.cli.run.control import BEGAN, NO_RUN, status


def at(second: float, phase: str = "slice", **changes: Any) -> dict[str, Any]:
    return status(phase, now=BEGAN + second, **changes)


class TestRates:
    def test_one_look_tells_no_rate(self) -> None:
        assert RateTracker().update(at(0)) == Rates()
        assert RateTracker().update(NO_RUN) == Rates()

    def test_nor_do_two_within_a_moment(self) -> None:
        tracker = RateTracker()
        tracker.update(at(0))
        assert tracker.update(at(2, items=9_000)) == Rates()

    def test_the_rate_is_that_of_the_last_minute(self) -> None:
        tracker = RateTracker()
        tracker.update(at(0, items=0, bytes=0))
        for second in range(10, 70, 10):
            rates = tracker.update(at(second, items=0, bytes=0))
        assert rates.items_per_second == 0
        for second in range(70, 130, 10):
            rates = tracker.update(at(second, items=(second - 60) * 5, bytes=(second - 60) * 1000))
        assert (rates.items_per_second, rates.bytes_per_second) == (5, 1000)

    def test_looks_further_apart_than_a_minute(self) -> None:
        tracker = RateTracker()
        for second in (0, 300, 600):
            rates = tracker.update(at(second, items=second * 7))
        assert rates.items_per_second == 7

    def test_the_time_of_a_drain_does_not_slow_down_the_copying(self) -> None:
        tracker = RateTracker()
        tracker.update(at(0, items=0, changes=0))
        tracker.update(at(10, items=1_000, changes=0))
        tracker.update(at(11, "draining", items=1_100, changes=0))
        rates = tracker.update(at(31, "draining", items=1_100, changes=400))
        assert rates == Rates(100.0, pytest.approx(0.0), 400 / 21)
        tracker.update(at(32, "pausing", items=1_100, changes=400))
        tracker.update(at(60, "pausing", items=1_100, changes=400))
        tracker.update(at(61, items=1_100, changes=400))
        rates = tracker.update(at(71, items=2_100, changes=400))
        assert rates.items_per_second == 2_100 / 22
        assert rates.changes_per_second == 400 / 22

    def test_another_run_begins_from_nothing(self) -> None:
        tracker = RateTracker()
        tracker.update(at(0, items=5_000))
        tracker.update(at(10, items=6_000))
        assert tracker.update(at(20, run="another", items=10)) == Rates()


class TestTimeLeft:
    def test_the_pace_since_the_copying_began_has_the_drains_in_it(self) -> None:
        # 4,000 of 10,000 items in 100 s, whatever part of these was a slice.
        found = time_left(at(100, "draining"))
        assert (found.seconds, found.text) == (150, "copying and applying changes")

    def test_what_was_copied_before_a_stop_is_not_counted(self) -> None:
        found = time_left(at(1_100, rate_measured_since=BEGAN + 1_000, rate_measured_from=3_000))
        assert found.seconds == 600

    def test_the_first_slice_knows_no_drain(self) -> None:
        assert time_left(at(100, slice=1)).text == "copying only"

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"estimate": None}, "there is no estimate"),
            ({"estimate": {"items": 0}}, "there are more items than estimated"),
            ({"items": 10_001}, "there are more items than estimated"),
            ({"rate_measured_since": 0.0}, "nothing is measured yet"),
            ({"now": BEGAN + 9}, "nothing is measured yet"),
            ({"rate_measured_from": 4_000}, "nothing is measured yet"),
        ],
    )
    def test_unknown_is_said_and_why(self, changes: dict[str, Any], why: str) -> None:
        found = time_left({**at(100), **changes})
        assert (found.seconds, found.text) == (None, f"unknown: {why}")

    def test_the_last_drain_is_over_when_the_replicator_is_in_step(self) -> None:
        # 600 s behind at 5 changes a second are 3,000; 15 a second more are applied than arrive.
        drain = at(100, "draining", segments_done=16, oldest_unapplied_age=600, arriving=5.0, applying=20.0)
        assert (time_left(drain).seconds, time_left(drain).text) == (200, "until changes are caught up")

    @pytest.mark.parametrize(
        "changes",
        [
            {"oldest_unapplied_age": 0.0, "arriving": 5.0, "applying": 20.0},
            {"arriving": 0.0, "applying": 0.0},
            {"arriving": 5.0, "applying": 5.0},
        ],
    )
    def test_else_it_depends_on_the_writers(self, changes: dict[str, float]) -> None:
        found = time_left(at(100, "draining", **{"segments_done": 16, **changes}))
        assert (found.seconds, found.text) == (None, "unknown: it depends on your writers")

    @pytest.mark.parametrize("phase", ["ready", "sealing", "sealed"])
    def test_nothing_is_left_when_all_is_copied(self, phase: str) -> None:
        assert time_left(status(phase)).seconds == 0

    @pytest.mark.parametrize(
        "seen", [status("preflight"), status("stopped"), status("draining", blocked=True)]
    )
    def test_who_waits_for_a_person_takes_as_long_as_that_one(self, seen: dict[str, Any]) -> None:
        assert (time_left(seen).seconds, time_left(seen).text) == (None, "unknown: the run waits for you")

    def test_before_the_first_start(self) -> None:
        assert time_left(NO_RUN).seconds is None
