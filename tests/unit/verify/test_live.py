"""Comparing while the tables are written to: what is lag, what is not, and what nobody can tell.

Every simulation says its seed; the same seed does the same again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.control_function import ControlFunction
from tablecopy_cli.common.errors import UserError
from tests.unit.verify.live import Compared, Simulation
from verify import Options, WorkDirectory
from verify.comparison.dead_letters import lag_of

SEEDS = range(4)
LAG = 5.0
LIVE = Options(lag_seconds=LAG, segments=2)
FINAL = Options(writes_stopped=True, segments=2)
SLACK = 0.001

Simulate = Callable[..., Simulation]


@pytest.fixture
def simulate(monkeypatch: pytest.MonkeyPatch) -> Simulate:
    """Make a simulation whose threads take turns."""

    def make(seed: int, *arguments: Any, warm_up: float = 60.0, **settings: Any) -> Simulation:
        simulation = Simulation(seed, *arguments, **settings)
        if not warm_up:
            simulation.writing = set()
            simulation.source.older = dict
        for module in ("scan.workers", "comparison.recheck"):
            monkeypatch.setattr(f"verify.{module}.run_all", simulation.run_all)
        simulation.advance(warm_up)
        return simulation

    return make


def quiet(simulate: Simulate) -> Simulation:
    """Tables that nothing writes to but the test, and scans that are up to date."""
    return simulate(1, (0.0, 0.0), warm_up=0.0, cold=30, hot=0)


def check(compared: Compared) -> None:
    """What holds of every comparison under writes."""
    result = compared.result
    # Every candidate is a difference or has settled.
    assert result.settled + len(result.differences) == compared.candidates
    assert result.unsettled == len(compared.unsettled)
    for difference in result.differences:
        assert compared.began <= difference.first_seen <= difference.last_seen
        if difference.standing:
            assert difference.checks >= 2
            assert difference.last_seen - difference.first_seen >= LAG - SLACK
        else:
            assert difference.checks == result.generations


def changed(number: int, value: str = "changed") -> dict[str, Any]:
    return {"pk": {"S": f"cold-{number}"}, "sk": {"N": "0"}, "v": {"S": value}}


class TestAReplicatorThatLags:
    @pytest.mark.parametrize("known", [False, True])
    @pytest.mark.parametrize("seed", SEEDS)
    def test_is_never_different(self, simulate: Simulate, seed: int, known: bool) -> None:
        simulation = simulate(seed, (0.2, LAG - 0.5))
        more = {"lag": simulation.behind} if known else {}
        compared = simulation.compare(LIVE, **more)
        check(compared)
        assert compared.candidates > 5, "the test is worth something"
        assert compared.standing == {}
        assert compared.result.verdict in {"equal", "unsettled"}
        assert compared.unsettled <= set(simulation.hot), "others do not change that often"
        simulation.stop_writes()
        for options in (LIVE, FINAL):
            assert simulation.compare(options).result.verdict == "equal"

    @pytest.mark.parametrize("seed", SEEDS)
    def test_further_than_the_flag_says_is_known_to_control(self, simulate: Simulate, seed: int) -> None:
        simulation = simulate(seed, (2.0, 60.0))
        compared = simulation.compare(LIVE, lag=simulation.behind)
        check(compared)
        assert compared.candidates > 5
        assert compared.standing == {}
        assert compared.result.verdict in {"equal", "unsettled"}
        assert compared.result.lag_seconds > LAG
        simulation.stop_writes()
        assert simulation.compare(LIVE, lag=simulation.behind).result.verdict == "equal"

    def test_further_than_anybody_says_is_called_different(self, simulate: Simulate) -> None:
        # The limit of it all, and why the two tests above are worth something.
        simulation = simulate(1, (2.0, 60.0))
        compared = simulation.compare(LIVE)
        assert compared.result.verdict == "different"
        assert set(compared.standing) <= set(simulation.cold)
        simulation.stop_writes()
        assert simulation.truth() == {}

    def test_that_is_held_up_during_the_wait_gets_the_time_it_needs(self, simulate: Simulate) -> None:
        simulation = quiet(simulate)
        simulation.put("cold-3", None, after=40.0)
        compared = simulation.compare(LIVE, lag=simulation.behind)
        check(compared)
        # When the wait began the change was less old than a change may be.
        assert (compared.result.verdict, compared.result.settled) == ("equal", 1)
        assert compared.result.lag_seconds > 30


class TestAReplicatorThatStopped:
    @pytest.mark.parametrize("known", [False, True])
    @pytest.mark.parametrize("seed", SEEDS)
    def test_is_told_by_every_key_that_stays(self, simulate: Simulate, seed: int, known: bool) -> None:
        simulation = simulate(seed, (0.2, LAG - 0.5))
        simulation.stopped = True
        simulation.advance(30.0)
        known_before = simulation.truth()
        if known:
            # Ten minutes are waited for each time: no other key would stay.
            simulation.writing = {"hot"}
        compared = simulation.compare(LIVE, **({"lag": simulation.behind} if known else {}))
        check(compared)
        assert compared.result.verdict == "different"
        began, now = compared.began, simulation.truth()
        # Scans are up to a second behind, which can hide what changed last.
        stayed = {key for key in known_before if simulation.written[key] < began - 1}
        assert len(stayed) > 10
        assert {key: compared.standing.get(key) for key in stayed} == {key: now[key] for key in stayed}
        last_seen = {d.key["pk"]["S"]: d.last_seen for d in compared.result.differences if d.standing}
        for key, kind in compared.standing.items():
            # Whatever else is standing has come to rest before it was judged.
            assert now.get(key) == kind or simulation.written[key] > last_seen[key]
        assert compared.unsettled
        assert compared.unsettled <= {key for key, at in simulation.written.items() if at > began}
        # A key that never rests is not standing, unless its item was gone each time it was looked at.
        assert {kind for key, kind in compared.standing.items() if key in simulation.hot} <= {"extra"}

    def test_is_waited_for_no_longer_than_ten_minutes(self, simulate: Simulate) -> None:
        simulation = quiet(simulate)
        simulation.stopped = True
        simulation.put("cold-3", None, after=1.0)
        simulation.advance(50_000.0)
        compared = simulation.compare(LIVE, lag=simulation.behind)
        assert compared.standing == {"cold-3": "extra"}
        assert compared.result.lag_seconds == 600.0


class TestDeletesThatAreDropped:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_exactly_these_items_are_extra(self, simulate: Simulate, seed: int) -> None:
        simulation = simulate(seed, (0.2, LAG - 0.5), drop_every=7, warm_up=200.0)
        dropped = dict(simulation.dropped)
        compared = simulation.compare(LIVE)
        check(compared)
        began = compared.began
        left = {key for key in dropped if simulation.dropped.get(key) == dropped[key]} - set(simulation.hot)
        # Not the ones whose delete was still fit to arrive when the source was looked at: they are real, too.
        assert left
        assert compared.result.verdict == "different"
        assert left <= set(compared.standing)
        for key, kind in compared.standing.items():
            assert kind == "extra"
            assert (
                key in left or simulation.dropped.get(key, began) > began or simulation.written[key] > began
            )
        simulation.stop_writes()
        truth = dict.fromkeys(simulation.dropped, "extra")
        assert simulation.truth() == truth
        assert simulation.compare(LIVE).standing == truth
        assert simulation.compare(FINAL).standing == truth


class TestWhatIsReadAgain:
    def test_candidates_alone_at_the_source_the_destination_and_the_source(self, simulate: Simulate) -> None:
        simulation = quiet(simulate)
        for number in range(2):
            simulation.put(f"cold-{number}", changed(number), after=10_000.0)
        compared = simulation.compare(LIVE)
        assert compared.standing == {"cold-0": "changed", "cold-1": "changed"}
        keys = ["cold-0", "cold-1"]
        reads = [(side, sorted(keys)) for side, keys in simulation.reads()]
        assert reads == 2 * [("source", keys), ("destination", keys), ("source", keys)]

    @pytest.mark.parametrize("seed", SEEDS)
    def test_each_key_in_that_order_however_threads_take_turns(self, simulate: Simulate, seed: int) -> None:
        simulation = simulate(seed, (0.2, 300.0), cold=700, rate=25.0)
        compared = simulation.compare(LIVE)
        assert compared.candidates > 200, "several calls"
        order: dict[str, list[str]] = {}
        for side, keys in simulation.reads():
            for key in keys:
                order.setdefault(key, []).append(side)
        assert len(order) == compared.candidates
        for sides in order.values():
            assert sides == ["source", "destination", "source"] * (len(sides) // 3)
        # FakeTable refuses a read that is not consistent.

    def test_what_was_equal_in_the_scan_is_not_read_again(self, simulate: Simulate) -> None:
        simulation = quiet(simulate)
        assert simulation.compare(LIVE).result.verdict == "equal"
        assert simulation.reads() == []


class TestReadingTheSourceTwice:
    """A change that happens between the reads is seen on one side of it or on the other."""

    @pytest.mark.parametrize("arrives_at_once", [True, False])
    def test_a_change_between_the_reads(self, simulate: Simulate, arrives_at_once: bool) -> None:
        simulation = quiet(simulate)
        simulation.put("cold-0", changed(0), after=10_000.0)

        def on_read(side: str, number: int) -> None:
            if side == "destination":
                simulation.source.put(changed(0, "once more"))
                if arrives_at_once:
                    simulation.destination.put(changed(0, "once more"))

        simulation.on_read = on_read
        compared = simulation.compare(replace(LIVE, generations=1))
        if arrives_at_once:
            assert (compared.result.verdict, compared.result.settled) == ("equal", 1)
        else:
            assert (compared.result.verdict, compared.unsettled) == ("unsettled", {"cold-0"})

    def test_what_was_equal_before_the_next_change_has_settled(self, simulate: Simulate) -> None:
        simulation = quiet(simulate)
        simulation.put("cold-0", changed(0), after=10_000.0)

        def on_read(side: str, number: int) -> None:
            if side == "destination":
                simulation.destination.put(changed(0))
                simulation.source.put(changed(0, "later"))

        simulation.on_read = on_read
        compared = simulation.compare(replace(LIVE, generations=1))
        assert (compared.result.verdict, compared.result.settled) == ("equal", 1)

    def test_what_the_last_read_saw_is_what_must_stay(self, simulate: Simulate) -> None:
        simulation = quiet(simulate)
        simulation.put("cold-0", changed(0), after=10_000.0)

        def on_read(side: str, number: int) -> None:
            if (side, number) == ("source", 2):
                simulation.source.put(changed(0, "later"))

        simulation.on_read = on_read
        compared = simulation.compare(replace(LIVE, generations=2))
        assert compared.standing == {"cold-0": "changed"}

    def test_a_change_before_the_last_read_is_not_standing(self, simulate: Simulate) -> None:
        simulation = quiet(simulate)
        simulation.put("cold-0", changed(0), after=10_000.0)

        def on_read(side: str, number: int) -> None:
            if (side, number) == ("source", 4):
                simulation.source.put(changed(0, "later"))

        simulation.on_read = on_read
        compared = simulation.compare(replace(LIVE, generations=2))
        assert (compared.result.verdict, compared.unsettled) == ("unsettled", {"cold-0"})

    def test_a_source_that_comes_back_while_it_is_read_is_not_standing(self, simulate: Simulate) -> None:
        simulation = quiet(simulate)
        simulation.put("cold-0", changed(0), after=10_000.0)

        def on_read(side: str, number: int) -> None:
            if side == "source":
                simulation.source.put(changed(0, "between") if number == 3 else changed(0))

        simulation.on_read = on_read
        compared = simulation.compare(replace(LIVE, generations=2))
        assert (compared.result.verdict, compared.unsettled) == ("unsettled", {"cold-0"})


class TestOneLookIsNotEnough:
    def test_a_change_that_takes_as_long_as_the_lag_settles(self, simulate: Simulate) -> None:
        # The scan and the first recheck see the very same.
        simulation = quiet(simulate)
        simulation.put("cold-0", None, after=LAG)
        compared = simulation.compare(LIVE)
        assert (compared.result.verdict, compared.result.settled) == ("equal", 1)
        assert compared.result.generations == 2

    def test_the_destination_must_stay_as_well(self, simulate: Simulate) -> None:
        simulation = quiet(simulate)
        simulation.put("cold-0", changed(0), after=10_000.0)

        def on_read(side: str, number: int) -> None:
            if side == "destination":
                # Earlier changes arrive, one after the other.
                simulation.destination.put(changed(0, f"number {min(number, 3)}"))

        simulation.on_read = on_read
        compared = simulation.compare(LIVE)
        assert compared.standing == {"cold-0": "changed"}
        assert [difference.checks for difference in compared.result.differences] == [4]

    def test_deleted_and_made_again_between_two_looks(self, simulate: Simulate) -> None:
        simulation = quiet(simulate)
        simulation.put("cold-0", changed(0), after=3.0)

        def on_wait(seconds: float) -> None:
            if simulation.item("source", "cold-0") == changed(0):
                simulation.put("cold-0", None, after=4.0)
                simulation.put("cold-0", changed(0, "again"), after=4.0)

        simulation.on_wait = on_wait
        compared = simulation.compare(LIVE)
        assert (compared.result.verdict, compared.result.settled) == ("equal", 1)
        assert simulation.item("destination", "cold-0") == changed(0, "again")

    def test_an_item_that_goes_to_and_fro_can_look_as_if_it_stood(self, simulate: Simulate) -> None:
        # A limit. Such as a lock, put with the same content each time: it was put just before each look,
        # arrived only after it, and was deleted in between.
        simulation = quiet(simulate)
        simulation.put("cold-0", None, after=0.0)
        simulation.advance(1.0)
        simulation.put("cold-0", changed(0), after=4.0)

        def on_read(side: str, number: int) -> None:
            if (side, number) == ("source", 3):
                simulation.put("cold-0", changed(0), after=2.0)

        def on_wait(seconds: float) -> None:
            if simulation.item("source", "cold-0"):
                simulation.put("cold-0", None, after=0.5)

        simulation.on_read, simulation.on_wait = on_read, on_wait
        compared = simulation.compare(LIVE)
        assert compared.standing == {"cold-0": "missing"}
        simulation.on_wait = lambda seconds: None
        simulation.stop_writes()
        assert simulation.compare(LIVE).result.verdict == "equal"


class TestScansThatAreBehind:
    def test_a_stale_page_makes_a_candidate_that_settles(self, simulate: Simulate) -> None:
        simulation = quiet(simulate)
        old = simulation.item("source", "cold-0")
        assert old is not None
        simulation.put("cold-0", changed(0), after=0.0)
        simulation.advance(10.0)
        identity = simulation.source._schema.identity(old)
        simulation.source.older = lambda: {identity: old}
        compared = simulation.compare(LIVE)
        assert (compared.candidates, compared.result.settled) == (1, 1)
        assert (compared.result.verdict, compared.result.generations) == ("equal", 1)

    def test_a_stale_page_can_hide_a_difference_but_not_with_writes_stopped(self, simulate: Simulate) -> None:
        simulation = quiet(simulate)
        simulation.stopped = True
        old = simulation.item("source", "cold-0")
        assert old is not None
        simulation.put("cold-0", None, after=0.0)
        identity = simulation.source._schema.identity(old)
        simulation.source.older = lambda: {identity: old}
        assert simulation.truth() == {"cold-0": "extra"}
        assert simulation.compare(LIVE).result.verdict == "equal"
        assert simulation.compare(FINAL).standing == {"cold-0": "extra"}


class TestWithWritesStopped:
    def test_one_change_underway_is_a_difference(self, simulate: Simulate) -> None:
        simulation = quiet(simulate)
        simulation.put("cold-0", None, after=60.0)
        compared = simulation.compare(FINAL)
        assert compared.result.verdict == "different"
        assert compared.standing == {"cold-0": "extra"}
        assert [(d.checks, d.first_seen) for d in compared.result.differences] == [
            (1, d.last_seen) for d in compared.result.differences
        ]
        assert [side for side, _ in simulation.reads()] == ["source", "destination"]

    def test_a_candidate_that_is_equal_when_read_again_tells_of_writes(self, simulate: Simulate) -> None:
        simulation = quiet(simulate)
        simulation.put("cold-0", None, after=10_000.0)
        simulation.on_read = lambda side, number: simulation.destination.delete(changed(0))
        compared = simulation.compare(FINAL)
        assert (compared.result.verdict, compared.result.settled) == ("unsettled", 1)

    @pytest.mark.parametrize("seed", SEEDS)
    def test_a_lagging_copy_under_writes_is_never_equal(self, simulate: Simulate, seed: int) -> None:
        simulation = simulate(seed, (1.0, 4.0))
        assert simulation.compare(FINAL).result.verdict in {"different", "unsettled"}


class TestResuming:
    """An interrupted wait goes on where it ended, with what was seen before it."""

    class Interrupted(Exception):
        pass

    def interrupted(self, simulation: Simulation, directory: Path, after: float) -> None:
        waited = 0.0

        def on_wait(seconds: float) -> None:
            nonlocal waited
            waited += seconds
            if waited > after:
                raise self.Interrupted

        simulation.on_wait = on_wait
        work = WorkDirectory(directory, {}, resume=False)
        with pytest.raises(self.Interrupted):
            simulation.compare(LIVE, work=work)
        work.release()
        simulation.on_wait = lambda seconds: None

    def resumed(self, simulation: Simulation, directory: Path) -> Compared:
        return simulation.compare(LIVE, work=WorkDirectory(directory, {}, resume=True))

    def test_waits_for_the_rest(self, simulate: Simulate, tmp_path: Path) -> None:
        simulation = quiet(simulate)
        simulation.put("cold-0", None, after=LAG + 1.0)
        self.interrupted(simulation, tmp_path, after=2.0)
        began = simulation.time
        compared = self.resumed(simulation, tmp_path)
        # Nothing was read twice; it arrived while the rest of the time was waited for.
        assert [side for side, _ in simulation.reads()] == ["source", "destination", "source"]
        assert (compared.result.verdict, compared.result.settled) == ("equal", 1)
        assert LAG - 3.0 < simulation.time - began < LAG

    def test_judges_by_what_was_seen_before(self, simulate: Simulate, tmp_path: Path) -> None:
        simulation = quiet(simulate)
        simulation.put("cold-0", None, after=1_000_000.0)
        self.interrupted(simulation, tmp_path, after=2.0)
        simulation.advance(86_400.0)
        began = simulation.time
        compared = self.resumed(simulation, tmp_path)
        assert compared.standing == {"cold-0": "extra"}
        (difference,) = compared.result.differences
        assert difference.checks == 2
        assert difference.last_seen - difference.first_seen > 86_400
        assert simulation.time - began < 1.0

    def test_what_changed_meanwhile_is_given_its_time(self, simulate: Simulate, tmp_path: Path) -> None:
        simulation = quiet(simulate)
        simulation.put("cold-0", None, after=1_000_000.0)
        self.interrupted(simulation, tmp_path, after=2.0)
        simulation.advance(86_400.0)
        simulation.put("cold-0", changed(0), after=1_000_000.0)
        compared = self.resumed(simulation, tmp_path)
        (difference,) = compared.result.differences
        assert (difference.kind, difference.standing, difference.checks) == ("changed", True, 3)


class TestLagOf:
    """What control says of the lag."""

    SIDE = Side("source", region="eu-west-1")

    def lag(self, monkeypatch: pytest.MonkeyPatch, status: Any) -> float:
        def answer(function: ControlFunction) -> Any:
            if isinstance(status, Exception):
                raise status
            return status

        monkeypatch.setattr(ControlFunction, "__init__", lambda function, side, name: None)
        monkeypatch.setattr(ControlFunction, "status", answer)
        return lag_of(self.SIDE, "tablecopy-cities-control")()

    def test_nobody_is_asked_without_a_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ControlFunction, "__init__", pytest.fail)
        assert lag_of(self.SIDE, None)() == 0.0

    def test_the_age_is_a_minute_old(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.lag(monkeypatch, {"oldest_unapplied_age": 12.5}) == 72.5

    @pytest.mark.parametrize("status", [{"oldest_unapplied_age": 0.0}, {"phase": "none", "now": 1.0}])
    def test_without_an_age_there_is_no_lag(self, monkeypatch: pytest.MonkeyPatch, status: Any) -> None:
        assert self.lag(monkeypatch, status) == 0.0

    def test_a_function_that_does_not_answer_says_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.lag(monkeypatch, UserError("no such function")) == 0.0

    def test_what_it_knows_is_waited_for(self, simulate: Simulate) -> None:
        for lag, waited in ((0.0, LAG), (LAG - 1, LAG), (30.0, 30.0), (900.0, 600.0)):
            simulation = quiet(simulate)
            simulation.put("cold-0", None, after=10_000.0)
            compared = simulation.compare(LIVE, lag=lambda lag=lag: lag)
            (difference,) = compared.result.differences
            assert waited - SLACK <= difference.last_seen - difference.first_seen < waited + 2
            assert compared.result.lag_seconds == pytest.approx(waited)
            assert compared.result.generations == 2

    def test_is_not_asked_with_writes_stopped(self, simulate: Simulate) -> None:
        simulation = quiet(simulate)
        simulation.put("cold-0", None, after=10_000.0)
        assert simulation.compare(FINAL, lag=pytest.fail).standing == {"cold-0": "extra"}
