"""Verifications are begun once, continued where they have ended early, and reported."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from tablecopy.comparison.differences import Difference, Kind
from tablecopy.control.audit import Audits
from tablecopy.control.commands import NotPossible
from tablecopy.control.tracking import TrackingCommands
from tablecopy.control.verification import VerificationCommands
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.segments import Segment, Segments
from tablecopy.journal.touched import TrackingRecord
from tablecopy.journal.verifications import Compared, State, Verification, Verifications
from tablecopy.settings import CommandSettings
from tests.unit.tablecopy.fakes import MACHINE_ARN, NOON, STREAM_ARN, FakeClock, FakeStates, MemoryStore

SEGMENTS = 3


class Account:
    """A journal with a run whose segments are copied, and Step Functions."""

    def __init__(self, clock: FakeClock, *, phase: Phase = Phase.READY, copied: int = 2) -> None:
        self.clock = clock
        self.states = FakeStates()
        store = MemoryStore()
        self.verifications = Verifications(store, clock)
        RunRecord(store).create(
            Run(
                run_id="r",
                stream_arn=STREAM_ARN,
                total_segments=2,
                started=NOON,
                phase=phase,
                phase_since=NOON,
            )
        )
        for number in range(copied):
            Segments(store).save(Segment(number, done=True))
        self._store = store

    def commands(
        self, machine: str = MACHINE_ARN, segments: int = SEGMENTS, concurrency: int = 16
    ) -> VerificationCommands:
        settings = CommandSettings(
            journal_table="journal",
            stream_arn=STREAM_ARN,
            total_segments=2,
            drained_after_seconds=60,
            reconciler_function="reconciler",
            verification_machine_arn=machine,
            verification_segments=segments,
            verification_concurrency=concurrency,
        )
        return VerificationCommands(
            RunRecord(self._store),
            Segments(self._store),
            self.verifications,
            TrackingCommands(self._store, self.clock),
            Audits(RunRecord(self._store), self.verifications, TrackingRecord(self._store), self.clock),
            lambda: self.states,  # type: ignore[arg-type, return-value]
            settings,
            self.clock,
        )

    @property
    def latest(self) -> Verification:
        latest = self.verifications.read()
        assert latest is not None
        return latest

    def end(self, state: State) -> None:
        self.verifications.save(replace(self.latest, state=state))


@pytest.fixture
def account(clock: FakeClock) -> Account:
    return Account(clock)


def test_a_verification_is_recorded_and_started(account: Account, clock: FakeClock) -> None:
    status = account.commands().begin(writes_stopped=True)
    latest = account.latest
    assert (latest.state, latest.total_segments, latest.workers) == (State.REQUESTED, SEGMENTS, SEGMENTS)
    assert (status["id"], status["state"], status["writes_stopped"]) == (
        latest.verification_id,
        "requested",
        True,
    )
    [(arn, given)] = account.states.executions.items()
    assert arn.endswith(f":{latest.verification_id}-1")
    assert json.loads(given) == {"verification": latest.verification_id, "segments": [0, 1, 2]}


def test_segments_that_are_compared_at_the_same_time_are_far_apart(account: Account) -> None:
    account.commands(segments=10, concurrency=4).begin(writes_stopped=True)
    [given] = account.states.executions.values()
    assert json.loads(given)["segments"] == [0, 3, 6, 9, 1, 4, 7, 2, 5, 8]


def test_one_that_runs_refuses_another(account: Account) -> None:
    commands = account.commands()
    commands.begin(writes_stopped=False)
    with pytest.raises(NotPossible, match="already in progress"):
        commands.begin(writes_stopped=False)
    assert len(account.states.executions) == 1


def test_the_same_request_again_starts_what_the_first_could_not(account: Account) -> None:
    commands = account.commands()
    account.states.throttled = True
    with pytest.raises(ClientError):
        commands.begin(writes_stopped=False, request="a")
    account.states.throttled = False
    status = commands.begin(writes_stopped=False, request="a")
    assert [arn.rpartition(":")[2] for arn in account.states.executions] == [f"{status['id']}-1"]


def test_the_same_request_again_changes_nothing(account: Account) -> None:
    commands = account.commands()
    first = commands.begin(writes_stopped=False, request="a")
    assert commands.begin(writes_stopped=False, request="a") == first
    account.end(State.DONE)
    assert commands.begin(writes_stopped=False, request="a")["id"] == first["id"]
    assert commands.begin(writes_stopped=False, request="b")["id"] != first["id"]
    assert len(account.states.executions) == 2


def test_one_whose_execution_has_ended_early_goes_on(account: Account) -> None:
    commands = account.commands()
    first = commands.begin(writes_stopped=False)
    account.verifications.save(replace(account.latest, state=State.SCANNING, futile=2))
    account.states.end("ABORTED")
    assert commands.begin(writes_stopped=False)["id"] == first["id"]
    assert (account.latest.execution, account.latest.futile) == (2, 0)
    assert [arn.rpartition("-")[2] for arn in account.states.executions] == ["1", "2"]


def test_one_that_was_just_started_may_not_be_known_yet(account: Account, clock: FakeClock) -> None:
    commands = account.commands()
    commands.begin(writes_stopped=False)
    account.states.lagging = True
    with pytest.raises(NotPossible, match="already in progress"):
        commands.begin(writes_stopped=False)
    clock.tick(31)
    commands.begin(writes_stopped=False)
    assert account.latest.execution == 2


def test_without_the_machine_nothing_is_started(account: Account) -> None:
    with pytest.raises(NotPossible, match="not enabled"):
        account.commands(machine="").begin(writes_stopped=False)


@pytest.mark.parametrize(("phase", "copied"), [(Phase.SLICE, 2), (Phase.READY, 1), (Phase.PREFLIGHT, 0)])
def test_what_is_not_copied_is_not_compared(clock: FakeClock, phase: Phase, copied: int) -> None:
    account = Account(clock, phase=phase, copied=copied)
    with pytest.raises(NotPossible, match=f"{2 - copied} of 2 segments are not copied"):
        account.commands().begin(writes_stopped=False)
    assert account.verifications.read() is None


def test_the_status_adds_up_the_segments(account: Account, clock: FakeClock) -> None:
    commands = account.commands()
    assert commands.status() == {}
    commands.begin(writes_stopped=False)
    name = account.latest.verification_id
    for number in range(2):
        account.verifications.save_segment(
            name,
            Compared(number, equal=5, missing=2, open=1, undecided=1, scanned=True, by_key=number == 0),
        )
    status = commands.status()
    assert (status["equal"], status["missing"], status["undecided"]) == (10, 4, 4)
    assert (status["segments"], status["segments_done"], status["segments_by_key"]) == (3, 2, 1)


def test_differences_come_segment_by_segment(account: Account) -> None:
    commands = account.commands()
    assert commands.differences(0, 0) == {"differences": [], "unlisted": []}
    commands.begin(writes_stopped=False)
    name = account.latest.verification_id
    found = [
        Difference(Kind.MISSING, {"pk": {"S": key}}, (), "aa", None, NOON, NOON, 1) for key in ("a", "b", "c")
    ]
    account.verifications.save_segment(name, Compared(0, missing=1, listed=1, open=1), [found[0]], [found[1]])
    account.verifications.save_segment(name, Compared(1, undecided=2))
    account.verifications.save_segment(name, Compared(2, missing=5, listed=1), [found[2]])
    assert commands.differences(0, 0) == {
        "differences": [found[0].record(), {**found[1].record(), "undecided": True}, found[2].record()],
        "unlisted": [[1, 2], [2, 4]],
    }


def test_an_answer_has_as_much_as_lambda_returns(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda returns 6 MB, and a segment may list more."""
    commands = account.commands()
    commands.begin(writes_stopped=False)
    name = account.latest.verification_id
    keys = [f"{number:04d}-{'x' * 1_500}" for number in range(2_500)]
    found = [Difference(Kind.MISSING, {"pk": {"S": key}}, (), "aa", None, NOON, NOON, 1) for key in keys]
    for segment in range(SEGMENTS):
        account.verifications.save_segment(
            name, Compared(segment, missing=2_500, listed=2_000), found[:2_000], found[2_000:]
        )
    listed: list[str] = []
    unlisted: list[list[int]] = []
    begin = [0, 0]
    answers = 0
    while begin:
        answer = commands.differences(*begin)
        assert len(json.dumps(answer)) < 3_000_000
        listed += [record["key"]["pk"]["S"] for record in answer["differences"]]
        unlisted += answer["unlisted"]
        begin = answer.get("next", [])
        answers += 1
    assert listed == keys * SEGMENTS
    assert unlisted == [[segment, 500] for segment in range(SEGMENTS)]
    assert answers > SEGMENTS


@pytest.mark.parametrize(
    ("found", "writes_stopped", "verdict"),
    [
        ({"equal": 5, "expired": 2}, False, "equal"),
        ({"equal": 5, "missing": 1}, False, "different"),
        ({"changed": 1, "open": 1}, False, "different"),
        ({"extra": 1}, True, "different"),
        ({"open": 1}, False, "unsettled"),
        ({"undecided": 1}, False, "unsettled"),
        ({"undecided": 1}, True, "different"),
    ],
)
def test_the_verdict_is_that_of_verify(
    account: Account, found: dict[str, int], writes_stopped: bool, verdict: str
) -> None:
    account.commands().begin(writes_stopped=writes_stopped)
    account.verifications.save_segment(account.latest.verification_id, Compared(0, **found))
    assert account.commands().status()["verdict"] == ""
    account.end(State.DONE)
    status = account.commands().status()
    assert (status["verdict"], status["running"]) == (verdict, False)


def test_whether_it_runs_is_shown(account: Account, clock: FakeClock) -> None:
    commands = account.commands()
    commands.begin(writes_stopped=False)
    assert commands.status()["running"]
    account.states.throttled = True
    assert commands.status()["running"]
    account.states.throttled = False
    account.states.end("ABORTED")
    assert not commands.status()["running"]
    commands.begin(writes_stopped=False)
    account.states.lagging = True
    assert commands.status()["running"]


def test_one_that_ends_while_it_is_looked_at_was_not_interrupted(account: Account) -> None:
    commands = account.commands()
    commands.begin(writes_stopped=False)
    describe = account.states.describe_execution

    def ended(**request: str) -> dict[str, str]:
        account.end(State.DONE)
        account.states.end("SUCCEEDED")
        return describe(**request)

    account.states.describe_execution = ended  # type: ignore[method-assign]
    status = commands.status()
    assert (status["state"], status["verdict"]) == ("done", "equal")
