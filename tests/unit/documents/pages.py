"""The documentation, page by page, and what of it is code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from tools.docs_tables.__main__ import REPOSITORY

PAGES = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *REPOSITORY.glob("docs/*.md"),
        *REPOSITORY.glob("examples/*/*.md"),
        *REPOSITORY.glob("modules/*/*.md"),
    ]
)


class Fence(NamedTuple):
    """A fenced block of code: its language and its text."""

    language: str
    text: str


def name(page: Path) -> str:
    """What a page is called."""
    return str(page.relative_to(REPOSITORY))


def fences(text: str) -> list[Fence]:
    """The fenced blocks of a page."""
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [Fence(*each) for each in found]


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def code(text: str) -> list[str]:
    """Every command line and name that a page shows: lines of fenced blocks, and spans in backquotes."""
    lines = [line for fence in fences(text) for line in re.sub(r"\\\n\s*", "", fence.text).splitlines()]
    return [line.strip() for line in lines] + re.findall(r"`([^`]+)`", prose(text))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ +(.*)$", prose(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
