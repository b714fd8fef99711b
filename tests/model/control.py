"""Control: reads the phase, acts on AWS, looks, and writes the next phase, each as a step of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.model.state import Bounds, Control, Phase, Protocol, State
from tests.model.writer import UNWANTED, Step


def outdated(protocol: Protocol, controls: Iterable[Control]) -> tuple[Control, ...]:
    """Return invocations of control after somebody else has written the phase."""
    late = (each._replace(current=False) for each in controls)
    # With a conditional write nothing but a side effect is left to one whose reading is outdated.
    return tuple(sorted(each for each in late if not (protocol.versioned_phases and each.acted)))


@dataclass(frozen=True)
class Controls:
    """What invocations of control may do. Each may end between any two steps, and may overlap another."""

    protocol: Protocol
    bounds: Bounds

    def steps(self, state: State) -> Iterator[Step]:
        """Return everything the invocations of control may do next."""
        if state.phase not in ("sealed", "stopped") and len(state.controls) < self.bounds.controls:
            reader = Control(
                state.phase, state.slice, acted=False, then="", no_letter=False, end=-1, current=True
            )
            yield (
                f"control: reads {state.phase} {state.slice}",
                self._with_controls(state, state.controls, reader),
                "",
            )
        for me in dict.fromkeys(state.controls):
            others = list(state.controls)
            others.remove(me)
            name = f"control (saw {me.phase} {me.slice})"
            yield f"{name}: ends", self._with_controls(state, others), ""
            if not me.acted:
                yield self._act(state, me, others, name)
            elif not me.then:
                for label, sure in self._looks(state, me):
                    yield f"{name}: {label}", self._with_controls(state, others, sure), ""
            else:
                number = me.slice + 1 if (me.phase, me.then) == ("draining", "pausing") else me.slice
                written = state._replace(phase=me.then, slice=number)
                if me.then in ("ready", "sealing"):
                    written = written._replace(drained=me.end)
                rule = UNWANTED if me.then == "sealing" and not state.wanted else ""
                yield (
                    f"{name}: writes {me.then}",
                    self._with_controls(written, outdated(self.protocol, others)),
                    rule,
                )

    @staticmethod
    def _with_controls(state: State, others: Iterable[Control], mine: Control | None = None) -> State:
        controls = [*others, mine] if mine else list(others)
        return state._replace(controls=tuple(sorted(controls)))

    def _act(self, state: State, me: Control, others: list[Control], name: str) -> Step:
        """Return the side effect of the phase control has read, which may be the phase no more."""
        label, after = "nothing to do", state
        if me.phase in ("pausing", "sealing"):
            if state.mapping == "on" and self.protocol.disables_mapping:
                label, after = "switches the mapping off", state._replace(mapping="stopping")
        elif me.phase in ("draining", "ready"):
            if state.mapping != "on":
                label, after = "switches the mapping on", state._replace(mapping="on")
        elif me.phase == "slice" and me.slice not in state.executions and not state.passed:
            executions = tuple(sorted((*state.executions, me.slice)))
            label, after = f"starts execution {me.slice}", state._replace(executions=executions)
        acted = me._replace(acted=True)
        over = self.protocol.versioned_phases and not me.current
        return f"{name}: {label}", self._with_controls(after, others, None if over else acted), ""

    def _looks(self, state: State, me: Control) -> Iterator[tuple[str, Control]]:
        """Return what control may see in one consistent look, and what it knows then."""
        replicating = any(each.leased for each in state.replicators)
        copying = any(each.leased for each in state.workers)
        work = not state.passed or state.letter > 0
        if me.phase == "pausing" and not (replicating and self.protocol.waits_at_pause):
            yield "sees no replicator", me._replace(then="slice")
        elif me.phase == "slice" and not work:
            yield "sees all done", me._replace(then="resuming")
        elif me.phase == "slice" and me.slice < self.bounds.slices:
            yield "sees the deadline", me._replace(then="resuming")
        elif me.phase == "resuming" and not (copying and self.protocol.waits_at_resume):
            yield "sees no worker", me._replace(then="draining")
        elif me.phase == "draining" and not state.passed:
            yield "sees work left", me._replace(then="pausing")
        elif me.phase == "sealing" and not ((replicating or copying) and self.protocol.waits_at_seal):
            yield "sees nobody", me._replace(then="sealed")
        elif me.phase in ("draining", "ready"):
            yield from self._looks_for_the_end(state, me)

    def _looks_for_the_end(self, state: State, me: Control) -> Iterator[tuple[str, Control]]:
        """Two looks, one at the stream and the marks, one at the dead letters."""
        ahead: Phase = "ready" if me.phase == "draining" else "sealing"
        if me.phase == "ready" and not self.protocol.letters_until_seal:
            me = me._replace(no_letter=True)
        sees_letters = me.end >= 0 if self.protocol.letters_last else not me.no_letter
        if sees_letters and not me.no_letter:
            if not state.letter:
                seen = me._replace(no_letter=True)
                yield "sees no dead letter", seen._replace(then=ahead) if seen.end >= 0 else seen
            elif me.phase == "draining":
                yield "sees a dead letter", me._replace(then="pausing")
            else:
                yield "sees a dead letter", me._replace(then="draining")
        elif state.applied == state.end or not self.protocol.ready_when_drained:
            if me.phase == "draining" or (state.stopped and state.seal):
                seen = me._replace(end=state.end)
                yield f"sees {state.end} applied", seen._replace(then=ahead) if seen.no_letter else seen
        elif me.phase == "ready":
            yield "sees a change", me._replace(then="draining")
