"""The mapping, which delivers batches at least once, and the replicators it calls."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.state import ABSENT, Phase, Replicator, State
from tests.model.writer import AFTER_SEAL, WINDOW, Step, Writer


def replaced(
    parts: tuple[Replicator, ...], old: Replicator, new: Replicator | None
) -> tuple[Replicator, ...]:
    """Return the invocations with one changed or gone. Their order says nothing, so they are sorted."""
    rest = list(parts)
    rest.remove(old)
    return tuple(sorted([*rest, new] if new else rest))


class Replicators(Writer):
    """What mapping and replicators may do.

    A replicator looks at phase and mark in one step: while it holds the lease nobody else can write the
    mark, so the moment at which it looks for that does not matter.
    """

    def steps(self, state: State) -> Iterator[Step]:
        """Return everything they may do next."""
        yield from self._mapping(state)
        for replicator in dict.fromkeys(state.replicators):
            yield from self._replicator(state, replicator)

    def _mapping(self, state: State) -> Iterator[Step]:
        if state.mapping == "stopping":
            yield "mapping: is off", state._replace(mapping="off"), ""
        awaited = next((each for each in state.replicators if each.awaited), None)
        if awaited and self.bounds.gives_up and len(state.replicators) < self.bounds.replicators:
            yield "mapping: gives up waiting", self._unheard(state, awaited), ""
        if self.bounds.falls_back:
            yield from self._again(state, awaited)
        # A mapping being switched off may still call.
        if state.mapping != "off" and not awaited and len(state.replicators) < self.bounds.replicators:
            first = state.checkpoint + 1
            for last in range(first, min(state.checkpoint + self.bounds.batch, state.end) + 1):
                called = Replicator(first, last, "called", leased=False, awaited=True)
                replicators = tuple(sorted((*state.replicators, called)))
                yield f"mapping: delivers {first}-{last}", state._replace(replicators=replicators), ""

    def _again(self, state: State, awaited: Replicator | None) -> Iterator[Step]:
        """A poller begins again at an earlier batch, in place of the other or beside it for a while."""
        room = len(state.replicators) < self.bounds.replicators
        for earlier in {0, *state.marks}:
            if earlier >= state.checkpoint:
                continue
            before = self._unheard(state, awaited) if awaited else state
            yield f"mapping: falls back to {earlier}", before._replace(checkpoint=earlier), ""
            for last in range(earlier + 1, min(earlier + self.bounds.batch, state.end) + 1):
                if room and state.mapping != "off":
                    called = Replicator(earlier + 1, last, "called", leased=False, awaited=False)
                    replicators = tuple(sorted((*state.replicators, called)))
                    yield (
                        f"mapping: delivers {earlier + 1}-{last} again",
                        state._replace(replicators=replicators),
                        "",
                    )

    @staticmethod
    def _unheard(state: State, replicator: Replicator) -> State:
        silent = replicator._replace(awaited=False)
        return state._replace(replicators=replaced(state.replicators, replicator, silent))

    def _replicator(self, state: State, me: Replicator) -> Iterator[Step]:
        name = f"replicator[{me.first}-{me.last}]"

        def become(after: Replicator | None, base: State = state) -> State:
            return base._replace(replicators=replaced(base.replicators, me, after))

        dead = Replicator(me.first, 0, "dead", leased=True, awaited=False) if me.leased else None
        if me.at == "dead":
            if self.protocol.leases_expire:
                yield f"{name}: its lease expires", become(None), ""
            return
        if me.at == "doomed":
            landed, rule = self._landed(state, me)
            yield f"{name}: its late write lands", become(dead, landed), rule
            if me.leased and not self.protocol.lease_outlives_writes:
                yield f"{name}: its lease expires", become(me._replace(leased=False)), ""
            return
        if me.at == "unsettled":
            yield f"{name}: its late mark lands", become(dead, self._mark(state, me)), ""
            if self.protocol.leases_expire or not me.leased:
                yield f"{name}: its mark can no longer land", become(None), ""
            return
        if self.bounds.deaths:
            yield f"{name}: dies", become(dead), ""
            if me.at == "writing" and self.bounds.late_writes:
                yield (
                    f"{name}: dies, its write on the way",
                    become(me._replace(at="doomed", awaited=False)),
                    "",
                )

        gate, following = self._gate(me.at, "writing")
        if gate == "lease":
            same = [each for each in state.replicators if each.leased and each.first == me.first]
            if same and self.protocol.one_lease_per_batch:
                yield f"{name}: finds the batch leased, fails", become(None), ""
            else:
                yield f"{name}: puts its lease", become(me._replace(at=following, leased=True)), ""
        elif gate == "look":
            applied = self._marked(state, me)
            if not self._replicator_may_write(state.phase):
                yield f"{name}: sees {state.phase}, fails", become(None), ""
            elif applied:
                known = self._split(state, me, applied)
                settled = self._settled(known, me, min(applied, me.last))
                yield f"{name}: sees it was applied to {applied}", become(None, settled), ""
            else:
                yield f"{name}: sees {state.phase}", become(me._replace(at=following)), ""
        elif me.at == "writing":
            landed, rule = self._landed(state, me)
            for late, known in self._removed(state, self._letter(landed, me)):
                yield (
                    f"{name}: writes record {me.last}{late}",
                    become(me._replace(at="written"), known),
                    rule,
                )
                for last in range(me.first - 1, me.last) if self.bounds.partial else ():
                    part = me._replace(last=last, at="written") if last >= me.first else None
                    yield (
                        f"{name}: writes record {me.last}{late}, leaves another key after {last}",
                        become(part, known),
                        rule,
                    )
            if landed.destination != state.destination:
                yield f"{name}: writes record {me.last}, unanswered", landed, rule
        elif me.at == "written" and self.protocol.marks_before_clearing:
            yield f"{name}: marks", become(me._replace(at="finished"), self._mark(state, me)), ""
            if self.bounds.late_marks:
                unsettled = me._replace(
                    at="unsettled", leased=me.leased and self.protocol.settles_marks, awaited=False
                )
                yield f"{name}: marks, unanswered", become(unsettled), ""
        elif me.at == "written":
            yield f"{name}: clears its lease", become(me._replace(at="finished", leased=False)), ""
        else:
            base = state if self.protocol.marks_before_clearing else self._mark(state, me)
            settled = self._settled(base, me, me.last)
            yield f"{name}: clears its lease, returns", become(None, settled), ""

    def _marked(self, state: State, me: Replicator) -> int:
        """Return up to where the marks say that the batch is applied, or 0."""
        if self.protocol.skips_applied == "first":
            return state.marks[me.first - 1]
        return me.last if self.protocol.skips_applied == "last" and me.last in state.marks else 0

    def _split(self, state: State, me: Replicator, applied: int) -> State:
        """Return the state after the rest of a mark that reaches further than the batch got its own."""
        if applied <= me.last or not self.protocol.splits_marks:
            return state
        return self._mark(state, me._replace(first=me.last + 1, last=applied))

    @staticmethod
    def _mark(state: State, me: Replicator) -> State:
        place = me.first - 1
        last = max(state.marks[place], me.last)
        return state._replace(marks=(*state.marks[:place], last, *state.marks[place + 1 :]))

    @staticmethod
    def _settled(state: State, me: Replicator, last: int) -> State:
        """Return the state after an answer that everything up to a record is applied."""
        return state._replace(checkpoint=last) if me.awaited else state

    def _replicator_may_write(self, phase: Phase) -> bool:
        if self.protocol.alternates:
            return phase in ("draining", "ready")
        return phase not in ("sealing", "sealed")

    def _refused(self, state: State, me: Replicator) -> bool:
        put = state.history[me.last] != ABSENT
        return put and me.last in self.bounds.refused and me.last > state.redriven

    def _letter(self, state: State, me: Replicator) -> State:
        """Return the state after the answer: a dead letter, or none any more if the destination took it."""
        return state._replace(letter=me.last if self._refused(state, me) else 0)

    def _landed(self, state: State, me: Replicator) -> tuple[State, str]:
        """Return the state after the write of the batch's last image, and the rule this breaks."""
        image = state.history[me.last]
        if self._refused(state, me):
            return state, ""
        second = 1 + (me.last - 1) // 2  # two changes in each second
        if self.protocol.orders_by_second:
            if second <= state.second:
                return state, ""
            state = state._replace(second=second)
        open_reads = any(each.at in ("writing", "doomed") for each in state.workers)
        rule = AFTER_SEAL if state.phase == "sealed" else WINDOW if open_reads else ""
        return state._replace(destination=image), rule
