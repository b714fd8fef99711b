"""The comparison in the account in the simulated AWS: many seeds.

A failure names the seed and the command that repeats it; its output tells what happened to the keys.
"""

from __future__ import annotations

import pytest

from tools.simulation.runner import Options, run, run_many
from tools.simulation.seeds import VERIFICATION_SEEDS
from tools.simulation.verification.scenario import NAME, plan

_CHUNK = 50


@pytest.mark.parametrize("first", range(VERIFICATION_SEEDS.start, VERIFICATION_SEEDS.stop, _CHUNK))
def test_no_seed_breaks_a_rule(first: int) -> None:
    seeds = range(first, min(first + _CHUNK, VERIFICATION_SEEDS.stop))
    for result in run_many(seeds, Options(NAME), processes=1):
        found = f"make simulate RUNS=1 SEED={result.seed} SCENARIO={NAME}\n{result.report}"
        assert not result.violations, found


def test_a_seed_gives_the_same_run() -> None:
    assert run(3, Options(NAME)).digest == run(3, Options(NAME)).digest
    assert run(3, Options(NAME)).digest != run(4, Options(NAME)).digest


def test_the_seeds_have_every_kind_of_run() -> None:
    plans = [plan(seed) for seed in VERIFICATION_SEEDS]
    assert max(each.segments for each in plans) == 1_000
    assert max(each.traffic.rate for each in plans if each.traffic.changes) == 10_000
    assert {each.writes_stopped for each in plans} == {each.is_hindered for each in plans} == {True, False}
    assert (
        {each.tables.same_order for each in plans}
        == {each.tables.sort_key for each in plans}
        == {True, False}
    )
    assert any(each.source_capacity.read == 5.0 and each.budget is None for each in plans)
    assert any(each.traffic.lag[0] >= 60 and each.traffic.dropped for each in plans)
