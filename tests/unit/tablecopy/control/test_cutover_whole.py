"""Cutovers with control, the tracker and the reconciler as they are, and a replicator that is led astray.

The judge is simple: a run that was sealed with a proof has two equal tables, and one that nothing hinders is
sealed within seconds. Each seed has its own writes, faults, deaths and clocks.
"""

from __future__ import annotations

import random
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import cast

import pytest
from mypy_boto3_lambda.client import LambdaClient
from mypy_boto3_sqs.client import SQSClient
from mypy_boto3_stepfunctions.client import SFNClient

from tablecopy.control.commands import NotPossible
from tablecopy.control.cutover import CutoverCommands
from tablecopy.control.pace import SliceLimits
from tablecopy.control.proof import Proof
from tablecopy.control.reconciler import Reconciler
from tablecopy.control.services import Executions, FailureQueue, SourceMapping
from tablecopy.control.steps import Dependencies
from tablecopy.control.tables import TableChecks
from tablecopy.dynamodb.client import Json
from tablecopy.journal.dead_letters import DeadLetters
from tablecopy.journal.leases import REPLICATOR, Leases
from tablecopy.journal.run import REPLICATING, Phase, Run
from tablecopy.journal.segments import Segment, Segments
from tablecopy.journal.touched import TrackingState
from tablecopy.journal.verifications import State
from tablecopy.tracker.tracker import Tracker
from tests.unit.tablecopy.control.test_reconciler import FakeQueue
from tests.unit.tablecopy.fakes import MACHINE_ARN, NOON, FakeClock, FakeLambda, FakeStates
from tests.unit.tablecopy.tracker.scene import Scene, StreamedTable

QUIET = 5.0
MAX_STOP = 60.0
SEEDS = range(60)


class Skewed(FakeClock):
    """The clock of another host, which is so many seconds ahead."""

    def __init__(self, clock: FakeClock, ahead: float) -> None:
        self._clock = clock
        self._ahead = ahead
        super().__init__()

    @property
    def time(self) -> float:  # type: ignore[override]
        return self._clock.time + self._ahead

    @time.setter
    def time(self, value: float) -> None:
        if hasattr(self, "_clock") and value > self.time:
            self._clock.time = value - self._ahead


class Late:
    """Shows the records of a table's stream in order, up to four seconds after they were made."""

    def __init__(self, table: StreamedTable, clock: FakeClock, rng: random.Random) -> None:
        self._table, self._clock, self._rng = table, clock, rng
        self._write = table.write
        self._due = 0.0
        self.hidden: list[tuple[float, str, tuple[str, float]]] = []
        table.write = self.write  # type: ignore[method-assign]

    def write(self, key: str, item: Json | None) -> str:
        """Change an item. Its record is shown later."""
        number = self._write(key, item)
        record = self._table.stream.shards[self._table.shard].records.pop()
        self._due = max(self._due, self._clock.time + self._rng.choice([0, 0, 1, 2, 4]))
        self.hidden.append((self._due, key, record))
        self.show()
        return number

    def show(self) -> None:
        """Show what is due."""
        while self.hidden and self.hidden[0][0] <= self._clock.time:
            _, _, record = self.hidden.pop(0)
            self._table.stream.shards[self._table.shard].records.append(record)


class Whole(Scene):
    """A copy in sync that was verified, with everything that a cutover needs."""

    def __init__(self, seed: int, ahead: float = 0.0) -> None:
        self.ahead = ahead
        self.lambda_ = FakeLambda()
        self.lambda_.mapping["State"] = "Enabled"
        super().__init__(seed)
        self.segments = Segments(self.store)
        for number in range(2):
            self.segments.save(Segment(number, done=True))
        self.leases = Leases(self.store, self.clock)
        self.letters = DeadLetters(self.store, self.clock)
        self.change_run(scan_began=NOON - 100, covered_to=NOON - 130)
        self.cutovers = CutoverCommands(self.runs, self.segments, self.letters, self.store, self.clock)
        self.reconciler = self.reconcilers()
        # What the replicator is about to write, although it has given it up, and its lease.
        self.late: list[tuple[str, int, ExitStack, float]] = []
        self.values: dict[str, int] = {}
        self.streams = [Late(table, self.clock, self.rng) for table in (self.source, self.destination)]

    def trackers(self) -> Tracker:
        clock, self.clock = self.clock, cast(FakeClock, Skewed(self.clock, self.ahead))
        try:
            return super().trackers()
        finally:
            self.clock = clock

    def reconcilers(self) -> Reconciler:
        """A new invocation of the reconciler, in the environment of ``control``."""
        dependencies = Dependencies(
            run=self.runs,
            segments=self.segments,
            leases=self.leases,
            dead_letters=self.letters,
            mapping=SourceMapping(cast(LambdaClient, self.lambda_), "mine", self.clock),
            executions=Executions(cast(SFNClient, FakeStates()), MACHINE_ARN, self.clock),
            stream=self.control,
            queue=FailureQueue(cast(SQSClient, FakeQueue()), "url"),
            tables=TableChecks(self.clock, [], self.letters),
            preflight=lambda run: [],
            inspect_tables=dict,
            publish_age=lambda age: None,
            proof=Proof(self.store, self.clock),
        )
        return Reconciler(dependencies, self.clock, SliceLimits(600.0, 0.5), 2)

    @property
    def run(self) -> Run:
        found = self.runs.read()
        assert found is not None
        return found

    def verify(self) -> None:
        """The baseline ends. Both tables are equal at that moment."""
        while self.tracking.state is not TrackingState.ON:
            self.second()
        assert not self.differ()
        found = self.verifications.read()
        assert found is not None
        self.verifications.save(replace(found, state=State.DONE, ended=self.clock.time))

    def second(self, *, tracks: bool = True) -> None:
        """A second passes."""
        self.clock.tick(1)
        for stream in self.streams:
            stream.show()
        state = self.lambda_.mapping["State"]
        self.lambda_.mapping["State"] = {"Enabling": "Enabled", "Disabling": "Disabled"}.get(state, state)
        self.reconciler.step(self.clock.time + 8)
        if tracks:
            self.tracker.step()

    def write(self, key: str) -> None:
        self.values[key] = self.values.get(key, 0) + 1
        self.put(key, self.values[key])

    def apply(self, changes: int | None = None, *, lose: str = "") -> None:
        """The replicator works, if its phase lets it."""
        if self.run.phase in REPLICATING:
            self.replicate(changes, lose=lose)

    def give_up(self) -> None:
        """The replicator gives up a write of the next change, retries it, and the first may land later."""
        if self.run.phase in REPLICATING and self.waiting:
            change = self.waiting[0]
            lease = ExitStack()
            name = f"late-{len(self.late)}-{change.number}"
            lease.enter_context(self.leases.hold(REPLICATOR, name, "late", self.clock.time + 30))
            assert change.item is not None
            self.late.append((change.key, int(change.item["v"]["N"]), lease, self.clock.time + 30))
            self.replicate(1)

    def land(self) -> None:
        """A write that was given up lands, unless its function has ended before."""
        if self.late:
            key, value, lease, deadline = self.late.pop()
            if self.clock.time <= deadline:
                self.destination.write(key, {"pk": {"S": key}, "v": {"N": str(value)}})
            lease.close()

    def invent(self) -> None:
        if self.run.phase in REPLICATING:
            key = self.rng.choice("abcdefgh")
            self.destination.write(key, {"pk": {"S": key}, "v": {"N": "-1"}})

    def cut_over(self, request: str = "one") -> None:
        self.cutovers.begin(request, MAX_STOP, QUIET)


def whole(seed: int, ahead: float = 0.0) -> Whole:
    scene = Whole(seed, ahead)
    for key in "abcdefgh":
        scene.write(key)
    scene.apply()
    scene.verify()
    # The first list of all shards may lack a child.
    for _ in range(130):
        scene.second()
    return scene


def until_ended(scene: Whole) -> float:
    began = scene.clock.time
    while scene.run.is_cutting_over:
        scene.second()
    return scene.clock.time - began


@pytest.mark.parametrize("seed", range(8))
def test_a_cutover_after_steady_writes_takes_seconds(seed: int) -> None:
    scene = whole(seed)
    for _ in range(60):
        for _ in range(20):
            scene.write(scene.rng.choice("abcdefgh"))
        scene.second()
        scene.apply()
    scene.cut_over()
    seconds = until_ended(scene)
    assert scene.run.phase is Phase.SEALED
    assert not scene.differ()
    # The quiet time, four seconds in which a stream may not show the last record, a look that waits for one
    # that is applied, and the last looks.
    assert seconds <= QUIET + 4 + 6


@pytest.mark.parametrize("fault", ["lost", "invented"])
def test_a_difference_is_never_sealed(fault: str) -> None:
    scene = whole(0)
    scene.write("a")
    if fault == "lost":
        scene.second()
        scene.apply(lose="a")
    else:
        scene.apply()
        scene.invent()
    scene.second()
    scene.cut_over()
    until_ended(scene)
    assert scene.differ()
    assert scene.run.phase is not Phase.SEALED
    assert scene.run.cutover_outcome in {"different", "timeout"}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_seed(seed: int) -> None:
    rng = random.Random(seed)
    scene = whole(seed, ahead=rng.choice([0.0, -20.0, 20.0]))
    faults = rng.choice([(), ("lost",), ("invented",), ("late",), ("straggler",), ("lost", "straggler")])
    deaths = rng.random() < 0.5
    cut_at = rng.randrange(5, 30)
    hindered = False
    for second in range(150):
        stopped = second >= cut_at
        if second == cut_at:
            with suppress(NotPossible):
                scene.cut_over()
            if not scene.run.is_cutting_over:
                # The difference was known before.
                assert hindered
                return
        if not stopped:
            for _ in range(rng.randrange(4)):
                scene.write(rng.choice("abcdefgh"))
        elif "straggler" in faults and rng.random() < 0.1 and scene.run.is_cutting_over:
            scene.write(rng.choice("abcdefgh"))
            hindered = True
        if rng.random() < 0.1:
            if "lost" in faults and scene.waiting and scene.run.phase in REPLICATING:
                scene.apply(1, lose=scene.waiting[0].key)
                hindered = True
            if "invented" in faults:
                scene.invent()
                hindered = True
            if "late" in faults:
                scene.give_up()
                hindered = True
        if rng.random() < 0.2:
            scene.land()
        if rng.random() < 0.7:
            scene.apply(rng.choice([None, 1, 3]))
        if deaths and rng.random() < 0.1:
            scene.control = scene.controls()
            scene.reconciler = scene.reconcilers()
        if deaths and rng.random() < 0.1:
            scene.tracker = scene.trackers()
        scene.second(tracks=rng.random() < 0.9)
        if scene.run.phase is Phase.SEALED:
            break
        if stopped and not scene.run.is_cutting_over:
            break
    run = scene.run
    if run.phase is Phase.SEALED:
        # A late write that no look could see is the writer's.
        unseen = {key for _, key, _ in scene.streams[0].hidden}
        assert scene.differ() <= unseen, (faults, scene.differ())
        assert run.seal_grade == "seen"
    else:
        assert run.cutover_outcome
        assert hindered or deaths, (run.cutover_outcome, run.cutover_reason)
