"""Whatever happens to the stream, the protocol follows it, and the known wrong protocols do not."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from tests.model.explorer import STUCK, explore
from tests.model.outcome import Outcome, Recorder, outcome
from tests.model.stream.control import FALSE_LOSS, LOST
from tests.model.stream.protocol import Stream, ended, helps
from tests.model.stream.state import DAY, Bounds, Protocol

RULES = (LOST, FALSE_LOSS)
RIGHT = Protocol()
# A batch with records from before the copy is not acknowledged in two parts, but recorded under two names.
BESIDE = Protocol(cuts_at_early=False)

ROLL = Bounds(parents=(-1, 0), homes=((0, 1),), splits=True)
SPLIT = Bounds(parents=(-1, 0, 0), homes=((0, 1), (0, 2)), splits=True)
NUMBERS = Bounds(parents=(-1, -1), homes=((0,), (1,)))
KEYS = Bounds(homes=((0,), (0,)), partial=True)
TIME = Bounds(time=DAY, changes=3)

CONFIGURATIONS = {
    "one shard": Bounds(changes=3, deletes=True, falls_back=True, unanswered=True),
    "a stream with a history": Bounds(history=(1, 0), falls_back=True, batch=3),
    "a history that leaves the stream": Bounds(history=(1, 0), changes=1, falls_back=True, batch=3, time=DAY),
    "records leave the stream": replace(TIME, falls_back=True, unanswered=True, discards=True),
    "a shard ends": replace(ROLL, changes=3, falls_back=True),
    "a shard ends, records leave": replace(ROLL, falls_back=True, time=DAY),
    "a shard ends, and its child": Bounds(parents=(-1, 0, 1), homes=((0, 1, 2),), splits=True),
    "a shard is split": replace(SPLIT, falls_back=True),
    "a shard is split, records leave": replace(SPLIT, changes=1, time=DAY),
    "equal numbers in two shards": replace(NUMBERS, changes=3, falls_back=True, unanswered=True),
    "written in part": replace(KEYS, changes=3, batch=3, falls_back=True, unanswered=True),
    "another mapping": replace(TIME, new_mapping=True),
    "another mapping, falls back": replace(TIME, changes=2, new_mapping=True, falls_back=True),
    "another journal": Bounds(new_journal=True, falls_back=True),
    "another journal, records leave": Bounds(new_journal=True, time=DAY),
}

# As in the first model's tests.
WRONG: dict[str, tuple[Protocol, Bounds, tuple[str, ...], str]] = {
    "a shard that has ended is finished": (
        Protocol(waits_for_children=False),
        replace(ROLL, changes=1),
        (LOST,),
        "source: a1 in shard 1",
    ),
    "a split is known by its first child": (
        Protocol(lists="once"),
        replace(SPLIT, changes=1),
        (LOST,),
        "stream: lists shard",
    ),
    "control lists the children of shards that it follows": (
        Protocol(lists="rows"),
        replace(SPLIT, changes=1),
        (LOST,),
        "stream: lists shard",
    ),
    "control takes a shard's first record left for its first": (
        Protocol(knows_ages=False),
        replace(ROLL, changes=1, time=DAY),
        (LOST,),
        "time: a record leaves shard 1",
    ),
    "records from before the copy are written": (
        Protocol(skips_early=False),
        Bounds(),
        (LOST,),
        "stamped before the copy",
    ),
    "a deleted item comes back": (
        Protocol(skips_early=False, drops_early=False, old_records="written"),
        Bounds(history=(1, 0), changes=0, from_tip=False),
        (LOST,),
        "time: a record leaves shard 0",
    ),
    "control waits for records from before the copy": (
        Protocol(drops_early=False, spans_little=False),
        Bounds(history=(1,), changes=1, from_tip=False),
        (STUCK,),
        "time: a record leaves shard 0",
    ),
    "the rest after records from before the copy has no name": (
        Protocol(cuts_at_early=False, records_rest=False),
        Bounds(),
        (STUCK,),
        "mapping, shard 0: reads 0-1",
    ),
    "the rest after records from before the copy is not looked up": (
        Protocol(cuts_at_early=False, looks_up_rest=False, spans_little=False),
        Bounds(history=(1, 2), falls_back=True, batch=3),
        (LOST,),
        "mapping, shard 0: falls back",
    ),
    "clocks without a margin": (
        Protocol(has_margin=False),
        Bounds(changes=1),
        (LOST,),
        "stamped before the copy",
    ),
    "control begins at the tip just before the slice": (
        Protocol(notes_in_time=False),
        Bounds(),
        (STUCK,),
        "control: notes its places at the tip",
    ),
    "control passes a shard that ended just before the slice": (
        Protocol(notes_in_time=False),
        replace(ROLL, from_tip=False),
        (LOST,),
        "stream: shard 0 ends",
    ),
    "old records are written": (
        Protocol(old_records="written"),
        replace(TIME, falls_back=True),
        (LOST,),
        "mapping, shard 0: falls back to 1",
    ),
    "old records are refused": (
        Protocol(old_records="refused"),
        replace(TIME, falls_back=True),
        (STUCK,),
        "mapping, shard 0: falls back to 1",
    ),
    "a batch spans hours": (
        Protocol(spans_little=False),
        replace(TIME, falls_back=True),
        (LOST,),
        "mapping, shard 0: falls back to 1",
    ),
    "the rest of a batch cut otherwise has no name": (
        Protocol(splits_batches=False),
        Bounds(changes=3, falls_back=True),
        (LOST,),
        "mapping, shard 0: falls back",
    ),
    "a batch written in part is recorded whole": (
        Protocol(left_unwritten="whole"),
        KEYS,
        (LOST,),
        "unwritten",
    ),
    "a batch written in part is acknowledged whole": (
        Protocol(left_unwritten="acknowledged"),
        replace(KEYS, changes=1),
        (LOST,),
        "unwritten",
    ),
    "a batch written in part is not recorded": (
        Protocol(left_unwritten="unrecorded"),
        KEYS,
        (STUCK,),
        "unwritten",
    ),
    "another mapping goes on, old records are written": (
        Protocol(checks_mapping=False, old_records="written"),
        replace(TIME, new_mapping=True),
        (LOST,),
        "operator: replaces the mapping",
    ),
    "another mapping goes on, a batch spans hours": (
        Protocol(checks_mapping=False, spans_little=False),
        replace(TIME, new_mapping=True),
        (LOST,),
        "operator: replaces the mapping",
    ),
    "another mapping goes on, and cuts otherwise": (
        Protocol(checks_mapping=False, splits_batches=False),
        Bounds(changes=3, new_mapping=True),
        (LOST,),
        "operator: replaces the mapping",
    ),
    "another journal under the same mapping": (
        Protocol(mapping_of_journal=False),
        Bounds(changes=1, new_journal=True),
        (STUCK,),
        "operator: replaces the journal, starts immediately",
    ),
    "another journal, records from before it are written": (
        Protocol(mapping_of_journal=False, skips_early=False),
        Bounds(new_journal=True, falls_back=True),
        (LOST,),
        "",
    ),
    "batches are known by their numbers": (
        Protocol(names_have_event_id=False),
        NUMBERS,
        (LOST,),
        "source: b2 in shard 1",
    ),
}

# Not needed, given everything else.
HARMLESS: dict[str, tuple[Protocol, Bounds]] = {
    "records from before the copy and others in one batch": (
        BESIDE,
        Bounds(history=(1, 0), falls_back=True, batch=3),
    ),
    "both in one batch, records leave": (BESIDE, CONFIGURATIONS["records leave the stream"]),
    # A batch spans little, so the records from before the copy are gone only when the rest is old.
    "both in one batch, the rest not looked up": (
        replace(BESIDE, looks_up_rest=False),
        Bounds(history=(1, 2), falls_back=True, batch=3),
    ),
    # What another mapping delivers again is recorded, or old.
    "another mapping goes on": (Protocol(checks_mapping=False), replace(TIME, new_mapping=True)),
    # Only another mapping, or one that falls back, delivers what was applied a day ago.
    "old records are written": (Protocol(old_records="written"), replace(TIME, new_mapping=True)),
    "old records are refused, and the mapping discards them": (
        Protocol(old_records="refused"),
        replace(TIME, falls_back=True, discards=True),
    ),
    # An earlier image of the key that was not written is of no use once a later one is.
    "a batch written in part is acknowledged to a key's last record": (
        Protocol(left_unwritten="last"),
        replace(KEYS, changes=3, batch=3),
    ),
}


@functools.cache
def explored(protocol: Protocol, bounds: Bounds, rules: tuple[str, ...] = RULES) -> Outcome:
    """Return what goes wrong, if anything. Done once for the same question."""
    return outcome(Stream(protocol, bounds), rules, ended, helps)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_stream_is_followed(name: str, record_property: Recorder) -> None:
    """Never ready too early, never called lost without need, and always a way to the end."""
    found = explored(RIGHT, CONFIGURATIONS[name])
    found.assert_holds()
    record_property("explored", f"{found.size}  {name}")


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_stream_fails(name: str, record_property: Recorder) -> None:
    """It fails, by what is wrong with it, where the right one holds."""
    protocol, bounds, rules, step = WRONG[name]
    explored(RIGHT, bounds).assert_holds()
    for rule in rules:
        record_property("explored", explored(protocol, bounds, (rule,)).assert_fails(name, rule, step))


@pytest.mark.parametrize("name", HARMLESS)
def test_what_the_stream_does_not_need(name: str, record_property: Recorder) -> None:
    """Should one of these begin to break a rule, it is needed, and belongs above."""
    found = explored(*HARMLESS[name])
    found.assert_holds()
    record_property("explored", f"{found.size}  harmless: {name}")


def test_every_end_is_reached() -> None:
    """The run gets ready, it loses records that left the stream, and it stops for another mapping."""
    found = explore(Stream(RIGHT, CONFIGURATIONS["another mapping"]), RULES)
    assert {state.phase for state in found.states if ended(state)} == {"ready", "lost", "stopped"}
