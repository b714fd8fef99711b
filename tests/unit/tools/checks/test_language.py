"""The lint of the language finds its words where a person reads, and only there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.checks.hcl import REPOSITORY
from tools.checks.language import Find, files, finds, main


def found(name: str, source: str) -> list[tuple[int, str]]:
    return [(find.line, find.words) for find in finds(Path(name), source)]


def test_markdown_is_read_outside_of_code() -> None:
    page = "Mend the table.\n\n`mend` and [a link](mend.md)\n\n```\nmend\n```\n\nThe copy goes\non.\n"
    assert found("docs/a.md", page) == [(1, "Mend"), (9, "goes on")]


def test_terraform_is_read_in_descriptions_and_messages() -> None:
    source = """# mend
variable "mend" {
  description = "Nobody: `mend` ${var.mend}"
  description = <<-EOT
    One.
    * `mend`: to be given anew.
    EOT
}
error_message = "It is no ARN."
"""
    assert found("a.tf", source) == [(3, "Nobody"), (6, "anew"), (9, "is no")]


def test_python_is_read_in_strings_and_docstrings() -> None:
    source = '"""One.\n\nMend it.\n"""\n# mend\nmend = 1\nkey = "mend"\ntext = f"take {mend} for " f"good"\n'
    assert found("verify/a.py", source) == [(3, "Mend"), (8, "for good")]


def test_templates_are_read_without_their_code() -> None:
    source = "<style>mend</style>{% mend %}{{ mend }}{# mend #}<b class=mend>\nmended</b>"
    assert found("verify/a.html", source) == [(2, "mended")]


@pytest.mark.parametrize(
    "text",
    [
        "There is no table named orders.",
        "The copy is no longer in sync.",
        "a dead letter, two dead letters",
        "for good reasons",
        "too large, too small",
        "recommended amendments",
    ],
)
def test_plain_english_passes(text: str) -> None:
    assert found("a.md", text) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [("this is no copy", "is no"), ("and the journal, too", "too"), ("two letters", "letters")],
)
def test_a_find(text: str, words: str) -> None:
    assert [each for _, each in found("a.md", text)] == [words]


def test_a_find_names_its_place_and_a_better_word() -> None:
    assert str(Find(Path("a.md"), 3, "mend", "fix")) == "a.md:3: mend -> fix"


def test_the_exit_code_says_whether_there_is_a_find(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(REPOSITORY / "LICENSE")]) == 0
    assert capsys.readouterr().out == ""


def test_the_repository_is_read_where_people_read() -> None:
    read = {path.relative_to(REPOSITORY).as_posix() for path in files()}
    assert {
        "README.md",
        "variables.tf",
        "modules/copy/variables.tf",
        "verify/cli.py",
    } <= read
    assert not any(each.startswith("tests/") for each in read)
