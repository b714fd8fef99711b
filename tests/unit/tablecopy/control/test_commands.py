"""What an operator can ask for, in every phase."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tablecopy.control.commands import Commands, NotPossible
from tablecopy.dynamodb.client import Json
from tablecopy.journal.dead_letters import DeadLetter, DeadLetters, Origin
from tablecopy.journal.run import DEAD_LETTER_LIMIT, Phase, Run, RunRecord
from tablecopy.journal.segments import Segment, Segments
from tablecopy.journal.shards import Shard, Shards, StreamSummary
from tablecopy.journal.store import Store
from tests.unit.tablecopy.fakes import NOON, STREAM_ARN, FakeClock, MemoryStore

UNDER_WAY = set(Phase) - {Phase.STOPPED, Phase.SEALING, Phase.SEALED}


def letter(key: str, size: int = 1) -> DeadLetter:
    return DeadLetter(
        token=key,
        key={"pk": {"S": key}},
        origin=Origin.STREAM,
        action="put",
        code="ValidationException",
        message="why",
        sequence_number="1",
        image=json.dumps({"pk": {"S": key}, "v": {"S": "v" * size}}),
    )


class Scene:
    def __init__(self, store: Store, clock: FakeClock) -> None:
        self.clock = clock
        self.run = RunRecord(store)
        self.segments = Segments(store)
        self.shards = Shards(store)
        self.letters = DeadLetters(store, clock)
        self.commands = self.another(self.run)

    def another(self, run: RunRecord) -> Commands:
        return Commands(run, self.segments, self.shards, self.letters, self.clock, STREAM_ARN, 4, 60)

    def at(self, phase: Phase, **changes: object) -> None:
        self.commands.begin()
        assert self.run.save(self.now().enter(phase, NOON, **changes))

    def now(self) -> Run:
        run = self.run.read()
        assert run is not None
        return run


@pytest.fixture
def scene(store: Store, clock: FakeClock) -> Scene:
    return Scene(store, clock)


class TestStart:
    def test_the_first_start_creates_the_run(self, scene: Scene) -> None:
        assert scene.commands.start()["phase"] == "preflight"
        run = scene.now()
        assert (run.stream_arn, run.total_segments, run.started) == (STREAM_ARN, 4, NOON)
        # It becomes part of an execution's name: at most 80 characters of these.
        assert len(run.run_id) <= 60
        assert run.run_id.replace("-", "").isalnum()

    def test_the_first_start_is_an_operators_and_an_apply_begins_one_that_is_not(self, scene: Scene) -> None:
        assert scene.commands.begin()
        assert not scene.now().confirmed
        assert not scene.commands.begin()

    def test_a_start_makes_a_run_of_an_apply_the_operators(self, scene: Scene) -> None:
        scene.commands.begin()
        scene.run.save(replace(scene.now(), problems=("it holds items",), checked=NOON))
        begun = scene.now()
        # The answer tells that preflight has yet to look again.
        assert scene.commands.start("one")["checked"] == 0
        run = scene.now()
        assert (run.run_id, run.phase, run.confirmed, run.request) == (
            begun.run_id,
            Phase.PREFLIGHT,
            True,
            "one",
        )
        assert scene.another(scene.run).begin() is False

    @pytest.mark.parametrize("phase", [None, Phase.PREFLIGHT, Phase.STOPPED])
    def test_a_start_that_is_sent_again_changes_nothing(self, scene: Scene, phase: Phase | None) -> None:
        if phase is Phase.PREFLIGHT:
            scene.commands.begin()
        elif phase:
            scene.at(phase)
        first = scene.commands.start("one")
        before = scene.now()
        assert before.confirmed
        assert scene.commands.start("one") == first
        assert scene.now() == before
        with pytest.raises(NotPossible, match="already in progress"):
            scene.commands.start("another")

    @pytest.mark.parametrize("phase", sorted(UNDER_WAY))
    def test_one_under_way_is_refused_and_left_as_it_is(self, scene: Scene, phase: Phase) -> None:
        scene.at(phase, slice=3, confirmed=True)
        before = scene.now()
        says = f"run {before.run_id} is already in progress.*{phase} since 2025-06-15T15:06:40Z"
        with pytest.raises(NotPossible, match=says):
            scene.commands.start()
        assert not scene.commands.begin()
        assert scene.now() == before

    @pytest.mark.parametrize("stopped", [False, True])
    def test_of_two_at_once_one_begins(self, scene: Scene, store: Store, stopped: bool) -> None:
        class Overtaken(RunRecord):
            """Another start comes between this one's look at the run and its write."""

            def create(self, run: Run) -> bool:
                scene.commands.start()
                return super().create(run)

            def save(self, run: Run) -> Run | None:
                scene.commands.start()
                return super().save(run)

        if stopped:
            scene.at(Phase.STOPPED, scan_began=NOON)
        with pytest.raises(NotPossible, match="already in progress"):
            scene.another(Overtaken(store)).start()
        assert scene.now().phase is (Phase.RESUMING if stopped else Phase.PREFLIGHT)
        assert scene.now().version == (2 if stopped else 0)

    def test_a_stopped_one_goes_on_where_workers_may_still_write(self, scene: Scene) -> None:
        scene.at(Phase.STOPPED, reason="why", empty_slices=3, scan_began=NOON)
        scene.commands.start()
        run = scene.now()
        assert (run.phase, run.reason, run.empty_slices) == (Phase.RESUMING, "", 0)

    def test_one_that_stopped_before_its_first_slice_begins_again(self, scene: Scene) -> None:
        """Nothing may be applied before the scan has begun."""
        scene.at(Phase.STOPPED, reason="why", checked=NOON)
        assert scene.commands.start()["checked"] == 0
        assert scene.now().phase is Phase.PREFLIGHT

    def test_a_seal_that_was_pending_when_it_stopped_is_not(self, scene: Scene) -> None:
        scene.at(Phase.STOPPED, seal_requested_at=NOON, scan_began=NOON)
        assert not scene.commands.start()["seal_requested"]

    def test_a_stopped_one_is_judged_by_what_is_measured_from_then_on(self, scene: Scene) -> None:
        scene.at(Phase.STOPPED, arriving=9.0, applying=9.0, slice_began=NOON, rate_measured_since=NOON)
        scene.letters.put(letter("a"))
        scene.commands.start()
        run = scene.now()
        assert (run.arriving, run.applying, run.slice_began, run.rate_measured_since) == (0, 0, 0, 0)
        # It does not stop again for the dead letters it stopped for.
        assert run.dead_letter_limit == DEAD_LETTER_LIMIT + 1

    @pytest.mark.parametrize("phase", [Phase.STOPPED, Phase.SEALING, Phase.SEALED])
    def test_one_that_has_ended_is_not_started_again(self, scene: Scene, phase: Phase) -> None:
        scene.at(phase, reason="lost", resumable=False)
        before = scene.now()
        with pytest.raises(NotPossible, match="lost" if phase is Phase.STOPPED else "sealed"):
            scene.commands.start()
        scene.commands.begin()
        assert scene.now() == before


class TestSeal:
    def test_there_is_nothing_to_seal_before_the_first_start(self, scene: Scene) -> None:
        with pytest.raises(NotPossible, match="tablecopy start"):
            scene.commands.seal()

    @pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.READY, Phase.SEALING, Phase.SEALED}))
    def test_only_a_ready_run_is_sealed(self, scene: Scene, phase: Phase) -> None:
        scene.at(phase, reason="the reason")
        with pytest.raises(NotPossible, match="the reason"):
            scene.commands.seal()
        assert not scene.now().seal_requested_at

    def test_the_wish_is_written_down(self, scene: Scene) -> None:
        scene.at(Phase.READY)
        assert scene.commands.seal()["seal_requested"]
        assert scene.now().phase is Phase.READY

    @pytest.mark.parametrize("phase", [Phase.SEALING, Phase.SEALED])
    def test_twice_is_once(self, scene: Scene, phase: Phase) -> None:
        scene.at(phase)
        before = scene.now()
        assert scene.commands.seal()["phase"] == phase
        assert scene.now() == before

    def test_a_wish_that_the_reconciler_overtakes_is_looked_at_again(
        self, scene: Scene, store: Store, clock: FakeClock
    ) -> None:
        class Overtaken(RunRecord):
            def save(self, run: Run) -> Run | None:
                if scene.now().phase is Phase.READY:
                    scene.at(Phase.DRAINING)
                return super().save(run)

        scene.at(Phase.READY)
        commands = scene.another(Overtaken(store))
        with pytest.raises(NotPossible, match="still copying"):
            commands.seal()
        assert not scene.now().seal_requested_at


class TestRedrive:
    def test_the_wish_is_written_down_once(self, scene: Scene) -> None:
        scene.at(Phase.DRAINING)
        scene.letters.put(letter("a"))
        assert scene.commands.redrive()["redrive"]
        before = scene.now()
        assert scene.commands.redrive()["dead_letters"] == 1
        assert scene.now() == before
        assert before.redrive

    def test_there_is_nothing_to_try_again(self, scene: Scene) -> None:
        with pytest.raises(NotPossible, match="tablecopy start"):
            scene.commands.redrive()
        scene.at(Phase.READY)
        with pytest.raises(NotPossible, match="no dead letter"):
            scene.commands.redrive()

    @pytest.mark.parametrize("phase", [Phase.STOPPED, Phase.SEALING, Phase.SEALED])
    def test_not_in_a_run_that_writes_no_more(self, scene: Scene, phase: Phase) -> None:
        scene.at(phase, reason="the reason")
        scene.letters.put(letter("a"))
        with pytest.raises(NotPossible, match="tablecopy start" if phase is Phase.STOPPED else phase):
            scene.commands.redrive()
        assert not scene.now().redrive

    def test_a_wish_that_is_overtaken_is_written_all_the_same(self, scene: Scene, store: Store) -> None:
        class Overtaken(RunRecord):
            def save(self, run: Run) -> Run | None:
                if scene.now().phase is Phase.SLICE:
                    scene.at(Phase.RESUMING)
                return super().save(run)

        scene.at(Phase.SLICE)
        scene.letters.put(letter("a"))
        assert scene.another(Overtaken(store)).redrive()["phase"] == "resuming"
        assert scene.now().redrive


class TestLetters:
    def test_they_are_listed_without_their_items(self, scene: Scene) -> None:
        scene.commands.begin()
        assert scene.commands.dead_letters() == {"count": 0, "dead_letters": []}
        scene.letters.put(letter("a"))
        answer = scene.commands.dead_letters()
        assert answer["count"] == 1
        [told] = answer["dead_letters"]
        assert told["key"] == {"pk": {"S": "a"}}
        assert (told["code"], told["origin"], told["action"]) == ("ValidationException", "stream", "put")
        assert (told["first_seen"], told["attempts"], told["sequence_number"]) == (NOON, 1, "1")
        assert set(told) == {
            *("key", "code", "message", "origin", "action", "sequence_number", "first_seen", "attempts")
        }

    def test_their_items_are_told_on_request_as_far_as_an_answer_has_room(self, scene: Scene) -> None:
        scene.commands.begin()
        for index in range(9):
            scene.letters.put(letter(f"{index}", size=290_000))
        told = scene.commands.dead_letters(values=True)["dead_letters"]
        images = [each["image"] for each in told if "image" in each]
        assert len(told) == 9
        assert len(images) == 6
        assert images[0]["v"] == {"S": "v" * 290_000}

    def test_a_thousand_are_told_and_all_are_counted(self, clock: FakeClock) -> None:
        many = Scene(MemoryStore(), clock)
        many.commands.begin()
        for index in range(1_001):
            many.letters.put(letter(f"{index}"))
        answer = many.commands.dead_letters()
        assert (answer["count"], len(answer["dead_letters"])) == (1_001, 1_000)


class TestStatus:
    def test_before_the_first_start(self, scene: Scene) -> None:
        assert scene.commands.status() == {"phase": "none", "now": NOON}

    def test_it_adds_up(self, scene: Scene) -> None:
        figures = {"arriving": 1.5, "applying": 20.0, "workers": 3, "estimate": '{"items": 5}'}
        pace = {"rate_measured_since": NOON - 60, "rate_measured_from": 4}
        scene.at(Phase.DRAINING, slice=2, problems=("p",), reason="r", blocked=True, **figures, **pace)
        scene.letters.put(letter("a"))
        of = scene.now().run_id
        scene.segments.save(Segment(0, None, 10, 1000, done=True, run=of))
        scene.segments.save(Segment(2, {"pk": {"S": "a"}}, 5, 500, run=of))
        # A worker of an earlier run still saves in this journal.
        scene.segments.save(Segment(1, None, 10, 1000, done=True, run="earlier"))
        scene.shards.save_summary(StreamSummary(NOON, 2, 17, 11, 5, NOON - 30))
        status = scene.commands.status()
        expected = {
            "phase": "draining",
            "slice": 2,
            "segments": 4,
            "segments_done": 1,
            "items": 15,
            "bytes": 1500,
            "changes": 17,
            "puts": 11,
            "deletes": 5,
            "oldest_unapplied_age": 30.0,
            "arriving": 1.5,
            "applying": 20.0,
            "quiet_for": None,
            "quiet_needed": 60,
            "dead_letters": 1,
            "redrive": False,
            "workers": 3,
            "estimate": {"items": 5},
            "rate_measured_since": NOON - 60,
            "rate_measured_from": 4,
            "problems": ["p"],
            "reason": "r",
            "blocked": True,
            "resumable": True,
            "now": NOON,
        }
        assert {name: status[name] for name in expected} == expected

    def test_its_fields_are_the_documented_ones(self, scene: Scene) -> None:
        page = (Path(__file__).parents[4] / "docs" / "reference.md").read_text()
        rows = page.partition("\n### status\n")[2].partition("\n### ")[0].splitlines()
        names = [name for row in rows for name in re.findall(r"`(\w+)`", row.partition(" | ")[0])]
        scene.at(Phase.DRAINING)
        # Control adds the verification, and that there is no copy. The command adds the next steps.
        added = {"verification", "comparison_only", "next"}
        assert {*scene.commands.status(), *added} == set(names[names.index("phase") :])

    @pytest.mark.parametrize(("empty_since", "quiet_for"), [(None, None), (NOON - 22, 22.0), (NOON + 1, 0.0)])
    def test_it_tells_for_how_long_no_shard_has_held_a_change(
        self, scene: Scene, empty_since: float | None, quiet_for: float | None
    ) -> None:
        scene.at(Phase.DRAINING)
        scene.shards.save_summary(StreamSummary(empty_since=empty_since))
        assert scene.commands.status()["quiet_for"] == quiet_for

    def test_it_costs_the_same_however_many_shards_there_are(self, clock: FakeClock) -> None:
        class Counting(MemoryStore):
            read = 0

            def get(self, pk: str, sk: str) -> Json | None:
                self.read += 1
                return super().get(pk, sk)

            def query(self, pk: str, **between: str | None) -> Iterator[Json]:
                for item in super().query(pk, **between):
                    self.read += 1
                    yield item

        store = Counting()
        many = Scene(store, clock)
        many.at(Phase.DRAINING)
        for index in range(1_000):
            many.shards.save(Shard(f"{index}"))
        store.read = 0
        many.commands.status()
        assert store.read < 10

    def test_a_run_keeps_its_segments_whatever_terraform_says_later(self, scene: Scene) -> None:
        scene.at(Phase.DRAINING)
        scene.run.save(replace(scene.now(), total_segments=2))
        assert scene.commands.status()["segments"] == 2
