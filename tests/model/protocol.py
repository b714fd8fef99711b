"""The copy protocol for one key, as a model to explore.

Modelled: changes of the source item and their stream; the mapping that delivers batches at least once;
replicators; the key's segment read by workers in slices, also by several at once; redrives of a dead
letter; leases, their conditional puts and their expiry; marks; control, which reads, acts on AWS, looks
and writes the next phase as separate steps, may die between any two and may overlap itself, so that its
side effects come late. A write lands at any moment after it was sent, once or twice, also when its sender
is no more; so does a mark, and a request to remove a dead letter. A batch may be applied in part. Operators
may stop the run, start it again, and request the seal.

Abstracted away: other keys (they share only leases and phases, which this key has all of); time, so that
any step may take as long as it likes, except that no write lands any more when a lease has expired; more
than one shard, and what leaves the stream, which `tests.model.stream` has; for how long control wants to
see the stream applied; errors of the destination other than refusing a record for good, since a request
that failed is one that has not landed yet; control stopping executions, since a stopped one is known by
nothing but its end.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.control import Controls
from tests.model.operators import Operators
from tests.model.replicator import Replicators
from tests.model.state import ABSENT, Bounds, Protocol, State
from tests.model.worker import Workers
from tests.model.writer import LOST, Step

HINDRANCES = (
    "source: ",
    "operator: ",
    ": dies",
    ": ends too early",
    "gives up waiting",
    "falls back",
    " again",
    "unanswered",
    "leaves another key",
)
"""Steps on which no way to the end relies."""


class Copy:
    """A protocol within bounds."""

    def __init__(self, protocol: Protocol, bounds: Bounds) -> None:
        self.protocol = protocol
        self.bounds = bounds
        self._parts = (
            Replicators(protocol, bounds),
            Workers(protocol, bounds),
            Controls(protocol, bounds),
            Operators(protocol, bounds),
        )

    def initial(self) -> Iterator[State]:
        """The run begins with its first pause; the item exists or not."""
        for value in (ABSENT, 1):
            yield State(
                history=(value,),
                stopped=False,
                destination=ABSENT,
                second=0,
                mapping="off" if self.protocol.alternates else "on",
                checkpoint=0,
                marks=(0,) * self.bounds.changes,
                replicators=(),
                phase="pausing",
                slice=1,
                executions=(),
                passed=False,
                letter=0,
                redriven=0,
                settling=0,
                workers=(),
                controls=(),
                drained=0,
                seal=not self.bounds.stops,
                wanted=not self.bounds.stops,
                stops=0,
            )

    def fault(self, state: State) -> str:
        """Once declared drained, the destination is what the source was then or later.

        With the writers stopped that is the source itself, since control looks again before it seals.
        """
        if state.phase in ("ready", "sealing", "sealed"):
            return "" if state.destination in state.history[state.drained :] else LOST
        return ""

    def steps(self, state: State) -> Iterator[Step]:
        """Return everything that may happen next."""
        yield from self._source(state)
        if state.settling:
            yield from self._late(state)
        for part in self._parts:
            yield from part.steps(state)

    def _late(self, state: State) -> Iterator[Step]:
        """A request to remove a dead letter lands after one that was answered."""
        condition = self.protocol.letter_condition
        removes = condition == "" or (condition == "record" and state.letter == state.settling)
        after = state._replace(settling=0, letter=0 if removes else state.letter)
        yield (
            f"a late request {'removes' if state.letter != after.letter else 'finds no'} dead letter",
            after,
            "",
        )

    def _source(self, state: State) -> Iterator[Step]:
        if state.phase == "ready" and not state.stopped:
            yield "the writers stop", state._replace(stopped=True), ""
        if state.end == self.bounds.changes or (state.stopped and not self.bounds.stragglers):
            return
        put = len(state.history) + 1
        yield f"source: put v{put}", state._replace(history=(*state.history, put)), ""
        if state.source != ABSENT and self.bounds.deletes:
            yield "source: delete", state._replace(history=(*state.history, ABSENT)), ""


def ended(state: State) -> bool:
    """Return whether the run is over, or stopped, or needs an operator: for a dead letter, or the seal."""
    if state.phase in ("slice", "draining") and state.letter:
        return True
    return state.phase in ("sealed", "stopped") or (state.phase == "ready" and not state.seal)


def helps(label: str) -> bool:
    """Return whether a step is one that a way to the end may rely on."""
    return not any(part in label for part in HINDRANCES)
