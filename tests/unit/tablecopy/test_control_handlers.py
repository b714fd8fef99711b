"""The entry points of control and the reconciler: which command does what, and what each pass publishes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from tablecopy.dynamodb.client import DynamoDBClient, Json
from tablecopy.dynamodb.streams import READERS
from tablecopy.handlers.context import STREAM_CONNECTIONS, Aws
from tablecopy.journal.dead_letters import DeadLetter, DeadLetters, Origin
from tablecopy.journal.leases import Turn
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.shards import Shards, StreamSummary
from tablecopy.journal.store import Store
from tablecopy.journal.touched import Checked, TouchedKeys, Tracking, TrackingRecord
from tablecopy.journal.verifications import State, Verification, Verifications
from tablecopy.settings import DestinationSettings
from tests.unit.tablecopy.fakes import (
    MACHINE_ARN,
    STREAM_ARN,
    FakeClock,
    FakeLambda,
    FakeStates,
    FakeStreams,
    MemoryStore,
    client_error,
)
from tests.unit.tablecopy.functions import ENVIRONMENT, Context, control, reconciler
from tests.unit.tablecopy.published import Published, published


class Lambda(FakeLambda):
    """Lambda, which keeps what is invoked, and calls ``on_get`` when it is asked for the mapping."""

    def __init__(self) -> None:
        super().__init__()
        self.invoked: list[Json] = []
        self.on_get: Callable[[], object] = lambda: None

    def invoke(self, **request: Any) -> Json:
        self.invoked.append(request)
        self._fail()
        return {}

    def get_account_settings(self) -> Json:
        return {"AccountLimit": {"UnreservedConcurrentExecutions": 1_000, "ConcurrentExecutions": 1_000}}

    def get_event_source_mapping(self, **request: Any) -> dict[str, Any]:
        self.on_get()
        return super().get_event_source_mapping(**request)


class Denied:
    """DynamoDB and SQS that deny every call, so that preflight never passes."""

    def call(self, operation: str, body: Json) -> Json:
        raise client_error("AccessDeniedException")

    def get_queue_attributes(self, **request: Any) -> Json:
        raise client_error("AccessDeniedException")


class Account(Aws):
    """The services of the source account and the journal, as the handlers find them."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.function = Lambda()

    def journal(self, table: str) -> Store:
        assert table == "journal"
        return self.store

    def source(self) -> DynamoDBClient:
        return cast(DynamoDBClient, Denied())

    def destination(self, settings: DestinationSettings, function: str) -> DynamoDBClient:
        assert function == "reconciler"
        return cast(DynamoDBClient, Denied())

    def lambda_(self) -> Any:
        return self.function

    def states(self) -> Any:
        return FakeStates()

    def queues(self) -> Any:
        return Denied()

    def streams(self) -> Any:
        return FakeStreams()


class Scene:
    """Both functions of one copy."""

    def __init__(self, clock: FakeClock, **environment: str) -> None:
        environ = {**ENVIRONMENT, "STREAM_ARN": STREAM_ARN, **environment}
        self.clock = clock
        self.aws = Account()
        self.run = RunRecord(self.aws.store)
        self.letters = DeadLetters(self.aws.store, clock)
        self._control = control.build(environ, clock, self.aws)
        self._reconcile = reconciler.build(environ, clock, self.aws)

    def ask(self, action: str, **details: object) -> Json:
        return self._control({"action": action, **details}, Context())

    def look(self, request: str = "r1", **event: object) -> Json:
        context = Context()
        context.aws_request_id = request
        return self._reconcile(event, context)

    def now(self) -> Run:
        run = self.run.read()
        assert run is not None
        return run

    def enter(self, phase: Phase) -> None:
        self.ask("start")
        assert self.run.save(self.now().enter(phase, self.clock.now()))
        self.aws.function.invoked.clear()


@pytest.fixture
def scene(clock: FakeClock) -> Scene:
    return Scene(clock)


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[], Published]:
    return lambda: published(capsys.readouterr().out)


class TestControl:
    def test_a_run_that_is_sealed_between_two_reads_is_never_half_of_it(self, scene: Scene) -> None:
        """A request that is over belongs to a run that is sealed in the same answer."""
        scene.enter(Phase.SEALING)
        store = scene.aws.store
        get, reads = store.get, 0

        def seal_at(read: int) -> Callable[[str, str], Json | None]:
            def get_and_seal(pk: str, sk: str) -> Json | None:
                nonlocal reads
                reads += pk == "run" and sk == "state"
                if reads == read:
                    reads += 1
                    assert scene.run.save(replace(scene.now(), phase=Phase.SEALED, seal_grade="seen"))
                return get(pk, sk)

            return get_and_seal

        for read in range(1, 6):
            scene.enter(Phase.SEALING)
            reads = 0
            store.get = seal_at(read)  # type: ignore[method-assign]
            answer = scene.ask("cutover")
            store.get = get  # type: ignore[method-assign]
            if answer["cutover"]["grade"]:
                assert answer["status"]["phase"] == "sealed", read

    def test_start_is_answered_before_anything_was_looked_at(self, scene: Scene) -> None:
        status = scene.ask("start")["status"]
        assert (status["phase"], status["problems"], status["checked"]) == ("preflight", [], 0)
        [call] = scene.aws.function.invoked
        assert (call["FunctionName"], call["InvocationType"]) == ("move-reconciler", "Event")
        assert json.loads(call["Payload"]) == {"wait": False}

    def test_a_start_sent_again_is_not_an_error(self, scene: Scene) -> None:
        first = scene.ask("start", request="one")
        assert scene.ask("start", request="one") == first
        assert "already in progress" in scene.ask("start", request="two")["error"]
        assert "already in progress" in scene.ask("start")["error"]

    def test_without_a_copy_tables_are_only_compared(self, clock: FakeClock) -> None:
        aws = Account()
        environ = {"JOURNAL_TABLE": "journal", "VERIFICATION_MACHINE_ARN": MACHINE_ARN}
        handle = control.build(environ, clock, aws)

        def ask(action: str) -> Json:
            return handle({"action": action}, Context())

        assert ask("status")["status"] == {"phase": "none", "now": clock.now(), "comparison_only": True}
        for action in ("start", "seal", "redrive", "audit"):
            assert "there is no copy" in ask(action)["error"]
        assert ask("dead-letters") == {"count": 0, "dead_letters": []}
        begun = ask("verify")["verification"]
        assert (begun["state"], begun["segments"]) == ("requested", 16)
        assert ask("status")["status"]["verification"]["id"] == begun["id"]
        assert aws.function.invoked == []

    def test_the_status_has_the_latest_verification(self, scene: Scene) -> None:
        scene.enter(Phase.READY)
        assert "verification" not in scene.ask("status")["status"]
        begun = Verification("v1", 2, 2, scene.clock.now(), state=State.DONE)
        Verifications(scene.aws.store, scene.clock).save(begun, is_new=True)
        status = scene.ask("status")["status"]
        assert status["verification"] == scene.ask("verification")["verification"]
        assert (status["verification"]["id"], status["verification"]["verdict"]) == ("v1", "equal")

    @pytest.mark.parametrize(("extra", "grade"), [(0, "audited"), (1, "different")])
    def test_the_status_has_the_result_of_an_audit(self, scene: Scene, extra: int, grade: str) -> None:
        scene.enter(Phase.SEALED)
        run = scene.run.save(replace(scene.now(), seal_grade="seen"))
        assert run is not None
        verifications = Verifications(scene.aws.store, scene.clock)
        audit = Verification("v1", 1, 1, scene.clock.now(), state=State.SCANNING, audited_run=run.run_id)
        audit_ = verifications.save(audit, is_new=True)
        assert audit_ is not None
        verifications.save_segment("v1", replace(verifications.segment("v1", 0), extra=extra))
        assert scene.ask("status")["status"]["seal_grade"] == "seen"
        verifications.save(replace(audit_, state=State.DONE))
        status = scene.ask("status")["status"]
        assert status["seal_grade"] == grade
        assert status["verification"]["verdict"] == ("different" if extra else "equal")
        assert scene.ask("cutover")["cutover"]["grade"] == grade

    def test_what_cannot_be_audited_is_said(self, clock: FakeClock) -> None:
        scene = Scene(clock, VERIFICATION_MACHINE_ARN=MACHINE_ARN)
        scene.enter(Phase.READY)
        assert "the run is not sealed" in scene.ask("audit")["error"]

    def test_commands_call_the_reconciler_and_questions_do_not(self, scene: Scene) -> None:
        scene.enter(Phase.READY)
        scene.ask("status")
        scene.ask("dead-letters")
        assert scene.aws.function.invoked == []
        assert scene.ask("seal")["status"]["seal_requested"]
        assert len(scene.aws.function.invoked) == 1

    def test_a_comparison_does_not_wait_for_the_schedule(self, clock: FakeClock) -> None:
        """Its scans wait until the keys of changes are noted on both sides."""
        machine = {"VERIFICATION_MACHINE_ARN": MACHINE_ARN, "TRACKER_FUNCTION": "move-tracker"}
        scene = Scene(clock, **machine)
        scene.enter(Phase.READY)
        scene.run.save(replace(scene.now(), total_segments=0))
        assert scene.ask("verify")["verification"]["state"] == "requested"
        names = [call["FunctionName"] for call in scene.aws.function.invoked]
        assert names == ["move-reconciler", "move-tracker"]

    def test_a_cutover_does_not_wait_for_the_schedule(self, clock: FakeClock) -> None:
        """One that has not looked for seconds is called again, as long as a command follows the cutover."""
        scene = Scene(clock, TRACKER_FUNCTION="move-tracker")
        scene.enter(Phase.READY)
        scene.run.save(replace(scene.now(), cutover="one", seal_by=clock.now() + 60))
        tracking = Tracking("v1", "r", clock.now())
        TrackingRecord(scene.aws.store).save(tracking, is_new=True)
        keys, shards = TouchedKeys(scene.aws.store, clock, "v1"), Shards(scene.aws.store)

        def called() -> list[str]:
            scene.ask("cutover")
            names = [call["FunctionName"] for call in scene.aws.function.invoked]
            scene.aws.function.invoked.clear()
            return names

        shards.save_summary(StreamSummary(looked_at=clock.now()))
        keys.save_checked(Checked("v1", looked_at=clock.now()))
        assert called() == []
        clock.tick(5)
        assert called() == ["move-reconciler", "move-tracker"]
        # They have just been called.
        assert called() == []
        clock.tick(5)
        shards.save_summary(StreamSummary(looked_at=clock.now()))
        assert called() == ["move-tracker"]
        clock.tick(5)
        scene.run.save(scene.now().without_cutover("cancelled", ""))
        assert called() == []

    @pytest.mark.parametrize(
        "error",
        [client_error("TooManyRequestsException", 429), ConnectTimeoutError(endpoint_url="https://lambda")],
    )
    def test_a_command_stands_although_the_reconciler_cannot_be_called(
        self, scene: Scene, error: Exception, capsys: pytest.CaptureFixture[str]
    ) -> None:
        scene.aws.function.errors = [error]
        assert scene.ask("start")["status"]["phase"] == "preflight"
        assert scene.now().phase is Phase.PREFLIGHT
        [logged] = capsys.readouterr().out.splitlines()
        assert json.loads(logged) == {"event": "nudge_failed", "error": str(error)}

    def test_what_is_not_possible_is_said(self, scene: Scene) -> None:
        scene.ask("start")
        assert "no dead letter is open" in scene.ask("redrive")["error"]
        assert scene.ask("dead-letters") == {"count": 0, "dead_letters": []}
        for action in ("copy", "reconcile"):
            said = scene.ask(action)["error"]
            assert all(known in said for known in ("start", "status", "seal", "redrive", "dead-letters"))
        assert len(scene.aws.function.invoked) == 1


class TestReconciler:
    def test_an_apply_begins_a_run_that_no_operator_has_confirmed(self, scene: Scene) -> None:
        assert scene.look()["status"]["phase"] == "preflight"
        assert not scene.now().confirmed
        # It has been looked at.
        assert scene.now().problems

    def test_a_sealed_run_is_never_begun_again(self, scene: Scene) -> None:
        scene.enter(Phase.SEALED)
        sealed = scene.now()
        scene.look()
        assert scene.now() == sealed

    def test_nothing_begins_where_an_apply_is_not_to_start(self, clock: FakeClock) -> None:
        scene = Scene(clock, START_ON_APPLY="false")
        assert scene.look()["status"]["phase"] == "none"
        assert scene.run.read() is None

    def test_of_two_at_a_time_one_looks(self, scene: Scene) -> None:
        scene.enter(Phase.SEALED)
        first, began = Turn(scene.aws.store, scene.clock, "r1"), scene.clock.time
        assert first.take()
        scene.clock.on_sleep = first.take
        assert list(scene.look("r2", wait=False)) == ["skipped"]
        assert scene.clock.time == began
        assert list(scene.look("r2")) == ["skipped"]
        assert scene.aws.function.gets == 0
        assert scene.clock.time < began + 55

    def test_the_next_one_looks_when_the_first_one_has_ended(self, scene: Scene) -> None:
        """A command calls between two calls of the schedule. Neither of them leaves the shards alone."""
        scene.enter(Phase.SLICE)
        first, began = Turn(scene.aws.store, scene.clock, "r1"), scene.clock.time
        assert first.take()
        scene.clock.on_sleep = lambda: first.take() if scene.clock.time < began + 20 else first.give_back()
        assert "status" in scene.look("r2")
        # It works until its own minute is over, so the next scheduled call finds the turn free.
        assert began + 55 <= scene.clock.time < began + 60

    def test_the_next_one_looks_whatever_became_of_the_last(self, scene: Scene) -> None:
        scene.enter(Phase.SEALED)
        scene.aws.function.errors = [client_error("AccessDeniedException")]
        with pytest.raises(ClientError):
            scene.look("r1")
        assert "status" in scene.look("r2")
        assert "status" in scene.look("r3")

    @pytest.mark.parametrize("phase", [Phase.PREFLIGHT, Phase.SEALED, Phase.STOPPED])
    def test_each_pass_publishes_the_state_of_the_run(
        self, scene: Scene, phase: Phase, told: Callable[[], Published]
    ) -> None:
        scene.enter(phase)
        for token in "ab":
            scene.letters.put(
                DeadLetter(token, {"pk": {"S": token}}, Origin.STREAM, "put", "code", "message")
            )
        scene.look()
        found = told()
        assert found["Reconciliations"] == {"": [1]}
        assert found["RunPhase"] == {phase.value: [1]}
        assert found["RunStopped"] == {"": [int(phase is Phase.STOPPED)]}
        assert found["DeadLetters"] == {"": [2]}

    def test_without_a_run_nothing_waits(self, clock: FakeClock, told: Callable[[], Published]) -> None:
        Scene(clock, START_ON_APPLY="false").look()
        found = told()
        assert found["RunPhase"] == {"none": [1]}
        assert (found["OldestUnappliedChangeAge"], found["DeadLetters"]) == ({"": [0]}, {"": [0]})

    def test_a_call_that_is_skipped_is_not_a_sign_of_life(
        self, scene: Scene, told: Callable[[], Published]
    ) -> None:
        scene.enter(Phase.SEALED)
        other = Turn(scene.aws.store, scene.clock, "other")
        assert other.take()
        scene.clock.on_sleep = other.take
        scene.look()
        assert scene.aws.function.gets == 0
        assert told() == {}

    def test_a_pass_that_fails_is_not_a_sign_of_life(
        self, scene: Scene, told: Callable[[], Published]
    ) -> None:
        scene.enter(Phase.SEALED)
        scene.aws.function.errors = [client_error("AccessDeniedException")]
        with pytest.raises(ClientError):
            scene.look()
        assert told() == {}


class TestClients:
    def test_a_throttled_call_is_made_again(self) -> None:
        aws = Aws()
        for client in (aws.lambda_(), aws.states()):
            assert client.meta.config.retries == {"mode": "standard", "total_max_attempts": 3}

    def test_a_service_out_of_reach_is_given_up_in_time(self) -> None:
        aws = Aws()
        for client in (aws.lambda_(), aws.states()):
            assert (client.meta.config.connect_timeout, client.meta.config.read_timeout) == (3, 10)
        config = cast(Any, aws.lambda_().meta.config)
        # Lambda ends the control function after 30 s.
        assert (config.connect_timeout + config.read_timeout) * config.retries["total_max_attempts"] < 30 + 10
        assert config.connect_timeout * config.retries["total_max_attempts"] < 10

    def test_there_is_a_connection_for_each_shard_that_is_read_at_the_same_time(self) -> None:
        assert STREAM_CONNECTIONS == READERS

    def test_the_streams_endpoint_of_a_vpc_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        url = "https://vpce-1a2b3c4d-5e6f.streams.dynamodb.eu-west-1.vpce.amazonaws.com"
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", url)
        assert cast(DynamoDBClient, Aws().streams()).endpoint_url == url
        assert Aws().lambda_().meta.endpoint_url == "https://lambda.eu-west-1.amazonaws.com"
