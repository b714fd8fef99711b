"""The lines of the live display."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tablecopy.text import count_text, timestamp
from tablecopy_cli.common.terminal import Style
from tablecopy_cli.common.text import bar, broken, escaped
from tablecopy_cli.run.figures import changes_text, items_text, left_text, rate_text
from tablecopy_cli.run.status_text import headline, in_colour, note_of, slice_text
from tablecopy_cli.run.watch import Picture

_LABEL = 13
_WIDE = 60
_CELLS, _FEW_CELLS = 20, 8


@dataclass(frozen=True)
class Row:
    """A label and a text, which is broken into several lines where there is no room for it."""

    label: str
    text: str
    paint: Callable[[str], str]


def drawing(
    picture: Picture, seen: Sequence[str], note: str, size: os.terminal_size, style: Style, encoding: str
) -> list[str]:
    """The lines that show ``picture`` and fit into ``size``.

    Parameters
    ----------
    picture
        The run, as of the latest answer.
    seen
        The phases so far, the latest last; those shown that there is room for.
    note
        The last line.
    size
        Columns and lines of the terminal.
    style
        Its colours.
    encoding
        Its encoding, for the bars.
    """
    cells = _CELLS if size.columns >= _WIDE else _FEW_CELLS
    paint = in_colour(picture.status, style)
    lines = [paint(line) for line in broken(headline(picture.status), size.columns, hard=True)]
    for row in rows(picture, encoding, cells, style):
        lines += _wrapped(row, size.columns)
    last = [style.dim(line) for line in broken(note, size.columns, hard=True)]
    room = size.lines - len(lines) - len(last) - 2
    history = [style.dim(f"  {line}"[: size.columns]) for line in seen[-room:]] if room > 0 else []
    spare = [""] if room >= 0 else []
    lines += [*spare, *history, *([""] if history else [])]
    # What does not fit is cut, but the last line is always there.
    return [*lines[: max(0, size.lines - len(last))], *last][: size.lines]


def rows(picture: Picture, encoding: str, cells: int, style: Style) -> Iterator[Row]:
    """The rows below the headline."""
    status = picture.status

    def plain(text: str) -> str:
        return text

    if status["phase"] != "none":
        yield Row("run", f"{status['run']}, since {timestamp(status['started'])}", plain)
        done, segments = status["segments_done"], status["segments"]
        drawn = bar(done, segments, encoding, cells)
        yield Row("segments", f"{drawn} {done} of {segments}{slice_text(status)}", plain)
        total = status["estimate"]["items"] if status["estimate"] else 0
        drawn = f"{bar(status['items'], total, encoding, cells)} " if total >= status["items"] > 0 else ""
        yield Row("items", f"{drawn}{items_text(status)}", plain)
        yield Row("rate", rate_text(status, picture.pace), plain)
        yield Row("left", left_text(picture.left), plain)
        yield Row("changes", changes_text(status), plain)
    if status.get("dead_letters"):
        again = ", tried again in the next slice" if status["redrive"] else ""
        yield Row("rejected", f"{count_text(status['dead_letters'], 'dead letter')}{again}", style.yellow)
    for problem in status.get("problems", []):
        yield Row("waits for", escaped(problem), style.yellow)
    note = note_of(status)
    if note:
        yield Row("note", escaped(note), style.yellow)


def _wrapped(row: Row, columns: int) -> Iterator[str]:
    label = row.paint(f"  {row.label}".ljust(_LABEL))
    for line in broken(row.text, columns - _LABEL, hard=True):
        yield label + line
        label = " " * _LABEL
