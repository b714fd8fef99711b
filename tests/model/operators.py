"""What operators do to a run: stop it, start it again, request the seal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.model.control import outdated
from tests.model.state import Bounds, Protocol, State
from tests.model.writer import Step


@dataclass(frozen=True)
class Operators:
    """Their commands. Each writes the run under its version, as control does."""

    protocol: Protocol
    bounds: Bounds

    def steps(self, state: State) -> Iterator[Step]:
        """Return all that operators may do next."""
        if not self.bounds.stops:
            return
        controls = outdated(self.protocol, state.controls)
        if state.phase == "stopped":
            yield "operator: starts the run", state._replace(phase="resuming", controls=controls), ""
        elif state.phase != "sealed" and state.stops < self.bounds.stops:
            seal = state.seal and not self.protocol.stop_clears_seal
            stopped = state._replace(
                phase="stopped", seal=seal, wanted=False, stops=state.stops + 1, controls=controls
            )
            yield "operator: stops the run", stopped, ""
        if state.phase == "ready" and state.stopped and not state.wanted:
            yield "operator: seals", state._replace(seal=True, wanted=True, controls=controls), ""
