"""Control: notes its places, follows the applied batches, and says when all is applied or something lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.model.stream.journal import Journal
from tests.model.stream.source import Step
from tests.model.stream.state import ABSENT, FINISHED, UNKNOWN, Bounds, Poller, Protocol, State

LOST = "ready, and the destination is not the source"
FALSE_LOSS = "called lost, and nothing is lost"


@dataclass(frozen=True)
class Control:
    """What control, the backfill and the operators may do. A look at the stream is one step."""

    protocol: Protocol
    bounds: Bounds
    journal: Journal

    def steps(self, state: State) -> Iterator[Step]:
        """Return all that may happen next."""
        if state.phase == "preflight":
            yield from self._preflight(state)
        elif state.phase == "slice":
            yield from self._slice(state)
        elif state.phase == "draining":
            yield from self._draining(state)
            yield from self._operator(state)

    def _preflight(self, state: State) -> Iterator[Step]:
        in_time = state.era == "before" or not self.protocol.notes_in_time
        if all(place == UNKNOWN for place in state.places):
            if self.bounds.from_horizon:
                places = self._noted(state, from_horizon=True, skips_ended=in_time)
                yield "control: notes its places at the horizon", state._replace(places=places), ""
            if self.bounds.from_tip and in_time:
                places = self._noted(state, from_horizon=False, skips_ended=True)
                yield "control: notes its places at the tip", state._replace(places=places), ""
        elif state.era == "margin" or not self.protocol.has_margin:
            yield "control: begins the slice", state._replace(phase="slice", era="since"), ""

    def _noted(self, state: State, *, from_horizon: bool, skips_ended: bool) -> tuple[int, ...]:
        places = []
        for number, shard in enumerate(state.shards):
            if not shard.listed:
                places.append(UNKNOWN)
            elif skips_ended and shard.status == "ended" and self._has_listed_child(state, number):
                places.append(FINISHED)
            else:
                places.append(shard.gone if from_horizon or shard.status == "ended" else len(shard.records))
        return tuple(places)

    def _slice(self, state: State) -> Iterator[Step]:
        for key, copied in enumerate(state.copied):
            if copied:
                continue
            flags = (*state.copied[:key], True, *state.copied[key + 1 :])
            value = state.source[key] or state.destination[key]  # a scan does not return what is not there
            after = state._replace(
                copied=flags, destination=(*state.destination[:key], value, *state.destination[key + 1 :])
            )
            yield (
                f"backfill: copies {'abc'[key]}",
                after._replace(phase="draining") if all(flags) else after,
                "",
            )

    def _draining(self, state: State) -> Iterator[Step]:
        if state.mapping == "replaced":
            if self.protocol.checks_mapping:
                yield "control: stops, the mapping is another one", state._replace(phase="stopped"), ""
            else:
                yield "control: switches the mapping on", state._replace(mapping="own"), ""
            return
        listing = self._listing(state)
        if listing != state.places and self._may_have_lost(state, listing):
            yield "control: a new shard may have lost records", state._replace(phase="lost"), ""
        elif listing != state.places:
            yield "control: lists the shards", state._replace(places=listing, quiet=False), ""
        positions = [self._position(state, number) for number in range(len(state.shards))]
        for number, position in enumerate(positions):
            records = state.shards[number].records
            if position is not None and position < len(records) and state.is_old(records[position]):
                lost = not self.journal.applied(state, number, position) and not records[position].early
                yield (
                    f"control: shard {number} has lost record {position}",
                    state._replace(phase="lost"),
                    "" if lost else FALSE_LOSS,
                )
        if listing == state.places and state.quiet and self._is_drained(state, positions):
            equal = state.source == state.destination
            yield "control: ready", state._replace(phase="ready"), "" if equal else LOST

    def _listing(self, state: State) -> tuple[int, ...]:
        """Return the places after control has listed shards again. A new shard is read from the horizon."""
        places = list(state.places)
        for number, shard in enumerate(state.shards):
            if places[number] == UNKNOWN and shard.listed and self._lists(state, self.bounds.parents[number]):
                places[number] = shard.gone
        return tuple(places)

    def _may_have_lost(self, state: State, listing: tuple[int, ...]) -> bool:
        """Return whether records made since the copy began have left a shard that control did not know."""
        return self.protocol.knows_ages and any(
            not record.early
            for before, place, shard in zip(state.places, listing, state.shards, strict=True)
            if before != place
            for record in shard.records[: shard.gone]
        )

    def _lists(self, state: State, parent: int) -> bool:
        if self.protocol.lists == "all":
            return True
        if parent < 0 or state.places[parent] < 0:
            return False
        children = self.bounds.children(parent)
        return self.protocol.lists == "rows" or all(state.places[child] == UNKNOWN for child in children)

    def _position(self, state: State, number: int) -> int | None:
        """Return the first record of a shard that control does not know to be applied."""
        place = state.places[number]
        if place < 0:
            return None
        shard = state.shards[number]
        while place < len(shard.records):
            early = shard.records[place].early
            if early and (self.protocol.drops_early or place < shard.gone):
                place += 1
                continue
            end = self.journal.end(state, number, place)
            if not end:
                break
            place = end
        return place

    def _is_drained(self, state: State, positions: list[int | None]) -> bool:
        for number, position in enumerate(positions):
            shard = state.shards[number]
            if position is None:
                continue
            if position < len(shard.records):
                return False
            is_leaf = shard.status == "ended" and not self._has_listed_child(state, number)
            if is_leaf and self.protocol.waits_for_children:
                return False
        return True

    def _has_listed_child(self, state: State, number: int) -> bool:
        return any(state.shards[child].listed for child in self.bounds.children(number))

    def _operator(self, state: State) -> Iterator[Step]:
        begun = tuple(Poller(shard.gone, shard.gone) for shard in state.shards)
        if self.bounds.new_mapping and state.mapping == "own":
            yield (
                "operator: replaces the mapping",
                state._replace(mapping="replaced", pollers=begun),
                "",
            )
        if self.bounds.new_journal and not state.journals:
            after = state._replace(
                phase="preflight",
                destination=(ABSENT,) * len(state.source),
                journal=((0,) * self.bounds.size,) * len(state.shards),
                places=(UNKNOWN,) * len(state.shards),
                copied=(False,) * len(state.source),
                pollers=begun if self.protocol.mapping_of_journal else state.pollers,
                quiet=False,
                journals=1,
            )
            yield "operator: replaces the journal, starts immediately", after._replace(era="margin"), ""
            shards = tuple(
                shard._replace(records=tuple(each._replace(early=True) for each in shard.records))
                for shard in state.shards
            )
            yield (
                "operator: replaces the journal, starts later",
                after._replace(era="before", shards=shards),
                "",
            )
