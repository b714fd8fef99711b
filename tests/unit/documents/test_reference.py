"""The fields of the reference are those of the schema of verify's JSON Lines."""

from __future__ import annotations

import json
import re

import pytest

from tools.checks.hcl import REPOSITORY

DEFINITIONS = json.loads((REPOSITORY / "docs/verify.schema.json").read_text())["$defs"]
PAGE = (REPOSITORY / "docs/reference.md").read_text()
VERIFY = PAGE.partition("\n### verify\n")[2].partition("\n### verify estimate\n")[0]
# Where the fields of each definition are: behind this text.
PLACES = {
    "finding": (VERIFY, "`finding`:"),
    "difference": (VERIFY, "`difference`:"),
    "path": (VERIFY, "`paths`\n"),
    "summary": (VERIFY, "`summary`\n"),
    "refusal": (PAGE, "\n### dead-letters\n"),
}


@pytest.mark.parametrize("definition", PLACES)
def test_fields(definition: str) -> None:
    text, heading = PLACES[definition]
    table = re.search(r"(?:^\|.*\n)+", text.partition(heading)[2], re.MULTILINE)
    assert table is not None
    fields = [name for row in table[0].splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert set(fields) == set(DEFINITIONS[definition]["properties"]) - {"type"}
