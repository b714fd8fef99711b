"""The scenario `cutover`: a copy that is verified and cut over, and what goes wrong, all drawn from a seed.

A run has a busy time, in which what is planned goes wrong, and a calm that follows. A copy to which nothing
was done must be sealed in a stated time from then on.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Literal

from tools.simulation.behavior import StreamBehavior, TableBehavior
from tools.simulation.deployment import Faults
from tools.simulation.functions import LambdaFaults
from tools.simulation.mapping import MappingFaults
from tools.simulation.network import NetworkFaults
from tools.simulation.schedule import ScheduleFaults
from tools.simulation.states import StatesFaults

NAME = "cutover"

Kind = Literal["skipped", "undeleted", "late", "foreign", "straggler"]
"""What is planted: a put or a delete that the replicator acknowledges and that does not happen, one that
happens later, a write of someone else at the destination, a write at the source after its writers have
stopped."""

KINDS: tuple[Kind, ...] = ("skipped", "undeleted", "late", "foreign", "straggler")

Moment = Literal["before", "baseline", "after", "stopped", "sealed"]
"""When: before the comparison, during it, after it, while the writers are stopped, or after the seal."""

MOMENTS: dict[Kind, tuple[Moment, ...]] = {
    "skipped": ("before", "baseline", "after", "stopped"),
    "undeleted": ("before", "baseline", "after", "stopped"),
    "late": ("baseline", "after", "stopped"),
    "foreign": ("before", "baseline", "after", "stopped"),
    "straggler": ("stopped", "sealed"),
}

_THOUSAND_EVERY = 250
"""Every so many seeds both tables have 1,000 shards."""

_HUNDREDS_EVERY = 40
"""Every so many seeds they have 50 to 300."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What the writers do.

    Attributes
    ----------
    items, keys
        Items before anything else happens, and keys that writers use; at least as many.
    rate
        Writes a second.
    deletes, hot
        Share of the writes that delete, and that go to one key.
    early
        They begin before the copy does. Otherwise, they begin when the streams are followed for the
        comparison.
    """

    items: int = 12
    keys: int = 20
    rate: float = 1.0
    deletes: float = 0.2
    hot: float = 0.1
    early: bool = False


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A fault that is planted, and when."""

    kind: Kind
    moment: Moment
    times: int = 1


@dataclass(frozen=True, kw_only=True)
class Kills:
    """How often something dies while the writers are stopped, and whether an operator interrupts the command.

    Attributes
    ----------
    functions
        Environments of any function.
    command
        The command dies and is run again.
    """

    functions: int = 0
    command: int = 0
    interrupts: bool = False


@dataclass(frozen=True, kw_only=True)
class Back:
    """The rollback's copy.

    Attributes
    ----------
    first
        The writers move before it is applied.
    wait_seconds
        Time between the seal and its apply.
    seconds
        For how long the writers use the new table.
    proved
        It is cut over with a proof as well. Otherwise, it is sealed when it is ready.
    """

    first: bool = False
    wait_seconds: float = 5.0
    seconds: float = 20.0
    proved: bool = False


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A run's plan.

    Attributes
    ----------
    planted
        The fault; None without one.
    back
        The rollback's copy; None without one.
    fence
        The tables' policies deny writes. Otherwise, the operator stops the writers.
    quiet_seconds, max_stop
        Options of the command.
    segments
        Of the comparison.
    wait_seconds
        Time between the comparison and the cutover.
    busy_seconds, bound_seconds
        Length of the busy time, and how long after it the run must be sealed.
    is_hindered
        Whether anything may make the run stop.
    """

    name: str = NAME
    seed: int
    traffic: Traffic = field(default_factory=Traffic)
    planted: Planted | None = None
    kills: Kills = field(default_factory=Kills)
    back: Back | None = None
    fence: bool = False
    quiet_seconds: float = 5.0
    max_stop: float = 60.0
    segments: int = 1
    wait_seconds: float = 10.0
    memory_mb: int = 256
    source_stream: StreamBehavior = field(default_factory=StreamBehavior)
    destination_stream: StreamBehavior = field(default_factory=StreamBehavior)
    source: TableBehavior = field(default_factory=TableBehavior)
    destination: TableBehavior = field(default_factory=TableBehavior)
    journal: TableBehavior = field(default_factory=TableBehavior)
    faults: Faults = field(default_factory=Faults)
    busy_seconds: float = 150.0
    bound_seconds: float = 900.0
    is_hindered: bool = False

    @property
    def is_lively(self) -> bool:
        """Whether shards end every minute or two."""
        return min(self.source_stream.shard_life[0], self.destination_stream.shard_life[0]) < 3_600.0


def plan(seed: int) -> Scenario:
    """Return the scenario of a seed."""
    draw = random.Random(f"{NAME} {seed}")
    drawn = _plain(draw, seed)
    if draw.random() < 0.6:
        kind = draw.choice(KINDS)
        moment = draw.choice(MOMENTS[kind])
        drawn = replace(
            drawn,
            planted=Planted(kind=kind, moment=moment, times=draw.choice([1, 1, 3])),
            traffic=replace(drawn.traffic, early=drawn.traffic.early or moment == "before"),
        )
    if draw.random() < 0.3:
        drawn = replace(
            drawn,
            kills=Kills(
                functions=draw.choice([0, 1, 3]),
                command=draw.choice([0, 1]),
                interrupts=draw.random() < 0.3,
            ),
        )
    if draw.random() < 0.35:
        drawn = _hindered(draw, drawn)
    if draw.random() < 0.4:
        drawn = replace(drawn, back=_back(draw))
    if drawn.is_lively:
        # Keys stay open until the children of their shards are all listed.
        drawn = replace(drawn, bound_seconds=2 * drawn.bound_seconds)
    if seed % _THOUSAND_EVERY == 0:
        return _wide(drawn, 1_000)
    return _wide(drawn, draw.choice([50, 100, 300])) if seed % _HUNDREDS_EVERY == 0 else drawn


def _plain(draw: random.Random, seed: int) -> Scenario:
    items = draw.choice([0, 5, 12, 30])

    def stream() -> StreamBehavior:
        shards = draw.choice([1, 1, 1, 2, 3, 8])
        behavior = StreamBehavior(shards=shards, late_record=0.1, late_record_seconds=3.0)
        if draw.random() < 0.25:
            return replace(behavior, shard_life=(30.0, 150.0), split=0.3)
        return behavior

    return Scenario(
        seed=seed,
        traffic=Traffic(
            items=items,
            keys=items + draw.choice([3, 10]),
            rate=draw.choice([0.1, 0.5, 1.0, 4.0]),
            deletes=draw.choice([0.1, 0.3]),
            hot=draw.choice([0.0, 0.3]),
            early=draw.random() < 0.2,
        ),
        fence=draw.random() < 0.3,
        segments=draw.choice([1, 1, 2]),
        wait_seconds=draw.choice([0.0, 5.0, 20.0]),
        source_stream=stream(),
        destination_stream=stream(),
    )


def _back(draw: random.Random) -> Back:
    return Back(
        first=draw.random() < 0.25,
        wait_seconds=draw.choice([0.0, 5.0, 30.0, 3 * 3_600.0]),
        seconds=draw.choice([3.0, 15.0]),
        proved=draw.random() < 0.25,
    )


def _wide(drawn: Scenario, shards: int) -> Scenario:
    """Let both tables have many shards. Such runs take the longest, so they are short."""

    def wide(behavior: StreamBehavior) -> StreamBehavior:
        # Of 1,000 shards that live for four hours, one ends every 14 seconds.
        return replace(behavior, shards=shards, shard_life=(3.5 * 3_600.0, 4.5 * 3_600.0))

    return replace(
        drawn,
        traffic=replace(drawn.traffic, rate=10.0, items=30, keys=300),
        source_stream=wide(drawn.source_stream),
        destination_stream=wide(drawn.destination_stream),
        memory_mb=1_769,
        wait_seconds=10.0,
        back=None if drawn.back is None else replace(drawn.back, wait_seconds=5.0, proved=False),
        max_stop=120.0,
    )


def _hindered(draw: random.Random, drawn: Scenario) -> Scenario:
    """Everything may go wrong, in each run with other probabilities."""

    def some(most: float) -> float:
        """Return a probability up to ``most``; none in every second run, and rather a small one."""
        return most * draw.random() ** 2 if draw.random() < 0.5 else 0.0

    def table() -> TableBehavior:
        return TableBehavior(unprocessed=some(0.3), throttled=some(0.15), short_page=some(0.5))

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
    return replace(
        drawn,
        faults=Faults(
            functions,
            network,
            mapping,
            StatesFaults(),
            ScheduleFaults(late=some(0.3), duplicated=some(0.3), missed=some(0.3)),
        ),
        source=table(),
        destination=table(),
        journal=replace(table(), short_page=0.0),
        is_hindered=True,
    )
