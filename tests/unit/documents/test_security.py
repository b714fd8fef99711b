"""docs/security.md names the statements that the modules have, with their actions, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from tests.e2e.permissions.steps import ABSENT, NEEDS

REPOSITORY = Path(__file__).resolve().parents[3]
DOCUMENT = REPOSITORY / "docs" / "security.md"

# The headings of its tables, and where their statements are.
SECTIONS = {
    "reconciler": "control/main.tf",
    "control": "control/commands.tf",
    "backfill": "backfill/main.tf",
    "replicator": "replicator/main.tf",
    "every function": "function/main.tf",
    "verifier": "verification/main.tf",
    "tracker": "tracker/main.tf",
    "state machine": "machine/main.tf",
    "schedule": "schedule/main.tf",
    "destination": "destination/role.tf",
    "reading": "reader/main.tf",
    "comparison without a copy": "verify/main.tf",
    "alarms": "alarms/topic.tf",
}


def in_modules() -> dict[str, dict[str, list[str]]]:
    """The actions of each statement, by file below ``modules`` and sid."""
    found: dict[str, dict[str, list[str]]] = {}
    for file in sorted((REPOSITORY / "modules").rglob("*.tf")):
        text = file.read_text()
        statements = re.findall(r'\bsid\s*=\s*"(\w+)"\s.*?\bactions\s*=\s*\[(.*?)\]', text, re.DOTALL)
        assert len(statements) == len(re.findall(r"\bsid\s*=", text)), (
            f"a statement of {file} is not understood"
        )
        if statements:
            name = str(file.relative_to(REPOSITORY / "modules"))
            found[name] = {sid: sorted(re.findall(r'"([^"]+)"', actions)) for sid, actions in statements}
    return found


def of_roles() -> set[str]:
    """The sids of what roles may do: of policies that name no principal."""
    found = set()
    for file in (REPOSITORY / "modules").rglob("*.tf"):
        blocks = re.split(r"\bsid\s*=\s*", file.read_text())[1:]
        found |= {block.split('"')[1] for block in blocks if "principals {" not in block}
    return found


def documented() -> dict[str, dict[str, list[str]]]:
    """The same as the document has it."""
    found = {}
    statements = DOCUMENT.read_text().partition("\n## Statements\n")[2].partition("\n## ")[0]
    for section in statements.split("\n### ")[1:]:
        heading, _, body = section.partition("\n")
        rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", body, re.MULTILINE)
        assert heading in SECTIONS, f"{heading}: where are its statements?"
        found[SECTIONS[heading]] = {sid: sorted(re.findall(r"`([^`]+)`", allows)) for sid, allows in rows}
    return found


def test_the_tables_have_every_statement_and_its_actions() -> None:
    there, written = in_modules(), documented()
    assert sorted(written) == sorted(there), "a file with statements has no table, or a table no file"
    for file, statements in there.items():
        assert written[file] == statements, f"docs/security.md and modules/{file} differ"


def test_a_wildcard_has_its_reason_beside_it() -> None:
    """A statement whose resource is `*` says why, in the modules and in the document."""
    for file in (REPOSITORY / "modules").rglob("*.tf"):
        lines = file.read_text().splitlines()
        for number, line in enumerate(lines):
            if re.search(r"resources\s*=\s*\[.*\*", line):
                assert lines[number - 1].lstrip().startswith("#"), (
                    f"{file}, line {number + 1}: no reason for the *"
                )


def test_every_statement_of_a_role_is_taken_away_or_has_its_reason_for_not_being() -> None:
    taken_away = {sid for _, sid in NEEDS}
    assert of_roles() == taken_away | set(ABSENT), (
        "say in tests/e2e/permissions/steps.py what needs a statement"
    )
    assert not taken_away & set(ABSENT)


def test_every_policy_for_people_is_on_the_page() -> None:
    linked = set(re.findall(r"\]\(policies/([\w-]+\.json)\)", DOCUMENT.read_text()))
    assert linked == {file.name for file in (REPOSITORY / "docs/policies").iterdir()}
