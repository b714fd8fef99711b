"""One version, wherever it is named."""

from __future__ import annotations

import re
import tomllib

from tests.unit.documents.pages import PAGES
from tools.docs_tables.__main__ import REPOSITORY

VERSION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]


def test_the_changelog_begins_with_what_is_unreleased_and_this_version() -> None:
    sections = re.findall(r"^## \[(.*?)\](.*)$", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sections[0] == ("Unreleased", "")
    assert sections[1][0] == VERSION
    assert all(re.fullmatch(r" - \d{4}-\d\d-\d\d", date) for _, date in sections[1:])


def test_terraform_code_names_this_version() -> None:
    named = {ref for page in PAGES for ref in re.findall(r"\?ref=v([\w.]+)", page.read_text())}
    assert named == {VERSION}
