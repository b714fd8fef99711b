"""Habits every file keeps: described variables, rules with helpful messages, named and narrow statements."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
FILES = sorted(
    path
    for folder in (REPOSITORY, *REPOSITORY.glob("modules/*"), *REPOSITORY.glob("examples/*"))
    for path in folder.glob("*.tf")
)


def blocks(text: str, opening: str) -> list[str]:
    """Blocks of formatted code that begin with this line pattern, without nested blocks of the same kind."""
    found = re.finditer(rf"^( *){opening} \{{\n(.*?)^\1\}}", text, re.MULTILINE | re.DOTALL)
    return [match[2] for match in found]


def identity(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


@pytest.mark.parametrize("path", FILES, ids=identity)
def test_variables_and_outputs_are_described(path: Path) -> None:
    text = path.read_text()
    for block in blocks(text, r'variable "\w+"'):
        assert re.search(r"^  description += ", block, re.MULTILINE), block
        assert re.search(r"^  type +=", block, re.MULTILINE), block
    for block in blocks(text, r'output "\w+"'):
        assert re.search(r"^  description += ", block, re.MULTILINE), block


@pytest.mark.parametrize("path", FILES, ids=identity)
def test_rules_say_value_what_is_allowed_and_what_to_do(path: Path) -> None:
    for block in blocks(path.read_text(), "validation"):
        message = block.split("error_message")[1]
        assert "${" in message, message
        assert re.search(r"allowed (is|are)|goes with", message), message
        # Two sentences at least: what is wrong, what to do.
        assert re.search(r"\. ([A-Z].*\.|\$\{range\.advice\})\"$", message.strip(), re.MULTILINE), message
        advice = re.findall(r'advice = "(.*?)"', path.read_text())
        assert [text for text in advice if not re.fullmatch(r"[A-Z].*\.", text)] == []


@pytest.mark.parametrize("path", FILES, ids=identity)
def test_refusals_name_the_command_or_the_setting_that_mends_them(path: Path) -> None:
    text = path.read_text()
    for block in blocks(text, "precondition") + blocks(text, "postcondition"):
        command = re.search(r"^ +\"? *(aws|terraform) [a-z]", block, re.MULTILINE)
        assert command or re.search(r"destination_definition\S* = \{", block), block


@pytest.mark.parametrize("path", FILES, ids=identity)
def test_statements_are_named_and_every_star_is_explained(path: Path) -> None:
    text = path.read_text()
    for block in blocks(text, "statement") + blocks(text, 'dynamic "statement"'):
        assert re.search(r'^ +sid += "\w+"', block, re.MULTILINE), block
        actions = re.search(r"actions\s+= \[(.*?)\]", block, re.DOTALL)
        assert actions is not None, block
        assert "*" not in actions[1], block
        if re.search(r'resources\s+= \[[^]]*\*"', block):
            assert re.search(r"#.*\n( *#.*\n)* *resources", block), block
