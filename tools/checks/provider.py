"""Whether the Terraform code uses only what the oldest and the newest supported provider know.

``tools/checks/provider.json`` holds what each of them knows; `tools.checks.provider_schemas` writes it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tools.checks.hcl import Use, files, uses

Node = dict[str, Any]
"""Type or block: by name "argument" or "attribute" (read only), also "deprecated ...", or a block's Node."""

RECORD = Path(__file__).with_name("provider.json")

# Deprecated in the newest version, where the oldest one has nothing else.
_INDEX_KEYS = "5.100 has no key_schema"
ACCEPTED: Mapping[tuple[str, ...], str] = {
    ("resource aws_dynamodb_table", "global_secondary_index", "hash_key"): _INDEX_KEYS,
    ("resource aws_dynamodb_table", "global_secondary_index", "range_key"): _INDEX_KEYS,
}


def read_record() -> dict[str, dict[str, Node]]:
    """By version, then by type."""
    record: dict[str, dict[str, Node]] = json.loads(RECORD.read_text())
    return record


def problems(
    used: Iterable[Use],
    record: Mapping[str, Mapping[str, Node]],
    accepted: Mapping[tuple[str, ...], str] = ACCEPTED,
) -> list[str]:
    """One line for each name that a version does not know, does not let you set, or calls deprecated."""
    found = set()
    for use in used:
        for version, types in record.items():
            complaint = _complaint(use, types)
            if complaint == "is deprecated" and (use.type, *use.path) in accepted:
                continue
            if complaint:
                found.add(f"{use.file}: {'.'.join((use.type, *use.path))} {complaint} in provider {version}")
    return sorted(found)


def unused(used: Iterable[Use], accepted: Mapping[tuple[str, ...], str] = ACCEPTED) -> list[str]:
    """One line for each accepted deprecation that no file needs any more."""
    needed = {(use.type, *use.path) for use in used}
    return [
        f"tools/checks/provider.py: {'.'.join(path)} is accepted, but not used"
        for path in accepted
        if path not in needed
    ]


def _complaint(use: Use, types: Mapping[str, Node]) -> str:
    node: str | Node | None = types.get(use.type)
    if node is None:
        return "is not recorded (python -m tools.checks.provider_schemas DIRECTORY)"
    for name in use.path:
        if isinstance(node, str):
            # What is inside of a map or a list is the user's.
            break
        node = node.get(name)
        if node is None:
            return "does not exist"
    if isinstance(node, str):
        if node.startswith("deprecated"):
            return "is deprecated"
        if use.set and node == "attribute":
            return "cannot be set"
    return ""


def main() -> int:
    """Print what is found; 1 if there is anything."""
    used = [use for path in files() for use in uses(path)]
    record = read_record()
    found = problems(used, record) + unused(used)
    names = len({(use.type, *use.path) for use in used})
    print(
        "\n".join(
            [*found, f"provider: {names} names of {' and '.join(record)} checked, {len(found)} problems"]
        )
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
