"""Explore the cutover and its audit: the right proofs hold, and each wrong one gives a false verdict."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from tests.model.cutover import audit
from tests.model.cutover.audit import AuditModel, Rules
from tests.model.cutover.protocol import FALSE_DIFFERENCE, FALSE_EQUAL, Cutover, ended, helps
from tests.model.cutover.state import Bounds, Protocol
from tests.model.cutover.way_back import LOST, WayBack, WayBackModel, over
from tests.model.cutover.way_back import helps as helps_back
from tests.model.explorer import explore
from tests.model.outcome import Outcome, Recorder, outcome

RIGHT = Protocol()
RULES = (FALSE_EQUAL, FALSE_DIFFERENCE)

CONFIGURATIONS: dict[str, Bounds] = {
    "two writes": Bounds(writes=2),
    "a spoilt item": Bounds(spoilt=True),
    "a lost change": Bounds(writes=2, lost=1),
    "an invented value": Bounds(invented=1),
    "a late write": Bounds(writes=2, late=1),
    "a straggler": Bounds(stragglers=1, lost=1),
    "deaths": Bounds(kills=2, lost=1),
    "two attempts": Bounds(attempts=2, invented=1),
}

# What is wrong, and bounds within which it shows, as it does not with the right protocol.
WRONG: dict[str, tuple[Protocol, Bounds, str]] = {
    "the baseline before the positions": (
        Protocol(notes_before_baseline=False),
        CONFIGURATIONS["a lost change"],
        "baseline: reads",
    ),
    "reads that are eventually consistent": (
        Protocol(consistent=False),
        CONFIGURATIONS["a lost change"],
        "fault: a change is lost",
    ),
    "no one watches the destination": (
        Protocol(covers_destination=False),
        CONFIGURATIONS["an invented value"],
        "fault: a value is invented",
    ),
    "the source's stream is not read to its end": (
        Protocol(reads_source_to_end=False, looks_last=False),
        CONFIGURATIONS["two writes"],
        "writer: writes",
    ),
    "the destination's stream is not read to its end": (
        Protocol(reads_destination_to_end=False),
        CONFIGURATIONS["an invented value"],
        "fault: a value is invented",
    ),
    "one empty read is the end": (
        Protocol(waits_for_quiet=False),
        CONFIGURATIONS["two writes"],
        "writer: writes",
    ),
    "the end of the destination's stream before the fence": (
        Protocol(fences_first=False),
        CONFIGURATIONS["a late write"],
        "replicator: a late write lands",
    ),
    "the list before the end of the stream": (
        Protocol(lists_last=False),
        CONFIGURATIONS["an invented value"],
        "tracker: has read to the end",
    ),
    "the list before the source is quiet": (
        Protocol(lists_after_source=False),
        CONFIGURATIONS["a lost change"],
        "fault: a change is lost",
    ),
    "no last look": (
        Protocol(looks_last=False),
        CONFIGURATIONS["a straggler"],
        "straggler: writes",
    ),
    "the last look is for unapplied changes only": (
        Protocol(looks_at="unapplied"),
        CONFIGURATIONS["a straggler"],
        "fault: a change is lost",
    ),
    "a place is saved before its notes": (
        Protocol(saves_after_notes=False),
        CONFIGURATIONS["deaths"],
        "dies",
    ),
    "a key leaves the list whatever was noted": (
        Protocol(removes_read_version=False),
        CONFIGURATIONS["an invented value"],
        "recheck: reads",
    ),
    "an earlier attempt's proof": (
        Protocol(proves_again=False),
        CONFIGURATIONS["two attempts"],
        "operator: gives up",
    ),
    "no baseline": (
        Protocol(wants_baseline=False),
        CONFIGURATIONS["a spoilt item"],
        "",
    ),
}

WRONG_WAYS: dict[str, tuple[WayBack, str]] = {
    "no margin for clocks": (WayBack(margin=False), "stamped just before the seal"),
    "it begins where the stream is": (WayBack(from_horizon=False), "writer: writes"),
    "it begins too late": (WayBack(refuses_late=False), "stream: a record leaves"),
    "the tables were not equal": (WayBack(wants_equal=False), ""),
    "the first copy goes on": (WayBack(wants_seal=False), "first copy: writes what came back"),
}

AUDIT_RULES = (audit.FALSE_EQUAL, audit.FALSE_DIFFERENCE)

WRONG_AUDITS: dict[str, tuple[Rules, str]] = {
    "the last old image counts": (Rules(first=False), "writer: writes"),
    "scans that are eventually consistent": (Rules(consistent=False), "audit: scans 0"),
    "the stream is not read beyond the scan": (Rules(reads_beyond_scan=False), "writer: writes"),
    "the stream from the beginning of the audit on": (Rules(from_the_seal=False), "writer: writes"),
    "records from before the seal count": (Rules(divides=False), "reader: reads a record"),
    "only what differs in the scan is judged": (Rules(judges_all=False), "writer: writes 0"),
}


@functools.cache
def explored(protocol: Protocol, bounds: Bounds, rules: tuple[str, ...] = RULES) -> Outcome:
    """Return what goes wrong, if anything. Done once for the same question."""
    return outcome(Cutover(protocol, bounds), rules, ended, helps)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_equal_is_true(name: str, record_property: Recorder) -> None:
    """Never called equal or different without being so, and always a way to a verdict."""
    found = explored(RIGHT, CONFIGURATIONS[name])
    found.assert_holds()
    record_property("explored", f"{found.size}  {name}")


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_proof_gives_a_false_equal(name: str, record_property: Recorder) -> None:
    """It fails, by what is wrong with it, where the right one holds."""
    protocol, bounds, step = WRONG[name]
    explored(RIGHT, bounds).assert_holds()
    failed = explored(protocol, bounds, (FALSE_EQUAL,)).assert_fails(name, FALSE_EQUAL, step)
    record_property("explored", failed)


def test_both_verdicts_and_a_resumed_copy_are_reached() -> None:
    """The model can seal, refuse, and return to being in sync."""
    # The straggler's write is the only one: a second would make 25 times as many states.
    bounds = replace(CONFIGURATIONS["a straggler"], writes=0, attempts=2)
    found = explore(Cutover(RIGHT, bounds), RULES)
    assert found.counterexample is None
    assert {state.phase for state in found.states if ended(state)} == {"sealed", "refused", "resumed"}
    assert "control: a late change, resumes" in found.labels


def test_no_write_is_lost_there_and_back(record_property: Recorder) -> None:
    """A copy that begins at the seal, without a backfill, brings every write to the old table."""
    found = outcome(WayBackModel(WayBack()), (LOST,), over, helps_back)
    found.assert_holds()
    record_property("explored", f"{found.size}  the way back")


@pytest.mark.parametrize("name", WRONG_WAYS)
def test_a_wrong_way_back_loses_a_write(name: str, record_property: Recorder) -> None:
    """It loses a write, or leaves the tables different, by what is wrong with it."""
    rules, step = WRONG_WAYS[name]
    found = outcome(WayBackModel(rules), (LOST,), over, helps_back)
    record_property("explored", found.assert_fails(name, LOST, step))


def audited(rules: Rules, broken: tuple[str, ...] = AUDIT_RULES) -> Outcome:
    return outcome(AuditModel(rules), broken, audit.over, audit.helps)


def test_an_audit_says_what_was_at_the_seal(record_property: Recorder) -> None:
    """Whatever new writers do, it calls the tables equal exactly if they were."""
    found = audited(Rules())
    found.assert_holds()
    record_property("explored", f"{found.size}  the audit")


@pytest.mark.parametrize("name", WRONG_AUDITS)
def test_a_wrong_audit_gives_a_false_equal(name: str, record_property: Recorder) -> None:
    """It calls tables equal that differed at the seal, by what is wrong with it."""
    rules, step = WRONG_AUDITS[name]
    failed = audited(rules, (audit.FALSE_EQUAL,)).assert_fails(name, audit.FALSE_EQUAL, step)
    record_property("explored", failed)
