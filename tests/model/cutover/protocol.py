"""The cutover with a proof, as a model to explore: two streams, two readers, a baseline, rechecks, the seal.

The other models show what the replicator does right. This one does not trust it: it loses a change, lets one
land late, or invents one, and the verdict `equal` must still be true.

Modelled: records that are shown late; readers that are killed between their notes and their place; pairs of
reads with writes between them; writers that go on after they were told to stop; attempts that are given up.

Assumed, as by the verdict `equal (seen)`: a stream shows a record within the quiet time. A write after the
writers were said to be stopped that no look could see is the operator's.

Abstracted away: shards, and more than one key: each key is judged alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.cutover.state import NOTHING, SPOILT, Bounds, Phase, Protocol, Reader, Recheck, State

Step = tuple[str, State, str]

FALSE_EQUAL = "called equal, and the tables differ"
FALSE_DIFFERENCE = "called different, and the tables are equal"

HINDRANCES = ("writer: ", "straggler: ", "fault: ", "dies", "operator: gives up")
"""Steps on which no way to the end relies."""


class Cutover:
    """A protocol within bounds."""

    def __init__(self, protocol: Protocol, bounds: Bounds) -> None:
        self.protocol = protocol
        self.bounds = bounds

    def initial(self) -> Iterator[State]:
        """Return the copy in sync, and with an item that was spoilt before."""
        yield State()
        if self.bounds.spoilt:
            yield State(destination=SPOILT, before=SPOILT)

    def fault(self, state: State) -> str:
        """Return nothing: what is wrong is wrong with a step."""
        return ""

    def steps(self, state: State) -> Iterator[Step]:
        """Return everything that may happen next. Nothing more is of interest after the end."""
        if not ended(state):
            yield from self._writers(state)
            yield from self._replicator(state)
            yield from self._streams(state)
            yield from self._readers(state)
            yield from self._baseline(state)
            yield from self._rechecks(state)
            yield from self._control(state)

    # What happens to the tables

    def _writers(self, state: State) -> Iterator[Step]:
        written = state._replace(made=state.made + 1)
        if state.phase == "sync":
            if state.made - state.stragglers < self.bounds.writes:
                yield "writer: writes", written, ""
        elif state.stragglers < self.bounds.stragglers:
            yield "straggler: writes", written._replace(stragglers=state.stragglers + 1), ""

    def _replicator(self, state: State) -> Iterator[Step]:
        if state.pending != NOTHING:
            yield "replicator: a late write lands", _put(state, state.pending)._replace(pending=NOTHING), ""
            yield "replicator: a late write ends", state._replace(pending=NOTHING), ""
        if state.phase not in ("sync", "stopping", "drained"):
            return
        if state.applied < state.made:
            applied = state._replace(applied=state.applied + 1)
            yield "replicator: applies", _put(applied, applied.applied), ""
            if state.lost < self.bounds.lost:
                yield "fault: a change is lost", applied._replace(lost=state.lost + 1), ""
            if state.late < self.bounds.late and state.pending == NOTHING:
                late = state._replace(pending=applied.applied, late=state.late + 1)
                yield "fault: a write has no answer", late, ""
        if state.invented < self.bounds.invented:
            yield (
                "fault: a value is invented",
                _put(state, SPOILT)._replace(invented=state.invented + 1),
                "",
            )

    def _streams(self, state: State) -> Iterator[Step]:
        if state.shown < state.made:
            yield "source's stream: shows a record", state._replace(shown=state.shown + 1), ""
        if state.written_shown < state.written:
            yield (
                "destination's stream: shows a record",
                state._replace(written_shown=state.written_shown + 1),
                "",
            )

    # What is noted

    def _readers(self, state: State) -> Iterator[Step]:
        for name, reader, shown in (
            ("control", state.control, state.shown),
            ("tracker", state.tracker, state.written_shown),
        ):
            if not reader.notes and (state.baseline == "equal" or self.protocol.notes_before_baseline):
                if name == "control":
                    begun = reader._replace(notes=True)
                    yield "control: begins to note", state._replace(control=begun), ""
                elif self.protocol.covers_destination:
                    begun = Reader(shown, shown, notes=True)
                    yield "tracker: notes its place", state._replace(tracker=begun), ""
            # Control reads its stream all the time; the tracker from its place on.
            if reader.at < shown and not reader.owes and (reader.notes or name == "control"):
                read = reader._replace(at=reader.at + 1)
                if not reader.notes:
                    yield f"{name}: reads", state._replace(control=read), ""
                elif self.protocol.saves_after_notes:
                    yield f"{name}: reads and notes", _noted(_with(state, name, read)), ""
                else:
                    owing = read._replace(saved=read.at, owes=True)
                    yield f"{name}: reads and saves its place", _with(state, name, owing), ""
            if reader.owes:
                yield f"{name}: notes", _noted(_with(state, name, reader._replace(owes=False))), ""
            elif reader.saved < reader.at and self.bounds.kills:
                yield f"{name}: saves its place", _with(state, name, reader._replace(saved=reader.at)), ""
            if state.kills < self.bounds.kills and (reader.owes or reader.saved < reader.at):
                again = reader._replace(at=reader.saved, owes=False)
                dead = _with(state, name, again)._replace(kills=state.kills + 1)
                # The tracker also reads the keys again.
                yield f"{name}: dies", dead._replace(recheck=Recheck()) if name == "tracker" else dead, ""

    # What is compared

    def _baseline(self, state: State) -> Iterator[Step]:
        if state.baseline in ("none", "open"):
            ready = state.control.notes and (state.tracker.notes or not self.protocol.covers_destination)
            if ready or not self.protocol.notes_before_baseline:
                yield "baseline: begins", state._replace(baseline="reading", scan=_begun(state)), ""
        elif state.baseline == "reading":
            for label, scan, equal in self._read(state, state.scan):
                after = state._replace(scan=scan)
                if equal is not None:
                    after = after._replace(baseline="equal" if equal else "open")
                yield f"baseline: {label}", after, ""
                if equal is False and state.scan.calm and not state.scan.stale:
                    yield from self._standing(after)

    def _rechecks(self, state: State) -> Iterator[Step]:
        if not state.recheck.side:
            if state.touched:
                yield "recheck: reads the list", state._replace(recheck=_begun(state)), ""
            return
        for label, recheck, equal in self._read(state, state.recheck):
            after = state._replace(recheck=recheck)
            stays = state.recheck.stale and self.protocol.removes_read_version
            if equal and not stays:
                after = after._replace(touched=False)
            yield f"recheck: {label}", after, ""
            if equal is False and state.recheck.calm and not state.recheck.stale:
                yield from self._standing(after)

    def _standing(self, state: State) -> Iterator[Step]:
        """Refuse if everything is applied and noted, and nothing may still land: the difference stays."""
        if _is_calm(state):
            wrong = FALSE_DIFFERENCE if state.destination == state.made else ""
            yield "recheck: the difference stands", state._replace(phase="refused"), wrong

    def _read(self, state: State, recheck: Recheck) -> Iterator[tuple[str, Recheck, bool | None]]:
        """Return the ways to read the next side, and whether both were equal once both are read."""
        for side, newest, older in (
            ("source", state.made, max(0, state.made - 1)),
            ("destination", state.destination, state.before),
        ):
            if side == recheck.side:
                continue
            for value in {newest} if self.protocol.consistent else {newest, older}:
                label = f"reads {side} {value}"
                if recheck.side == "begun":
                    yield label, recheck._replace(side=side, value=value), None  # type: ignore[arg-type]
                else:
                    yield label, Recheck(), value == recheck.value

    # The cutover

    def _control(self, state: State) -> Iterator[Step]:
        rules = self.protocol
        if state.phase == "sync":
            if state.attempts < self.bounds.attempts:
                yield (
                    "operator: the writers have stopped",
                    state._replace(phase="stopping", quiet_from=state.made, attempts=state.attempts + 1),
                    "",
                )
            return
        if state.attempts < self.bounds.attempts:
            yield "operator: gives up", self._resumed(state), ""
        proved = state.proved_at != NOTHING
        if proved and state.phase != "listed" and state.shown > state.proved_at and rules.looks_last:
            yield "control: a late change, resumes", self._resumed(state), ""
        read = state.control.at == state.shown <= state.applied and not state.control.owes
        if not proved and state.phase in ("sealing", "fenced", "early", "noted", "listed"):
            if state.shown > state.applied:
                yield "control: fenced too early", state._replace(phase="stopping"), ""
            quiet = state.shown >= state.quiet_from or not rules.waits_for_quiet
            if state.phase != "sealing" and ((quiet and read) or not rules.reads_source_to_end):
                yield "control: the source is quiet", state._replace(proved_at=state.control.at), ""
        match state.phase:
            case "stopping":
                if read or not rules.reads_source_to_end:
                    yield "control: nothing is left", state._replace(phase="drained"), ""
            case "drained":
                # What the replicator does between the look and the phase is not seen by this look.
                yield "control: seals", state._replace(phase="sealing"), ""
            case "sealing":
                if state.pending == NOTHING or not rules.fences_first:
                    fenced = state._replace(phase="fenced", fenced_from=state.written)
                    yield "control: nothing writes any more", fenced, ""
            case "fenced" if not rules.lists_last:
                if not state.touched and state.baseline == "equal":
                    yield "tracker: no key is left", state._replace(phase="early"), ""
            case "fenced" | "early":
                quiet = state.written_shown >= state.fenced_from or not rules.waits_for_quiet
                read = state.tracker.at == state.written_shown and not state.tracker.owes
                again = state.proved and not rules.proves_again
                if (quiet and read) or again or not self._reads_destination:
                    following: Phase = "noted" if rules.lists_last else "listed"
                    yield "tracker: has read to the end", state._replace(phase=following), ""
            case "noted":
                compared = state.baseline == "equal" or not rules.wants_baseline
                noting = state.control.notes and (state.tracker.notes or not rules.covers_destination)
                after_source = proved or not rules.lists_after_source
                if not state.touched and compared and noting and after_source:
                    yield "tracker: no key is left", state._replace(phase="listed"), ""
            case "listed" if proved:
                yield from self._last_look(state)

    def _resumed(self, state: State) -> State:
        """Return the copy in sync again; it stays so if this was the last attempt."""
        proved = state.proved or state.phase in ("noted", "listed")
        phase: Phase = "sync" if state.attempts < self.bounds.attempts else "resumed"
        return state._replace(phase=phase, proved=proved, proved_at=NOTHING)

    @property
    def _reads_destination(self) -> bool:
        return self.protocol.covers_destination and self.protocol.reads_destination_to_end

    def _last_look(self, state: State) -> Iterator[Step]:
        rules = self.protocol
        is_new = state.shown > state.proved_at if rules.looks_at == "new" else state.shown > state.applied
        if is_new and rules.looks_last:
            yield "control: a late change, resumes", self._resumed(state), ""
            return
        # A late write that no look could see is the writer's.
        unseen = state.shown < state.made and state.made > state.quiet_from
        equal = state.destination == state.made or unseen
        yield "control: sealed, equal", state._replace(phase="sealed"), "" if equal else FALSE_EQUAL


def _is_calm(state: State) -> bool:
    """Return whether writes have stopped, everything is applied and noted, and nothing may still land."""
    return (
        state.phase != "sync"
        and state.applied == state.shown == state.made
        and state.pending == NOTHING
        and state.control.at == state.shown
        and state.tracker.at == state.written_shown == state.written
    )


def _begun(state: State) -> Recheck:
    return Recheck("begun", calm=_is_calm(state))


def _put(state: State, value: int) -> State:
    return state._replace(destination=value, before=state.destination, written=state.written + 1)


def _noted(state: State) -> State:
    reads = {
        name: each._replace(stale=True)
        for name, each in (("recheck", state.recheck), ("scan", state.scan))
        if each.side
    }
    return state._replace(touched=True, **reads)  # type: ignore[arg-type]


def _with(state: State, name: str, reader: Reader) -> State:
    return state._replace(control=reader) if name == "control" else state._replace(tracker=reader)


def ended(state: State) -> bool:
    """Return whether there is a verdict, or the last attempt is over and the copy is in sync."""
    return state.phase in ("sealed", "refused", "resumed")


def helps(label: str) -> bool:
    """Return whether a step is one that a way to the end may rely on."""
    return not any(part in label for part in HINDRANCES)
