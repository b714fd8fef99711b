"""Control at size: the reconciler's own handler, against a stream of thousands of shards by formula.

The CPU time of the product's code is measured and takes as much longer on the virtual clock as the function's
memory gives it less of a core (Lambda developer guide, "Configure Lambda function memory": 1,769 MB are one
core). So a look takes as long as it would in the function, whatever machine this runs on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field, replace
from io import StringIO
from typing import Any

from tablecopy.journal.applied_batches import AppliedBatch, batch_name
from tablecopy.journal.codec import encode as attributes
from tools.simulation import names
from tools.simulation.attributes import Key
from tools.simulation.deployment import Deployment, Settings
from tools.simulation.dynamodb import DynamoDBService
from tools.simulation.formula import FormulaStream
from tools.simulation.network import Caller, SimDynamoDB
from tools.simulation.scheduler import World
from tools.simulation.table import Table

_PREFIX = "batch#"
_STEADY_SECONDS = 600.0
_PATIENCE_SECONDS = 3_600.0


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
    """

    shards: int
    changes_per_second: float
    memory_mb: int
    call_cpu_seconds: float


@dataclass
class ControlResult:
    """What was measured, in virtual seconds.

    Attributes
    ----------
    began_s
        From the first apply to the first slice.
    look_s
        Longest time between two reads of one open shard while changes arrived steadily.
    age_error_s
        Largest difference between the published age of the oldest unapplied change and the true one.
    ready_s
        From the last write to ready for cutover.
    describe_per_s, shard_reads_per_s
        Most DescribeStream calls in one second, and most GetRecords calls for one shard in one second.
    cpu_per_minute
        Core seconds of this machine that a minute of steady changes took.
    calls_per_minute
        Calls by operation, a minute of steady changes.
    reason
        What the run waited for if it did not become ready.
    """

    began_s: float = math.nan
    look_s: float = math.nan
    age_error_s: float = math.nan
    ready_s: float = math.nan
    describe_per_s: int = 0
    shard_reads_per_s: int = 0
    cpu_per_minute: float = math.nan
    calls_per_minute: dict[str, float] = field(default_factory=dict)
    reason: str = ""


class _Journal:
    """The source account's DynamoDB, whose journal has the applied batches by formula."""

    def __init__(self, service: DynamoDBService, journal: Table, stream: FormulaStream) -> None:
        self._service = service
        self._stream = stream
        journal.on_write(self._written)

    def _written(self, key: Key, old: bytes | None, new: bytes | None) -> None:
        """Let the replicator know what is from before the copy, as it reads it from the run."""
        if key == ("run", "state") and new is not None:
            self._stream.covered_to = float(json.loads(new).get("covered_to", {"N": "0"})["N"])

    def handle(self, operation: str, body: bytes, caller: Caller) -> bytes:
        """Answer a request for applied batches, and pass everything else on."""
        if operation == "BatchGetItem" and _PREFIX.encode() in body:
            keys = json.loads(body)["RequestItems"][names.JOURNAL_TABLE]["Keys"]
            found = [item for key in keys if (item := self._batch(key["pk"]["S"]))]
            answer = {"Responses": {names.JOURNAL_TABLE: found}, "UnprocessedKeys": {}}
            return json.dumps(answer).encode()
        return self._service.handle(operation, body, caller)

    def _batch(self, pk: str) -> dict[str, Any] | None:
        name = pk.removeprefix(_PREFIX)
        stream = self._stream
        shard, first = stream.record_of(name.partition("#")[0])
        last = stream.batch_from(shard, first)
        if last is None or name != batch_name(stream.number(shard, first), stream.event(shard, first)):
            return None
        count = last - first + 1
        batch = AppliedBatch(name, stream.number(shard, last), count, count, 0)
        return {"pk": {"S": pk}, "sk": {"S": "applied"}, **attributes(batch, without={"first"})}


class _Ages(StringIO):
    """Takes what the functions print, and compares the published age with the true one."""

    def __init__(self, stream: FormulaStream) -> None:
        super().__init__()
        self._stream = stream
        self.error = 0.0
        self.watched = False

    def write(self, text: str) -> int:
        if self.watched and "OldestUnappliedChangeAge" in text:
            published = json.loads(text).get("OldestUnappliedChangeAge")
            if published is not None:
                self.error = max(self.error, abs(published - self._stream.oldest_unapplied()))
        return len(text)


class _Scene:
    def __init__(self, case: ControlCase, seed: int) -> None:
        self.world = World(seed)
        settings = Settings(memory_mb={names.RECONCILER: case.memory_mb})
        self.deployment = Deployment(self.world, settings, concurrency=20_000, cpu=1.0)
        self.stream = FormulaStream(self.world, case.shards, case.changes_per_second / case.shards)
        account = self.deployment.account
        account.streams = self.stream
        account.source = _Journal(self.deployment.source_account, self.deployment.journal, self.stream)
        self.ages = _Ages(self.stream)

    def phase(self) -> str:
        """Return the run's phase as the journal has it."""
        return str(self.run().get("phase", {"S": "none"})["S"])

    def run(self) -> dict[str, Any]:
        """Return the run's item."""
        body = self.deployment.journal.get(("run", "state"))
        return json.loads(body) if body else {}

    def wait(self, *phases: str) -> float:
        """Let time pass until the run is in one of the phases; return the moment, or NaN."""
        until = self.world.now + _PATIENCE_SECONDS
        while self.world.now < until:
            if self.phase() in phases:
                return self.world.now
            self.world.run(self.world.now + 1.0)
        return math.nan

    def cpu(self) -> float:
        """Return the CPU seconds that the reconciler has used so far."""
        function = self.deployment.lambda_.function(names.RECONCILER)
        return sum(each.host.cpu_seconds for each in [*function.idle, *function.busy])


def measure(case: ControlCase, seed: int = 1) -> ControlResult:
    """Run a copy of an empty table whose stream has these shards, from its first apply to ready."""
    scene = _Scene(case, seed)
    with _quiet(scene, case):
        return _measured(scene)


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


def _measured(scene: _Scene) -> ControlResult:
    world, stream, result = scene.world, scene.stream, ControlResult()
    began = world.now
    result.began_s = scene.wait("slice", "resuming", "draining") - began
    if math.isnan(scene.wait("draining")):
        return replace(result, reason=_reason(scene))
    # The first looks catch up with what happened during the slice.
    world.run(world.now + 120)
    stream.watch()
    scene.ages.watched = True
    calls, cpu = stream.calls.copy(), scene.cpu()
    world.run(world.now + _STEADY_SECONDS)
    minutes = _STEADY_SECONDS / 60
    result.look_s = stream.longest_gap
    result.age_error_s = scene.ages.error
    result.cpu_per_minute = (scene.cpu() - cpu) / minutes
    result.calls_per_minute = {
        operation: (count - calls[operation]) / minutes for operation, count in sorted(stream.calls.items())
    }
    stream.stopped_at = world.now
    scene.ages.watched = False
    result.ready_s = scene.wait("ready") - stream.stopped_at
    result.describe_per_s = stream.busiest_describe
    result.shard_reads_per_s = stream.busiest_shard
    return replace(result, reason="" if result.ready_s == result.ready_s else _reason(scene))


def _reason(scene: _Scene) -> str:
    run = scene.run()
    problems = [each["S"] for each in run.get("problems", {"L": []})["L"]]
    return f"{scene.phase()}: {run.get('reason', {'S': ''})['S']} {' '.join(problems)}".strip()
