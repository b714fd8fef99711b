"""The scenario `verification`: which tables are compared, what happens meanwhile, all drawn from a seed.

A run has a busy time, in which writers, operators and faults do what they do, and a calm that follows. A
comparison that was begun must end in a stated time from then on.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from tools.simulation.behavior import HOUR, CapacityBehavior, TableBehavior
from tools.simulation.capacity import Capacity
from tools.simulation.functions import LambdaFaults
from tools.simulation.network import NetworkFaults
from tools.simulation.states import StatesFaults

NAME = "verification"

_MANY_EVERY = 400
"""Every so many seeds the scan has 1,000 segments."""

_MISALIGNED_EVERY = 333
"""Every so many seeds the tables are large enough, and in different order, for the worker to notice it."""

_STORM_EVERY = 100
"""Every so many seeds 10,000 changes a second are made."""

_LARGE_EVERY = 120
"""Every so many seeds the items do not fit into the window in which the worker pairs them."""


@dataclass(frozen=True, kw_only=True)
class Tables:
    """The tables, and how they differ before anything happens.

    Attributes
    ----------
    items
        Number of items of the source.
    bytes
        Bytes of a large item; ``large`` is the share of them.
    sort_key
        The key has a sort key, a number.
    differences
        Share of the keys that differ.
    hole
        Share of the keys that the destination lacks in one stretch of the scan.
    respelled
        Share of the destination's items that are spelled in another way.
    same_order
        Both tables return their items in the same order.
    """

    items: int = 30
    bytes: int = 200
    large: float = 0.0
    sort_key: bool = False
    differences: float = 0.1
    hole: float = 0.0
    respelled: float = 0.0
    same_order: bool = True


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What is written to the source in the busy time, and what becomes of it at the destination.

    Attributes
    ----------
    changes, rate
        Number of changes, and how many are made a second.
    keys
        Number of keys that are changed.
    lag
        Shortest and longest time until a change is applied. Changes are applied in their order.
    stalls
        How often the copy stands still, for up to ``longest_stall`` seconds.
    dropped
        Share of the changes that are never applied.
    look_seconds
        Time between two looks of the reconciler, which notes how far the copy is.
    """

    changes: int = 0
    rate: float = 10.0
    keys: int = 20
    lag: tuple[float, float] = (0.2, 2.0)
    stalls: int = 0
    longest_stall: float = 100.0
    dropped: float = 0.0
    look_seconds: float = 25.0


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What may go wrong in the busy time."""

    functions: LambdaFaults = field(default_factory=LambdaFaults)
    network: NetworkFaults = field(default_factory=NetworkFaults)
    states: StatesFaults = field(default_factory=StatesFaults)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A run's plan.

    Attributes
    ----------
    segments, concurrency, timeout
        The module's variables (modules/copy, ``verification``).
    budget
        Read units a second of each table; None to adapt.
    writes_stopped
        The operator says that nothing writes, which is true then.
    starts
        How often the comparison is requested at about the same time.
    aborts
        How often someone stops what is executed in the busy time.
    again
        After the end, another comparison is begun.
    look_seconds
        Time between two looks of the operator.
    bound_seconds
        How long after the beginning of the calm the comparison must have ended.
    is_hindered
        Whether anything may delay it or make it fail.
    """

    name: str = NAME
    seed: int
    tables: Tables = field(default_factory=Tables)
    traffic: Traffic = field(default_factory=Traffic)
    faults: Faults = field(default_factory=Faults)
    source: TableBehavior = field(default_factory=TableBehavior)
    destination: TableBehavior = field(default_factory=TableBehavior)
    journal: TableBehavior = field(default_factory=TableBehavior)
    source_capacity: Capacity = field(default_factory=Capacity)
    destination_capacity: Capacity = field(default_factory=Capacity)
    segments: int = 2
    concurrency: int = 2
    timeout: int = 60
    budget: float | None = None
    writes_stopped: bool = False
    starts: int = 1
    aborts: int = 0
    again: bool = False
    look_seconds: float = 7.0
    busy_seconds: float = 30.0
    bound_seconds: float = 900.0
    is_hindered: bool = False

    @property
    def is_small(self) -> bool:
        """Whether there are so few read units that a worker may wait for them until its time is up."""
        return self.budget is not None or bool(self.source_capacity.read or self.destination_capacity.read)


def plan(seed: int) -> Scenario:
    """Return the scenario of a seed."""
    draw = random.Random(f"{NAME} {seed}")
    drawn = _plain(draw, seed)
    if draw.random() < 0.5:
        drawn = _hindered(draw, drawn)
    if seed % _MANY_EVERY == 0:
        return replace(
            drawn,
            segments=1_000,
            concurrency=draw.choice([300, 1_000]),
            tables=replace(drawn.tables, items=300, large=0.0),
            again=False,
            look_seconds=60.0,
        )
    if seed % _MISALIGNED_EVERY == 1:
        # A worker notices it once it has given up 2,000 items. With a small budget few items wait.
        tables = replace(drawn.tables, items=3_500, large=0.0, same_order=False, differences=0.01)
        return replace(
            drawn,
            tables=tables,
            segments=1,
            again=False,
            budget=50.0,
            source_capacity=Capacity(),
            destination_capacity=Capacity(),
            bound_seconds=7_200.0,
        )
    if seed % _STORM_EVERY == 7:
        traffic = replace(drawn.traffic, changes=1_500, rate=10_000.0, keys=200)
        return replace(drawn, traffic=traffic, writes_stopped=False)
    if seed % _LARGE_EVERY == 11:
        # The window holds 4 MB of each table.
        tables = replace(drawn.tables, items=40, large=1.0, bytes=150_000, hole=draw.choice([0.0, 0.6]))
        return replace(
            drawn,
            tables=tables,
            segments=1,
            again=False,
            budget=None,
            source_capacity=Capacity(),
            destination_capacity=Capacity(),
        )
    return drawn


def _plain(draw: random.Random, seed: int) -> Scenario:
    items = draw.choice([0, 3, 10, 30, 60])
    writes_stopped = draw.random() < 0.4
    segments = draw.choice([1, 1, 2, 3, 5, 12])
    drawn = Scenario(
        seed=seed,
        tables=Tables(
            items=items,
            large=draw.choice([0.0, 0.0, 0.2]),
            bytes=draw.choice([5_000, 30_000]),
            sort_key=draw.random() < 0.3,
            differences=draw.choice([0.0, 0.05, 0.3, 1.0]),
            hole=draw.choice([0.0, 0.0, 0.0, 0.5]),
            respelled=draw.choice([0.0, 0.0, 0.1, 1.0]),
            same_order=draw.random() < 0.75,
        ),
        traffic=Traffic()
        if writes_stopped
        else Traffic(
            changes=draw.choice([0, 10, 60]),
            rate=draw.choice([1.0, 10.0, 100.0, 1_000.0]),
            keys=items + draw.choice([2, 10]),
            lag=draw.choice([(0.2, 2.0), (3.0, 20.0), (60.0, 90.0)]),
            stalls=draw.choice([0, 0, 1]),
            dropped=draw.choice([0.0, 0.1, 0.3]),
            look_seconds=draw.choice([5.0, 25.0]),
        ),
        source=TableBehavior(ttl_delay=(3 * HOUR, 4 * HOUR) if writes_stopped else (5.0, HOUR)),
        segments=segments,
        concurrency=draw.choice([1, segments]),
        timeout=draw.choice([60, 300]),
        writes_stopped=writes_stopped,
        starts=draw.choice([1, 1, 2, 3]),
        again=draw.random() < 0.15,
    )
    if draw.random() < 0.2:
        return _small(draw, drawn)
    return drawn


def _small(draw: random.Random, drawn: Scenario) -> Scenario:
    """Let the tables have few read units, or the comparison a small budget."""
    units = draw.choice([5.0, 20.0, 100.0])
    small = Capacity(read=units, write=units, behavior=CapacityBehavior(saved_seconds=0.0))
    kind = draw.choice(["source", "destination", "both", "budget"])
    if kind == "budget":
        # So many items that workers who do not share it would be noticed.
        return replace(
            drawn,
            budget=draw.choice([5.0, 20.0]),
            tables=replace(drawn.tables, items=150, bytes=5_000, large=1.0),
            segments=4,
            concurrency=draw.choice([2, 4]),
            bound_seconds=7_200.0,
        )
    return replace(
        drawn,
        source_capacity=small if kind in {"source", "both"} else Capacity(),
        destination_capacity=small if kind in {"destination", "both"} else Capacity(),
        tables=replace(drawn.tables, bytes=5_000, large=draw.choice([0.2, 1.0])),
        bound_seconds=7_200.0,
    )


def _hindered(draw: random.Random, drawn: Scenario) -> Scenario:
    """Everything may go wrong, in each run with other probabilities."""

    def some(most: float) -> float:
        """Return a probability up to ``most``; none in every second run, and rather a small one."""
        return most * draw.random() ** 2 if draw.random() < 0.5 else 0.0

    def table(behavior: TableBehavior) -> TableBehavior:
        return replace(
            behavior,
            unprocessed=some(0.4),
            throttled=some(0.3),
            short_page=some(1.0),
            transaction_conflict=some(0.1),
        )

    return replace(
        drawn,
        faults=Faults(
            functions=LambdaFaults(
                killed=some(0.5),
                abandoned=some(0.2),
                stalled=some(0.3),
                refused=some(0.05),
                longest_stall=draw.choice([20.0, 120.0]),
            ),
            network=NetworkFaults(
                lost_request=some(0.05),
                lost_answer=some(0.05),
                late_request=some(0.05),
                server_error=some(0.1),
                slow=some(0.2),
            ),
            states=StatesFaults(unseen=draw.choice([1.0, 10.0])),
        ),
        source=table(drawn.source),
        destination=table(drawn.destination),
        journal=replace(table(drawn.journal), short_page=0.0),
        aborts=draw.choice([0, 0, 1, 3]),
        busy_seconds=draw.choice([30.0, 120.0]),
        bound_seconds=drawn.bound_seconds + 600.0,
        is_hindered=True,
    )
