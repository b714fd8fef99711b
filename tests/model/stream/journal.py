"""The journal's applied batches, by their names."""

from __future__ import annotations

from dataclasses import dataclass

from tests.model.stream.state import Protocol, State


@dataclass(frozen=True)
class Journal:
    """How applied batches are found again."""

    protocol: Protocol

    def end(self, state: State, shard: int, first: int) -> int:
        """Return the end of the applied batch of a name, or 0."""
        return state.journal[self._row(shard)][first]

    def put(self, state: State, shard: int, first: int, end: int) -> State:
        """Return the state after a batch was recorded. A recorded batch never gets shorter."""
        number = self._row(shard)
        row = state.journal[number]
        if row[first] >= end:
            return state
        changed = (*row[:first], end, *row[first + 1 :])
        return state._replace(journal=(*state.journal[:number], changed, *state.journal[number + 1 :]))

    def ends(self, state: State, shard: int) -> set[int]:
        """Return the ends of a shard's batches."""
        return {end for end in state.journal[self._row(shard)] if end}

    def applied(self, state: State, shard: int, record: int) -> bool:
        """Return whether a record is in a batch that is recorded as applied."""
        row = state.journal[self._row(shard)]
        return any(first <= record < end for first, end in enumerate(row))

    def _row(self, shard: int) -> int:
        return shard if self.protocol.names_have_event_id else 0
