"""`make test` leaves no test out."""

from __future__ import annotations

import re

from tools.docs_tables.__main__ import REPOSITORY


def test_every_folder_of_tests_is_run() -> None:
    text = (REPOSITORY / "Makefile").read_text()
    named = re.findall(r"^(?:SIDE_BY_SIDE|ONE_BY_ONE) := (.*)$", text, re.MULTILINE)
    run = {folder for folders in named for folder in folders.split()}
    found = {path.relative_to(REPOSITORY) for path in REPOSITORY.glob("tests/**/test_*.py")}
    assert {"/".join(path.parts[:2]) for path in found} == run
