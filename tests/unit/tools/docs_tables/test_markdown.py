"""Tables in Markdown, and where they go."""

from __future__ import annotations

import pytest

from tools.docs_tables.markdown import MarkerMissing, filled, inputs_table
from tools.docs_tables.module import Input, Module

MODULE = Module(
    "queue",
    "Makes a queue.",
    (Input("name", "string", None, "One, or a|b."), Input("keep", "number", "60", "Seconds.")),
    (("url", "Where it is."),),
)
MARKED = """\
Before.
<!-- BEGIN outputs -->
stale
<!-- END outputs -->
Between.
<!-- BEGIN inputs -->
<!-- END inputs -->
After.
"""


def test_a_row_for_each_input() -> None:
    assert inputs_table(MODULE) == (
        "| input | type | default | description |\n"
        "| --- | --- | --- | --- |\n"
        "| `name` | `string` | **required** | One, or a\\|b. |\n"
        "| `keep` | `number` | `60` | Seconds. |\n"
    )


def test_only_what_is_between_the_markers_changes() -> None:
    text = filled(MARKED, MODULE, "README.md")
    assert "stale" not in text
    assert (
        "| `url` | Where it is. |\n<!-- END outputs -->\nBetween.\n<!-- BEGIN inputs -->\n| input |" in text
    )
    assert text.startswith("Before.\n")
    assert text.endswith("<!-- END inputs -->\nAfter.\n")
    assert filled(text, MODULE, "README.md") == text


def test_a_file_that_is_missing_is_begun() -> None:
    text = filled("", MODULE, "README.md")
    assert text.startswith("# queue\n\nMakes a queue.\n")
    assert filled(text, MODULE, "README.md") == text


def test_a_file_without_markers_is_not_touched() -> None:
    with pytest.raises(MarkerMissing, match=r"x/README\.md has no lines <!-- BEGIN inputs -->"):
        filled("# queue\n", MODULE, "x/README.md")
