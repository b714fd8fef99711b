"""The deliberate faults of ``make mutants``: each still fits the product, and a hunt finds one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tools.simulation.mutants import ROOT, DoesNotApply, Hunt, check
from tools.simulation.mutations import ANSWERED, MUTATIONS


def named(name: str) -> int:
    """Return the place of a mutation."""
    return [mutation.name for mutation in MUTATIONS].index(name)


def test_each_fits_the_product() -> None:
    check(MUTATIONS)
    assert set(ANSWERED) <= {mutation.name for mutation in MUTATIONS}
    assert all((ROOT / tests).exists() for tests in ANSWERED.values())


def test_one_that_does_not_fit_is_named() -> None:
    [old, new] = MUTATIONS[0].changes[0]
    with pytest.raises(DoesNotApply, match=MUTATIONS[0].name):
        check([replace(MUTATIONS[0], changes=((f"{old} and more", new),))])


def test_a_hunt_ends_with_the_seed_that_finds_a_mutant() -> None:
    mutation = MUTATIONS[named("deletes are not applied")]
    outcome = Hunt([(1, "calm"), (2, "calm"), (3, "calm"), (4, "calm")]).run(mutation)
    assert outcome.rule == "lost"
    assert outcome.seed is not None
    assert outcome.runs <= 4
