"""Every example is valid and can be planned. Three are applied, in tests/e2e."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tools.checks.rendered import documents
from tools.local.accounts import DESTINATION_ACCOUNT, SOURCE_ACCOUNT

from .conftest import REPOSITORY, MakeStack, changes_of

pytestmark = pytest.mark.terraform

SOURCE = {"source_region": "eu-west-1", "source_profile": "source"}
DESTINATION = {"destination_region": "eu-west-1", "destination_profile": "destination"}


@dataclass
class Example:
    """What an example is planned with: its variables, the tables there must be, how many it makes.

    And how many policies and definitions of each state machine's module are known before the apply.
    """

    variables: dict[str, Any]
    tables: list[tuple[str, str]]
    created: int
    documents: int = 8


EXAMPLES = {
    "complete": Example(
        {"table_name": "example-complete", **SOURCE, **DESTINATION},
        [(SOURCE_ACCOUNT, "example-complete")],
        1,
        documents=6,
    ),
    "many-tables": Example(
        {
            "tables": {"example-one": {}, "example-two": {"destination_name": "second", "segments": 4}},
            **SOURCE,
            **DESTINATION,
        },
        [(SOURCE_ACCOUNT, "example-one"), (SOURCE_ACCOUNT, "example-two")],
        2,
    ),
    "existing-destination-table": Example(
        {"table_name": "example-old", "destination_table_name": "example-new", **SOURCE, **DESTINATION},
        [(SOURCE_ACCOUNT, "example-old"), (DESTINATION_ACCOUNT, "example-new")],
        0,
    ),
    "customer-managed-keys": Example(
        {"table_name": "example-keys", **SOURCE, **DESTINATION}, [(SOURCE_ACCOUNT, "example-keys")], 1
    ),
    "verify-only": Example(
        {"table_name": "example-proof", "destination_table_name": "example-proven", **SOURCE, **DESTINATION},
        [(SOURCE_ACCOUNT, "example-proof"), (DESTINATION_ACCOUNT, "example-proven")],
        0,
        6,
    ),
    "rollback": Example(
        {
            "new_table_name": "example-moved",
            "new_region": "eu-west-1",
            "new_profile": "destination",
            "old_table_name": "example-left",
            "old_profile": "source",
        },
        [(DESTINATION_ACCOUNT, "example-moved"), (SOURCE_ACCOUNT, "example-left")],
        0,
    ),
}


def test_no_example_is_forgotten() -> None:
    assert set(EXAMPLES) == {path.name for path in (REPOSITORY / "examples").iterdir() if path.is_dir()}


@pytest.mark.parametrize("name", EXAMPLES)
def test_plan(name: str, make_stack: MakeStack, make_table: Callable[..., str]) -> None:
    example = EXAMPLES[name]
    for account, table in example.tables:
        make_table(table, account=account, kms=name == "customer-managed-keys")
    stack = make_stack(f"examples/{name}", **example.variables)
    # Also validates it: Terraform begins a plan with the walk that ``terraform validate`` is.
    plan = stack.planned()
    changes = changes_of(plan)
    assert {tuple(actions) for actions in changes.values()} == {("create",)}
    created = [address for address in changes if address.endswith("destination.aws_dynamodb_table.this[0]")]
    assert len(created) == example.created
    found = list(documents(plan))
    machines = [address for address in changes if ".aws_sfn_state_machine." in address]
    assert len([document for document in found if document.is_machine]) == len(machines) > 0
    # Known before the apply: at least those of the functions, the state machine and the schedule.
    assert len(found) >= example.documents * len(machines)
    assert [problem for document in found for problem in document.problems()] == []
