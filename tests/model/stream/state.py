"""What the model of the stream is made of: the protocol's options, a configuration's bounds, and the state.

Records of a shard are counted from 0. A batch is a range of them, and its end is the record after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Phase = Literal["preflight", "slice", "draining", "ready", "lost", "stopped"]

ABSENT = 0
DAY = 2
"""A day, in the unit of `State.time`."""
UNKNOWN = -1
"""The place of a shard that control does not know."""
FINISHED = -2
"""The place of a shard that had ended before the copy: control does not read it."""


@dataclass(frozen=True)
class Protocol:
    """The protocol, with a switch for each thing that can be got wrong. The defaults are the right one."""

    names_have_event_id: bool = True
    """A batch's name is unique in the stream, otherwise it is a number that is unique in its shard only."""
    waits_for_children: bool = True
    """A shard that has ended is not finished until one of its children is listed."""
    lists: Literal["all", "rows", "once"] = "all"
    """Before it is ready, control lists all shards again.

    "rows": only the children of shards that it follows; "once": only those of shards without a known child.
    """
    knows_ages: bool = True
    """A shard that control reads for the first time may have lost what was made a day ago."""
    skips_early: bool = True
    """Records from before the copy are acknowledged without being written."""
    drops_early: bool = True
    """Control does not wait for records from before the copy."""
    cuts_at_early: bool = True
    """A batch is acknowledged up to its last record from before the copy, so that the rest comes by itself.

    Otherwise the rest is written at once, and recorded under a name of its own as well.
    """
    records_rest: bool = True
    looks_up_rest: bool = True
    has_margin: bool = True
    """From before the copy is only what is older than clocks may differ, otherwise what a clock says."""
    notes_in_time: bool = True
    """What control does not read was made longer than the margin before the first slice."""
    old_records: Literal["acknowledged", "refused", "written"] = "acknowledged"
    """A record that is about to leave the stream is acknowledged, but neither written nor recorded.

    The run is lost then, unless the record was applied before. "refused": it is not acknowledged.
    """
    spans_little: bool = True
    """The records of a batch are so close in time that all are old when the first leaves the stream."""
    splits_batches: bool = True
    """The rest of an applied batch gets a name of its own when a part of the batch is delivered again."""
    left_unwritten: Literal["prefix", "last", "unrecorded", "whole", "acknowledged"] = "prefix"
    """What is acknowledged and recorded when a key is left unwritten: all before its first record.

    "last": all before its last record; "unrecorded": the prefix, but nothing is recorded; "whole": the whole
    batch is recorded; "acknowledged": the whole batch is recorded and acknowledged.
    """
    checks_mapping: bool = True
    """The run stops if its mapping is another one."""
    mapping_of_journal: bool = True
    """A new journal has a new mapping."""


@dataclass(frozen=True)
class Bounds:
    """How much may happen in a configuration."""

    parents: tuple[int, ...] = (-1,)
    """The parent of each shard, or -1 if the shard is there from the beginning."""
    homes: tuple[tuple[int, ...], ...] = ((0,),)
    """For each key, the shards that may hold its records, parents first."""
    history: tuple[int, ...] = ()
    """What the first key was made in the first shard, in order, about a day before the copy."""
    changes: int = 2
    deletes: bool = False
    batch: int = 2
    """Records in a batch, at most."""
    splits: bool = False
    """Shards with children may end."""
    time: int = 0
    """How many half days may pass. A record that is a day old may leave the stream at any moment."""
    falls_back: bool = False
    """The mapping may begin again at an earlier batch, or at the first record left."""
    discards: bool = False
    """The mapping may discard records that have left the stream.

    Lambda's developer guide says that it does (parameters for DynamoDB), its API reference that it does not.
    """
    unanswered: bool = False
    """The answer of an invocation may be lost."""
    partial: bool = False
    """An invocation may leave a key unwritten."""
    from_horizon: bool = True
    """Control may read a shard from its first record left."""
    from_tip: bool = True
    """Control may begin a shard at its latest record, without having read what is before."""
    new_mapping: bool = False
    """The mapping may be replaced."""
    new_journal: bool = False
    """The journal may be replaced, and the run begins again with an empty destination."""

    @property
    def size(self) -> int:
        """Return how many records a shard may have."""
        return len(self.history) + self.changes

    def children(self, shard: int) -> list[int]:
        """Return the shards that a shard ends in."""
        return [child for child, parent in enumerate(self.parents) if parent == shard]


class Record(NamedTuple):
    """A change of a key."""

    key: int
    image: int
    early: bool
    """The time it bears shows that it is from before the copy."""
    made: int
    """When it was made, as `State.time`."""


class Shard(NamedTuple):
    """A shard of the stream."""

    status: Literal["none", "open", "ended"]
    listed: bool
    records: tuple[Record, ...]
    gone: int
    """How many records have left the stream."""


class Poller(NamedTuple):
    """What the mapping knows of a shard."""

    at: int
    """The first record that is not acknowledged."""
    held: int
    """The end of the batch that it has read from there; that batch may leave the stream meanwhile."""


class State(NamedTuple):
    """Everything at one moment."""

    source: tuple[int, ...]
    """By key, the item's value."""
    destination: tuple[int, ...]
    shards: tuple[Shard, ...]
    pollers: tuple[Poller, ...]
    mapping: Literal["own", "replaced"]
    journal: tuple[tuple[int, ...], ...]
    """By the first record of an applied batch, its end, or 0."""
    places: tuple[int, ...]
    """By shard, the record from which control follows the applied batches, or UNKNOWN, or FINISHED."""
    phase: Phase
    era: Literal["before", "margin", "since"]
    """When it is: well before the first slice, just before it, or after it began."""
    copied: tuple[bool, ...]
    """By key, whether the scan has copied it."""
    quiet: bool
    """No shard was new to control for as long as it wants to see a shard empty."""
    changes: int
    time: int
    """How many half days have passed."""
    journals: int

    def is_old(self, record: Record) -> bool:
        """Return whether a record may leave the stream."""
        return self.time - record.made >= DAY

    def __str__(self) -> str:
        """Return the state in a line."""

        def items(values: tuple[int, ...]) -> str:
            return " ".join(f"{'abc'[key]}{value}" if value else "-" for key, value in enumerate(values))

        parts = [
            f"{self.phase} ({self.era})",
            f"source {items(self.source)}",
            f"destination {items(self.destination)}",
        ]
        for number, (shard, poller) in enumerate(zip(self.shards, self.pollers, strict=True)):
            if shard.status == "none":
                continue
            images = " ".join(_describe(record, shard, at) for at, record in enumerate(shard.records))
            parts.append(
                f"shard {number}{'' if shard.listed else ' unlisted'} {shard.status} [{images}] "
                f"mapping {poller.at}-{poller.held} control {self.places[number]} "
                f"applied {self.journal[number]}"
            )
        return " | ".join(parts)


def _describe(record: Record, shard: Shard, at: int) -> str:
    text = f"{'abc'[record.key]}{record.image or '-'}{'e' if record.early else ''}"
    return f"({text})" if at < shard.gone else text
