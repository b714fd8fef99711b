"""Terraform code in the documentation: it parses, and sets inputs that there are."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import hcl2
import pytest

from tests.unit.documents.pages import PAGES, code, fences, name
from tools.docs_tables.__main__ import REPOSITORY
from tools.docs_tables.module import read_module

INPUTS = {
    module: frozenset(row.path for row in read_module(REPOSITORY / module).inputs)
    for module in (".", "modules/copy")
}
OUTPUTS = frozenset(name for name, _ in read_module(REPOSITORY).outputs)
# Of every module block.
META = frozenset({"source", "version", "providers", "for_each", "count", "depends_on"})


def paths(value: dict[str, Any], above: str = "") -> set[str]:
    """Names of what is set, and of what is set in it."""
    found = set()
    for key, inner in value.items():
        found.add(above + key)
        if isinstance(inner, dict):
            found |= paths(inner, f"{above}{key}.")
    return found


def modules(text: str) -> list[dict[str, Any]]:
    options = hcl2.SerializationOptions(with_comments=False, explicit_blocks=False, strip_string_quotes=True)
    blocks = hcl2.loads(text, serialization_options=options).get("module", [])
    return [body for block in blocks for body in block.values()]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_blocks(page: Path) -> None:
    for fence in fences(page.read_text()):
        if fence.language == "hcl":
            for body in modules(fence.text):
                of = "modules/copy" if "modules/copy" in body.get("source", "") else "."
                set_ = {key: value for key, value in body.items() if key not in META}
                assert paths(set_) <= INPUTS[of]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_inputs_named_in_passing(page: Path) -> None:
    everything = INPUTS["."] | INPUTS["modules/copy"]
    objects = {path.partition(".")[0] for path in everything if "." in path}
    for span in code(page.read_text()):
        for variable, fields in re.findall(r"(?<![\w.…/])([a-z_]+)\.([a-z_.]+)", span):
            if variable in objects and not fields.endswith((".py", ".tf")):
                assert f"{variable}.{fields}" in everything, span


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_outputs_named_in_passing(page: Path) -> None:
    prose = " ".join(page.read_text().split())
    for listed in re.findall(r"outputs? ((?:`[a-z_.]+`(?:, | and )?)+)", prose):
        names = {each.partition(".")[0] for each in re.findall(r"`([a-z_.]+)`", listed)}
        assert names <= OUTPUTS, listed


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_imports_what_exists(page: Path) -> None:
    for fence in fences(page.read_text()):
        if fence.language == "python":
            for node in ast.walk(ast.parse(fence.text)):
                if isinstance(node, ast.ImportFrom):
                    module = import_module(node.module or "")
                    assert [each.name for each in node.names if not hasattr(module, each.name)] == []
