"""Lines fit into the terminal, unless they are commands to paste or go elsewhere."""

from __future__ import annotations

import io

import pytest

from tablecopy_cli.common.text import Verbatim, broken, width, wrapped

RED = "\x1b[1;31m"
END = "\x1b[0m"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("short", ["short"]),
        ("", [""]),
        ("Equal: all the items of both tables match.", ["Equal: all the items", "of both tables", "match."]),
        ("  note  one two three four five", ["  note  one two", "        three four", "        five"]),
        ("  1. Stop all of the writers.", ["  1. Stop all of the", "     writers."]),
        ("  Fix what the note says now.", ["  Fix what the note", "    says now."]),
        # A long word stands out: the terminal breaks it, and what is copied is whole.
        ("  key abcdefghijklmnopqrstuvwxyz", ["  key", "    abcdefghijklmnopqrstuvwxyz"]),
        # Colours take no room.
        (f"{RED}Different:{END} 1 missing", [f"{RED}Different:{END} 1", "missing"]),
        (
            "  can lose data  one two three four five",
            ["  can lose data  one two", "                 three four", "                 five"],
        ),
        ("          of one two three", ["          of one two", "          three"]),
        # Gaps within a line are kept.
        ("  a    b", ["  a    b"]),
    ],
)
def test_lines_are_broken_between_words(monkeypatch: pytest.MonkeyPatch, line: str, lines: list[str]) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    if line.endswith("1 missing"):
        monkeypatch.setenv("COLUMNS", "14")
    assert list(wrapped([line], Terminal())) == lines
    assert list(wrapped([line], io.StringIO())) == [line]


def test_a_command_is_never_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    command = Verbatim("     tablecopy watch --until ready --from-terraform infra")
    assert list(wrapped([command], Terminal())) == [command]


def test_a_word_that_is_too_long_stays_whole() -> None:
    assert broken("a abcdefghijklmnopqrstuvwxyz", 12) == ["a", "abcdefghijklmnopqrstuvwxyz"]


def test_wide_characters_take_two_columns() -> None:
    assert width("\u6f22\u5b57") == 4
    assert width("e\u0301") == 1
    assert width(f"{RED}a{END}") == 1
    assert broken("\u6f22\u5b57\u6f22\u5b57 \u6f22\u5b57\u6f22\u5b57", 12) == [
        "\u6f22\u5b57\u6f22\u5b57",
        "\u6f22\u5b57\u6f22\u5b57",
    ]
