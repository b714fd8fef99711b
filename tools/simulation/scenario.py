"""Scenarios: what happens in a run, drawn from a seed.

Each scenario has a busy time, in which writers, operators and faults do what they do. In the calm that
follows, all of it ends, and whatever was broken is put in order. From then on the run must become ready.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from tablecopy.journal.run import Phase
from tools.simulation.behavior import CapacityBehavior, StreamBehavior, TableBehavior
from tools.simulation.capacity import Capacity
from tools.simulation.deployment import Faults, Settings
from tools.simulation.functions import LambdaFaults
from tools.simulation.mapping import MappingFaults
from tools.simulation.network import NetworkFaults
from tools.simulation.plans import Operators, Outage, Scenario, Traffic
from tools.simulation.schedule import ScheduleFaults
from tools.simulation.states import StatesFaults

Change = Callable[[random.Random, Scenario], Scenario]


def _calm(draw: random.Random, plan: Scenario) -> Scenario:
    """Nothing goes wrong."""
    return plan


def _faults(draw: random.Random, plan: Scenario) -> Scenario:
    """Everything may go wrong, in each run with other probabilities."""

    def some(most: float) -> float:
        """Return a probability up to ``most``; none in every second run, and rather a small one."""
        return most * draw.random() ** 2 if draw.random() < 0.5 else 0.0

    def table() -> TableBehavior:
        return TableBehavior(
            unprocessed=some(0.3),
            throttled=some(0.15),
            short_page=some(0.5),
            transaction_conflict=some(0.05),
        )

    network = NetworkFaults(
        lost_request=some(0.03),
        lost_answer=some(0.03),
        late_request=some(0.03),
        server_error=some(0.05),
        slow=some(0.1),
    )
    functions = LambdaFaults(
        killed=some(0.2),
        abandoned=some(0.1),
        stalled=some(0.3),
        refused=some(0.05),
        duplicated=some(0.2),
        dropped=some(0.2),
        longest_stall=draw.choice([20.0, 60.0]),
    )
    mapping = MappingFaults(
        duplicated=some(0.3), gives_up=some(0.4), falls_back=some(0.4), recut=some(1.0), late=some(1.0)
    )
    schedule = ScheduleFaults(late=some(0.3), duplicated=some(0.3), missed=some(0.3))
    return replace(
        plan,
        faults=Faults(
            functions,
            network,
            mapping,
            StatesFaults(aborted=some(0.3)),
            schedule,
            others=draw.choice([0.0, 0.0, 0.9]),
            new_role=draw.choice([0.0, 0.0, 30.0]),
        ),
        source=table(),
        destination=table(),
        journal=replace(table(), short_page=0.0),
        stream=_lively(draw, plan.stream),
        blackouts=draw.choice([0, 0, 1, 2]),
        is_hindered=True,
    )


def _lively(draw: random.Random, stream: StreamBehavior) -> StreamBehavior:
    """Let shards end within a minute or two."""
    if draw.random() < 0.4:
        return stream
    return replace(stream, shard_life=(20.0, 120.0), split=0.5)


def _restarts(draw: random.Random, plan: Scenario) -> Scenario:
    """Functions die, stand still and are given up all the time."""
    plan = _faults(draw, plan)
    functions = replace(plan.faults.lambda_, killed=0.2, stalled=0.2, abandoned=0.1)
    return replace(plan, faults=replace(plan.faults, lambda_=functions))


def _slices(draw: random.Random, plan: Scenario) -> Scenario:
    """Many short slices, and invocations that write long after they should."""
    items = draw.choice([60, 120])
    functions = LambdaFaults(
        killed=draw.choice([0.0, 0.1]),
        abandoned=draw.choice([0.0, 0.3]),
        stalled=draw.choice([0.3, 0.8]),
        longest_stall=draw.choice([20.0, 60.0]),
    )
    mapping = MappingFaults(
        gives_up=draw.choice([0.0, 0.3]), late=draw.choice([0.5, 1.0]), latest=30.0, switch=(1.0, 5.0)
    )
    network = NetworkFaults(
        lost_answer=draw.choice([0.0, 0.02]),
        late_request=draw.choice([0.0, 0.05]),
        slow=draw.choice([0.0, 0.1]),
    )
    return replace(
        plan,
        traffic=replace(plan.traffic, items=items, keys=items + 20, changes=200, hot=draw.choice([0.1, 0.5])),
        settings=replace(
            plan.settings,
            slice_seconds=draw.choice([4, 8, 45]),
            environ={"write_capacity": draw.choice([5, 10])},
        ),
        faults=Faults(functions, network, mapping),
        busy_seconds=120.0,
        is_hindered=True,
    )


def _leases(draw: random.Random, plan: Scenario) -> Scenario:
    """Slices end while workers write, and some of these writes arrive later."""
    network = NetworkFaults(late_write=draw.choice([0.1, 0.2]), slow=draw.choice([0.0, 0.02]))
    functions = LambdaFaults(killed=draw.choice([0.0, 0.1]), stalled=draw.choice([0.0, 0.2]))
    return replace(
        plan,
        traffic=replace(plan.traffic, items=900, keys=920, changes=400, hot=0.0, large=0.0),
        # A worker writes for 45 seconds, and its time is up after 60.
        settings=replace(
            plan.settings,
            slice_seconds=draw.choice([45, 64]),
            segments=4,
            concurrency=4,
            environ=_SLOW_WRITES,
        ),
        # Short pages make small writes, of which there are many at the end of a slice.
        source=TableBehavior(short_page=1.0),
        faults=Faults(functions, network, MappingFaults(switch=(1.0, 3.0))),
        busy_seconds=400.0,
        is_hindered=True,
    )


_SLOW_WRITES = {"write_capacity": 5}


def _journal(draw: random.Random, plan: Scenario) -> Scenario:
    """The journal throttles most calls, and answers in many short pages."""
    return replace(
        plan,
        traffic=replace(plan.traffic, items=60, keys=90, changes=300),
        stream=replace(plan.stream, shards=draw.choice([2, 4])),
        settings=replace(plan.settings, segments=60, concurrency=8, batch_size=5),
        journal=TableBehavior(throttled=draw.choice([0.3, 0.5]), unprocessed=0.5, short_page=1.0),
        busy_seconds=200.0,
        is_hindered=True,
    )


def _redelivery(draw: random.Random, plan: Scenario) -> Scenario:
    """Lambda delivers batches again and again, and cuts them in other ways."""
    mapping = MappingFaults(
        duplicated=draw.choice([0.0, 0.3]),
        gives_up=draw.choice([0.0, 0.5]),
        falls_back=draw.choice([0.1, 0.5]),
        recut=draw.choice([0.0, 1.0]),
        late=0.5,
    )
    functions = LambdaFaults(
        killed=draw.choice([0.0, 0.2]), abandoned=draw.choice([0.0, 0.3]), stalled=draw.choice([0.0, 0.5])
    )
    network = NetworkFaults(lost_answer=draw.choice([0.0, 0.05]), late_request=draw.choice([0.0, 0.05]))
    return replace(
        plan,
        traffic=replace(plan.traffic, changes=200, hot=0.3, bursts=draw.choice([0.3, 0.9])),
        stream=replace(plan.stream, shards=draw.choice([1, 2, 4])),
        settings=replace(plan.settings, batch_size=draw.choice([5, 20])),
        destination=TableBehavior(unprocessed=draw.choice([0.0, 0.3]), throttled=draw.choice([0.0, 0.3])),
        journal=TableBehavior(throttled=draw.choice([0.0, 0.1]), ttl_delay=(1.0, 60.0), ttl_grace=0.0),
        faults=Faults(functions, network, mapping),
        blackouts=draw.choice([0, 2, 4]),
        is_hindered=True,
    )


def _operators(draw: random.Random, plan: Scenario) -> Scenario:
    """Operators send commands at any time, apply again and change settings."""
    plan = draw.choice([_calm, _faults])(draw, plan)
    return replace(
        plan,
        settings=replace(plan.settings, start_on_apply=draw.random() < 0.5),
        traffic=replace(plan.traffic, rejected=draw.choice([0.0, 0.05]), late=draw.randrange(20)),
        operators=Operators(
            commands=draw.randint(3, 12),
            applies=draw.randrange(3),
            stops=draw.randrange(3),
            stop_at_seal=draw.random() < 0.3,
            seal=draw.random() < 0.7,
        ),
        is_hindered=True,
    )


def _letters(draw: random.Random, plan: Scenario) -> Scenario:
    """The destination rejects items."""
    plan = draw.choice([_calm, _faults])(draw, plan)
    return replace(
        plan,
        traffic=replace(plan.traffic, rejected=draw.choice([0.05, 0.15]), hot=0.3),
        operators=replace(plan.operators, commands=draw.randrange(4), stops=draw.randrange(2)),
        is_hindered=True,
    )


def _clocks(draw: random.Random, plan: Scenario) -> Scenario:
    """The clocks of hosts differ, and some hosts stand still."""
    plan = draw.choice([_calm, _faults])(draw, plan)
    functions = replace(plan.faults.lambda_, skew=1.0, stalled=0.1)
    return replace(plan, faults=replace(plan.faults, lambda_=functions))


def _history(draw: random.Random, plan: Scenario) -> Scenario:
    """The stream was on for a day before the copy, so that its first records expire while it is copied."""
    stream = plan.stream
    # Shards that end every minute would be thousands after a day.
    plan = replace(draw.choice([_calm, _faults])(draw, plan), stream=stream)
    traffic = replace(
        plan.traffic,
        history_seconds=86_400.0 + draw.choice([-3_600.0, -600.0, -60.0, 0.0, 300.0, 20_000.0]),
        history_changes=draw.randint(20, 120),
        hot=draw.choice([0.1, 0.5]),
    )
    return replace(plan, traffic=traffic)


def _outage(draw: random.Random, plan: Scenario) -> Scenario:
    """The reconciler is gone for hours, in which changes may leave the stream."""
    phase = draw.choice([Phase.PAUSING, Phase.SLICE, Phase.RESUMING, Phase.DRAINING, Phase.READY])
    hours = draw.choice([0.2, 22.0, 22.9, 23.5, 24.0, 26.0])
    return replace(
        plan,
        outage=Outage(phase=phase, hours=hours, changes=draw.choice([0, 5, 30])),
        faults=replace(plan.faults, mapping=MappingFaults(falls_back=draw.choice([0.0, 0.3]), recut=0.5)),
        journal=TableBehavior(ttl_delay=(60.0, 600.0)),
        is_hindered=True,
    )


def _disasters(draw: random.Random, plan: Scenario) -> Scenario:
    """Something happens after which the copy cannot go on, and may not look complete."""
    plan = draw.choice([_calm, _faults])(draw, plan)
    return replace(
        plan, disaster=draw.choice(["mapping", "journal", "stream", "destination"]), is_hindered=True
    )


def _slow(draw: random.Random, plan: Scenario) -> Scenario:
    """The destination takes few writes."""
    units = draw.choice([5.0, 20.0, 60.0, 200.0])
    return replace(
        plan,
        capacity=Capacity(
            write=units, read=1_000.0, behavior=CapacityBehavior(burst_seconds=5.0, saved_seconds=0.0)
        ),
        traffic=replace(plan.traffic, large=0.3, large_bytes=draw.choice([3_000, 30_000])),
        bound_seconds=3_600.0,
    )


def _size(draw: random.Random, plan: Scenario) -> Scenario:
    """The table has a thousand shards."""
    return replace(
        plan,
        stream=replace(plan.stream, shards=1_000, ancestors=6),
        traffic=replace(plan.traffic, items=2_000, keys=3_000, changes=2_000),
        bound_seconds=1_200.0,
    )


def _readers(draw: random.Random, plan: Scenario) -> Scenario:
    """Other invocations read the shards for the reconciler, each a few, in any other scenario."""
    base = draw.choices(list(MIX), weights=list(MIX.values()))[0]
    plan = SCENARIOS[base](draw, plan)
    refused = draw.choice([plan.faults.lambda_.refused, plan.faults.lambda_.refused, 0.3])
    return replace(
        plan,
        faults=replace(plan.faults, lambda_=replace(plan.faults.lambda_, refused=refused)),
        is_hindered=plan.is_hindered or refused > 0,
        stream=replace(plan.stream, shards=draw.choice([3, 3, 4, 8])),
        settings=replace(
            plan.settings,
            environ={**plan.settings.environ, "shards_per_reader": draw.choice([1, 1, 2])},
        ),
    )


SCENARIOS: dict[str, Change] = {
    "calm": _calm,
    "faults": _faults,
    "restarts": _restarts,
    "slices": _slices,
    "leases": _leases,
    "journal": _journal,
    "redelivery": _redelivery,
    "operators": _operators,
    "letters": _letters,
    "clocks": _clocks,
    "history": _history,
    "outage": _outage,
    "disasters": _disasters,
    "slow": _slow,
    "size": _size,
    "readers": _readers,
}
"""The named scenarios, each as the changes that it makes to a plan without faults."""

MIX = {
    "calm": 4,
    "faults": 20,
    "restarts": 8,
    "slices": 14,
    "redelivery": 12,
    "operators": 12,
    "letters": 10,
    "clocks": 4,
    "history": 6,
    "outage": 4,
    "disasters": 4,
    "slow": 2,
}
"""How often each scenario is drawn where none is named.

The scenario of size takes too long for that, and the one of readers has seeds of its own.
"""


def plan(seed: int, name: str = "", shards: int | None = None, seconds: float | None = None) -> Scenario:
    """Return the scenario of a seed.

    Parameters
    ----------
    name
        Scenario to use; empty to draw one.
    shards
        Open shards at the beginning, in place of the scenario's.
    seconds
        Length of the busy time in place of the scenario's. Writes are as frequent as there.

    Raises
    ------
    KeyError
        There is no scenario of this name.
    """
    draw = random.Random(f"scenario {seed}")
    drawn = draw.choices(list(MIX), weights=list(MIX.values()))[0]
    name = name or drawn
    scenario = SCENARIOS[name](draw, _plain(draw, name, seed))
    if shards is not None:
        scenario = replace(scenario, stream=replace(scenario.stream, shards=shards))
    if seconds is not None:
        changes = round(scenario.traffic.changes * seconds / scenario.busy_seconds)
        scenario = replace(scenario, busy_seconds=seconds, traffic=replace(scenario.traffic, changes=changes))
    return scenario


def _plain(draw: random.Random, name: str, seed: int) -> Scenario:
    items = draw.choice([0, 5, 30, 60, 120])
    shards = draw.choice([1, 1, 2, 2, 3, 4, 8])
    return Scenario(
        name=name,
        seed=seed,
        traffic=Traffic(
            items=items,
            keys=items + draw.choice([5, 20, 40]),
            changes=draw.choice([0, 30, 100, 200]),
            bursts=draw.choice([0.0, 0.3, 0.9]),
            hot=draw.choice([0.0, 0.1, 0.5]),
            deletes=draw.choice([0.0, 0.2, 0.4]),
        ),
        stream=StreamBehavior(shards=shards, late_record=0.05, late_record_seconds=3.0),
        operators=Operators(seal=draw.random() < 0.6),
        settings=Settings(
            segments=draw.choice([1, 2, 4]),
            concurrency=draw.choice([1, 2, 4]),
            slice_seconds=draw.choice([8, 20, 600]),
            environ=draw.choice([{}, {}, {"write_capacity": 10}]),
            drained_after_seconds=draw.choice([5, 10]),
            batch_size=draw.choice([5, 20, 100]),
            batching_window_seconds=draw.choice([0, 1]),
            backfill_timeout=60,
            replicator_timeout=40,
        ),
        busy_seconds=draw.choice([20.0, 40.0, 80.0]),
    )
