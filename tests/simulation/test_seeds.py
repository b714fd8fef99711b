"""The copy in the simulated AWS: many seeds, and those that once found a fault.

A failure names the seed and the command that repeats it; its output tells what happened to the keys.
"""

from __future__ import annotations

import pytest

from tools.simulation.runner import Options, run, run_many
from tools.simulation.seeds import OPEN, SEEDS, corpus

_CHUNK = 25


@pytest.mark.parametrize("first", range(SEEDS.start, SEEDS.stop, _CHUNK))
def test_no_seed_breaks_a_rule(first: int) -> None:
    for result in run_many(range(first, min(first + _CHUNK, SEEDS.stop)), processes=1):
        found = f"make simulate RUNS=1 SEED={result.seed}\n{result.report}"
        assert bool(result.violations) == (result.seed in OPEN), found


@pytest.mark.parametrize(("seed", "scenario"), list(corpus()))
def test_no_seed_of_the_corpus_breaks_a_rule(seed: int, scenario: str) -> None:
    result = run(seed, Options(scenario))
    named = f" SCENARIO={scenario}" if scenario else ""
    assert not result.violations, f"make simulate RUNS=1 SEED={seed}{named}\n{result.report}"
