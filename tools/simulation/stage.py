"""One run: builds the tables and the copy of a scenario, and lets everything happen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import msgspec

from tablecopy.journal.run import Phase
from tools.simulation import names
from tools.simulation.behavior import TableBehavior
from tools.simulation.commands import Operator
from tools.simulation.deployment import DESTINATION, JOURNAL, SOURCE, Deployment, Faults
from tools.simulation.functions import LambdaFaults
from tools.simulation.judge import Judge
from tools.simulation.network import NetworkFaults
from tools.simulation.plans import Outage, Scenario
from tools.simulation.replacement import DISTURBED_SECONDS
from tools.simulation.report import Report
from tools.simulation.scheduler import START, World
from tools.simulation.watch import DestinationWatch, JournalWatch, SourceWatch, StreamsWatch, StreamWatch
from tools.simulation.writers import Writers

_READY = (Phase.READY, Phase.SEALING, Phase.SEALED)

_LONG_LIFE = (80_000.0, 90_000.0)

_LATE_SECONDS = 20.0

# What is older than this may be trimmed before control has read it.
_READABLE_SECONDS = 23 * 3600.0

_BLACKOUT = NetworkFaults(lost_request=0.2, lost_answer=0.4, late_request=0.3)
_BLACKOUT_SECONDS = 40.0

# The outage is left out if the run has not come to its phase within this time after the writes.
_OUTAGE_SECONDS = 200.0

# A shard that is listed for longer is known. The children of a shard are asked for a minute after the first
# one was seen, and the reconciler may just have been killed.
_ASKED_SECONDS = 75.0

# Longest time from an error of AWS to the end of the invocation that it ends.
_ANSWER_SECONDS = 30.0

# Within this time after the run is ready, it is sealed if an operator asks for it and no one writes.
_SEAL_SECONDS = 600.0

# A run that is ready stops within this time after it was asked to seal, if there is a reason to stop.
_STOP_SECONDS = 10.0

# What arrives within this time after the end would break a rule.
_AFTER_SECONDS = 60.0


class Stage:
    """A scenario's tables, copy, writers and operators.

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
        self.judge = Judge(
            lambda: world.now,
            plan.settings.drained_after_seconds,
            report.happened if report is not None else None,
            hindered=plan.is_hindered,
            outrun=plan.is_outrun,
        )
        self.copy = copy = Deployment(
            world,
            plan.settings,
            plan.faults,
            replace(SOURCE, behavior=plan.source, stream_behavior=plan.stream),
            replace(DESTINATION, behavior=plan.destination, capacity=plan.capacity),
            replace(JOURNAL, behavior=plan.journal),
        )
        copy.schedule.enabled = False
        if plan.blackouts or plan.faults.network != NetworkFaults():
            self.judge.new_journal.call_seconds = DISTURBED_SECONDS
        copy.lambda_.on_end.append(self.judge.ended)
        copy.mapping.on_processed.append(self.judge.acknowledged)
        StreamWatch(copy.source, self.judge)
        JournalWatch(copy.journal, self.judge)
        copy.account.streams = StreamsWatch(copy.streams, self.judge)
        copy.account.source = SourceWatch(copy.source_account, self.judge)
        self.destination = DestinationWatch(copy.destination_account, copy.destination, self.judge)
        copy.account.destination = self.destination
        self.writers = Writers(world, copy.source, plan.traffic, plan.seed)
        self.operator = Operator(world, copy, self.judge, plan.operators, plan.seed)
        self.judge.hidden_since = self._hidden_since
        self.judge.on_enter.append(self._entered)
        self._count_calls()
        self._entered_before: set[Phase] = set()
        self._outage_ends = 0.0

    def _hidden_since(self) -> float:
        """Return when the first shard began of those that are not listed, or not for long."""
        stream = self.copy.source.stream
        assert stream is not None
        latest = self.world.now - _ASKED_SECONDS
        return min((shard.opened for shard in stream.shards if shard.listed > latest), default=math.inf)

    def _count_calls(self) -> None:
        """Show the judge the calls of Lambda's and Step Functions' control plane."""
        account, judge = self.copy.account, self.judge
        account.control_plane.on_take = [partial(judge.budget.called, "control plane")]
        account.executions_rate.on_take = [partial(judge.budget.called, "DescribeExecution")]

    @property
    def seconds(self) -> float:
        """Seconds of virtual time that have passed."""
        return self.world.now - START

    def play(self) -> None:
        """Let the run happen to its end."""
        plan, world = self.plan, self.world
        self.writers.fill()
        if plan.traffic.history_seconds:
            self.writers.write_history()
            world.run(world.now + plan.traffic.history_seconds)
        self._be_busy()
        self._calm_down()
        is_ready = self._becomes_ready()
        if is_ready and plan.operators.stop_at_seal:
            # It stops now, and an operator starts it again and retries the dead letter.
            world.run(world.now + _STOP_SECONDS)
            self.destination.rejects = False
            is_ready = self._becomes_ready()
        if is_ready and plan.operators.seal:
            self._is_sealed()
        world.run(world.now + _AFTER_SECONDS)
        self.judge.finish()
        world.end()

    def _be_busy(self) -> None:
        plan, world = self.plan, self.world
        self.copy.schedule.enabled = True
        account = self.copy.account
        # The roles are as new as the copy, and the history came before it.
        account.role_from += plan.traffic.history_seconds
        account.own_role_from += plan.traffic.history_seconds
        self.judge.denied_until = max(account.role_from, account.own_role_from) + _ANSWER_SECONDS
        self.operator.spawn(self.operator.watch)
        self.destination.rejects = True
        self.writers.begin(plan.traffic.changes, plan.busy_seconds)
        self.operator.busy(plan.busy_seconds)
        for _ in range(plan.operators.stops):
            world.call_later(world.random.uniform(0, plan.busy_seconds), self._stop_the_run)
        for _ in range(plan.blackouts):
            world.call_later(world.random.uniform(0, plan.busy_seconds), self._black_out)
        if plan.disaster:
            world.call_later(world.random.uniform(0, plan.busy_seconds), self._strike)
        world.run(world.now + plan.busy_seconds)
        if plan.outage is not None:
            # It is a part of the busy time, if the run comes to it.
            world.run(world.now + _OUTAGE_SECONDS, lambda: self._outage_ends > 0.0)
            world.run(max(world.now, self._outage_ends))

    def _black_out(self) -> None:
        """Let most calls get no answer for a while."""
        network = self.copy.network
        network.faults = _BLACKOUT
        self.world.call_later(
            self.world.random.uniform(2.0, _BLACKOUT_SECONDS),
            lambda: setattr(network, "faults", self.copy.faults.network),
        )

    def _entered(self, phase: Phase) -> None:
        """Do what is planned for the first time that the run is in a phase."""
        plan = self.plan
        if phase in self._entered_before:
            return
        self._entered_before.add(phase)
        if plan.outage is not None and plan.outage.phase is phase:
            self.world.call_later(self.world.random.uniform(0.0, 5.0), self._begin_outage, plan.outage)
        if plan.operators.stop_at_seal and phase is Phase.READY:
            # The seal is asked for before the reconciler sees the dead letter that stops the run.
            self.destination.rejects = True
            self.writers.put_rejected()
            self._stop_the_run()
            self.world.call_later(3.0, self.operator.spawn, self.operator.command, "seal")

    def _begin_outage(self, outage: Outage) -> None:
        """Let the reconciler and the operators be gone for hours."""
        copy, seconds = self.copy, outage.hours * 3600
        self._outage_ends = self.world.now + seconds
        copy.schedule.enabled = False
        copy.lambda_.kill(names.RECONCILER)
        self.operator.is_away = True
        self.writers.begin(outage.changes, 100.0)
        self.writers.begin(outage.changes, seconds)
        self.world.call_later(seconds, self._end_outage)

    def _end_outage(self) -> None:
        assert self.plan.outage is not None
        self.judge.blind_seconds = self.plan.outage.hours * 3600
        self.judge.counted_from = self.world.now - _READABLE_SECONDS
        self.copy.schedule.enabled = True
        self.operator.is_away = False

    def _strike(self) -> None:
        """Let the disaster happen, once there is a run that it concerns and unless it has ended."""
        run = self.judge.run
        if run is None or run.phase is Phase.PREFLIGHT:
            self.world.call_later(1.0, self._strike)
            return
        if self._is_in(Phase.SEALING, Phase.SEALED):
            return
        copy, what = self.copy, self.plan.disaster
        if what == "mapping":
            copy.replace_mapping()
        elif what == "journal":
            copy.replace_journal()
            JournalWatch(copy.journal, self.judge)
        elif what == "stream":
            copy.source.disable_stream()
            copy.source.enable_stream(SOURCE.stream, "2027-01-15T09:00:00.000")
        else:
            copy.destination_account.delete_table(names.DESTINATION_TABLE)
            self.destination.follow(copy.destination_account.create_table(copy.destination.settings))
        self.judge.replaced(what)

    def _stop_the_run(self) -> None:
        """Let the run stop as if a thousand dead letters more were open."""
        body = self.copy.journal.get(("run", "state"))
        if body is not None:
            item = msgspec.json.decode(body)
            item["dead_letter_limit"] = {"N": "0"}
            item["version"] = {"N": str(int(item["version"]["N"]) + 1)}
            self.copy.journal.put(msgspec.json.encode(item))

    def _calm_down(self) -> None:
        """Let nothing go wrong any more, and put in order what was broken."""
        copy = self.copy
        copy.set_faults(Faults(lambda_=LambdaFaults(skew=self.plan.faults.lambda_.skew)))
        self._count_calls()
        for table in (copy.source, copy.destination, copy.journal):
            table.behavior = TableBehavior()
        stream = copy.source.stream
        assert stream is not None
        # A shard that is open may still end once.
        stream.behavior = replace(stream.behavior, shard_life=_LONG_LIFE)
        self.destination.rejects = False
        self.operator.calm()

    def _becomes_ready(self) -> bool:
        """Let time pass until the run is ready. Returns whether it is, and so may be sealed.

        After a disaster it must stop instead.
        """
        judge, plan = self.judge, self.plan
        self._run_until(plan.bound_seconds, lambda: self._is_settled or bool(judge.violations))
        if not self._is_settled and not judge.violations:
            judge.late(plan.bound_seconds)
        return self._is_in(Phase.READY)

    @property
    def _is_settled(self) -> bool:
        if self.judge.has_stopped_for_good or self._is_in(*_READY):
            return True
        # A new journal knows no run, and a new run refuses the items of the one before.
        problems = self.operator.status.get("problems", ())
        return self.plan.disaster == "journal" and any("already holds" in problem for problem in problems)

    def _is_sealed(self) -> None:
        """Let an operator seal the run, while someone may still write."""
        judge, traffic = self.judge, self.plan.traffic
        self.writers.begin(traffic.late, _LATE_SECONDS)
        self._run_until(_SEAL_SECONDS, lambda: self._has_ended or bool(judge.violations))
        if not self._has_ended and not judge.violations:
            judge.late(_SEAL_SECONDS)

    @property
    def _has_ended(self) -> bool:
        return self.judge.has_stopped_for_good or self._is_in(Phase.SEALED)

    def _run_until(self, seconds: float, stop: Callable[[], bool]) -> None:
        """Let time pass, at most ``seconds``, until ``stop``. Only the judge's news can change its answer."""
        judge, world = self.judge, self.world
        seen = -1

        def has_stopped() -> bool:
            nonlocal seen
            if seen == judge.news:
                return False
            seen = judge.news
            return stop()

        world.run(world.now + seconds, has_stopped)

    def _is_in(self, *phases: Phase) -> bool:
        return self.judge.run is not None and self.judge.run.phase in phases
