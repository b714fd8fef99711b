"""Every interleaving of the protocol keeps the destination equal, and the known wrong protocols do not."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from tests.model.explorer import STUCK, explore
from tests.model.outcome import Outcome, Recorder, outcome
from tests.model.protocol import Copy, ended, helps
from tests.model.state import ABSENT, Bounds, Protocol
from tests.model.writer import AFTER_SEAL, LOST, UNWANTED, WINDOW

RULES = (LOST, WINDOW, AFTER_SEAL, UNWANTED)
RIGHT = Protocol()

THREE_PUTS = Bounds(changes=3, deletes=False, deaths=False)

CONFIGURATIONS = {
    "three changes": Bounds(changes=3, late_writes=True),
    "two slices": Bounds(changes=2, slices=2, late_writes=True),
    "several workers": Bounds(changes=1, slices=2, workers=2, late_writes=True, executions_end=True),
    "overlapping replicators": Bounds(changes=2, replicators=2, gives_up=True, late_writes=True),
    "overlapping replicators, three changes": replace(THREE_PUTS, replicators=2, gives_up=True),
    "overlapping everything": Bounds(changes=1, slices=2, replicators=2, workers=2, gives_up=True),
    "mapping falls back": Bounds(changes=2, replicators=2, falls_back=True, late_writes=True),
    "mapping falls back and cuts otherwise": replace(THREE_PUTS, replicators=2, falls_back=True),
    "overlapping control": Bounds(changes=1, slices=2, controls=2, late_writes=True),
    "overlapping control, two changes": Bounds(changes=2, controls=2, deaths=False),
    "first record refused": Bounds(changes=2, refused=(1,), late_writes=True),
    "second record refused": Bounds(changes=2, refused=(2,), late_writes=True),
    "several records refused, dead letters removed late": Bounds(
        changes=3, refused=(1, 3), late_settling=True, deaths=False
    ),
    "records refused again, dead letters removed late": Bounds(changes=2, refused=(1, 2), late_settling=True),
    "marks land late": Bounds(changes=2, replicators=2, late_marks=True, falls_back=True, partial=True),
    "written in part": Bounds(changes=3, partial=True, deaths=False),
    "written in part, late writes": Bounds(changes=2, partial=True, late_writes=True),
    "stopped and started": Bounds(changes=1, stops=2, deaths=False),
    "stopped and started, late writes": Bounds(changes=1, stops=1, late_writes=True),
    "stopped and started, overlapping control": Bounds(changes=1, stops=1, controls=2, deaths=False),
    "redrive beside a worker": Bounds(changes=1, workers=2, refused=(1,), late_writes=True),
    "stragglers at the source": Bounds(
        changes=2, replicators=2, gives_up=True, late_writes=True, stragglers=True
    ),
}

CALM = Bounds(changes=1, deaths=False)
TWO_SLICES = replace(CALM, slices=2)
ZOMBIE = Bounds(changes=2, replicators=2, gives_up=True, deaths=False)
REFUSED = replace(CALM, refused=(1,))

# A wrong protocol, the bounds in which only this is wrong, the rules it breaks, and a step that a shortest
# trace to the first of them must have: so that it fails for the reason it is here for.
WRONG: dict[str, tuple[Protocol, Bounds, tuple[str, ...], str]] = {
    "backfill beside the replicator": (
        Protocol(alternates=False, leases=False),
        CALM,
        (LOST, WINDOW),
        "sees slice 1",
    ),
    "backfill beside the replicator, put if absent": (
        Protocol(alternates=False, leases=False, backfill_overwrites=False),
        CALM,
        (LOST, WINDOW),
        "source: delete",
    ),
    "backfill beside the replicator, ordered by whole seconds": (
        Protocol(alternates=False, leases=False, orders_by_second=True),
        Bounds(changes=2, batch=1, deaths=False),
        (LOST, WINDOW),
        "replicator[2-2]: writes record 2",
    ),
    "no leases": (Protocol(leases=False), TWO_SLICES, (LOST, WINDOW), "sees the deadline"),
    "control does not wait for leases at pause": (
        Protocol(waits_at_pause=False),
        TWO_SLICES,
        (WINDOW,),
        "control (saw pausing 2): sees no replicator",
    ),
    "control does not wait for leases at resume": (
        Protocol(waits_at_resume=False),
        TWO_SLICES,
        (LOST, WINDOW),
        "control (saw resuming 1): sees no worker",
    ),
    "control does not wait for leases at seal": (
        Protocol(waits_at_seal=False),
        replace(CALM, stragglers=True),
        (AFTER_SEAL,),
        "control (saw sealing 1): sees nobody",
    ),
    "phase read before the lease is put": (
        Protocol(lease_first=False),
        TWO_SLICES,
        (LOST, WINDOW),
        "sees the deadline",
    ),
    "lease expires while a write can still land": (
        Protocol(lease_outlives_writes=False),
        Bounds(changes=1, slices=2, late_writes=True),
        (LOST, WINDOW),
        "its lease expires",
    ),
    "a worker takes a living worker's lease": (
        Protocol(segment_lease="replaced"),
        replace(TWO_SLICES, workers=2),
        (LOST, WINDOW),
        "backfill/1: replaces the lease",
    ),
    "a replicator's lease is not its batch's": (
        Protocol(one_lease_per_batch=False),
        ZOMBIE,
        (LOST,),
        "mapping: gives up waiting",
    ),
    "a batch is applied again": (
        Protocol(skips_applied="never"),
        ZOMBIE,
        (LOST,),
        "mapping: gives up waiting",
    ),
    "a batch is applied again after the mapping fell back": (
        Protocol(skips_applied="never"),
        Bounds(changes=2, batch=1, deaths=False, falls_back=True),
        (LOST,),
        "mapping: delivers 1-1 again",
    ),
    "the rest of a batch cut otherwise is applied again": (
        Protocol(splits_marks=False),
        Bounds(changes=3, deaths=False, falls_back=True),
        (LOST,),
        "mapping: falls back",
    ),
    "a batch is known by its last record": (
        Protocol(skips_applied="last"),
        ZOMBIE,
        (LOST,),
        "mapping: gives up waiting",
    ),
    "a replicator clears its lease before it marks": (
        Protocol(marks_before_clearing=False),
        ZOMBIE,
        (LOST,),
        "mapping: gives up waiting",
    ),
    "checkpoint passes a write not acknowledged": (
        Protocol(checkpoints_after_write=False),
        Bounds(changes=0),
        (LOST,),
        "backfill/1: dies",
    ),
    "redrive outside a slice": (
        Protocol(redrives_in_slice=False),
        Bounds(changes=2, refused=(1,), deaths=False),
        (LOST, WINDOW),
        "redrive/1: sees draining 1",
    ),
    "ready without drained": (
        Protocol(ready_when_drained=False),
        CALM,
        (LOST,),
        "source: ",
    ),
    "dead letters looked for before drained": (
        Protocol(letters_last=False),
        REFUSED,
        (LOST,),
        "control (saw draining 1): sees no dead letter",
    ),
    "dead letters not looked for again at seal": (
        Protocol(letters_until_seal=False),
        REFUSED,
        (LOST,),
        "control (saw ready 1): sees 1 applied",
    ),
    "a replicator leaves an unanswered mark": (
        Protocol(settles_marks=False),
        Bounds(changes=2, replicators=2, deaths=False, late_marks=True),
        (LOST,),
        "replicator[1-2]: its late mark lands",
    ),
    "dead letters removed without a condition": (
        Protocol(letter_condition=""),
        Bounds(changes=2, refused=(1, 2), deaths=False, late_settling=True),
        (LOST,),
        "a late request removes dead letter",
    ),
    "dead letters known by their record": (
        Protocol(letter_condition="record"),
        Bounds(changes=2, refused=(1, 2), late_settling=True),
        (LOST,),
        "a late request removes dead letter",
    ),
    "a request to seal outlives a stop": (
        Protocol(stop_clears_seal=False),
        Bounds(changes=0, deaths=False, stops=1),
        (UNWANTED,),
        "operator: stops the run",
    ),
    "phases written without a condition": (
        Protocol(versioned_phases=False),
        replace(TWO_SLICES, controls=2),
        (LOST, WINDOW),
        "control: reads",
    ),
}

# Not needed, given everything else: each is a second line of defence.
HARMLESS: dict[str, tuple[Protocol, Bounds, tuple[str, ...]]] = {
    # Leases keep the order of the stream, and what was read in a slice is no older than what was delivered
    # before it: a write that lands late is written over by the replay. But the invariant is broken.
    "control does not wait for leases at pause": (
        Protocol(waits_at_pause=False),
        Bounds(changes=2, slices=2, late_writes=True),
        (LOST, AFTER_SEAL),
    ),
    "control does not wait for leases at pause, overlapping replicators": (
        Protocol(waits_at_pause=False),
        Bounds(changes=2, slices=2, replicators=2, gives_up=True, deaths=False),
        (LOST, AFTER_SEAL),
    ),
    # A worker of an earlier slice that finds a later one has a lease like any other and is waited for.
    "workers of an earlier slice": (
        Protocol(checks_slice_number=False),
        Bounds(changes=1, slices=2, workers=2, late_writes=True),
        RULES,
    ),
    # Replicators in a wrong phase refuse, and the mapping tries again.
    "mapping never disabled": (
        Protocol(disables_mapping=False),
        Bounds(changes=2, slices=2, late_writes=True),
        RULES,
    ),
}


@functools.cache
def explored(protocol: Protocol, bounds: Bounds, rules: tuple[str, ...] = RULES) -> Outcome:
    """Return what goes wrong, if anything. Done once for the same question."""
    return outcome(Copy(protocol, bounds), rules, ended, helps)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_protocol_holds(name: str, record_property: Recorder) -> None:
    """No data lost, no record inside a read and write, nothing after the seal, always a way to the end."""
    found = explored(RIGHT, CONFIGURATIONS[name])
    found.assert_holds()
    record_property("explored", f"{found.size}  {name}")


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_protocol_fails(name: str, record_property: Recorder) -> None:
    """It fails, by what is wrong with it, where the right one holds."""
    protocol, bounds, rules, step = WRONG[name]
    explored(RIGHT, bounds).assert_holds()
    for rule in rules:
        found = explored(protocol, bounds, (rule,))
        record_property("explored", found.assert_fails(name, rule, step if rule == rules[0] else ""))


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_not_needed(name: str, record_property: Recorder) -> None:
    """These break none of the given rules; should one begin to, it is needed, and belongs above."""
    protocol, bounds, rules = HARMLESS[name]
    found = explored(protocol, bounds, rules)
    found.assert_holds()
    record_property("explored", f"{found.size}  harmless: {name}")


def test_a_lease_that_never_expires_is_a_deadlock() -> None:
    """The search for states without a way to the end finds one."""
    found = explored(Protocol(leases_expire=False), Bounds(changes=1))
    assert found.rule == STUCK
    assert found.labels[-1].endswith(": dies")


def test_the_exploration_is_not_empty() -> None:
    """Every phase is reached, and a seal with each outcome: never there, copied, replayed, deleted."""
    found = explore(Copy(RIGHT, TWO_SLICES), RULES)
    phases = {state.phase for state in found.states}
    assert phases == {"pausing", "slice", "resuming", "draining", "ready", "sealing", "sealed"}
    outcomes = {(state.history, state.destination) for state in found.states if state.phase == "sealed"}
    assert outcomes == {
        ((ABSENT,), ABSENT),
        ((ABSENT, 2), 2),
        ((1,), 1),
        ((1, 2), 2),
        ((1, ABSENT), ABSENT),
    }


def test_a_trace_is_made_of_steps_of_the_model() -> None:
    """Each state of a counterexample follows from the one before it by the step that it names."""
    protocol, bounds, rules, _ = WRONG["no leases"]
    model = Copy(protocol, bounds)
    trace = explore(model, rules).counterexample
    assert trace is not None
    assert trace.states[0] in list(model.initial())
    for before, label, after in zip(trace.states, trace.labels, trace.states[1:], strict=False):
        assert (label, after) in [(step[0], step[1]) for step in model.steps(before)]
