"""The stand of the fault tests with its schedule off, and the roles of its copy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.faults.stand import Stand
from tests.e2e.permissions.roles import Role, roles_of
from tests.e2e.permissions.stage import Stage, stage_on


@pytest.fixture(scope="module")
def stage(the_stand: Stand) -> Iterator[Stage]:
    """Nothing moves on it but what a step moves."""
    the_stand.reset()
    with stage_on(the_stand) as made:
        yield made


@pytest.fixture(scope="module")
def roles(the_stand: Stand) -> dict[str, Role]:
    return roles_of(the_stand)
