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
ACTIONS = {{"letters": "dead-letters"}.get(name, name): known for name, known in ACTIONS.items()}
VERIFY = {"": flags(verify()), "repair": flags(repair()), "estimate": flags(verify())}
PAGE = (PAGES[0].parent / "docs/commands.md").read_text()
# Of other programs, and of every command.
OTHERS = frozenset({"--help", "--version", "--table-name", "--stream-specification"})


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
        if shown and shown[0] != "verify" and re.fullmatch(r"[a-z-]+", shown[0]):
            assert shown[0] in ACTIONS
            assert {word for word in shown if word.startswith("--")} <= ACTIONS[shown[0]]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_flags_of_verify(page: Path) -> None:
    for shown in words(page, "verify"):
        given = {word.strip("`,.") for word in shown if word.startswith("--")}
        assert given <= VERIFY["repair" if shown[:1] == ["repair"] else ""] | OTHERS


def test_every_command_and_flag_is_documented_and_no_other() -> None:
    known = {flag for each in [*ACTIONS.values(), *VERIFY.values()] for flag in each if flag[:2] == "--"}
    documented = set(re.findall(r"--[a-z][a-z-]+", PAGE))
    assert known - documented <= OTHERS
    assert documented - known <= OTHERS
    listed = set(re.findall(r"^tablecopy ([a-z-]+)", PAGE, re.MULTILINE))
    assert listed == {*ACTIONS, "verify"}
