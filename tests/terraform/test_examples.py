"""Every example is valid and can be planned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import REPOSITORY, MakeStack

pytestmark = pytest.mark.terraform

ACCESS = {
    "source_region": "eu-west-1",
    "source_profile": "source",
    "destination_region": "eu-west-1",
    "destination_profile": "destination",
}
VARIABLES: dict[str, dict[str, Any]] = {
    "complete": {"table_name": "example-complete", **ACCESS},
    "many-tables": {
        "tables": {"example-one": {}, "example-two": {"destination_name": "second", "segments": 4}},
        **ACCESS,
    },
}
TABLES = {"complete": ["example-complete"], "many-tables": ["example-one", "example-two"]}


def test_no_example_is_forgotten() -> None:
    assert set(VARIABLES) == {path.name for path in (REPOSITORY / "examples").iterdir() if path.is_dir()}


@pytest.mark.parametrize("example", VARIABLES)
def test_plan(example: str, make_stack: MakeStack, make_table: Callable[..., str]) -> None:
    for table in TABLES[example]:
        make_table(table)
    stack = make_stack(f"examples/{example}", **VARIABLES[example])
    stack.validate()
    changes = stack.changes()
    assert {tuple(actions) for actions in changes.values()} == {("create",)}
    destinations = [
        address for address in changes if address.endswith("destination.aws_dynamodb_table.this[0]")
    ]
    assert len(destinations) == len(TABLES[example])
