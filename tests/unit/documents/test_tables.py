"""The generated tables say what the modules do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.docs_tables.__main__ import COPY, REPOSITORY, documented, main, modules
from tools.docs_tables.module import read_module

TABLES = ("source_table", "destination_table")


def test_no_table_is_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("directory", modules(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_field_is_described(directory: Path) -> None:
    rows = documented(directory).inputs
    said = {row.path for row in rows if row.text}
    # What is inside a field may be said with it.
    silent = [row.path for row in rows if not said & set(itself_and_fields_around(row.path))]
    assert not silent, "give each a list item in its variable's description: * `field`: text"


def itself_and_fields_around(path: str) -> Iterator[str]:
    """The path and those above it, but for the variable itself: ``a.b.c`` and ``a.b``."""
    parts = path.replace("[*]", "").split(".")
    yield path
    yield from (".".join(parts[:length]) for length in range(2, len(parts)))


def test_the_root_says_the_same_as_the_module_it_passes_its_inputs_to() -> None:
    """Apart from how a table's account is reached, which is the root's own."""
    texts = {row.path: row.text for row in read_module(COPY).inputs}
    own = [row for row in read_module(REPOSITORY).inputs if not row.path.startswith(TABLES)]
    assert [row.path for row in own if not texts[row.path].startswith(row.text)] == []
