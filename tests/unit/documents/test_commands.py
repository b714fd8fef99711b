"""Every command that the documentation shows exists, with the flags that it shows."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from tablecopy_cli.app import tablecopy
from tests.unit.documents.makefile import TARGETS
from tests.unit.documents.pages import PAGES, code, name
from verify.cli import verify


def flags(command: click.Command) -> set[str]:
    return {flag for option in command.params if isinstance(option, click.Option) for flag in option.opts}


SHOWN = {name: command for name, command in tablecopy.commands.items() if not command.hidden}
ACTIONS = {name: flags(command) for name, command in SHOWN.items()}
VERIFY = {"": flags(verify), **{name: flags(command) for name, command in verify.commands.items()}}
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
        if shown and re.fullmatch(r"[a-z-]+", shown[0]):
            assert shown[0] in ACTIONS
            assert {word for word in shown if word.startswith("--")} <= ACTIONS[shown[0]] | OTHERS


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
    assert listed == set(ACTIONS)
