"""One run: the tables, the account with the verifier and control, and an operator who compares."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec

from tablecopy.dynamodb.client import Json, encode
from tablecopy.journal import codec
from tablecopy.journal.run import Phase, Run
from tools.simulation import names
from tools.simulation.behavior import TableBehavior
from tools.simulation.definition import verification_definition
from tools.simulation.dynamodb import DynamoDBService
from tools.simulation.errors import ServiceError
from tools.simulation.functions import FunctionSettings, Handler, Lambda
from tools.simulation.handlers import control, verifier
from tools.simulation.machine import SimMachine
from tools.simulation.network import Caller, Network
from tools.simulation.report import Report
from tools.simulation.scheduler import START, Host, World
from tools.simulation.services import Account, Queue, RequestRate, SimAws
from tools.simulation.states import RUNNING, StepFunctions
from tools.simulation.streams_api import StreamsService
from tools.simulation.table import TableSettings
from tools.simulation.verification.judge import Histories, Judge
from tools.simulation.verification.replication import (
    EXPIRES,
    Content,
    Copy,
    Reconciler,
    Writers,
)
from tools.simulation.verification.scenario import Faults, Scenario

_CONTROL_SECONDS = 30.0

# What a comparison may use at once of a table with few units: the first page of each worker's environment has
# an unknown cost, keys of a few seconds are read at a time, and the units of a second are kept.
_SLACK_SECONDS = 12.0
_SLACK_UNITS = 4.0


class _Watched:
    """A table's service, of which the judge sees what the verifier calls.

    Attributes
    ----------
    keys
        Number of keys that were read by key.
    """

    def __init__(self, service: DynamoDBService, table: str, judge: Judge) -> None:
        self.keys = 0
        self._service = service
        self._table = table
        self._judge = judge

    def handle(self, operation: str, body: bytes, caller: Caller) -> bytes:
        """Carry out ``operation``."""
        request = json.loads(body)
        if operation == "BatchGetItem":
            [(table, wanted)] = request["RequestItems"].items()
            if table == self._table:
                self.keys += len(wanted["Keys"])
                self._check(operation, wanted)
        elif request.get("TableName") == self._table:
            if operation == "Scan":
                self._check(operation, request)
            self._judge.wrote(self._table, operation)
        return self._service.handle(operation, body, caller)

    def _check(self, operation: str, request: Json) -> None:
        if request.get("ConsistentRead") is not True:
            self._judge.read_inconsistently(operation)


class _States(StepFunctions):
    """Step Functions, of which the judge sees what runs at the same time."""

    judge: Judge

    def start_execution(self, arn: str, name: str, text: str) -> Json:
        """Start an execution."""
        answer = super().start_execution(arn, name, text)
        comparison = name.rpartition("-")[0]
        running = [
            each.name
            for each in self.executions.values()
            if each.status == RUNNING and each.name.rpartition("-")[0] == comparison
        ]
        if len(running) > 1:
            self.judge.two_run(running)
        return answer

    def abort(self) -> None:
        """Stop what runs."""
        for name in list(self.executions):
            self.stop_execution(name)

    @property
    def is_running(self) -> bool:
        """Whether an execution runs."""
        return any(execution.status == RUNNING for execution in self.executions.values())


class Stage:
    """A scenario's tables, functions, writers and operator.

    Attributes
    ----------
    world, judge
        The run's virtual time, and what it has broken.
    """

    def __init__(self, plan: Scenario, report: Report | None = None) -> None:
        self.plan = plan
        self.world = World(plan.seed)
        world = self.world
        if report is not None:
            report.now = lambda: world.now
        self._create_tables()
        self.copy = Copy(world, self.source, self.destination, plan.traffic, plan.seed)
        self.judge = Judge(
            lambda: world.now,
            report.happened if report is not None else None,
            Histories(self.source, self.destination, self.copy.changes),
            self.journal,
            is_hindered=plan.is_hindered,
            is_small=plan.is_small,
            same_order=plan.tables.same_order,
            lags=plan.traffic.lag[1] > 20.0 or plan.traffic.stalls > 0,
        )
        self._deploy()
        self.judge.on_scanned = self._judge_units
        self._content = Content(plan.tables, plan.seed)
        self._writers = Writers(world, self.source, self._content, plan.tables, plan.traffic)
        self._host = Host("operator")
        self._requests = 0
        self._is_calm = False
        self._judged: set[str] = set()

    def _create_tables(self) -> None:
        plan, world = self.plan, self.world
        key = (("pk", "S"), ("sk", "N")) if plan.tables.sort_key else (("pk", "S"),)
        self.source_account = DynamoDBService(world, names.SOURCE_ACCOUNT, names.REGION)
        self.destination_account = DynamoDBService(world, names.DESTINATION_ACCOUNT, names.REGION)
        self.source = self.source_account.create_table(
            TableSettings(
                names.SOURCE_TABLE,
                key=key,
                ttl=EXPIRES,
                keep_history=True,
                behavior=plan.source,
                capacity=plan.source_capacity,
            )
        )
        self.destination = self.destination_account.create_table(
            TableSettings(
                names.DESTINATION_TABLE,
                key=key,
                keep_history=True,
                salt=0 if plan.tables.same_order else 1,
                behavior=plan.destination,
                capacity=plan.destination_capacity,
            )
        )
        self.journal = self.source_account.create_table(
            TableSettings(
                names.JOURNAL_TABLE, key=(("pk", "S"), ("sk", "S")), ttl="expires_at", behavior=plan.journal
            )
        )

    def _deploy(self) -> None:
        plan, world = self.plan, self.world
        self.network = Network(world, plan.faults.network)
        self.lambda_ = Lambda(world, 1_100, plan.faults.functions)
        self.lambda_.on_end.append(self.judge.ended)
        machine = verification_definition(names.function_arn(names.VERIFIER), plan.concurrency, plan.timeout)
        self.states = _States(world, names.VERIFICATION_ARN, machine, self.lambda_, plan.faults.states)
        self.states.judge = self.judge
        self.read = (
            _Watched(self.source_account, names.SOURCE_TABLE, self.judge),
            _Watched(self.destination_account, names.DESTINATION_TABLE, self.judge),
        )
        self.account = Account(
            source=self.read[0],
            destination=self.read[1],
            streams=StreamsService(self.source_account),
            lambda_=self.lambda_,
            mappings={},
            states=self.states,
            queue=Queue(world),
            control_plane=RequestRate(world, 15.0),
            executions_rate=RequestRate(world, 15.0),
        )
        budget = "" if plan.budget is None else plan.budget
        variables = {
            "verification_machine_arn": names.VERIFICATION_ARN,
            "verification_segments": plan.segments,
            "verification_concurrency": plan.concurrency,
            "read_capacity": budget,
            "destination_read_capacity": budget,
        }
        for name, build, timeout in (
            (names.VERIFIER, verifier.build, float(plan.timeout)),
            (names.CONTROL, control.build, _CONTROL_SECONDS),
        ):
            self.lambda_.deploy(
                FunctionSettings(name, self._built(build), names.environ(name, variables), timeout)
            )

    def _built(self, build: Callable[..., Handler]) -> Callable[[Mapping[str, str], SimMachine], Handler]:
        def made(environ: Mapping[str, str], machine: SimMachine) -> Handler:
            return build(environ, machine, SimAws(machine, self.network, self.account))

        return made

    @property
    def seconds(self) -> float:
        """Seconds of virtual time that have passed."""
        return self.world.now - START

    def play(self) -> None:
        """Let the run happen to its end."""
        plan, world = self.plan, self.world
        self._content.fill(self.source, self.destination)
        self._be_ready()
        self.copy.begin()
        Reconciler(world, self.journal, self.copy, plan.traffic.look_seconds)
        self._writers.begin(plan.busy_seconds)
        for _ in range(plan.traffic.stalls):
            moment, seconds = world.random.uniform(0.0, plan.busy_seconds), plan.traffic.longest_stall
            world.call_later(moment, self.copy.stall, world.random.uniform(1.0, seconds))
        for _ in range(plan.aborts):
            # Most comparisons take a few seconds.
            world.call_later(world.random.uniform(0.0, plan.busy_seconds / 2), self.states.abort)
        world.spawn(self._host, self._operate)
        world.run(world.now + plan.busy_seconds, self._is_over)
        self._calm_down()
        world.run(world.now + plan.bound_seconds, self._is_over)
        if not self._is_over():
            self.judge.late(plan.bound_seconds)
        world.end()

    def _is_over(self) -> bool:
        return len(self._judged) == 1 + self.plan.again or bool(self.judge.violations)

    def _be_ready(self) -> None:
        """Put a run into the journal that has copied all its segments."""
        run = Run(
            run_id="r",
            stream_arn=names.STREAM_ARN,
            total_segments=1,
            started=START,
            phase=Phase.READY,
            phase_since=START,
        )
        self._put("run", "state", codec.encode(run))
        self._put("segment", "0000000", {"done": {"BOOL": True}, "version": {"N": "1"}})

    def _put(self, pk: str, sk: str, attributes: Json) -> None:
        self.journal.put(msgspec.json.encode({"pk": {"S": pk}, "sk": {"S": sk}, **attributes}))

    def _calm_down(self) -> None:
        """Let nothing go wrong any more."""
        calm = Faults()
        self._is_calm = True
        self.network.faults = calm.network
        self.lambda_.faults = replace(calm.functions, skew=self.plan.faults.functions.skew)
        self.states.faults = calm.states
        for table in (self.source, self.destination, self.journal):
            table.behavior = TableBehavior(ttl_delay=table.behavior.ttl_delay)

    # The operator

    def _operate(self) -> None:
        """Begin a comparison, follow it, and begin it again if it has failed or stands still."""
        world, plan = self.world, self.plan
        world.sleep(world.random.uniform(0.0, 5.0))
        for _ in range(plan.starts - 1):
            world.spawn(self._host, self._begin, world.random.choice(["", "first"]))
        self._begin("first")
        while True:
            world.sleep(plan.look_seconds * world.random.uniform(0.7, 1.3))
            status = self._command("verification").get("verification")
            if status and status["state"] == "done" and status["id"] not in self._judged:
                self._report(status)
            if self._is_over():
                return
            wants_another = self.judge.has_ended and (
                self.judge.verification in self._judged or self.judge.state == "failed"
            )
            if wants_another or not self.states.is_running:
                self._requests += 1
                self._begin(f"request {self._requests}")

    def _begin(self, request: str) -> None:
        arguments = {"request": request} if request else {}
        self._command("verify", writes_stopped=self.plan.writes_stopped, **arguments)

    def _command(self, action: str, **arguments: object) -> Json:
        """Invoke control as ``tablecopy`` does, and return its answer; empty if there is none."""
        try:
            answer = self.lambda_.invoke(names.CONTROL, {"action": action, **arguments}, timeout=60.0)
        except ServiceError:
            return {}
        if answer is None or answer.error:
            return {}
        payload: Json = answer.payload
        self.world.trace("command", action, payload.get("error", ""))
        if self.judge.tell and action != "verification":
            self.judge.tell(f"{action} {arguments}: {json.dumps(payload)[:200]}")
        return payload

    def _report(self, status: Json) -> None:
        """Read the differences of a comparison that has ended, and let the judge see the result."""
        listed: list[Json] = []
        position: Json | None = {"segment": 0, "text": 0}
        while position is not None:
            page = self._command("differences", **position)
            if "differences" not in page:
                self.world.sleep(1.0)
                continue
            listed += page["differences"]
            position = dict(zip(("segment", "text"), page["next"], strict=True)) if "next" in page else None
        self._judged.add(status["id"])
        if not self._is_latest(status["id"]):
            # Another request has begun a comparison in between, and the list is that one's.
            return
        self.judge.reported(status, listed, lambda key: self.source.key_of(encode(key)))
        if self._needs_no_keys:
            for read in self.read:
                if read.keys:
                    self.judge.read_without_need(read.keys)

    def _is_latest(self, verification_id: str) -> bool:
        while (status := self._command("verification").get("verification")) is None:
            self.world.sleep(1.0)
        return bool(status["id"] == verification_id)

    @property
    def _needs_no_keys(self) -> bool:
        plan = self.plan
        same = plan.tables.same_order and not plan.tables.differences and not plan.tables.hole
        return same and not plan.traffic.changes and not plan.is_hindered

    def _judge_units(self, seconds: float) -> None:
        """Judge what the scans have used, in so many seconds."""
        plan = self.plan
        self.judge.on_scanned = lambda seconds: None
        if plan.is_hindered:
            # Requests without an answer use units that no one learns of.
            return
        for table, capacity in (
            (self.source, plan.source_capacity),
            (self.destination, plan.destination_capacity),
        ):
            rate = plan.budget or capacity.read / 2
            if rate:
                workers = min(plan.concurrency, plan.segments)
                most = rate * (seconds + _SLACK_SECONDS) + _SLACK_UNITS * workers
                self.judge.used(table.name, table.throughput.consumed_read, most)
