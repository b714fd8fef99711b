"""The generated tables say what the modules do."""

from __future__ import annotations

from pathlib import Path

import pytest

from reference.__main__ import REPOSITORY, main, modules
from reference.module import read_module


def test_no_table_is_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("directory", modules(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_field_is_described(directory: Path) -> None:
    silent = [row.path for row in read_module(directory).inputs if not row.text]
    assert not silent, "give each a list item in its variable's description: * `field`: text"
