"""The copy the other way that begins at the seal, as a model to explore: one key, and the new table's stream.

At the seal both tables are equal and no one writes. The new table's stream holds what the first copy wrote
before, and gets what the new writers write. The second copy applies it to the old table without a backfill.

Modelled: clocks that differ, so that a write from after the seal may bear a time from before it; records that
leave the stream; a second copy that begins late, and deliveries that begin again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

Step = tuple[str, "Way", str]

LOST = "a write is lost on the way there or back"


@dataclass(frozen=True)
class WayBack:
    """How the second copy begins, with a switch for each thing that can be got wrong."""

    margin: bool = True
    """It applies what was made a little before the seal, by the time that it bears."""
    from_horizon: bool = True
    """It reads the stream from its oldest record, otherwise from where it is when it begins."""
    refuses_late: bool = True
    """It does not begin when a record made after the seal may have left the stream."""
    wants_equal: bool = True
    """It does not begin if the tables were not proved equal."""
    wants_seal: bool = True
    """The first copy is sealed. Otherwise it sends what the second one writes back to the new table."""


class Record(NamedTuple):
    """A change of the new table, with the time that it bears."""

    image: int
    stamp: Literal["long before", "just before", "after"]
    is_new: bool
    """The new writers made it."""


class Way(NamedTuple):
    """Everything at one moment."""

    new: int
    old: int
    equal: bool
    """They were equal at the seal."""
    records: tuple[Record, ...]
    gone: int = 0
    at: int = -1
    """The next record to apply; -1 before the second copy begins."""
    fallen: int = 0
    echo: int = -1
    """What the first copy is about to write to the new table, if it was not sealed."""
    late: bool = False
    """A day has passed: any record may leave the stream."""
    writes: int = 0
    phase: Literal["open", "stopped", "back", "refused"] = "open"


class WayBackModel:
    """A way back within bounds: so many writes to the new table, and so many deliveries again."""

    def __init__(self, rules: WayBack, writes: int = 2, falls: int = 1) -> None:
        self.rules = rules
        self._writes = writes
        self._falls = falls

    def initial(self) -> Iterator[Way]:
        """Return the moment of the seal, equal and not."""
        history = (Record(1, "long before", is_new=False), Record(2, "just before", is_new=False))
        yield Way(2, 2, True, history)
        yield Way(2, 1, False, tuple(each._replace(stamp="long before") for each in history))

    def fault(self, state: Way) -> str:
        """Return nothing: what is wrong is wrong with a step."""
        return ""

    def steps(self, state: Way) -> Iterator[Step]:
        """Return everything that may happen next."""
        if over(state):
            return
        if not state.late:
            yield "time: a day passes", state._replace(late=True), ""
        # A second copy that follows the stream applies a record long before it leaves.
        elif state.gone < len(state.records) and (state.at < 0 or state.at > state.gone):
            yield "stream: a record leaves", state._replace(gone=state.gone + 1), ""
        if state.at < 0:
            yield from self._begins(state)
        else:
            yield from self._copies(state)
        if state.phase == "open":
            if state.writes < self._writes:
                image = 3 + state.writes
                for stamp in ("just before", "after"):
                    record = Record(image, stamp, is_new=True)
                    written = state._replace(
                        new=image, records=(*state.records, record), writes=state.writes + 1
                    )
                    yield f"writer: writes {image}, stamped {stamp} the seal", written, ""
            if state.at >= 0:
                yield "operator: stops the writers", state._replace(phase="stopped"), ""

    def _begins(self, state: Way) -> Iterator[Step]:
        rules = self.rules
        if (state.late and rules.refuses_late) or (not state.equal and rules.wants_equal):
            yield "second copy: refuses to begin", state._replace(phase="refused"), ""
            return
        at = state.gone if rules.from_horizon else len(state.records)
        yield "second copy: begins at the seal", state._replace(at=at), ""

    def _copies(self, state: Way) -> Iterator[Step]:
        if state.at < len(state.records):
            record = state.records[state.at]
            is_before = record.stamp == "long before" or (
                record.stamp == "just before" and not self.rules.margin
            )
            after = state._replace(at=state.at + 1)
            if not is_before:
                echo = state.echo if self.rules.wants_seal else record.image
                after = after._replace(old=record.image, echo=echo)
            yield f"second copy: {'skips' if is_before else 'applies'} {record.image}", after, ""
        elif state.phase == "stopped" and state.echo < 0:
            lost = state.new != state.old or state.new != 2 + state.writes
            yield "second copy: sealed, the writers are back", state._replace(phase="back"), LOST * lost
        if state.at > state.gone and state.fallen < self._falls:
            again = state._replace(at=state.gone, fallen=state.fallen + 1)
            yield "second copy: its deliveries begin again", again, ""
        if state.echo >= 0:
            overwritten = LOST * (state.echo != state.new)
            yield "first copy: writes what came back", state._replace(new=state.echo, echo=-1), overwritten


def over(state: Way) -> bool:
    """Return whether the writers are back at the old table, or the second copy was refused."""
    return state.phase in ("back", "refused")


def helps(label: str) -> bool:
    """Return whether a step is one that a way to the end may rely on."""
    return not any(part in label for part in ("writer: ", "again", "leaves", "time: "))
