"""Executions, the workers they call for the key's segment, and redrives of the key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from tests.model.state import ABSENT, State, Worker
from tests.model.writer import AFTER_SEAL, Step, Writer


def replaced(parts: tuple[Worker, ...], old: Worker, new: Worker | None) -> tuple[Worker, ...]:
    """Return the invocations with one changed or gone. Their order says nothing, so they are sorted."""
    rest = list(parts)
    rest.remove(old)
    return tuple(sorted([*rest, new] if new else rest))


class Workers(Writer):
    """What executions, workers and redrives may do."""

    def steps(self, state: State) -> Iterator[Step]:
        """Return everything they may do next."""
        yield from self._executions(state)
        for worker in dict.fromkeys(state.workers):
            yield from self._worker(state, worker)

    def _executions(self, state: State) -> Iterator[Step]:
        room = len(state.workers) < self.bounds.workers
        for number in state.executions:
            if self.bounds.executions_end:
                rest = tuple(each for each in state.executions if each != number)
                yield f"execution {number}: ends too early", state._replace(executions=rest), ""
            if room and not state.passed:
                yield f"execution {number}: calls a worker", self._called(state, "backfill", number), ""
        if room and state.letter:
            yield "operator: redrives", self._called(state, "redrive", state.slice), ""

    @staticmethod
    def _called(state: State, kind: Literal["backfill", "redrive"], number: int) -> State:
        worker = Worker(kind, number, "called", ABSENT, leased=False)
        return state._replace(workers=tuple(sorted((*state.workers, worker))))

    def _worker(self, state: State, me: Worker) -> Iterator[Step]:
        name = f"{me.kind}/{me.slice}"

        def become(after: Worker | None, base: State = state) -> State:
            return base._replace(workers=replaced(base.workers, me, after))

        dead = Worker(me.kind, 0, "dead", ABSENT, leased=True) if me.leased else None
        if me.at == "dead":
            if self.protocol.leases_expire:
                yield f"{name}: its lease expires", become(None), ""
            return
        if me.at == "doomed":
            yield (
                f"{name}: its late write of v{me.value} lands",
                become(dead, self._copy(state, me)),
                self._seal(state),
            )
            if me.leased and not self.protocol.lease_outlives_writes:
                yield f"{name}: its lease expires", become(me._replace(leased=False)), ""
            return
        if self.bounds.deaths:
            yield f"{name}: dies", become(dead), ""
            if me.at == "writing" and self.bounds.late_writes:
                yield f"{name}: dies, its write on the way", become(me._replace(at="doomed")), ""

        gate, following = self._gate(me.at, "scanning")
        if gate == "lease":
            same = [each for each in state.workers if each.leased and each.kind == me.kind]
            if not same:
                yield f"{name}: puts its lease", become(me._replace(at=following, leased=True)), ""
            elif self.protocol.segment_lease == "kept":
                yield f"{name}: finds the segment leased, hands back", become(None), ""
            else:
                yield (
                    f"{name}: replaces the lease",
                    become(me._replace(at=following, leased=True), self._bare(state)),
                    "",
                )
        elif gate == "look":
            if self._worker_may_write(state, me):
                yield f"{name}: sees {state.phase} {state.slice}", become(me._replace(at=following)), ""
            else:
                yield f"{name}: sees {state.phase} {state.slice}, hands back", become(None), ""
        elif me.at == "scanning":
            read = me._replace(at="writing", value=state.source)
            if state.source == ABSENT and me.kind == "backfill":
                read = me._replace(at="written")  # a scan does not return what is not there
            early = state if self.protocol.checkpoints_after_write else self._noted(state, me)
            seen = f"v{state.source}" if state.source else "nothing"
            yield f"{name}: reads {seen}", become(read, early), ""
        elif me.at == "writing":
            landed = self._copy(state, me)
            rule = self._seal(state)
            yield f"{name}: writes v{me.value}", become(me._replace(at="written", value=ABSENT), landed), rule
            if landed.destination != state.destination:
                yield f"{name}: writes v{me.value}, unanswered", landed, rule
        else:
            for late, noted in self._removed(state, self._noted(state, me)):
                yield f"{name}: notes it is done{late}, clears its lease", become(None, noted), ""
                if self.bounds.deaths and me.leased:
                    yield f"{name}: notes it is done{late}, dies", become(dead, noted), ""

    @staticmethod
    def _bare(state: State) -> State:
        """Return the state with no lease of a worker, the dead ones gone with theirs."""
        alive = (each._replace(leased=False) for each in state.workers if each.at != "dead")
        return state._replace(workers=tuple(sorted(alive)))

    def _worker_may_write(self, state: State, me: Worker) -> bool:
        if not self.protocol.redrives_in_slice and me.kind == "redrive" and state.phase == "draining":
            return True
        return state.phase == "slice" and (me.slice == state.slice or not self.protocol.checks_slice_number)

    def _copy(self, state: State, me: Worker) -> State:
        """Return the state after a worker's write."""
        free = state.destination == ABSENT and state.second == 0
        if (self.protocol.backfill_overwrites and not self.protocol.orders_by_second) or free:
            return state._replace(destination=me.value)
        return state

    @staticmethod
    def _seal(state: State) -> str:
        return AFTER_SEAL if state.phase == "sealed" else ""

    @staticmethod
    def _noted(state: State, me: Worker) -> State:
        if me.kind == "backfill":
            return state._replace(passed=True)
        return state._replace(letter=0, redriven=max(state.redriven, state.letter))
