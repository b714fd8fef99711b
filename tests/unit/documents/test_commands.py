"""Every command that the documentation shows exists, with the flags that it shows."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from tablecopy_cli.run.cli import parser as tablecopy
from tests.unit.documents.makefile import TARGETS
from tests.unit.documents.pages import PAGES, code, name
from verify.flags import parser as verify
from verify.repair.cli import parser as repair


def flags(parser: argparse.ArgumentParser) -> set[str]:
    return {flag for action in parser._actions for flag in action.option_strings}


def commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (found,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return dict(found.choices)


ACTIONS = {action: flags(parser) for action, parser in commands(tablecopy()).items()}


def words(page: Path, command: str) -> list[list[str]]:
    """What follows a command wherever the page shows it, up to a comment or the next command."""
    found = []
    for line in code(page.read_text()):
        match = re.match(rf"(?:\$ )?(?:python -m )?{command}\b(?!\.)([^#|;]*)", line)
        if match:
            found.append(match[1].split())
    return found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_targets_of_make(page: Path) -> None:
    targets = {
        word
        for line in code(page.read_text())
        for shown in re.findall(r"(?:^|[\w]=\w+ )make ((?:[\w./=*-]+ ?)+)", line)
        for word in shown.split()
        if "=" not in word and not word.startswith("-")
    }
    assert targets <= TARGETS


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_flags_of_tablecopy(page: Path) -> None:
    for shown in words(page, "tablecopy"):
        if shown and re.fullmatch(r"[a-z]+", shown[0]):
            assert shown[0] in ACTIONS
            assert {word for word in shown if word.startswith("--")} <= ACTIONS[shown[0]]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_flags_of_verify(page: Path) -> None:
    for shown in words(page, "verify"):
        given = {word.strip("`,.") for word in shown if word.startswith("--")}
        assert given <= flags(repair() if shown[:1] == ["repair"] else verify())


def test_every_command_is_documented() -> None:
    text = (PAGES[0].parent / "docs/tablecopy.md").read_text()
    assert [action for action in ACTIONS if f"tablecopy {action}" not in text] == []
