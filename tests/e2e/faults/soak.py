"""Mixed writes under random faults of every kind, run after run, each ending equal.

``SOAK_SECONDS`` says for how long new runs are begun. Only `make soak` collects this file: in `make test`,
the seeds of the simulation inject random faults.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter

import pytest

from tests.e2e.faults.faults import CutAfter, CutBefore, Expire, Freeze, Kill, Slow, Truncate
from tests.e2e.faults.rules import Rule
from tests.e2e.faults.scenarios import SCENARIOS
from tests.e2e.faults.stand import Stand, all_copied, is_ready
from tests.e2e.faults.table import FaultTable

pytestmark = pytest.mark.terraform

# Of each call that a fault could spoil.
CHANCE = 0.02
# A write without an answer may land for ten seconds yet, and a killed or frozen process holds its lease for
# half a minute: more of these, and the replicator would fall behind the writers.
RARE = 0.004
CHANGES_PER_SECOND = 20.0
WRITING_SECONDS = 10.0
# A lease that was not given back costs a run half a minute, and there may be several, one after the other.
PATIENCE_SECONDS = 600.0
# Of as many runs one takes more than one slice.
_MANY = 5


def soak_rules(draw: random.Random) -> list[Rule]:
    """Every fault that a run gets over, none too often for the run to end."""
    rules = [rule for scenario in SCENARIOS for rule in scenario.rules() if not rule.skip]
    for rule in rules:
        rule.times = None
        if isinstance(rule.fault, Expire):
            # Once ended a session stays ended, for every call.
            rule.fault.sessions = 1
            rule.skip = draw.randrange(40)
        elif isinstance(rule.fault, CutBefore | CutAfter | Truncate | Kill):
            rule.chance = RARE
        else:
            rule.chance = min(rule.chance, CHANCE)
    for function in ("backfill", "replicator", "reconciler", "control"):
        for after in (False, True):
            moment = "after" if after else "before"
            rules += [
                Rule(f"{function} killed {moment} a call", Kill(after), function, chance=RARE, times=1),
                Rule(
                    f"{function} frozen {moment} a call",
                    Freeze(after, seconds=draw.uniform(1.0, 8.0)),
                    function,
                    chance=RARE,
                    times=1,
                ),
            ]
    draw.shuffle(rules)
    # Last, so that it hides nothing: with slow scans a backfill takes more than one slice.
    return [*rules, Rule("slow scan", Slow(2.0), "backfill", "scan", chance=0.6)]


def test_soak(faults: Stand, table: FaultTable) -> None:
    draw = random.Random(faults.seed)
    began = time.monotonic()
    seconds = float(os.environ["SOAK_SECONDS"])
    injected: Counter[str] = Counter()
    rounds = slices = changes = 0
    while rounds == 0 or time.monotonic() - began < seconds:
        faults.reset()
        faults.proxy.rules.seed = faults.seed + rounds
        rules = soak_rules(draw)
        before = faults.proxy.rules.counts.copy()
        faults.set_rules(rules)
        faults.start()
        with faults.writing(CHANGES_PER_SECOND) as writer:
            faults.wait_for("the backfill", all_copied, seconds=PATIENCE_SECONDS)
            time.sleep(WRITING_SECONDS)
        faults.set_rules([])
        ready = faults.wait_for("ready for cutover", is_ready, seconds=PATIENCE_SECONDS)
        faults.assert_equal()
        rounds, slices, changes = rounds + 1, slices + ready["slice"], changes + writer.changes
        injected += faults.proxy.rules.counts - before
        print(
            f"soak, seed {faults.seed}: run {rounds} equal after {ready['slice']} slices, {writer.changes} "
            f"changes and {injected.total()} faults so far, {time.monotonic() - began:.0f} s"
        )
    for fault, times in sorted(injected.items()):
        print(f"  {times:5d}  {fault}")
    assert slices > rounds or rounds < _MANY, "no run took more than one slice"
    minutes = (time.monotonic() - began) / 60
    table.add(
        f"all of these at random (soak, {minutes:.0f} min)",
        injected.total(),
        f"{rounds} runs of {slices} slices and {changes} changes, each ready, equal",
    )
