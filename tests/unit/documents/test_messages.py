"""Every message that the troubleshooting page quotes is one that the code says."""

from __future__ import annotations

import re

import pytest

from tools.docs_tables.__main__ import REPOSITORY

PAGE = (REPOSITORY / "docs/troubleshooting.md").read_text()
# What AWS says, not the code here.
OF_AWS = frozenset({"Lambda.ResourceNotFoundException", "Function not found"})


def said() -> str:
    """All source code, with strings that are written in parts put together."""
    packages = ("lambda/tablecopy", "cli/tablecopy_cli", "verify")
    python = [path.read_text() for package in packages for path in (REPOSITORY / package).rglob("*.py")]
    terraform = [path.read_text() for path in (REPOSITORY / "modules").rglob("*.tf")]
    return " ".join(re.sub(r'"\s*\n\s*f?"', "", "\n".join(python + terraform)).split())


def quoted() -> list[str]:
    first = re.findall(r"^\| (.*?) \|", PAGE, re.MULTILINE)
    return [span for cell in first for span in re.findall(r"`([^`]+)`", cell) if span not in OF_AWS]


SAID = said()


@pytest.mark.parametrize("message", quoted())
def test_message(message: str) -> None:
    parts = [part.strip() for part in message.split("…") if part.strip()]
    assert [part for part in parts if part not in SAID] == []
    # In this order, and near each other: one message.
    assert re.search(".{0,400}?".join(map(re.escape, parts)), SAID)


def test_there_are_messages() -> None:
    assert len(quoted()) > 30
