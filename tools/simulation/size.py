"""Control at size: the reconciler's own handler, against a stream of thousands of shards by formula.

The CPU time of the product's code is measured and takes as much longer on the virtual clock as the function's
memory gives it less of a core (Lambda developer guide, "Configure Lambda function memory": 1,769 MB are one
core). So a look takes as long as it would in the function, whatever machine this runs on.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from tablecopy.journal.applied_batches import batch_name
from tablecopy.settings import reader_count
from tools.simulation import names
from tools.simulation.attributes import Key
from tools.simulation.deployment import Deployment, Settings
from tools.simulation.dynamodb import DynamoDBService
from tools.simulation.formula import FormulaStream
from tools.simulation.network import Caller, SimDynamoDB
from tools.simulation.scheduler import World
from tools.simulation.table import Table

_PREFIX = "batch#"
# Virtual seconds after which something is not waited for any more.
_PATIENCE_SECONDS = 1_200.0

# So many slices, which four workers with a write unit a second each need for this many items in each of them.
_SLICE_SECONDS = 80
_SEGMENTS = 16
_WORKERS = 4
_ITEMS = 230

# A published age below this is that of changes that arrive steadily.
_CURRENT_SECONDS = 10.0

# The journal keeps shards that have ended for two days, and a shard lives for four hours.
_GENERATIONS_KEPT = 12


@dataclass(frozen=True)
class ControlCase:
    """What control has to follow.

    Attributes
    ----------
    shards
        Open shards. About six times as many are closed.
    changes_per_second
        Changes of all shards.
    memory_mb
        Memory of the reconciler.
    call_cpu_seconds
        CPU time of one signed call over HTTP on this machine's core.
    slices
        Number of slices: two show how soon the second one can begin.
    steady_seconds
        For how long changes arrive steadily.
    like
        Shards end as often, are listed in as many calls and have as many readers as if there were so many; 0
        for what ``shards`` lead to.
    is_short
        Whether the warm-up is short: the stream has no records from before the first apply, and up to the
        first slice it lists all shards in a few calls. From then on, nothing is different.
    patience_seconds
        For how long after the last write the run is waited for to be ready.
    """

    shards: int
    changes_per_second: float
    memory_mb: int
    call_cpu_seconds: float
    slices: int = 2
    steady_seconds: float = 130.0
    like: int = 0
    is_short: bool = False
    patience_seconds: float = 300.0


@dataclass
class ControlResult:
    """What was measured, in virtual seconds.

    Attributes
    ----------
    saved_s, began_s
        From the first apply until the journal has the place of each open shard, and until the first slice.
        Without a short warm-up, the stream has a day of history.
    slice_look_s, slice_age_error_s
        As ``look_s`` and ``age_error_s``, in a slice, in which all waiting changes are counted.
    overtime_s
        The longest time from the moment at which a slice had to end to the next phase.
    drained_s
        From the end of the first slice until the second one could begin.
    look_s
        Longest time between two reads of one open shard while changes arrived steadily.
    age_error_s
        Largest difference between the published age of the oldest unapplied change and the true one.
    ready_s
        From the last write to ready for cutover.
    describe_per_s, shard_reads_per_s
        Most DescribeStream calls in one second, and most GetRecords calls for one shard in one second.
    lambda_per_minute, executions_per_minute
        Most calls of Lambda's control plane, and of DescribeExecution, in a minute of one phase.
    cpu_per_minute
        Core seconds of this machine that a minute of steady changes took.
    calls_per_minute
        Calls by operation, a minute of steady changes.
    reason
        What the run waited for if something was not reached. The values that follow are not measured.
    """

    saved_s: float = math.nan
    began_s: float = math.nan
    slice_look_s: float = math.nan
    slice_age_error_s: float = math.nan
    overtime_s: float = math.nan
    drained_s: float = math.nan
    look_s: float = math.nan
    age_error_s: float = math.nan
    ready_s: float = math.nan
    describe_per_s: int = 0
    shard_reads_per_s: int = 0
    lambda_per_minute: int = 0
    executions_per_minute: int = 0
    cpu_per_minute: float = math.nan
    calls_per_minute: dict[str, float] = field(default_factory=dict)
    reason: str = ""


class _Journal:
    """The source account's DynamoDB, whose journal has the applied batches by formula.

    ``shards`` are those that the journal has had an item of.
    """

    def __init__(self, service: DynamoDBService, journal: Table, stream: FormulaStream) -> None:
        self._service = service
        self._stream = stream
        self.shards: set[str] = set()
        journal.on_write(self._written)

    def _written(self, key: Key, old: bytes | None, new: bytes | None) -> None:
        """Let the replicator know what is from before the copy, as it reads it from the run."""
        if isinstance(key, tuple) and key[0] == "shard":
            self.shards.add(str(key[1]))
        if key == ("run", "state") and new is not None:
            self._stream.covered_to = float(json.loads(new).get("covered_to", {"N": "0"})["N"])

    def handle(self, operation: str, body: bytes, caller: Caller) -> bytes:
        """Answer a request for applied batches, and pass everything else on."""
        if operation == "BatchGetItem" and _PREFIX.encode() in body:
            keys = json.loads(body)["RequestItems"][names.JOURNAL_TABLE]["Keys"]
            found = ",".join(item for key in keys if (item := self._batch(key["pk"]["S"])))
            return f'{{"Responses":{{"{names.JOURNAL_TABLE}":[{found}]}},"UnprocessedKeys":{{}}}}'.encode()
        return self._service.handle(operation, body, caller)

    def _batch(self, pk: str) -> str:
        """Return the item of an applied batch, or an empty text."""
        name = pk.removeprefix(_PREFIX)
        stream = self._stream
        shard, first = stream.record_of(name.partition("#")[0])
        last = stream.batch_from(shard, first)
        if last is None or name != batch_name(stream.number(shard, first), stream.event(shard, first)):
            return ""
        count = last - first + 1
        return (
            f'{{"pk":{{"S":"{pk}"}},"sk":{{"S":"applied"}},"last":{{"S":"{stream.number(shard, last)}"}},'
            f'"records":{{"N":"{count}"}},"puts":{{"N":"{count}"}},"deletes":{{"N":"0"}}}}'
        )


class _Ages(StringIO):
    """Takes what the functions print, and compares the published age with the true one."""

    def __init__(self, stream: FormulaStream) -> None:
        super().__init__()
        self._stream = stream
        self.error = 0.0
        self.watched = False
        self.published = math.inf

    def write(self, text: str) -> int:
        if "OldestUnappliedChangeAge" in text:
            published = json.loads(text).get("OldestUnappliedChangeAge")
            if published is not None:
                self.published = published
                if self.watched:
                    self.error = max(self.error, abs(published - self._stream.oldest_unapplied()))
        return len(text)


class _Calls:
    """Counts calls of an API in each phase: ``most`` within a minute of one phase."""

    def __init__(self, world: World, phase: Callable[[], str]) -> None:
        self._world = world
        self._phase = phase
        self._calls: dict[str, deque[float]] = {}
        self.most = 0

    def called(self) -> None:
        """Count a call."""
        calls = self._calls.setdefault(self._phase(), deque())
        calls.append(self._world.now)
        while calls[0] <= self._world.now - 60.0:
            calls.popleft()
        self.most = max(self.most, len(calls))


class _NotReached(Exception):
    """The run has not reached something in time."""


class _Scene:
    def __init__(self, case: ControlCase, seed: int) -> None:
        self.world = World(seed)
        settings = Settings(
            segments=_SEGMENTS,
            concurrency=_WORKERS,
            slice_seconds=_SLICE_SECONDS,
            memory_mb={names.RECONCILER: case.memory_mb},
            environ={"write_capacity": _WORKERS} | _per_reader(case),
        )
        self.deployment = deployment = Deployment(self.world, settings, concurrency=20_000, cpu=1.0)
        for number in range(_ITEMS * case.slices):
            deployment.source.put(b'{"pk":{"S":"%d"}}' % number)
        self.stream = FormulaStream(self.world, case.shards, case.changes_per_second / case.shards)
        self.stream.halt()
        if case.like:
            part = case.shards / case.like
            self.stream.shard_seconds *= part
            self.stream.retention_seconds *= part
            self.stream.page_shards = math.ceil(self.stream.page_shards * part)
        self.page_shards = self.stream.page_shards
        if case.is_short:
            self.stream.kept_from = self.world.now
            self.stream.page_shards = case.shards
        account = deployment.account
        account.streams = self.stream
        self.journal = _Journal(deployment.source_account, deployment.journal, self.stream)
        account.source = self.journal
        self.ages = _Ages(self.stream)
        self.control_plane = _Calls(self.world, self.phase)
        self.executions = _Calls(self.world, self.phase)
        account.control_plane.on_take.append(self.control_plane.called)
        account.executions_rate.on_take.append(self.executions.called)

    def phase(self) -> str:
        """Return the run's phase as the journal has it."""
        return str(self.run().get("phase", {"S": "none"})["S"])

    def run(self) -> dict[str, Any]:
        """Return the run's item."""
        body = self.deployment.journal.get(("run", "state"))
        return json.loads(body) if body else {}

    def pass_time(self, seconds: float) -> None:
        """Let time pass. The replicator stands still while its mapping is off."""
        until = self.world.now + seconds
        while self.world.now < until:
            self.world.run(min(until, self.world.now + 1.0))
            if self.deployment.mapping.state == "Enabled":
                self.stream.resume()
            else:
                self.stream.halt()

    def wait(self, is_reached: Callable[[], bool], patience: float = _PATIENCE_SECONDS) -> float:
        """Let time pass until something is reached; return for how long. Raises _NotReached."""
        began = self.world.now
        while not is_reached():
            if self.world.now > began + patience:
                raise _NotReached(self.waits_for())
            self.pass_time(1.0)
        return self.world.now - began

    def wait_for(self, *phases: str, patience: float = _PATIENCE_SECONDS) -> float:
        """Let time pass until the run is in one of the phases; return for how long. Raises _NotReached."""
        return self.wait(lambda: self.phase() in phases, patience)

    def waits_for(self) -> str:
        """Return the phase, and what the run waits for."""
        run = self.run()
        problems = [each["S"] for each in run.get("problems", {"L": []})["L"]]
        return f"{self.phase()}: {run.get('reason', {'S': ''})['S']} {' '.join(problems)}".strip()

    def is_current(self) -> bool:
        """Return whether control has followed what the replicator has applied."""
        return self.ages.published < _CURRENT_SECONDS

    def watch(self, seconds: float) -> tuple[float, float]:
        """Let time pass; return the longest time between two reads of a shard, and the age's error."""
        self.stream.watch()
        self.ages.error, self.ages.watched = 0.0, True
        self.pass_time(seconds)
        self.ages.watched = False
        return self.stream.longest_gap, self.ages.error

    def age(self) -> None:
        """Give the journal the shards that have ended within the two days for which it keeps them."""
        expires = int(self.world.now) + 100_000
        for number in range(self.stream.shards * _GENERATIONS_KEPT):
            item = {
                "pk": {"S": "shard"},
                "sk": {"S": f"shardId-{number:029d}"},
                "retired": {"BOOL": True},
                "expires_at": {"N": str(expires)},
                "version": {"N": "9"},
            }
            self.deployment.journal.put(json.dumps(item).encode())

    def cpu(self) -> float:
        """Return the CPU seconds that the reconciler has used so far."""
        function = self.deployment.lambda_.function(names.RECONCILER)
        return sum(each.host.cpu_seconds for each in [*function.idle, *function.busy])


def _per_reader(case: ControlCase) -> dict[str, object]:
    readers = reader_count(case.like)
    return {"shards_per_reader": math.ceil(case.shards / readers)} if readers else {}


def measure(
    case: ControlCase, seed: int = 1, say: Callable[[str], object] = lambda text: None
) -> ControlResult:
    """Run a copy whose stream has these shards, from its first apply to ready. ``say`` gets its progress."""
    scene = _Scene(case, seed)
    with _quiet(scene, case):
        return _measured(scene, case, say)


@contextmanager
def _quiet(scene: _Scene, case: ControlCase) -> Iterator[None]:
    before = SimDynamoDB.cpu_seconds
    SimDynamoDB.cpu_seconds = case.call_cpu_seconds
    try:
        with redirect_stdout(scene.ages):
            yield
    finally:
        SimDynamoDB.cpu_seconds = before
        scene.world.end()


def _measured(scene: _Scene, case: ControlCase, say: Callable[[str], object]) -> ControlResult:
    stream, result = scene.stream, ControlResult()
    try:
        for name, value in _figures(scene, case):
            setattr(result, name, value)
            say(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}")
    except _NotReached as error:
        result.reason = str(error)
        say(f"not reached, {error}")
    result.describe_per_s, result.shard_reads_per_s = stream.busiest_describe, stream.busiest_shard
    result.lambda_per_minute = scene.control_plane.most
    result.executions_per_minute = scene.executions.most
    return result


def _figures(scene: _Scene, case: ControlCase) -> Iterator[tuple[str, object]]:
    """Let the copy run, and yield each figure as soon as it is known. Raises _NotReached."""
    stream = scene.stream
    saved = scene.wait(lambda: len(scene.journal.shards) >= stream.shards)
    yield "saved_s", saved
    yield "began_s", saved + scene.wait_for("slice")
    stream.page_shards = scene.page_shards
    scene.pass_time(10)
    look, error = scene.watch(60)
    yield "slice_look_s", look
    yield "slice_age_error_s", error
    overtime = _overtime(scene)
    yield "overtime_s", overtime
    if case.slices > 1:
        drained = scene.wait_for("draining")
        yield "drained_s", drained + scene.wait_for("pausing", "slice", "stopped")
        scene.wait_for("slice", "stopped")
        yield "overtime_s", max(overtime, _overtime(scene))
    scene.age()
    scene.wait_for("draining", "stopped")
    scene.wait(scene.is_current)
    yield from _steady(scene, case.steady_seconds)
    stream.stopped_at = scene.world.now
    yield "ready_s", scene.wait_for("ready", patience=case.patience_seconds)


def _overtime(scene: _Scene) -> float:
    """Wait for the end of a slice; return for how long it continued when it had to end, or 0."""
    ends = float(scene.run()["slice_ends"]["N"])
    scene.wait(lambda: scene.phase() != "slice")
    return max(0.0, scene.world.now - ends)


def _steady(scene: _Scene, seconds: float) -> Iterator[tuple[str, object]]:
    stream, minutes = scene.stream, seconds / 60
    calls, cpu = stream.calls.copy(), scene.cpu()
    look, error = scene.watch(seconds)
    yield "look_s", look
    yield "age_error_s", error
    yield "cpu_per_minute", (scene.cpu() - cpu) / minutes
    yield (
        "calls_per_minute",
        {name: (count - calls[name]) / minutes for name, count in sorted(stream.calls.items())},
    )
