"""The reconciler: phase by phase, killed anywhere, and several at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import hypothesis
import pytest
from botocore.exceptions import ConnectTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mypy_boto3_lambda.client import LambdaClient
from mypy_boto3_sqs.client import SQSClient
from mypy_boto3_stepfunctions.client import SFNClient

from tablecopy.control.commands import Commands
from tablecopy.control.pace import SliceLimits
from tablecopy.control.preflight import unreachable_problem
from tablecopy.control.proof import Proof
from tablecopy.control.reconciler import Reconciler, reconcile
from tablecopy.control.services import Executions, FailureQueue, SourceMapping
from tablecopy.control.steps import Dependencies, Outcome
from tablecopy.control.stream.notes import SourceNotes
from tablecopy.control.stream.progress import Stream
from tablecopy.control.tables import TableChecks
from tablecopy.dynamodb.streams import StreamClient
from tablecopy.journal.applied_batches import AppliedBatch, AppliedBatches
from tablecopy.journal.dead_letters import DeadLetter, DeadLetters, Origin, name
from tablecopy.journal.leases import BACKFILL, GRACE_SECONDS, REPLICATOR, Leases
from tablecopy.journal.run import REPLICATING, Phase, Run, RunRecord
from tablecopy.journal.segments import Segment, Segments
from tablecopy.journal.shards import Shards
from tablecopy.journal.store import Store
from tests.unit.tablecopy.fakes import (
    MACHINE_ARN,
    NOON,
    STREAM_ARN,
    FakeClock,
    FakeLambda,
    FakeShard,
    FakeStates,
    FakeStreams,
    WatchedClient,
    client_error,
    name_of,
    no_answer,
)
from tests.unit.tablecopy.journal_table import JournalClient

SLICE_SECONDS = 600.0
DRAINED_AFTER = 60.0
TIMEOUT = 60.0
HOUR = 3_600.0
CONCURRENCY = 2
START = Run("run", STREAM_ARN, 2, NOON, Phase.PREFLIGHT, NOON)


class FakeQueue:
    def __init__(self) -> None:
        self.messages = 0

    def get_queue_attributes(self, **request: Any) -> dict[str, dict[str, str]]:
        return {"Attributes": {name: str(self.messages) for name in request["AttributeNames"][:1]}}


class Scene:
    """A run, everything that control looks at, and any number of reconcilers."""

    def __init__(self, drained_after: float = DRAINED_AFTER, begin_at: float = 0.0) -> None:
        self.drained_after = drained_after
        self.begin_at = begin_at
        self.clock = FakeClock()
        journal = JournalClient()
        self.client = WatchedClient(journal)
        store = Store(self.client, "journal")
        self.quiet = quiet = Store(journal, "journal")
        self.lambda_ = FakeLambda()
        self.states = FakeStates()
        self.streams = FakeStreams()
        self.streams.shards["a"] = FakeShard()
        self.queue = FakeQueue()
        self.preflight: list[str] = []
        self.on_preflight: Callable[[], object] = lambda: None
        self.on_check: Callable[[], object] = lambda: None
        self.lost: list[str] = []
        self.lost_error: Exception | None = None
        self.told_ages: list[float] = []
        # What the scene itself does to the journal is neither watched nor killed.
        self.run = RunRecord(quiet)
        self.leases = Leases(quiet, self.clock)
        self.segments = Segments(quiet)
        self.marks = AppliedBatches(quiet, self.clock)
        self.letters = DeadLetters(quiet, self.clock)
        self.commands = Commands(
            self.run, self.segments, Shards(quiet), self.letters, self.clock, STREAM_ARN, 2, drained_after
        )
        self._store = store
        self.reconciler = self.another()

    def another(self) -> Reconciler:
        dependencies = Dependencies(
            run=RunRecord(self._store),
            segments=Segments(self._store),
            leases=Leases(self._store, self.clock),
            dead_letters=self.letters,
            mapping=SourceMapping(cast(LambdaClient, self.lambda_), "mine", self.clock),
            executions=Executions(cast(SFNClient, self.states), MACHINE_ARN, self.clock),
            stream=Stream(
                StreamClient(self.streams, STREAM_ARN, self.clock),
                Shards(self._store),
                AppliedBatches(self._store, self.clock),
                SourceNotes(self._store, self.clock),
                self.clock,
                self.drained_after,
            ),
            queue=FailureQueue(cast(SQSClient, self.queue), "url"),
            tables=TableChecks(self.clock, [self._lost], self.letters),
            preflight=self._preflight,
            inspect_tables=lambda: {"key_names": ("pk", "sk"), "estimate": "{}", "destination_id": "id"},
            publish_age=self.told_ages.append,
            proof=Proof(self._store, self.clock),
        )
        limits = SliceLimits(SLICE_SECONDS, fraction=0.5)
        return Reconciler(dependencies, self.clock, limits, CONCURRENCY, self.begin_at)

    def _lost(self, run: Run) -> list[str]:
        self.on_check()
        if self.lost_error:
            raise self.lost_error
        return self.lost

    def _preflight(self, run: Run) -> list[str]:
        self.on_preflight()
        return list(self.preflight)

    def at(self, phase: Phase, **changes: Any) -> None:
        """Put the run into a phase, with the mapping as it would be."""
        found = self.run.read()
        if found is None:
            self.run.create(START)
            found = START
        if phase not in {Phase.PREFLIGHT, Phase.PAUSING} and not found.scan_began:
            changes = {"scan_began": NOON - 1, **changes}
        if "scan_began" in changes:
            changes = {"covered_to": changes["scan_began"] - 30, **changes}
        assert self.run.save(replace(found, phase=phase, phase_since=self.clock.time, **changes))
        self.lambda_.mapping["State"] = "Enabled" if phase in REPLICATING else "Disabled"

    def now(self) -> Run:
        run = self.run.read()
        assert run is not None
        return run

    def step(self) -> Outcome:
        return self.reconciler.step()

    def settle_mapping(self) -> None:
        """Let a switch of the mapping take effect, and so much time pass that Lambda is asked about it."""
        self.clock.tick(10)
        self.finish_switching()

    def finish_switching(self) -> None:
        state = self.lambda_.mapping["State"]
        self.lambda_.mapping["State"] = {"Enabling": "Enabled", "Disabling": "Disabled"}.get(state, state)

    def write(self, value: int, age: float = 0.0, shard: str = "a") -> None:
        self.streams.shards[shard].records.append((str(10**24 + value), self.clock.time - age))

    def end_shard(self, shard: str, *children: str) -> None:
        """End a shard, and list its children."""
        self.streams.shards[shard].closed = True
        for child in children:
            self.list_child(shard, child)

    def list_child(self, shard: str, child: str) -> None:
        self.streams.shards[child] = FakeShard(parent=shard)

    def finish_segments(self) -> None:
        for number in range(2):
            self.segments.save(Segment(number, items=5, done=True))

    def step_for(self, seconds: float) -> None:
        end = self.clock.time + seconds
        while self.clock.time < end:
            self.step()
            self.clock.time += 1
        self.step()


@pytest.fixture
def scene() -> Any:
    return Scene()


def hold(scene: Scene, kind: str) -> Any:
    return scene.leases.hold(kind, "0", "somebody", scene.clock.time + TIMEOUT)


class TestPreflight:
    def test_without_a_run_nothing_happens(self, scene: Scene) -> None:
        assert scene.step() is Outcome.IDLE
        assert scene.told_ages == []

    def test_problems_are_noted_and_waited_for(self, scene: Scene) -> None:
        scene.at(Phase.PREFLIGHT)
        scene.preflight = ["one", "two"]
        assert scene.step() is Outcome.IDLE
        assert scene.now().phase is Phase.PREFLIGHT
        assert scene.now().problems == ("one", "two")
        scene.preflight = []
        assert scene.step() is Outcome.MOVED
        assert scene.now().phase is Phase.PAUSING
        assert scene.now().problems == ()
        assert scene.now().key_names == ("pk", "sk")

    def test_when_it_has_spoken_first_is_noted(self, scene: Scene) -> None:
        scene.commands.start()
        scene.preflight = ["one"]
        assert scene.commands.status()["checked"] == 0
        scene.step()
        version = scene.now().version
        assert scene.commands.status()["checked"] == NOON
        scene.clock.tick(60)
        scene.step()
        assert scene.commands.status()["checked"] == NOON
        assert scene.now().version == version

    def test_a_start_that_comes_meanwhile_is_looked_at_at_once(self, scene: Scene) -> None:
        scene.commands.begin()
        scene.preflight = ["the destination holds items"]
        scene.on_preflight = scene.commands.start
        assert scene.step() is Outcome.MOVED
        assert scene.now().confirmed
        assert scene.now().problems == ()
        scene.on_preflight = lambda: None
        scene.preflight = []
        scene.step()
        assert scene.now().phase is Phase.PAUSING

    def test_it_may_take_days(self, scene: Scene) -> None:
        scene.write(1)
        scene.at(Phase.PREFLIGHT)
        scene.preflight = ["one"]
        for _ in range(3):
            scene.step()
            scene.clock.time += 86_400
        scene.preflight = []
        scene.step()
        scene.step()
        assert scene.now().phase is Phase.SLICE
        scene.clock.time += 60
        scene.step()
        assert scene.now().phase is Phase.SLICE

    def test_what_the_tables_are_like_is_noted(self, scene: Scene) -> None:
        scene.at(Phase.PREFLIGHT)
        scene.step()
        assert (scene.now().destination_id, scene.now().estimate) == ("id", "{}")

    @pytest.mark.parametrize(
        "error", [client_error("AccessDeniedException"), client_error("ResourceNotFoundException")]
    )
    def test_it_speaks_although_the_stream_cannot_be_read(self, scene: Scene, error: Exception) -> None:
        def fail(operation: str, request: object) -> None:
            raise error

        scene.at(Phase.PREFLIGHT)
        scene.preflight = ["one"]
        scene.streams.on_send = fail
        assert scene.step() is Outcome.IDLE
        first, second = scene.now().problems
        assert first == "one"
        assert "cannot read the stream" in second
        scene.preflight = []
        scene.step()
        assert scene.now().phase is Phase.PREFLIGHT

    def test_a_stream_out_of_reach_is_named_once(self, scene: Scene) -> None:
        """From a VPC without a NAT gateway, where DynamoDB Streams has no private DNS name."""
        error = ConnectTimeoutError(endpoint_url="https://streams.dynamodb.eu-west-1.amazonaws.com/")

        def fail(operation: str, request: object) -> None:
            raise error

        scene.at(Phase.PREFLIGHT)
        scene.preflight = [unreachable_problem(error)]
        scene.streams.on_send = fail
        assert scene.step() is Outcome.IDLE
        [problem] = scene.now().problems
        assert problem.startswith("cannot reach DynamoDB Streams at https://streams.dynamodb.eu-west-1.")


class TestNoting:
    """Before the first slice control notes its place in every shard: from there on it sees all changes."""

    def pause(self, scene: Scene) -> Run:
        scene.at(Phase.PREFLIGHT)
        scene.step()
        assert scene.now().phase is Phase.PAUSING
        return scene.now()

    def history(self, scene: Scene) -> None:
        """The shard holds more than can be read before the copy."""
        scene.streams.page_size = 1_000
        for value in range(9_000):
            scene.write(value, age=20 * HOUR)

    def test_a_small_stream_takes_no_time(self, scene: Scene) -> None:
        scene.write(1, age=HOUR)
        run = self.pause(scene)
        assert (run.noted_at, run.mapping_uuid) == (NOON, "mine")
        assert scene.step() is Outcome.MOVED
        run = scene.now()
        assert (run.phase, run.scan_began, run.covered_to) == (Phase.SLICE, NOON, NOON - 30)

    def test_preflight_lasts_until_every_shard_is_noted(self, scene: Scene) -> None:
        self.history(scene)
        scene.at(Phase.PREFLIGHT)
        for _ in range(3):
            assert scene.step() is Outcome.WAITING
            scene.clock.tick(1)
        assert scene.step() is Outcome.MOVED
        assert scene.now().phase is Phase.PAUSING

    def test_the_first_slice_waits_until_what_was_not_seen_is_from_before_the_copy(
        self, scene: Scene
    ) -> None:
        self.history(scene)
        scene.at(Phase.PREFLIGHT)
        for _ in range(4):
            scene.step()
            scene.clock.tick(1)
        noted = scene.clock.time - 1
        scene.step_for(33)
        assert scene.now().phase is Phase.PAUSING
        assert scene.now().reason == "the first slice begins when the reconciler has noted its place"
        scene.step_for(2)
        assert scene.now().phase is Phase.SLICE
        assert scene.now().covered_to >= noted + 5

    def test_shards_that_ended_before_are_not_read(self, scene: Scene) -> None:
        for value in range(9_000):
            scene.write(value, age=20 * HOUR)
        scene.end_shard("a", "b")
        self.pause(scene)
        assert set(Shards(scene.quiet).read_all()) == {"b"}
        scene.step_for(34)
        assert scene.now().phase is Phase.PAUSING
        scene.step_for(2)
        assert scene.now().phase is Phase.SLICE

    def test_a_long_list_is_read_first(self, scene: Scene) -> None:
        scene.streams.list_size = 5
        for index in range(20):
            scene.streams.shards[f"{index}"] = FakeShard()
        scene.at(Phase.PREFLIGHT)
        calls = []
        scene.on_preflight = lambda: calls.append(scene.clock.time)
        for _ in range(12):
            scene.step()
            scene.clock.tick(0.5)
        assert scene.now().phase is not Phase.PREFLIGHT
        # The checks were made at once, and again when the number of shards was known.
        assert calls == [NOON, NOON + 4]

    def test_what_it_waits_for_is_told_once_it_lasts(self, scene: Scene) -> None:
        scene.streams.list_size = 1
        for index in range(40):
            scene.streams.shards[f"{index}"] = FakeShard()
        scene.at(Phase.PREFLIGHT)
        scene.step_for(9)
        assert scene.now().reason == ""
        scene.step_for(2)
        assert "lists the stream's shards" in scene.now().reason
        scene.step_for(40)
        assert scene.now().phase is not Phase.PREFLIGHT
        assert "lists" not in scene.now().reason

    def test_another_environment_goes_on_with_what_was_noted(self, scene: Scene) -> None:
        self.history(scene)
        scene.at(Phase.PREFLIGHT)
        for _ in range(4):
            scene.step()
            scene.clock.tick(1)
        reads = scene.streams.reads
        scene.reconciler = scene.another()
        scene.step_for(35)
        assert scene.now().phase is Phase.SLICE
        assert [request["ShardIteratorType"] for request in scene.streams.iterators] == [
            "TRIM_HORIZON",
            "LATEST",
        ]
        assert scene.streams.reads - reads <= 36

    def test_no_change_is_missed_that_is_made_meanwhile(self, scene: Scene) -> None:
        self.history(scene)
        scene.at(Phase.PREFLIGHT)
        for value in range(9_000, 9_060):
            scene.write(value)
            scene.step()
            scene.clock.tick(1)
        run = scene.now()
        assert run.phase is Phase.SLICE
        scene.step()
        made = [created for _, created in scene.streams.shards["a"].records if created >= run.covered_to]
        assert len(made) > 30
        assert scene.commands.status()["oldest_unapplied_age"] == scene.clock.time - made[0]


class TestWatch:
    """What may become of the tables under a run."""

    WATCHED = sorted(set(Phase) - {Phase.PREFLIGHT, Phase.SEALING, Phase.SEALED, Phase.STOPPED})

    @pytest.mark.parametrize("phase", WATCHED)
    def test_a_table_that_is_gone_stops_the_run_for_good(self, scene: Scene, phase: Phase) -> None:
        scene.at(phase)
        scene.lost = ["the destination was deleted"]
        scene.step()
        assert scene.now().phase is Phase.STOPPED
        assert scene.now().reason == "the destination was deleted"
        assert not scene.now().resumable

    @pytest.mark.parametrize("phase", WATCHED)
    def test_a_stream_that_is_gone_stops_the_run_for_good(self, scene: Scene, phase: Phase) -> None:
        scene.at(phase, slice_ends=NOON + SLICE_SECONDS)
        scene.streams.deleted = True
        scene.step()
        assert scene.now().phase is Phase.STOPPED
        assert "no longer exists" in scene.now().reason
        assert not scene.now().resumable

    def test_too_many_dead_letters_stop_it_until_it_is_started_again(self, scene: Scene) -> None:
        scene.at(Phase.DRAINING, dead_letter_limit=2)
        for index in range(3):
            scene.letters.put(dead(index, code="AccessDenied" if index else "ValidationException"))
        scene.step()
        assert scene.now().phase is Phase.STOPPED
        assert scene.now().resumable
        assert "3 dead letters are open, 2 of them with AccessDenied" in scene.now().reason
        scene.commands.start()
        scene.clock.time += 60
        scene.step()
        assert scene.now().phase is Phase.DRAINING

    @pytest.mark.parametrize("phase", WATCHED)
    def test_another_mapping_stops_the_run_for_good(self, scene: Scene, phase: Phase) -> None:
        """It would deliver changes again, in batches that begin where no applied one does."""
        scene.at(phase, mapping_uuid="another")
        scene.step()
        assert (scene.now().phase, scene.now().resumable) == (Phase.STOPPED, False)
        assert "event source mapping another was replaced by mine" in scene.now().reason

    @pytest.mark.parametrize("uuid", ["", "mine"])
    def test_the_same_one_does_not(self, scene: Scene, uuid: str) -> None:
        scene.at(Phase.DRAINING, mapping_uuid=uuid)
        scene.step()
        assert scene.now().phase is Phase.PAUSING

    @pytest.mark.parametrize("error", [client_error("InternalServerError", 500), no_answer()])
    @pytest.mark.parametrize("phase", WATCHED)
    def test_a_check_without_an_answer_stops_nothing(
        self, scene: Scene, phase: Phase, error: Exception
    ) -> None:
        scene.at(phase, slice_ends=NOON + SLICE_SECONDS)
        scene.lost_error = error
        scene.step()
        assert scene.now().phase is not Phase.STOPPED

    @pytest.mark.parametrize("error", [client_error("AccessDeniedException"), no_answer()])
    @pytest.mark.parametrize("phase", [Phase.PAUSING, Phase.DRAINING, Phase.READY])
    def test_nothing_begins_or_ends_on_a_check_without_an_answer(
        self, scene: Scene, phase: Phase, error: Exception
    ) -> None:
        """A slice, ready, and the seal need the tables to be what they were."""
        if phase is not Phase.PAUSING:
            scene.finish_segments()
        scene.at(phase, seal_requested_at=NOON - 1 if phase is Phase.READY else 0.0)
        scene.lost_error = error
        scene.step_for(DRAINED_AFTER + 15)
        assert scene.now().phase is phase
        assert scene.now().reason.startswith("the tables cannot be checked")
        scene.lost_error = None
        scene.step()
        following = {
            Phase.PAUSING: Phase.SLICE,
            Phase.DRAINING: Phase.READY,
            Phase.READY: Phase.SEALING,
        }
        assert (scene.now().phase, scene.now().reason) == (following[phase], "")

    def test_a_run_that_is_being_sealed_gets_sealed(self, scene: Scene) -> None:
        scene.at(Phase.SEALING)
        scene.lost = ["gone"]
        scene.step()
        assert scene.now().phase is Phase.SEALED


class TestPausing:
    def test_it_ends_once_the_mapping_is_off_and_no_replicator_may_write(self, scene: Scene) -> None:
        scene.at(Phase.DRAINING)
        scene.at(Phase.PAUSING)
        scene.lambda_.mapping["State"] = "Enabled"
        with hold(scene, REPLICATOR):
            assert scene.step() is Outcome.WAITING
            scene.settle_mapping()
            assert scene.step() is Outcome.WAITING
        assert scene.step() is Outcome.MOVED
        run = scene.now()
        assert (run.phase, run.slice, run.slice_ends) == (Phase.SLICE, 1, scene.clock.time + SLICE_SECONDS)

    def test_no_lease_is_not_enough(self, scene: Scene) -> None:
        scene.at(Phase.PAUSING)
        scene.lambda_.mapping["State"] = "Disabling"
        assert scene.step() is Outcome.WAITING

    def test_a_replicator_that_never_came_back_is_waited_out(self, scene: Scene) -> None:
        scene.at(Phase.PAUSING)
        lost = hold(scene, REPLICATOR)
        lost.__enter__()
        scene.clock.time += TIMEOUT + GRACE_SECONDS
        assert scene.step() is Outcome.WAITING
        scene.clock.time += 0.001
        assert scene.step() is Outcome.MOVED

    def test_another_stream_stops_the_run_for_good(self, scene: Scene) -> None:
        scene.at(Phase.PAUSING)
        scene.step_for(0)
        scene.at(Phase.PAUSING)
        scene.lost = ["switched off and on"]
        scene.step()
        assert scene.now().phase is Phase.STOPPED
        assert scene.now().reason == "switched off and on"
        assert not scene.now().resumable

    def test_the_scan_began_with_the_first_slice(self, scene: Scene) -> None:
        scene.at(Phase.PAUSING)
        scene.step()
        first = scene.clock.time
        scene.clock.time += 5000
        scene.at(Phase.PAUSING)
        scene.step()
        assert (scene.now().slice, scene.now().scan_began) == (2, first)

    def test_the_pace_is_reckoned_from_the_first_slice_or_the_first_since_a_stop(self, scene: Scene) -> None:
        scene.at(Phase.PAUSING)
        scene.segments.save(Segment(0, None, 7))
        scene.step()
        began = (scene.now().rate_measured_since, scene.now().rate_measured_from)
        assert began == (scene.clock.time, 7)
        scene.clock.tick(HOUR)
        scene.segments.save(replace(scene.segments.read(0), items=9))
        scene.at(Phase.PAUSING)
        scene.step()
        assert (scene.now().rate_measured_since, scene.now().rate_measured_from) == began
        scene.at(Phase.PAUSING, rate_measured_since=0.0)
        scene.step()
        assert (scene.now().rate_measured_since, scene.now().rate_measured_from) == (scene.clock.time, 9)

    def test_the_slice_is_as_long_as_the_rates_allow(self, scene: Scene) -> None:
        scene.at(Phase.PAUSING, slice=1, arriving=9.54, applying=10.0)
        scene.step()
        # Half a day, times 0.46 / 10, less half an hour.
        assert scene.now().slice_ends - scene.clock.time == pytest.approx(43_200 * 0.046 - 1_800)
        assert scene.now().slice_began == scene.clock.time

    def test_budgets_are_shared_by_those_who_work(self, scene: Scene) -> None:
        scene.at(Phase.PAUSING)
        scene.step()
        assert scene.now().workers == 2
        scene.step()
        scene.segments.save(Segment(0, items=5, done=True))
        assert scene.step() is Outcome.WAITING
        assert (scene.now().phase, scene.now().workers) == (Phase.SLICE, 1)
        version = scene.now().version
        scene.step()
        assert scene.now().version == version


class TestSlice:
    def test_it_lasts_as_long_as_its_execution(self, scene: Scene) -> None:
        scene.at(Phase.SLICE, slice=1, slice_ends=NOON + SLICE_SECONDS)
        assert scene.step() is Outcome.WAITING
        assert scene.step() is Outcome.WAITING
        [given] = scene.states.executions.values()
        assert json.loads(given)["segments"] == [0, 1]
        scene.states.end("FAILED")
        scene.clock.tick(3)
        assert scene.step() is Outcome.MOVED
        assert scene.now().phase is Phase.RESUMING

    def test_only_what_is_left_is_started(self, scene: Scene) -> None:
        scene.segments.save(Segment(0, done=True))
        scene.at(Phase.SLICE, slice=2, slice_ends=NOON + SLICE_SECONDS)
        scene.step()
        [given] = scene.states.executions.values()
        assert json.loads(given)["segments"] == [1]

    def test_it_ends_with_its_last_segment(self, scene: Scene) -> None:
        scene.at(Phase.SLICE, slice=1, slice_ends=NOON + SLICE_SECONDS)
        scene.step()
        scene.finish_segments()
        assert scene.step() is Outcome.MOVED
        assert scene.now().phase is Phase.RESUMING

    def test_it_ends_at_its_deadline(self, scene: Scene) -> None:
        scene.at(Phase.SLICE, slice=1, slice_ends=NOON + SLICE_SECONDS)
        scene.clock.time = NOON + SLICE_SECONDS
        assert scene.step() is Outcome.MOVED
        assert scene.states.executions == {}

    def test_it_ends_at_its_deadline_whatever_aws_answers(self, scene: Scene) -> None:
        """The replicator is off meanwhile, and after a day everything it has missed would be lost."""

        def fail(operation: str, request: object) -> None:
            raise AssertionError(operation)

        scene.at(Phase.SLICE, slice=1, slice_ends=NOON + SLICE_SECONDS)
        scene.clock.time = NOON + SLICE_SECONDS
        scene.streams.on_send = fail
        scene.lambda_.errors = [client_error("AccessDeniedException")]
        scene.states.throttled = True
        assert scene.step() is Outcome.MOVED
        assert scene.now().phase is Phase.RESUMING

    @pytest.mark.parametrize(
        "error", [client_error("LimitExceededException"), client_error("AccessDeniedException"), no_answer()]
    )
    def test_it_goes_on_although_no_look_is_possible(self, scene: Scene, error: Exception) -> None:
        scene.at(Phase.SLICE, slice=1, slice_ends=NOON + SLICE_SECONDS)
        scene.step()

        def fail(operation: str, request: object) -> None:
            raise error

        scene.streams.on_send = fail
        scene.clock.tick(1)
        assert scene.step() is Outcome.WAITING
        assert scene.now().phase is Phase.SLICE

    def test_that_step_functions_throttles_is_told(self, scene: Scene) -> None:
        scene.at(Phase.SLICE, slice=1, slice_ends=NOON + SLICE_SECONDS)
        scene.step()
        scene.states.throttled = True
        scene.step_for(30)
        assert scene.now().reason == "Step Functions throttles the copy's requests"
        scene.states.throttled = False
        scene.step_for(30)
        assert scene.now().reason == ""

    def test_a_mapping_that_somebody_switched_on_is_switched_off(self, scene: Scene) -> None:
        scene.at(Phase.SLICE, slice=1, slice_ends=NOON + SLICE_SECONDS)
        scene.lambda_.mapping["State"] = "Enabled"
        scene.step()
        assert scene.lambda_.updates == [False]

    def test_it_ends_when_what_waits_could_not_be_applied_in_time(self, scene: Scene) -> None:
        scene.streams.page_size = 1_000
        scene.at(Phase.SLICE, slice=2, slice_ends=NOON + 600, scan_began=NOON, applying=0.01)
        for value in range(400):
            scene.write(value)
        scene.clock.time += 1
        assert scene.step() is Outcome.WAITING
        for value in range(400, 500):
            scene.write(value)
        scene.clock.time += 1
        scene.step()
        assert scene.now().phase is Phase.RESUMING
        # That it copied nothing is not its workers' fault.
        assert scene.now().empty_slices == 0

    def test_slices_that_copy_nothing_are_counted_until_one_does(self, scene: Scene) -> None:
        for slice_ in (1, 2):
            scene.at(Phase.SLICE, slice=slice_, slice_ends=scene.clock.time)
            scene.step()
            assert scene.now().empty_slices == slice_
        scene.segments.save(Segment(0, items=1))
        scene.at(Phase.SLICE, slice=3, slice_ends=scene.clock.time)
        scene.step()
        assert scene.now().empty_slices == 0
        # The slice lasted until its end, so nobody gave up.
        assert scene.now().failed_workers == 0

    def test_workers_that_give_up_are_counted_until_the_next_slice(self, scene: Scene) -> None:
        scene.segments.save(Segment(0, items=1, done=True))
        scene.at(Phase.SLICE, slice=1, slice_ends=scene.clock.time + HOUR)
        scene.step()
        scene.states.end()
        scene.clock.sleep(10)
        scene.step()
        run = scene.now()
        assert (run.phase, run.failed_workers) == (Phase.RESUMING, run.total_segments - 1)
        assert scene.commands.status()["failed_workers"] == run.failed_workers
        scene.at(Phase.PAUSING, slice=1, failed_workers=run.failed_workers)
        scene.step()
        assert (scene.now().phase, scene.now().failed_workers) == (Phase.SLICE, 0)


class TestResuming:
    def test_it_waits_for_every_worker(self, scene: Scene) -> None:
        scene.at(Phase.RESUMING)
        with hold(scene, BACKFILL):
            assert scene.step() is Outcome.WAITING
            assert scene.lambda_.updates == []
        assert scene.step() is Outcome.MOVED
        assert scene.now().phase is Phase.DRAINING

    @pytest.mark.parametrize(
        ("began", "age", "behind"),
        [(NOON - 300, 0, 300), (NOON - 300, 900, 900), (0.0, 0, 0), (0.0, 900, 900)],
    )
    def test_the_drain_is_measured_from_the_slices_beginning(
        self, scene: Scene, began: float, age: float, behind: float
    ) -> None:
        # Where little was changed the oldest change tells less than what it took to become so old.
        if age:
            scene.clock.time = NOON - age
            scene.write(1)
            scene.clock.time = NOON
        scene.at(Phase.RESUMING, slice_began=began, scan_began=NOON - HOUR)
        scene.step()
        run = scene.now()
        assert (run.window_since, run.window_age, run.window_records) == (NOON, behind, 0)

    def test_three_barren_slices_stop_the_run_until_it_is_started_again(self, scene: Scene) -> None:
        scene.at(Phase.RESUMING, empty_slices=3)
        scene.step()
        assert scene.now().phase is Phase.STOPPED
        assert scene.now().resumable
        scene.commands.start()
        assert scene.now().phase is Phase.RESUMING
        scene.step()
        assert scene.now().phase is Phase.DRAINING


class TestReasons:
    """A state that lasts is explained."""

    @pytest.mark.parametrize(
        ("phase", "kind", "says"),
        [
            (Phase.PAUSING, REPLICATOR, "1 invocation of the replicator may still be writing"),
            (Phase.SEALING, REPLICATOR, "1 invocation of the replicator may still be writing"),
            (Phase.RESUMING, BACKFILL, "1 worker of the slice may still be writing"),
        ],
    )
    def test_a_lease_that_is_waited_for(self, scene: Scene, phase: Phase, kind: str, says: str) -> None:
        scene.at(phase)
        with hold(scene, kind):
            scene.step_for(9)
            assert scene.now().reason == ""
            scene.step_for(2)
            assert scene.now().reason == says
        scene.step()
        assert scene.now().phase is not phase
        assert scene.now().reason == ""

    @pytest.mark.parametrize(
        ("phase", "state", "says"),
        [
            (Phase.PAUSING, "Disabling", "not disabled the event source mapping yet. Its state is Disabling"),
            (Phase.SEALING, "Disabling", "not disabled the event source mapping yet. Its state is Disabling"),
            (Phase.DRAINING, "Enabling", "not enabled the event source mapping yet. Its state is Enabling"),
        ],
    )
    def test_a_mapping_that_is_waited_for(self, scene: Scene, phase: Phase, state: str, says: str) -> None:
        scene.at(phase)
        scene.lambda_.mapping["State"] = state
        scene.step_for(12)
        assert scene.now().reason.endswith(says)

    def test_a_stream_that_cannot_be_read(self, scene: Scene) -> None:
        scene.finish_segments()
        scene.at(Phase.DRAINING)
        scene.step()

        def deny(operation: str, request: object) -> None:
            raise client_error("AccessDeniedException", operation="GetRecords")

        scene.streams.on_send = deny
        scene.step_for(2)
        assert scene.now().reason.startswith("the reconciler cannot look at all shards: ")
        assert "AccessDenied" in scene.now().reason


class TestRedrive:
    @pytest.fixture
    def refused(self, scene: Scene) -> Scene:
        scene.finish_segments()
        scene.at(Phase.DRAINING, slice=1)
        scene.letters.put(dead(1))
        return scene

    def settle(self, scene: Scene) -> None:
        for letter in scene.letters.read_all():
            scene.letters.settle(name(letter.token), letter.version)

    def until(self, scene: Scene, *phases: Phase) -> None:
        for phase in phases:
            for _ in range(5):
                scene.settle_mapping()
                if scene.now().phase is not phase:
                    scene.step()
            assert scene.now().phase is phase

    def test_an_open_letter_is_not_ready(self, refused: Scene) -> None:
        refused.step_for(2 * DRAINED_AFTER)
        assert refused.now().phase is Phase.DRAINING
        assert "1 dead letter" in refused.now().reason
        assert "tablecopy redrive" in refused.now().reason
        assert refused.now().blocked
        self.settle(refused)
        refused.step()
        assert refused.now().phase is Phase.READY

    def test_a_letter_ends_ready(self, scene: Scene) -> None:
        scene.finish_segments()
        scene.at(Phase.DRAINING)
        scene.step_for(DRAINED_AFTER)
        scene.letters.put(dead(1))
        scene.step()
        assert scene.now().phase is Phase.DRAINING

    def test_a_letter_that_comes_in_the_last_step_keeps_it_from_ready(self, scene: Scene) -> None:
        """A call that is repeated after a timeout makes the run ready many seconds after the last look."""
        scene.finish_segments()
        scene.at(Phase.DRAINING)
        checked: list[float] = []

        def come() -> None:
            checked.append(scene.clock.time)
            # The second check of a step is the last thing before the run gets ready.
            if checked.count(scene.clock.time) == 2:
                scene.letters.put(dead(1))

        scene.on_check = come
        while scene.letters.count() == 0:
            scene.step()
            scene.clock.tick(1)
        assert scene.now().phase is Phase.DRAINING
        scene.step()
        assert "1 dead letter" in scene.now().reason

    def test_it_takes_a_slice_of_its_own(self, refused: Scene) -> None:
        refused.commands.redrive()
        self.until(refused, Phase.PAUSING, Phase.SLICE)
        assert refused.now().redrive
        refused.step()
        [given] = refused.states.executions.values()
        assert json.loads(given) == {"run": "run", "slice": 2, "segments": ["letters"]}
        self.settle(refused)
        refused.states.end()
        refused.clock.tick(10)
        self.until(refused, Phase.RESUMING)
        # It did its work; nobody gave up.
        assert refused.now().failed_workers == 0
        self.until(refused, Phase.DRAINING)
        assert not refused.now().redrive
        assert refused.now().empty_slices == 0
        refused.step()
        refused.settle_mapping()
        refused.step_for(DRAINED_AFTER)
        assert refused.now().phase is Phase.READY

    def test_it_goes_along_with_the_segments_that_are_left(self, scene: Scene) -> None:
        scene.at(Phase.DRAINING)
        scene.letters.put(dead(1))
        scene.commands.redrive()
        self.until(scene, Phase.PAUSING, Phase.SLICE)
        scene.step()
        [given] = scene.states.executions.values()
        assert json.loads(given)["segments"] == ["letters", 0, 1]

    def test_one_asked_for_within_a_slice_waits_for_the_next(self, scene: Scene) -> None:
        scene.at(Phase.SLICE, slice=1, slice_ends=NOON + SLICE_SECONDS)
        scene.letters.put(dead(1))
        scene.commands.redrive()
        scene.step()
        [given] = scene.states.executions.values()
        assert json.loads(given)["segments"] == [0, 1]
        scene.finish_segments()
        self.until(scene, Phase.RESUMING)
        assert scene.now().redrive
        self.until(scene, Phase.DRAINING, Phase.PAUSING, Phase.SLICE)
        assert (scene.now().slice, scene.now().redrive_slice) == (2, 2)

    def test_nothing_is_paused_for_letters_that_are_settled(self, refused: Scene) -> None:
        refused.commands.redrive()
        self.settle(refused)
        refused.step_for(DRAINED_AFTER)
        assert (refused.now().phase, refused.now().slice) == (Phase.READY, 1)
        assert not refused.now().redrive


def dead(index: int, code: str = "ValidationException") -> DeadLetter:
    key = {"pk": {"S": f"{index}"}}
    return DeadLetter(f"{index}", key, Origin.STREAM, "put", code, "why")


def _apply(scene: Scene, first: int, last: int) -> None:
    """Mark the batch from one write of the scene to another."""
    names = [name_of(str(10**24 + each)) for each in range(first, last + 1)]
    batch = AppliedBatch(names[0], str(10**24 + last), records=len(names), puts=1, deletes=0)
    scene.marks.put(batch, names)


class TestDraining:
    def test_the_next_slice_follows_once_the_replicator_is_in_step(self, scene: Scene) -> None:
        scene.at(Phase.DRAINING)
        scene.write(1)
        scene.clock.time += 31
        assert scene.step() is Outcome.WAITING
        _apply(scene, 1, 1)
        assert scene.step() is Outcome.MOVED
        assert scene.now().phase is Phase.PAUSING

    def test_it_waits_for_the_mapping(self, scene: Scene) -> None:
        scene.at(Phase.DRAINING)
        scene.lambda_.mapping["State"] = "Disabled"
        assert scene.step() is Outcome.WAITING
        assert scene.step() is Outcome.WAITING
        scene.settle_mapping()
        assert scene.step() is Outcome.MOVED

    def test_ready_needs_a_quiet_minute(self, scene: Scene) -> None:
        scene.finish_segments()
        scene.at(Phase.DRAINING)
        scene.step_for(DRAINED_AFTER - 1)
        assert scene.now().phase is Phase.DRAINING
        assert "when writes stop" in scene.now().reason
        assert not scene.now().blocked
        scene.step_for(1)
        assert scene.now().phase is Phase.READY
        assert scene.now().reason == ""

    def test_ready_needs_an_empty_failure_queue(self, scene: Scene) -> None:
        scene.finish_segments()
        scene.at(Phase.DRAINING)
        scene.queue.messages = 2
        scene.step_for(DRAINED_AFTER)
        assert scene.now().phase is Phase.DRAINING
        assert "2 messages" in scene.now().reason
        assert scene.now().blocked
        scene.queue.messages = 0
        scene.step()
        assert (scene.now().phase, scene.now().blocked) == (Phase.READY, False)

    def test_a_reader_a_day_behind_stops_nothing(self, scene: Scene) -> None:
        """All changes are applied, but the reconciler was away and has not read them."""
        scene.finish_segments()
        scene.streams.page_size = 100
        scene.at(Phase.DRAINING, window_since=NOON, scan_began=NOON - 15 * 3600)
        for value in range(2_000):
            scene.write(value, age=14 * 3600 - value)
        for value in range(0, 2_000, 50):
            _apply(scene, value, value + 49)
        scene.clock.time += 700
        scene.step()
        assert scene.told_ages[-1] > 13 * 3600
        scene.step_for(2 * DRAINED_AFTER)
        assert scene.now().phase is Phase.READY

    def test_a_replicator_a_day_behind_does(self, scene: Scene) -> None:
        scene.finish_segments()
        scene.at(Phase.DRAINING, window_since=NOON, scan_began=NOON - 15 * 3600)
        for value in range(20):
            scene.write(value, age=14 * 3600 - value)
        _apply(scene, 0, 9)
        scene.clock.time += 700
        scene.step_for(2)
        assert scene.now().phase is Phase.STOPPED
        assert "the replicator cannot catch up" in scene.now().reason

    @pytest.mark.parametrize("segments_left", [True, False])
    def test_it_says_why_lambda_hands_no_changes_over(self, scene: Scene, segments_left: bool) -> None:
        if not segments_left:
            scene.finish_segments()
        scene.at(Phase.DRAINING)
        scene.write(1)
        scene.clock.time += 31
        scene.lambda_.mapping["LastProcessingResult"] = "PROBLEM: Cannot access stream"
        scene.step()
        assert scene.now().reason.endswith("PROBLEM: Cannot access stream")
        assert not scene.now().blocked
        scene.lambda_.mapping["LastProcessingResult"] = "OK"
        scene.clock.tick(60)
        scene.step()
        assert "PROBLEM" not in scene.now().reason

    def test_a_run_is_not_held_while_changes_come(self, scene: Scene) -> None:
        scene.finish_segments()
        scene.at(Phase.DRAINING, blocked=True, reason="2 messages")
        scene.step()
        assert not scene.now().blocked

    def test_ready_needs_the_same_tables(self, scene: Scene) -> None:
        scene.finish_segments()
        scene.at(Phase.DRAINING)
        scene.step_for(DRAINED_AFTER - 1)
        scene.lost = ["gone"]
        scene.clock.time += 1
        scene.step()
        assert (scene.now().phase, scene.now().reason) == (Phase.STOPPED, "gone")
        assert not scene.now().resumable


def seal(ready: Scene) -> None:
    """Request the seal, and wait until everything made before the request is known to be applied."""
    ready.commands.seal()
    ready.step_for(5)
    assert ready.now().phase is Phase.SEALING


class TestReadyAndSealing:
    @pytest.fixture
    def ready(self, scene: Scene) -> Scene:
        scene.finish_segments()
        scene.at(Phase.DRAINING)
        scene.step_for(DRAINED_AFTER)
        assert scene.now().phase is Phase.READY
        return scene

    def test_a_shard_that_ends_does_not_end_it(self, ready: Scene) -> None:
        ready.commands.seal()
        ready.clock.tick(1)
        ready.end_shard("a", "b")
        # What the one that follows holds is not known yet: there is no sealing on such a look.
        assert ready.step() is Outcome.WAITING
        assert (ready.now().phase, bool(ready.now().seal_requested_at)) == (Phase.READY, True)
        ready.step_for(65)
        assert ready.now().phase is Phase.SEALING

    def test_a_shard_that_is_listed_late_puts_ready_off_however_late(self, scene: Scene) -> None:
        scene.finish_segments()
        scene.at(Phase.DRAINING)
        scene.step_for(10)
        scene.end_shard("a")
        # Everything that DynamoDB lists is applied and quiet.
        scene.step_for(4 * DRAINED_AFTER)
        assert scene.now().phase is Phase.DRAINING
        assert scene.now().reason == "shard a has ended, and DynamoDB has not listed its successor"
        scene.list_child("a", "b")
        scene.write(1, shard="b")
        scene.step_for(2 * DRAINED_AFTER)
        assert scene.now().phase is Phase.DRAINING
        assert "changes are still being applied" in scene.now().reason
        _apply(scene, 1, 1)
        scene.step_for(DRAINED_AFTER + 5)
        assert scene.now().phase is Phase.READY

    def test_nor_is_anything_sealed_before_it_is_listed(self, ready: Scene) -> None:
        ready.end_shard("a")
        ready.clock.tick(1)
        ready.step()
        ready.commands.seal()
        ready.step_for(60)
        assert (ready.now().phase, bool(ready.now().seal_requested_at)) == (Phase.READY, True)
        assert ready.now().reason == "shard a has ended, and DynamoDB has not listed its successor"
        ready.list_child("a", "b")
        ready.write(1, shard="b")
        ready.step_for(40)
        assert (ready.now().phase, bool(ready.now().seal_requested_at)) == (Phase.DRAINING, False)

    def test_nor_before_the_child_of_a_quiet_shard_was_read(self, ready: Scene) -> None:
        def refuse(shard_id: str) -> None:
            if shard_id == "b":
                raise client_error("LimitExceededException")

        ready.streams.on_read = refuse
        ready.end_shard("a", "b")
        ready.write(1, shard="b")
        ready.clock.tick(1)
        ready.commands.seal()
        ready.step_for(90)
        assert (ready.now().phase, bool(ready.now().seal_requested_at)) == (Phase.READY, True)
        ready.streams.on_read = lambda shard_id: None
        ready.step_for(5)
        assert (ready.now().phase, bool(ready.now().seal_requested_at)) == (Phase.DRAINING, False)

    def test_ready_comes_although_a_shard_ends_every_few_seconds(self, scene: Scene) -> None:
        for number in range(30):
            scene.streams.shards[f"{number}"] = FakeShard()
        scene.finish_segments()
        scene.at(Phase.DRAINING)
        scene.step_for(DRAINED_AFTER - 5)
        for number in range(10):
            scene.end_shard(f"{number}", f"{number}.1")
            scene.step_for(4)
        assert scene.now().phase is Phase.READY

    def test_a_change_right_before_the_seal_is_looked_for(self, ready: Scene) -> None:
        """It takes seconds for a record to be readable."""
        ready.commands.seal()
        ready.step_for(3)
        assert (ready.now().phase, bool(ready.now().seal_requested_at)) == (Phase.READY, True)
        ready.write(1, age=4)
        ready.step_for(1)
        assert (ready.now().phase, bool(ready.now().seal_requested_at)) == (Phase.DRAINING, False)

    def test_the_second_child_of_a_split_is_looked_for_before_the_seal(self, ready: Scene) -> None:
        ready.clock.tick(1)
        ready.end_shard("a", "b")
        ready.step_for(20)
        ready.commands.seal()
        ready.step_for(35)
        assert ready.now().phase is Phase.READY
        ready.list_child("a", "c")
        ready.write(1, shard="c")
        ready.step_for(10)
        assert (ready.now().phase, bool(ready.now().seal_requested_at)) == (Phase.DRAINING, False)

    def test_a_seal_outlives_the_invocations_of_the_reconciler(self, ready: Scene) -> None:
        """What it waits for may take longer than one."""
        ready.clock.tick(1)
        ready.end_shard("a", "b")
        ready.step_for(5)
        ready.commands.seal()
        for _ in range(7):
            ready.reconciler = ready.another()
            ready.step_for(20)
        assert ready.now().phase is Phase.SEALING

    def test_what_was_written_too_late_to_a_new_shard_is_told(self, ready: Scene) -> None:
        seal(ready)
        assert ready.step() is Outcome.WAITING
        ready.end_shard("a", "b")
        ready.write(1, shard="b")
        for _ in range(3):
            ready.settle_mapping()
            ready.step()
        assert ready.now().phase is Phase.SEALED
        assert "not copied" in ready.now().reason

    def test_it_is_not_sealed_once_a_table_is_gone(self, ready: Scene) -> None:
        ready.commands.seal()
        ready.step_for(4)
        ready.lost = ["gone"]
        ready.step_for(1)
        assert ready.now().phase is Phase.STOPPED

    def test_it_stays_ready_while_nothing_changes(self, ready: Scene) -> None:
        assert ready.step() is Outcome.IDLE
        assert ready.now().phase is Phase.READY

    def test_a_new_change_ends_it_and_takes_a_seal_back(self, ready: Scene) -> None:
        ready.commands.seal()
        ready.write(1)
        ready.clock.tick(1)
        ready.step()
        assert ready.now().phase is Phase.DRAINING
        assert not ready.now().seal_requested_at

    def test_a_stop_takes_a_seal_back(self, ready: Scene) -> None:
        ready.commands.seal()
        ready.step_for(4)
        ready.lost = ["gone for now"]
        ready.step_for(1)
        assert (ready.now().phase, bool(ready.now().seal_requested_at)) == (Phase.STOPPED, False)

    def test_a_shard_that_was_not_looked_at_puts_the_seal_off(self, ready: Scene) -> None:
        ready.commands.seal()
        ready.clock.tick(1)

        def throttle(operation: str, request: object) -> None:
            raise client_error("LimitExceededException")

        ready.streams.on_send = throttle
        for _ in range(3):
            assert ready.step() is Outcome.WAITING
            ready.clock.tick(1)
        assert (ready.now().phase, bool(ready.now().seal_requested_at)) == (Phase.READY, True)
        ready.streams.on_send = lambda operation, request: None
        ready.step()
        assert ready.now().phase is Phase.SEALING

    def test_sealing_waits_for_the_mapping_and_every_replicator(self, ready: Scene) -> None:
        seal(ready)
        with hold(ready, REPLICATOR):
            assert ready.step() is Outcome.WAITING
            ready.settle_mapping()
            assert ready.step() is Outcome.WAITING
        assert ready.step() is Outcome.MOVED
        assert ready.now().phase is Phase.SEALED
        assert ready.now().reason == ""

    def test_what_was_written_too_late_is_told(self, ready: Scene) -> None:
        seal(ready)
        ready.write(1)
        ready.clock.time += 1
        ready.step()
        ready.settle_mapping()
        ready.step()
        assert ready.now().phase is Phase.SEALED
        assert "not copied" in ready.now().reason

    @pytest.mark.parametrize("phase", [Phase.SEALED, Phase.STOPPED])
    def test_a_mapping_that_is_switched_on_after_the_end_is_switched_off(
        self, scene: Scene, phase: Phase
    ) -> None:
        scene.at(phase)
        scene.lambda_.mapping["State"] = "Enabled"
        assert scene.step() is Outcome.IDLE
        assert scene.lambda_.updates == [False]


def test_a_lost_change_stops_the_run_for_good(scene: Scene) -> None:
    scene.at(Phase.DRAINING, scan_began=NOON)
    scene.write(1)
    scene.step()
    scene.clock.time += 86_401
    scene.step()
    assert scene.now().phase is Phase.STOPPED
    assert not scene.now().resumable
    assert "Empty the destination" in scene.now().reason


def test_the_oldest_changes_age_is_told_in_every_phase(scene: Scene) -> None:
    scene.write(1)
    for phase in sorted(set(Phase) - {Phase.PREFLIGHT, Phase.SEALED, Phase.STOPPED}):
        scene.at(phase, scan_began=NOON - 60, slice_ends=NOON + HOUR)
        scene.told_ages.clear()
        scene.clock.time += 1
        with hold(scene, REPLICATOR):
            scene.step()
        assert scene.told_ages[0] > 0


def test_a_change_from_before_the_copy_sets_no_alarm_off(scene: Scene) -> None:
    """The stream was on long before the copy."""
    scene.write(1, age=20 * 3600)
    scene.at(Phase.PREFLIGHT)
    scene.step()
    scene.step()
    assert scene.now().phase is Phase.SLICE
    scene.clock.tick(1)
    scene.step()
    assert max(scene.told_ages) <= 31


class TestBudgets:
    """All copies of an account share the rates of these calls: a copy makes a few a minute."""

    def minute(self, scene: Scene, phase: Phase, **changes: Any) -> None:
        """Take a step a second for a minute in which nothing moves."""
        scene.write(1)
        if phase in REPLICATING:
            # Nothing is left but a change that is not applied: the run waits for it.
            scene.finish_segments()
        scene.at(phase, slice=1, slice_ends=NOON + SLICE_SECONDS, scan_began=NOON, **changes)
        with hold(scene, BACKFILL if phase is Phase.RESUMING else REPLICATOR):
            scene.step_for(59)

    @pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.PREFLIGHT}))
    def test_nothing_moves(self, scene: Scene, phase: Phase) -> None:
        self.minute(scene, phase)
        assert scene.now().phase is (phase if phase is not Phase.READY else Phase.DRAINING)
        assert scene.lambda_.gets == int(phase is not Phase.RESUMING)
        assert scene.lambda_.updates == []
        assert scene.states.described == (6 if phase is Phase.SLICE else 0)
        assert len(scene.streams.described) == int(phase not in {Phase.SEALED, Phase.STOPPED})
        assert scene.streams.reads <= 60

    @pytest.mark.parametrize("phase", [Phase.PAUSING, Phase.DRAINING, Phase.SEALING])
    def test_the_mapping_does_not_move(self, scene: Scene, phase: Phase) -> None:
        if phase is Phase.DRAINING:
            scene.finish_segments()
        scene.at(phase)
        scene.lambda_.mapping["State"] = "Enabled" if phase is not Phase.DRAINING else "Disabled"
        scene.step_for(59)
        assert scene.lambda_.gets + len(scene.lambda_.updates) <= 10
        assert scene.now().phase is phase

    def test_a_whole_copy_with_slices_of_a_minute(self, scene: Scene) -> None:
        """The mapping takes half a minute to switch. Each invocation goes on where the one before ended."""
        scene.segments.save(Segment(0, done=True))
        scene.commands.start()
        mapping, states, calls = [], [], []
        switched = 0.0
        for second in range(900):
            before = scene.lambda_.gets + len(scene.lambda_.updates), scene.states.described
            if second % 60 < 50:
                scene.step()
            mapping += [second] * (scene.lambda_.gets + len(scene.lambda_.updates) - before[0])
            states += [second] * (scene.states.described - before[1])
            run = scene.now()
            if run.phase is Phase.SLICE and scene.clock.time - run.phase_since > 60:
                scene.segments.save(replace(scene.segments.read(1), items=second))
                scene.states.end()
            if not scene.lambda_.mapping["State"].endswith("ing"):
                switched = scene.clock.time
            elif scene.clock.time - switched > 30:
                scene.finish_switching()
            scene.clock.tick(1)
            calls.append(run.phase)
        assert scene.now().slice >= 3
        for counted, most in ((mapping, 10), (states, 6)):
            assert max(sum(start <= at < start + 60 for at in counted) for start in range(900)) <= most


def test_it_keeps_looking_until_its_time_is_up(scene: Scene) -> None:
    scene.at(Phase.SLICE, slice=1, slice_ends=NOON + SLICE_SECONDS)
    reconcile(scene.reconciler, scene.clock, NOON + 50, NOON + 100, lambda: True)
    assert scene.clock.time == NOON + 50


def test_a_cutover_is_not_interrupted(scene: Scene) -> None:
    """Another environment may have another clock, and the quiet time would begin again."""
    scene.at(Phase.DRAINING, cutover="one", seal_by=NOON + 80, seal_grade="seen", quiet_seconds=300.0)
    reconcile(scene.reconciler, scene.clock, NOON + 50, NOON + 100, lambda: True)
    # The request has lapsed, and the rest of its time is not used.
    assert (scene.now().cutover_outcome, scene.clock.time) == ("timeout", NOON + 81)


def test_a_cutover_that_is_requested_as_it_ends_is_not_left_to_another_one(scene: Scene) -> None:
    """Another environment would read each shard from a saved place, and prove again that it is quiet."""
    scene.at(Phase.DRAINING)

    def request() -> None:
        if scene.clock.time >= NOON + 50 and not scene.now().cutover:
            changed = replace(scene.now(), cutover="one", seal_by=NOON + 80, quiet_seconds=300.0)
            assert scene.run.save(changed)

    scene.clock.on_sleep = request
    reconcile(scene.reconciler, scene.clock, NOON + 50, NOON + 100, lambda: True)
    assert (scene.now().cutover_outcome, scene.clock.time) == ("timeout", NOON + 81)


def test_its_last_look_ends_soon_after_its_last_step_began(scene: Scene) -> None:
    """The next invocation waits for it."""
    for number in range(40):
        scene.streams.shards[f"s{number}"] = FakeShard()
    scene.streams.on_read = lambda shard: scene.clock.tick(0.5)
    scene.at(Phase.SLICE, slice=1, slice_ends=NOON + SLICE_SECONDS)
    reconcile(scene.reconciler, scene.clock, NOON + 1, NOON + 2, lambda: True)
    assert scene.clock.time <= NOON + 3


def test_it_ends_when_another_has_taken_its_turn(scene: Scene) -> None:
    scene.at(Phase.SLICE, slice=1, slice_ends=NOON + SLICE_SECONDS)
    turns = iter([True, True, False])
    reconcile(scene.reconciler, scene.clock, NOON + 50, NOON + 100, lambda: next(turns))
    assert scene.clock.time == NOON + 2


def test_it_does_not_look_on_when_nothing_moves_by_itself(scene: Scene) -> None:
    scene.at(Phase.SEALED)
    reconcile(scene.reconciler, scene.clock, NOON + 50, NOON + 100, lambda: True)
    assert scene.clock.time == NOON


class Killed(BaseException):
    """Lambda ends control."""


class World:
    """Moves what control does not: the mapping, workers, the replicator. Checks who may write when."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.written = self.applied = 0

    def tick(self) -> None:
        scene = self.scene
        scene.clock.tick(1)
        scene.finish_switching()
        run = scene.now()
        # Workers of a slice finish a segment each, and then the execution ends.
        if run.phase is Phase.SLICE and scene.states.executions:
            assert scene.leases.alive(REPLICATOR) == []
            with hold(scene, BACKFILL):
                left = [each for each in scene.segments.read_all(run) if not each.done]
                if left:
                    scene.segments.save(replace(left[0], items=5, done=True))
            scene.states.end()
        if run.phase in REPLICATING and scene.lambda_.mapping["State"] == "Enabled":
            assert scene.leases.alive(BACKFILL) == []
            if self.applied < self.written:
                _apply(scene, self.applied + 1, self.written)
                self.applied = self.written
        if self.written < 5:
            self.written += 1
            scene.write(self.written)


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    # A whole run an example: to make a failing one smaller would take minutes.
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.reuse, hypothesis.Phase.generate],
)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 60), st.sampled_from(["before", "after"]), st.sampled_from(["die", "overlap"])
        ),
        max_size=6,
    )
)
def test_killed_or_overtaken_at_any_call_to_the_journal_the_run_gets_ready(
    disturbances: list[tuple[int, str, str]],
) -> None:
    scene = Scene(drained_after=5)
    world = World(scene)
    scene.commands.begin()
    pending = list(disturbances)

    def disturbed(when: str) -> Callable[[str], None]:
        def hook(operation: str) -> None:
            if not pending or pending[0][1] != when:
                return
            calls, _, what = pending[0]
            if calls > 1:
                pending[0] = (calls - 1, when, what)
                return
            pending.pop(0)
            if what == "die":
                raise Killed
            other = scene.another()
            for _ in range(3):
                other.step()
                world.tick()

        return hook

    scene.client.before = disturbed("before")
    scene.client.after = disturbed("after")
    phases = []
    for _ in range(400):
        try:
            scene.step()
        except Killed:
            scene.reconciler = scene.another()
        world.tick()
        phases.append(scene.now().phase)
        if phases[-1] is Phase.READY and world.written == world.applied == 5 and not pending:
            break
    assert phases[-1] is Phase.READY, scene.now()
    status = scene.commands.status()
    assert (status["items"], status["changes"]) == (10, 5)
    assert scene.now().slice in {1, 2}
