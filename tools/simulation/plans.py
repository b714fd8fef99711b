"""The plan of a run: what writers and operators do, how the services behave, and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

from tablecopy.journal.run import Phase
from tools.simulation.behavior import StreamBehavior, TableBehavior
from tools.simulation.capacity import Capacity
from tools.simulation.deployment import Faults, Settings


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What the writers do at the source.

    Attributes
    ----------
    items
        Items of the table before anything else happens.
    keys
        Keys that writers use; at least as many as items.
    changes
        Number of writes in the busy time.
    history_seconds, history_changes
        Length of the time in which the stream is on before the copy exists, and the writes in it. Half of
        them come in its first minutes.
    bursts
        Share of the writes that come at the same moment as another one.
    hot
        Share of the writes that go to one key.
    deletes, expiries, repeats
        Share of the writes that delete, that TTL makes, and that change nothing.
    rejected
        Share of the items that the destination rejects until the calm begins.
    large
        Share of the items that are large, of up to ``large_bytes``.
    late
        Writes that go on after the run is ready, while it is sealed.
    """

    items: int = 40
    keys: int = 60
    changes: int = 150
    history_seconds: float = 0.0
    history_changes: int = 0
    bursts: float = 0.3
    hot: float = 0.1
    deletes: float = 0.2
    expiries: float = 0.05
    repeats: float = 0.05
    rejected: float = 0.0
    large: float = 0.05
    large_bytes: int = 3_000
    late: int = 0


@dataclass(frozen=True, kw_only=True)
class Operators:
    """What operators do in the busy time, at random moments.

    Attributes
    ----------
    commands
        Commands without regard to the phase: start, status, seal, redrive, dead-letters.
    applies
        Applies that change settings: new functions, another slice length, another batch size.
    stops
        How often the run is made to stop, as too many dead letters would, until an operator starts it again.
    stop_at_seal
        When the run is ready, an operator asks for the seal and the run stops for a new dead letter.
    seal
        An operator seals the run when it is ready.
    """

    commands: int = 0
    applies: int = 0
    stops: int = 0
    stop_at_seal: bool = False
    seal: bool = True


@dataclass(frozen=True, kw_only=True)
class Outage:
    """The reconciler is gone for ``hours`` from when the run first enters ``phase``."""

    phase: Phase
    hours: float
    changes: int


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A run's plan.

    Attributes
    ----------
    busy_seconds
        Length of the busy time, from the first apply.
    bound_seconds
        How long after the beginning of the calm the run must be ready.
    capacity
        Throughput of the destination's table. It stays as it is in the calm.
    disaster
        What happens to the copy at a moment of the busy time (see `disasters`), so that it must stop; empty
        for nothing.
    blackouts
        How often most calls get no answer for a while.
    is_hindered
        Whether anything may make the run stop.
    """

    name: str
    seed: int
    traffic: Traffic = field(default_factory=Traffic)
    operators: Operators = field(default_factory=Operators)
    settings: Settings = field(default_factory=Settings)
    faults: Faults = field(default_factory=Faults)
    stream: StreamBehavior = field(default_factory=StreamBehavior)
    source: TableBehavior = field(default_factory=TableBehavior)
    destination: TableBehavior = field(default_factory=TableBehavior)
    journal: TableBehavior = field(default_factory=TableBehavior)
    capacity: Capacity = field(default_factory=Capacity)
    outage: Outage | None = None
    disaster: str = ""
    blackouts: int = 0
    busy_seconds: float = 60.0
    bound_seconds: float = 600.0
    is_hindered: bool = False

    @property
    def is_outrun(self) -> bool:
        """Whether writers may change more than the destination takes, so that nothing can catch up."""
        traffic, most = self.traffic, self.capacity.write
        units = 1 + traffic.large * traffic.large_bytes / 2 / 1024
        return 0 < 0.8 * most < traffic.changes * units / self.busy_seconds
