"""The deliberate faults of ``make mutants``: each still fits the product, and a hunt finds one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tools.simulation.mutants import ALL, ALL_ANSWERED, ROOT, DoesNotApply, Hunt, check
from tools.simulation.mutations import MUTATIONS


def named(name: str) -> int:
    """Return the place of a mutation."""
    return [mutation.name for mutation in MUTATIONS].index(name)


def test_each_fits_the_product() -> None:
    check(ALL)
    assert set(ALL_ANSWERED) <= {mutation.name for mutation in ALL}
    assert all((ROOT / tests).exists() for tests in ALL_ANSWERED.values())


def test_one_that_does_not_fit_is_named() -> None:
    [old, new] = MUTATIONS[0].changes[0]
    with pytest.raises(DoesNotApply, match=MUTATIONS[0].name):
        check([replace(MUTATIONS[0], changes=((f"{old} and more", new),))])


def test_a_hunt_finds_a_mutant_of_the_comparison_in_the_account() -> None:
    [mutation] = [each for each in ALL if each.name == "keys are read eventually consistently"]
    outcome = Hunt([(seed, "verification") for seed in range(1, 9)]).run(mutation)
    assert outcome.rule == "consistent"


def test_a_hunt_begins_with_the_seed_that_found_the_mutant_last() -> None:
    mutation = MUTATIONS[named("deletes are not applied")]
    hunt = Hunt([(seed, "calm") for seed in range(1, 100)], {mutation.name: (8, "calm")})
    outcome = hunt.run(mutation)
    assert (outcome.seed, outcome.runs) == ((8, "calm"), 1)


def test_unit_tests_find_a_mutant_that_no_seed_finds() -> None:
    name = "any writer may save the run"
    outcome = Hunt([], answered=ALL_ANSWERED).run(MUTATIONS[named(name)])
    assert outcome.is_found
    assert outcome.tests == ALL_ANSWERED[name]
    # Without the mutation, the same tests pass.
    same = replace(MUTATIONS[named(name)], changes=())
    assert not Hunt([], answered=ALL_ANSWERED).run(same).is_found


def test_a_hunt_ends_with_the_seed_that_finds_a_mutant() -> None:
    mutation = MUTATIONS[named("deletes are not applied")]
    outcome = Hunt([(1, "calm"), (2, "calm"), (3, "calm"), (4, "calm")]).run(mutation)
    assert outcome.rule == "lost"
    assert outcome.seed is not None
    assert outcome.runs <= 4
