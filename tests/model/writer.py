"""What replicators and workers have in common: the way to the first write, and the rules of a write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tests.model.state import Bounds, Place, Protocol, State

LOST = "the destination is not the source"
WINDOW = "a record was applied between a worker's read and its acknowledged write"
AFTER_SEAL = "a write landed after the seal"
UNWANTED = "sealed, and no operator wants it any more"

Step = tuple[str, State, str]


@dataclass(frozen=True)
class Writer:
    """The part of a protocol that concerns one kind of function."""

    protocol: Protocol
    bounds: Bounds

    def _gate(self, at: Place, inside: Place) -> tuple[Literal["lease", "look", ""], Place]:
        """Return what an invocation has to do before it may write, and where it is then."""
        if at == "called":
            if not self.protocol.leases:
                return "look", inside
            return ("lease", "leased") if self.protocol.lease_first else ("look", "looked")
        if at == "leased":
            return "look", inside
        return ("lease", inside) if at == "looked" else ("", at)

    def _removed(self, state: State, after: State) -> Iterator[tuple[str, State]]:
        """Return what may be after the open dead letter was removed: the request may have been sent twice."""
        yield "", after
        if self.bounds.late_settling and state.letter and not after.letter and not state.settling:
            yield ", asks twice to remove the dead letter", after._replace(settling=state.letter)
