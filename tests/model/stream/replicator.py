"""The mapping, with a poller for each shard, and the replicator, which applies a batch in one step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.model.stream.journal import Journal
from tests.model.stream.source import Step
from tests.model.stream.state import Bounds, Poller, Protocol, Record, State


@dataclass(frozen=True)
class Replicator:
    """What the mapping may deliver, and what becomes of it."""

    protocol: Protocol
    bounds: Bounds
    journal: Journal

    def steps(self, state: State) -> Iterator[Step]:
        """Return all that may happen next."""
        if state.phase != "draining" or state.mapping == "replaced":
            return
        for number in range(len(state.shards)):
            if self._begun(state, number):
                yield from self._shard(state, number)

    def _begun(self, state: State, number: int) -> bool:
        """Return whether the shard is there, and the mapping is done with its ancestors."""
        while (parent := self.bounds.parents[number]) >= 0:
            shard, poller = state.shards[parent], state.pollers[parent]
            is_done = poller.held <= poller.at and max(poller.at, shard.gone) == len(shard.records)
            if shard.status != "ended" or not is_done:
                return False
            number = parent
        return True

    def _shard(self, state: State, number: int) -> Iterator[Step]:
        shard, poller = state.shards[number], state.pollers[number]
        name = f"mapping, shard {number}"
        if self.bounds.falls_back:
            for earlier in {0, *self.journal.ends(state, number)}:
                begin = max(earlier, shard.gone)
                if begin < poller.at:
                    yield f"{name}: falls back to {begin}", with_poller(state, number, begin, begin), ""
        if self.bounds.discards and poller.at < min(poller.held, shard.gone):
            held = max(poller.held, shard.gone)
            yield f"{name}: discards to {shard.gone - 1}", with_poller(state, number, shard.gone, held), ""
        if poller.held > poller.at:
            yield from self._deliver(state, number)
            return
        begin = max(poller.at, shard.gone)
        for end in range(begin + 1, min(begin + self.bounds.batch, len(shard.records)) + 1):
            yield f"{name}: reads {begin}-{end - 1}", with_poller(state, number, begin, end), ""

    def _deliver(self, state: State, number: int) -> Iterator[Step]:
        """Return what an invocation with the batch that the poller holds may do."""
        first, end = state.pollers[number]
        name = f"replicator, shard {number}, {first}-{end - 1}"
        known = self.journal.end(state, number, first)
        if known:
            yield from self._answer(
                self._split(state, number, known, end), state, number, f"{name}: was applied", min(known, end)
            )
            return
        rest, end = self._parts(state, number, first, end)
        old = self._old(state, number, rest, end)
        if old > rest == first:
            if self.protocol.old_records == "acknowledged":
                yield from self._answer(state, state, number, f"{name}: is too old, to {old - 1}", old)
            return
        end = rest if old > rest else end
        if rest == end > first:
            # Records from before the copy.
            after = self.journal.put(state, number, first, end)
            yield from self._answer(after, state, number, f"{name}: skips to {end - 1}", end)
            return
        known = self.journal.end(state, number, rest) if rest > first and self.protocol.looks_up_rest else 0
        if known:
            after = self._split(state, number, known, end)
            after = self.journal.put(after, number, first, min(known, end))
            yield from self._answer(after, state, number, f"{name}: rest was applied", min(known, end))
        else:
            yield from self._write(state, number, first, rest, end, name)

    def _parts(self, state: State, number: int, first: int, end: int) -> tuple[int, int]:
        """Return where the part begins that is to be written, and where it ends."""
        records = state.shards[number].records
        if self.protocol.spans_little:
            end = next((at for at in range(first, end) if records[at].made != records[first].made), end)
        rest = first
        while self.protocol.skips_early and rest < end and records[rest].early:
            rest += 1
        if rest > first and self.protocol.cuts_at_early:
            return rest, rest
        return rest, end

    def _old(self, state: State, number: int, rest: int, end: int) -> int:
        """Return the end of the records from ``rest`` on that are about to leave the stream."""
        if self.protocol.old_records == "written":
            return rest
        records = state.shards[number].records
        return next((at for at in range(rest, end) if not state.is_old(records[at])), end)

    def _split(self, state: State, number: int, known: int, end: int) -> State:
        """Return the state after the rest of an applied batch that reaches beyond ``end`` got its name."""
        if known <= end or not self.protocol.splits_batches:
            return state
        return self.journal.put(state, number, end, known)

    def _write(self, state: State, number: int, first: int, rest: int, end: int, name: str) -> Iterator[Step]:
        records = state.shards[number].records[rest:end]
        keys = sorted({record.key for record in records})
        for left in [None, *keys] if self.bounds.partial else [None]:
            destination = list(state.destination)
            for record in records:
                if record.key != left:
                    destination[record.key] = record.image
            applied, acknowledged = self._applied(records, left, rest)
            after = state._replace(destination=tuple(destination))
            if applied > first:
                after = self.journal.put(after, number, first, applied)
            if applied > rest > first and self.protocol.records_rest:
                after = self.journal.put(after, number, rest, applied)
            what = "writes" if left is None else f"leaves {'abc'[left]} unwritten,"
            yield from self._answer(
                after, state, number, f"{name}: {what} to {acknowledged - 1}", acknowledged
            )

    def _applied(self, records: tuple[Record, ...], left: int | None, rest: int) -> tuple[int, int]:
        """Return up to where the batch is recorded, and up to where it is acknowledged."""
        end = rest + len(records)
        mine = [at for at, record in enumerate(records, rest) if record.key == left]
        if not mine:
            return end, end
        if self.protocol.left_unwritten == "prefix":
            return mine[0], mine[0]
        if self.protocol.left_unwritten == "last":
            return mine[-1], mine[-1]
        if self.protocol.left_unwritten == "unrecorded":
            return 0, mine[0]
        return end, end if self.protocol.left_unwritten == "acknowledged" else mine[0]

    def _answer(
        self, after: State, before: State, number: int, label: str, acknowledged: int
    ) -> Iterator[Step]:
        poller = before.pollers[number]
        if acknowledged > poller.at:
            yield label, with_poller(after, number, acknowledged, max(acknowledged, poller.held)), ""
        if after != before and (self.bounds.unanswered or acknowledged == poller.at):
            yield f"{label}, unanswered", after, ""


def with_poller(state: State, number: int, at: int, held: int) -> State:
    """Return the state with the mapping at another record of a shard."""
    pollers = (*state.pollers[:number], Poller(at, held), *state.pollers[number + 1 :])
    return state._replace(pollers=pollers)
