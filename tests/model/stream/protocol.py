"""The stream of the copy protocol, as a model to explore: shards, mapping, applied batches, control.

The first model has one key, one shard, and everything that may overlap. This one has several keys and
shards, and time, while each invocation is a single step.

Modelled: shards that end and have children, which are listed late; records that leave the stream after a
day, also while the mapping holds them in a batch; pollers that begin again at an earlier batch, and cut
otherwise; answers that are lost; batches that are written in part; records from before the copy, and
clocks that differ; a mapping or a journal that is replaced.

Abstracted away: what overlaps; slices after the first; the seal, which needs what ready needs; the time a
look at all shards takes, since a change made during a look may be missed by it in any case; how long before
it may leave the stream a record is old: both are from the same moment on.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.stream.control import Control
from tests.model.stream.journal import Journal
from tests.model.stream.replicator import Replicator
from tests.model.stream.source import Source, Step
from tests.model.stream.state import ABSENT, DAY, UNKNOWN, Bounds, Poller, Protocol, Record, Shard, State

HINDRANCES = (
    "source: ",
    "operator: ",
    "time: half a day passes",
    "stream: shard ",
    "falls back",
    "unwritten",
    "unanswered",
)
"""Steps on which no way to the end relies."""


class Stream:
    """A protocol within bounds."""

    def __init__(self, protocol: Protocol, bounds: Bounds) -> None:
        self.protocol = protocol
        self.bounds = bounds
        journal = Journal(protocol)
        self._parts = (
            Source(protocol, bounds),
            Replicator(protocol, bounds, journal),
            Control(protocol, bounds, journal),
        )

    def initial(self) -> Iterator[State]:
        """Return the state before the copy, with the history of the first shard about to leave the stream."""
        history = tuple(Record(0, image, early=True, made=-DAY) for image in self.bounds.history)
        values = (history[-1].image if history else ABSENT, *(ABSENT for _ in self.bounds.homes[1:]))
        shards = tuple(
            Shard("open", True, () if number else history, 0) if parent < 0 else Shard("none", False, (), 0)
            for number, parent in enumerate(self.bounds.parents)
        )
        yield State(
            source=values,
            destination=(ABSENT,) * len(values),
            shards=shards,
            pollers=(Poller(0, 0),) * len(shards),
            mapping="own",
            journal=((0,) * self.bounds.size,) * len(shards),
            places=(UNKNOWN,) * len(shards),
            phase="preflight",
            era="before",
            copied=(False,) * len(values),
            quiet=False,
            changes=0,
            time=0,
            journals=0,
        )

    def fault(self, state: State) -> str:
        """Return nothing: what is wrong is wrong with a step."""
        return ""

    def steps(self, state: State) -> Iterator[Step]:
        """Return everything that may happen next. Nothing more is of interest once the run is over."""
        if not ended(state):
            for part in self._parts:
                yield from part.steps(state)


def ended(state: State) -> bool:
    """Return whether the run is over: ready, or stopped for a reason that is named."""
    return state.phase in ("ready", "lost", "stopped")


def helps(label: str) -> bool:
    """Return whether a step is one that a way to the end may rely on."""
    return not any(part in label for part in HINDRANCES)
