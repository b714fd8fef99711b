"""Text that fits into a terminal: lines break between words and continue below the start of their text."""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TextIO

# What paints text takes no room (ECMA-48, SGR).
_PAINT = re.compile(r"\x1b\[[0-9;]*m")

# Spaces, a label, and the gap to its text: "  changes    321 applied", "  1. Stop the writers.".
_LABELLED = re.compile(r" *(?:\d+\. |\S+(?: \S+){0,3} {2,})(?=\S)")

# What begins as far right is a text below its label.
_BELOW = 8

# Less room than that for a text is as good as none.
_NARROWEST = 12

# A continuation that began further right would leave hardly any room.
_DEEPEST = 24


class Verbatim(str):
    """A line that is never broken: a command to paste."""

    __slots__ = ()


def wrapped(lines: Iterable[str], stream: TextIO) -> Iterator[str]:
    """Break the lines that are too long for the terminal behind ``stream``; all are left alone elsewhere."""
    columns = columns_of(stream)
    for line in lines:
        if columns is None or isinstance(line, Verbatim):
            yield line
        else:
            yield from broken(line, columns, hanging=_hanging(line))


def columns_of(stream: TextIO) -> int | None:
    """The width of the terminal behind ``stream``; ``None`` if it is not a terminal."""
    if not stream.isatty():
        return None
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    # A terminal that does not know its size says 0.
    return columns or shutil.get_terminal_size().columns


def broken(text: str, columns: int, *, hanging: int = 0) -> list[str]:
    """Break a line between words into lines of at most ``columns``; a word that is too long stays whole.

    Parameters
    ----------
    text
        The line. Colours take no room and may span a break.
    columns
        The room; at least twelve columns beside the margin are taken.
    hanging
        Margin of all lines but the first.

    Returns
    -------
    list of str
        At least one line.
    """
    columns = max(columns, hanging + _NARROWEST)
    lines: list[str] = []
    line, gap = "", ""
    for chunk in re.findall(r" +|[^ ]+", text):
        if chunk.isspace():
            gap = chunk
            continue
        if line.strip() and width(line) + len(gap) + width(chunk) > columns:
            lines.append(line)
            line, gap = " " * hanging, ""
        line += gap + chunk
        gap = ""
    return [*lines, line]


def width(text: str) -> int:
    """How many columns a text takes on a terminal."""
    plain = _PAINT.sub("", text)
    if plain.isascii():
        return len(plain)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in plain
    )


def escaped(text: str) -> str:
    """Escape whatever is not plainly visible: control characters, bidirectional overrides, line breaks."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _hanging(line: str) -> int:
    plain = _PAINT.sub("", line)
    labelled = _LABELLED.match(plain)
    margin = len(plain) - len(plain.lstrip(" "))
    found = labelled.end() if labelled else margin + (2 if 0 < margin < _BELOW else 0)
    return found if found <= _DEEPEST else 4
