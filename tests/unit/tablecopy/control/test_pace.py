"""The pace of slices, number by number. Whole runs are in test_pace_simulated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tablecopy.control.pace import SliceLimits, begin_window
from tablecopy.control.stream.backlog import Backlog
from tablecopy.journal.run import Phase, Run
from tests.unit.tablecopy.fakes import NOON

HOUR = 3_600.0
PACE = SliceLimits(longest=6 * HOUR, fraction=0.5)
RUN = Run("run", "arn", 4, NOON, Phase.DRAINING, NOON, slice=1, scan_began=NOON - HOUR)


def backlog(age: float = 0.0, records: int = 0, waiting: int = 0) -> Backlog:
    return Backlog(oldest_age=age, unapplied_age=age, drained=age == 0, records=records, waiting=waiting)


def judged(age: float, records: int = 0, since: float = NOON) -> Run:
    return replace(RUN, window_since=since, window_age=age, window_records=records)


class TestLength:
    def test_before_anything_was_measured_it_is_short(self) -> None:
        assert PACE.slice_length(replace(RUN, slice=0)) == 600
        assert SliceLimits(60, 0.5).slice_length(replace(RUN, slice=0)) == 60
        assert SliceLimits(6 * HOUR, 0.01).slice_length(replace(RUN, slice=0)) == 216

    @pytest.mark.parametrize(
        ("arriving", "applying", "length"),
        [
            (0.0, 0.0, 6 * HOUR),
            (0.0, 10.0, 6 * HOUR),
            (6.0, 10.0, 0.4 * 12 * HOUR - 1_800),
            (9.0, 10.0, 0.1 * 12 * HOUR - 1_800),
        ],
    )
    def test_it_is_what_the_rates_leave(self, arriving: float, applying: float, length: float) -> None:
        run = replace(RUN, arriving=arriving, applying=applying)
        assert PACE.slice_length(run) == pytest.approx(length)
        assert PACE.no_slice(run) == ""

    @pytest.mark.parametrize("arriving", [9.58, 10.0, 20.0])
    def test_there_is_none_that_would_not_be_worth_it(self, arriving: float) -> None:
        says = PACE.no_slice(replace(RUN, arriving=arriving, applying=10.0))
        assert f"the source makes {arriving:.1f} changes per second" in says
        assert "applies at most 10.0" in says
        assert "older than 12 h" in says
        for what in ("write capacity", "memory_mb", "batch_size", "control.record_age_fraction"):
            assert what in says

    def test_short_ones_are_useful_where_longer_ones_are_not_wanted(self) -> None:
        assert SliceLimits(5, 0.5).no_slice(replace(RUN, arriving=1.0, applying=10.0)) == ""


class TestMeasured:
    def test_rates_follow_from_what_was_worked_off(self) -> None:
        # Within 300 s everything that was made in the 600 s before them and in them.
        rates = PACE.measured(judged(600, records=100), backlog(records=1_000), NOON + 300)
        assert rates == {"arriving": 1.0, "applying": 3.0}

    def test_what_is_left_is_not_counted(self) -> None:
        rates = PACE.measured(judged(600), backlog(age=300, records=900), NOON + 300)
        assert rates == {"arriving": 1.5, "applying": 3.0}

    def test_a_quiet_source_says_nothing_of_the_replicator(self) -> None:
        assert PACE.measured(judged(600), backlog(), NOON + 300) == {"arriving": 0.0}

    @pytest.mark.parametrize(
        ("run", "now"),
        [(judged(30), NOON + 300), (judged(600), NOON), (judged(600), NOON - 5)],
        ids=["nothing had piled up", "no time went by", "clocks differ"],
    )
    def test_some_drains_say_nothing(self, run: Run, now: float) -> None:
        assert PACE.measured(run, backlog(records=50), now) == {}

    def test_a_stretch_begins_where_the_last_one_ended(self) -> None:
        run = replace(RUN, **begin_window(backlog(records=7), NOON + 5, 600))
        assert (run.window_since, run.window_age, run.window_records) == (NOON + 5, 600, 7)


class TestOver:
    def test_nothing_waits_for_a_slice_without_changes(self) -> None:
        assert not PACE.is_over(replace(RUN, applying=1.0), backlog(), NOON + 24 * HOUR)

    def test_before_anything_was_measured_a_change_waits_ten_minutes(self) -> None:
        assert not PACE.is_over(RUN, backlog(age=599), NOON)
        assert PACE.is_over(RUN, backlog(age=600), NOON)

    def test_what_is_older_than_the_first_slice_does_not_count(self) -> None:
        run = replace(RUN, scan_began=NOON)
        assert not PACE.is_over(run, backlog(age=23 * HOUR), NOON + 599)
        assert PACE.is_over(run, backlog(age=23 * HOUR), NOON + 600)

    def test_the_last_that_waits_has_to_be_in_time(self) -> None:
        run = replace(RUN, applying=10.0, scan_began=NOON - 24 * HOUR)
        # Twelve hours less an hour that it is old, and half an hour for switching.
        fits = int(10 * (12 - 1 - 0.5) * HOUR)
        assert not PACE.is_over(run, backlog(age=HOUR, waiting=fits - 1), NOON)
        assert PACE.is_over(run, backlog(age=HOUR, waiting=fits), NOON)


class TestHopeless:
    def late(self, run: Run, age: float, now: float, *, slices_left: bool = True) -> bool:
        return bool(PACE.cannot_catch_up(run, backlog(age), now, slices_left=slices_left))

    def test_it_stops_shortly_before_the_promise_breaks(self) -> None:
        run = judged(11.8 * HOUR)
        assert not self.late(run, 12 * HOUR - 451, NOON + 100)
        assert self.late(run, 12 * HOUR - 450, NOON + 100)

    def test_one_that_gets_younger_may_go_on(self) -> None:
        assert not self.late(judged(11.95 * HOUR), 11.94 * HOUR, NOON + HOUR)

    def test_one_that_was_started_again_has_a_stretch_to_show_that(self) -> None:
        assert not self.late(judged(15 * HOUR), 15.4 * HOUR, NOON + 1_799)
        assert self.late(judged(15 * HOUR), 15.4 * HOUR, NOON + 1_800)

    def test_a_slice_is_not_waited_for_for_ever(self) -> None:
        run = replace(judged(HOUR, since=NOON + 12 * HOUR), phase_since=NOON)
        at = NOON + 12.5 * HOUR
        assert self.late(run, HOUR, at)
        assert not self.late(run, HOUR, at - 1)
        assert not self.late(run, HOUR - 1, at)
        # Without one, to lag behind evenly is no reason to stop.
        assert not self.late(run, HOUR, at, slices_left=False)

    def test_a_replicator_that_does_nothing_is_told(self) -> None:
        says = PACE.cannot_catch_up(judged(11.5 * HOUR), backlog(12 * HOUR), NOON + 1_800, slices_left=True)
        assert "applied nothing in the last 30 min. See its log group" in says

    def test_the_numbers_are_told(self) -> None:
        run = judged(11.8 * HOUR)
        says = PACE.cannot_catch_up(run, backlog(11.9 * HOUR, records=3_600), NOON + 720, slices_left=True)
        assert "applied 5.0 changes per second in the last 12 min" in says
        assert "the source made 10.0 per second" in says
        assert all(fact in says for fact in ("is 11 h 54 min old", "the limit is 12 h"))
