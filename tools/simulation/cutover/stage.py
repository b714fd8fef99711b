"""One run: a copy that is verified and cut over, its writers, and the copy that leads back."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import replace
from typing import Any

from tablecopy.journal.run import Phase
from tablecopy.text import timestamp
from tablecopy_cli.common.errors import UserError
from tools.simulation import names
from tools.simulation.background import start
from tools.simulation.behavior import TableBehavior
from tools.simulation.cutover.astray import Astray
from tools.simulation.cutover.judge import Judge, same
from tools.simulation.cutover.operator import Operator
from tools.simulation.cutover.policy import Fenced, Policies
from tools.simulation.cutover.scenario import Scenario
from tools.simulation.cutover.writers import Writers
from tools.simulation.deployment import DESTINATION, JOURNAL, SOURCE, Deployment, Faults, Settings
from tools.simulation.functions import LambdaFaults
from tools.simulation.report import Report
from tools.simulation.scheduler import START, World

_LOOK_SECONDS = 5.0
_LONG_LIFE = (80_000.0, 90_000.0)

# Within this time after the seal, the status names what was not seen before it.
_NAMED_SECONDS = 240.0

# The copy back applies its first change within some minutes, and is sealed within some more.
_BACK_SECONDS = 1_800.0

# The replicator runs once for each shard.
_CONCURRENCY = 3_000

_FUNCTIONS = (names.RECONCILER, names.TRACKER, names.REPLICATOR, names.CONTROL)


def _run_of(copy: Deployment) -> str:
    """Return what the journal of a copy has of its run."""
    body = copy.journal.get(("run", "state"))
    run = json.loads(body) if body is not None else {}
    return f"{run['phase']['S']} {run['reason']['S']} {run['problems']}" if run else "no run"


class Stage:
    """A scenario's tables, copies, writers and operator.

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
        self.copy = copy = Deployment(
            world,
            self._settings({}),
            plan.faults,
            replace(SOURCE, behavior=plan.source, stream_behavior=plan.source_stream),
            replace(
                DESTINATION,
                stream="NEW_AND_OLD_IMAGES",
                behavior=plan.destination,
                stream_behavior=plan.destination_stream,
            ),
            replace(JOURNAL, behavior=plan.journal),
            concurrency=_CONCURRENCY,
        )
        self.policies = Policies(world), Policies(world)
        self.astray = Astray(world, copy.destination_account, copy.destination, self.policies[1])
        copy.account.destination = Fenced(self.astray, copy.destination.name, self.policies[1])
        self.writers = Writers(world, copy.source, self.policies[0], plan.traffic, plan.seed)
        self.judge = Judge(
            lambda: world.now,
            report.happened if report is not None else None,
            copy.source,
            copy.destination,
            copy.journal,
            is_hindered=plan.is_hindered,
            is_led_astray=lambda: bool(self.astray.happened),
        )
        self.astray.on_write = self.judge.wrote
        self.astray.on_late = self.judge.landed
        self.writers.on_straggle = self.judge.straggled_after
        copy.lambda_.on_end.append(self.judge.ended)
        self.judge.on_request = self._requested
        self.operator = Operator(
            copy,
            self.policies,
            self.writers.stop,
            fence=plan.fence,
            max_stop=plan.max_stop,
            quiet_seconds=plan.quiet_seconds,
        )
        self._planted = False
        self._killed = False
        self._is_over = False
        self._attempts = 0
        self._told_different = False

    def _settings(self, environ: dict[str, object]) -> Settings:
        plan = self.plan
        return Settings(
            segments=1,
            concurrency=1,
            slice_seconds=600,
            drained_after_seconds=5,
            batch_size=100,
            backfill_timeout=60,
            replicator_timeout=40,
            verification_segments=plan.segments,
            memory_mb={names.RECONCILER: plan.memory_mb, names.TRACKER: plan.memory_mb},
            environ=environ,
        )

    @property
    def seconds(self) -> float:
        """Seconds of virtual time that have passed."""
        return self.world.now - START

    def play(self) -> None:
        """Let the run happen to its end."""
        # The command's progress.
        with redirect_stderr(io.StringIO()):
            self._play()
            self.world.end()

    def _play(self) -> None:
        plan, world, judge = self.plan, self.world, self.judge
        self.writers.fill()
        if plan.traffic.early:
            self.writers.begin()
        start(world, self.operator.host, self._operate)
        self._run(plan.busy_seconds)
        self._calm_down()
        self._run(plan.bound_seconds)
        if judge.violations:
            return
        if not self._is_over:
            what = f"{judge.phase}, cutover {judge.outcome or 'none'}: {judge.reason}"
            judge.violate("progress", f"not sealed {plan.bound_seconds:g} s after the calm: {what}")
        elif not judge.sealed_at:
            self._judge_refusal()
        else:
            self._go_back()

    def _run(self, seconds: float) -> None:
        self.world.run(self.world.now + seconds, lambda: self._is_over or bool(self.judge.violations))

    # What is planted

    def _plant(self, moment: str) -> None:
        planted = self.plan.planted
        if planted is None or planted.moment != moment or self._planted:
            return
        self._planted = True
        if planted.kind == "straggler":
            for _ in range(planted.times):
                self.world.call_later(self.world.random.uniform(0.0, 25.0), self.writers.straggle)
        else:
            self.astray.arm(planted.kind, planted.times)

    def _requested(self) -> None:
        """A cutover was requested."""
        plan, world = self.plan, self.world
        self._plant("stopped")
        if self._killed:
            return
        self._killed = True
        for _ in range(plan.kills.functions):
            function = world.random.choice(_FUNCTIONS)
            world.call_later(world.random.uniform(0.0, 20.0), self.copy.lambda_.kill, function)
        if plan.kills.command:
            world.call_later(world.random.uniform(0.0, 20.0), self._kill_command)

    def _kill_command(self) -> None:
        if self._is_over:
            return
        self.operator.host.kill()
        self.world.trace("command dies")
        self.world.call_later(self.world.random.uniform(1.0, 15.0), self._operate_again)

    def _operate_again(self) -> None:
        start(self.world, self.operator.host, self._cut_over)

    def _calm_down(self) -> None:
        """Let nothing go wrong any more."""
        copy, plan = self.copy, self.plan
        self.astray.disarm()
        copy.set_faults(Faults(lambda_=LambdaFaults(skew=plan.faults.lambda_.skew)))
        for table in (copy.source, copy.destination, copy.journal):
            table.behavior = TableBehavior()
            if table.stream is not None and plan.is_lively:
                table.stream.behavior = replace(table.stream.behavior, shard_life=_LONG_LIFE)

    # The operator

    def _operate(self) -> None:
        """Verify the copy once everything is copied, and cut over."""
        self._wait_until_copied()
        self._plant("before")
        self.world.sleep(self.world.random.uniform(0.0, 10.0))
        self._verify()
        self._cut_over()

    def _wait_until_copied(self) -> None:
        while True:
            status = self._ask(self.operator.function.status)
            if status is not None:
                if status["phase"] == Phase.STOPPED:
                    self._ask(self.operator.function.start)
                elif 0 < status.get("segments", 0) == status.get("segments_done"):
                    return
            self.world.sleep(_LOOK_SECONDS)

    def _ask(self, what: Callable[[], Any]) -> Any:
        """Return what control answers; None if it refuses."""
        try:
            return self.operator.ask(what)
        except UserError as error:
            self.world.trace("refused", str(error))
            if self.judge.tell:
                self.judge.tell(f"control refuses: {error}")
            return None

    def _verify(self) -> None:
        """Compare in the account until that has ended with both streams tracked."""
        function = self.operator.function
        self._ask(lambda: function.verify(writes_stopped=False))
        self.world.call_later(self.world.random.uniform(10.0, 60.0), self._plant, "baseline")
        while True:
            self.world.sleep(_LOOK_SECONDS)
            found = self._ask(function.verification)
            if found and found["tracking"].get("state") == "on":
                self.writers.begin()
            if found and found["state"] == "done":
                return
            if not found or found["state"] == "failed" or not self._is_executed():
                self._ask(lambda: function.verify(writes_stopped=False))

    def _is_executed(self) -> bool:
        machine = self.copy.account.verification
        assert machine is not None
        return any(execution.status == "RUNNING" for execution in machine.executions.values())

    def _cut_over(self) -> None:
        """Run the command until the run is sealed, or until it is known that the tables differ."""
        world, plan, operator = self.world, self.plan, self.operator
        if not self._attempts:
            self._plant("after")
            world.sleep(plan.wait_seconds)
        while not self.judge.sealed_at:
            self._attempts += 1
            if plan.kills.interrupts and self._attempts == 1:
                operator.interrupt_at = world.now + world.random.uniform(0.0, 20.0)
            operator.cut_over()
            if self.judge.sealed_at:
                break
            if operator.code is None:
                # The next command carries on, or lifts what this one has left.
                world.sleep(world.random.uniform(1.0, 10.0))
            self._after_failure()
            if self._told_different:
                break
            world.sleep(world.random.uniform(5.0, 20.0))
        self._is_over = True

    def _after_failure(self) -> None:
        """Let the writers go on, and verify again if that is what is missing."""
        plan, operator = self.plan, self.operator
        found = self._ask(lambda: operator.function.cutover(plan.quiet_seconds))
        if found is None:
            return
        run, cutover = found
        if cutover["active"]:
            return
        if cutover["denied"]:
            operator.lift_fence()
        refused = cutover["refused"]
        if cutover["outcome"] == "different" or _tells_a_difference(refused):
            self.judge.refused(refused)
            self._told_different = True
            return
        if run["phase"] == Phase.STOPPED:
            self._ask(operator.function.start)
        self.writers.begin()
        if "tablecopy verify" in refused and "again" in refused:
            self._verify()

    # Afterwards

    def _judge_refusal(self) -> None:
        """Judge a run that the operator has given up because the tables differ."""
        self.writers.stop()
        world, judge = self.world, self.judge
        world.run(world.now + 120.0)
        if any(policies.denies() for policies in self.policies):
            judge.violate("open", "the cutover has ended, and a table denies writes")
        keys = judge.differing()
        if not keys and not self.astray.happened:
            judge.violate("alarm", "called different, and nothing differs")

    def _go_back(self) -> None:
        """Let the writers use the other table, and let a copy lead back."""
        plan, world, judge, writers = self.plan, self.world, self.judge, self.writers
        sealed_at = float(judge.run["phase_since"]["N"])
        writers.stop()
        self._plant("sealed")
        world.run(world.now + _NAMED_SECONDS)
        judge.named(judge.run["reason"]["S"])
        if plan.back is None or judge.violations:
            return
        writers.move(self.copy.destination, self.policies[1])
        if plan.back.first:
            writers.begin()
        # Nothing of the sealed copy happens any more but its schedule.
        self.copy.schedule.enabled = False
        assert self.copy.tracking is not None
        self.copy.tracking.enabled = False
        world.run(world.now + plan.back.wait_seconds)
        source, destination = self.copy.sides
        settings = self._settings({"begin_at_seal": timestamp(sealed_at), "allow_nonempty_destination": True})
        self._follow_back(
            Deployment(world, settings, Faults(), destination, source, JOURNAL, concurrency=_CONCURRENCY)
        )

    def _follow_back(self, copy: Deployment) -> None:
        world, judge, writers, back = self.world, self.judge, self.writers, self.plan.back
        assert back is not None
        copy.lambda_.on_end.append(judge.ended)
        operator = Operator(
            copy,
            (self.policies[1], self.policies[0]),
            writers.stop,
            fence=self.plan.fence,
            max_stop=self.plan.max_stop,
            quiet_seconds=self.plan.quiet_seconds,
        )
        done: list[bool] = []

        def operate() -> None:
            self.operator.lift_fence()
            self._until(operator, Phase.DRAINING, Phase.READY)
            writers.begin()
            world.sleep(back.seconds)
            if not back.proved or not self._prove_back(operator):
                self._seal_back(operator)
            done.append(True)

        start(world, operator.host, operate)
        world.run(world.now + _BACK_SECONDS, lambda: bool(done))
        if not done:
            what = f"the copy back is not sealed after {_BACK_SECONDS:g} s: {_run_of(copy)}"
            judge.violate("progress", what)
            return
        self._judge_ledger()

    def _until(self, operator: Operator, *phases: Phase) -> Phase:
        """Wait until a run is in one of the phases, and return it."""
        while True:
            status = self._ask(operator.function.status)
            if status is not None and status["phase"] in phases:
                return Phase(status["phase"])
            self.world.sleep(_LOOK_SECONDS)

    def _prove_back(self, operator: Operator) -> bool:
        """Verify and cut over the copy back. Returns False if the tables rightly differ.

        What the cutover there could not see is at one of the tables only.
        """
        ours, self.operator = self.operator, operator
        self._verify()
        self.operator = ours
        while True:
            operator.cut_over()
            found = self._ask(lambda: operator.function.cutover(self.plan.quiet_seconds))
            if found is not None and found[0]["phase"] == Phase.SEALED:
                return True
            known = self.judge.unseen or self.judge.strayed
            if found is not None and known and _tells_a_difference(found[1]["refused"]):
                return False
            self.writers.begin()
            self.world.sleep(_LOOK_SECONDS)

    def _seal_back(self, operator: Operator) -> None:
        """End the copy back without a proof."""
        self.writers.stop()
        # A change that arrives at a run that is ready drops the request for the seal.
        while self._until(operator, Phase.READY, Phase.SEALED) is not Phase.SEALED:
            self._ask(operator.function.seal)
            self.world.sleep(_LOOK_SECONDS)

    def _judge_ledger(self) -> None:
        """Judge whether both tables hold what was acknowledged last, after there and back."""
        judge = self.judge
        for key, body in self.writers.ledger.items():
            if key in judge.unseen or key in judge.strayed:
                continue
            name = "/".join(map(str, key))
            for table, which in ((self.copy.source, "first"), (self.copy.destination, "second")):
                if not same(table.get(key), body):
                    judge.violate("lost", f"{name} of the {which} table is not what was acknowledged", name)


def _tells_a_difference(refused: str) -> bool:
    """Whether a cutover was refused because the tables differ, not because keys must be compared again."""
    return "difference" in refused or "although every change is applied" in refused
