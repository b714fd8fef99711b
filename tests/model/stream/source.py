"""The source and its stream: changes, shards that end, children that are listed late, records that leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.model.stream.state import ABSENT, UNKNOWN, Bounds, Protocol, Record, Shard, State

Step = tuple[str, State, str]


@dataclass(frozen=True)
class Source:
    """What happens whatever the copy does."""

    protocol: Protocol
    bounds: Bounds

    def steps(self, state: State) -> Iterator[Step]:
        """Return all that may happen next."""
        yield from self._changes(state)
        yield from self._shards(state)
        yield from self._time(state)

    def _changes(self, state: State) -> Iterator[Step]:
        if state.changes == self.bounds.changes:
            return
        value = len(self.bounds.history) + state.changes + 1
        for key, homes in enumerate(self.bounds.homes):
            home = next(each for each in reversed(homes) if state.shards[each].status == "open")
            yield from self._change(state, key, home, value)
            if self.bounds.deletes and state.source[key] != ABSENT:
                yield from self._change(state, key, home, ABSENT)

    def _change(self, state: State, key: int, home: int, image: int) -> Iterator[Step]:
        shard = state.shards[home]
        for early in self._stamps(state, shard):
            records = (*shard.records, Record(key, image, early, state.time))
            stamp = ", stamped before the copy" if early else ""
            yield (
                f"source: {'abc'[key]}{image or ' deleted'} in shard {home}{stamp}",
                with_shard(state, home, shard._replace(records=records))._replace(
                    source=(*state.source[:key], image, *state.source[key + 1 :]),
                    changes=state.changes + 1,
                ),
                "",
            )

    def _stamps(self, state: State, shard: Shard) -> tuple[bool, ...]:
        """Return whether a record made now may count as from before the copy, by the time it bears."""
        if state.era == "before":
            return (True,)
        if not self.protocol.has_margin and all(record.early for record in shard.records):
            return True, False
        return (False,)

    def _shards(self, state: State) -> Iterator[Step]:
        for number, shard in enumerate(state.shards):
            children = self.bounds.children(number)
            if self.bounds.splits and children and shard.status == "open":
                after = with_shard(state, number, shard._replace(status="ended"))
                for child in children:
                    after = with_shard(after, child, after.shards[child]._replace(status="open"))
                yield f"stream: shard {number} ends", after, ""
            if shard.status != "none" and not shard.listed:
                yield (
                    f"stream: lists shard {number}",
                    with_shard(state, number, shard._replace(listed=True)),
                    "",
                )

    def _time(self, state: State) -> Iterator[Step]:
        if state.phase == "preflight" and state.era == "before" and self.protocol.has_margin:
            yield "time: the margin before the first slice begins", state._replace(era="margin"), ""
        if state.phase == "draining" and not state.quiet and self._has_siblings(state):
            yield "time: it has been quiet", state._replace(quiet=True), ""
        if state.time < self.bounds.time and state.era != "margin":
            yield "time: half a day passes", state._replace(time=state.time + 1), ""
        for number, shard in enumerate(state.shards):
            if shard.gone < len(shard.records) and state.is_old(shard.records[shard.gone]):
                yield (
                    f"time: a record leaves shard {number}",
                    with_shard(state, number, shard._replace(gone=shard.gone + 1)),
                    "",
                )

    def _has_siblings(self, state: State) -> bool:
        """Return whether all siblings of each child that control knows are listed.

        A belief about AWS: a first child may be listed at any time, but the second one is listed within the
        time for which control wants to see nothing new in the first.
        """
        for number, shard in enumerate(state.shards):
            parent = self.bounds.parents[number]
            if parent < 0 or shard.status == "none" or shard.listed:
                continue
            if any(state.places[child] != UNKNOWN for child in self.bounds.children(parent)):
                return False
        return True


def with_shard(state: State, number: int, shard: Shard) -> State:
    """Return the state with one shard changed."""
    return state._replace(shards=(*state.shards[:number], shard, *state.shards[number + 1 :]))
