"""Dead letters for people and programs: keys by default, values on request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tablecopy.text import count_text, times_text, timestamp
from tablecopy_cli.common.control_function import Letter
from tablecopy_cli.common.items import key_text, quoted
from tablecopy_cli.common.terminal import Style
from tablecopy_cli.common.text import escaped


def letter_lines(count: int, letters: Sequence[Letter], style: Style) -> Iterator[str]:
    """The lines that show ``letters``: how many, and each with what was rejected and why.

    Parameters
    ----------
    count
        How many letters there are in all.
    letters
        Those that fitted into control's answer; their images are shown where it gave them.
    style
        Colours of the stream.
    """
    if not count:
        yield style.green("no dead letters")
        return
    yield style.red(f"{count_text(count, 'dead letter')}: the destination rejects these items")
    for letter in letters:
        yield f"  {key_text(letter['key'])}"
        since = timestamp(letter["first_seen"])
        yield f"      {_what(letter)}, rejected {times_text(letter['attempts'])} since {since}"
        yield f"      {escaped(letter['code'])}: {escaped(letter['message'])}"
        if "image" in letter:
            yield f"      {quoted(letter['image'])}"
    if len(letters) < count:
        yield style.dim(f"  ... and {count - len(letters):,} more; settle these first")


def records(count: int, letters: Sequence[Letter]) -> Iterator[dict[str, Any]]:
    """The objects of the JSON Lines: each letter, the summary last."""
    for letter in letters:
        yield {"type": "letter", **letter}
    yield {"type": "summary", "letters": count, "listed": len(letters)}


def _what(letter: Letter) -> str:
    number = f", sequence number {letter['sequence_number']}" if letter["sequence_number"] else ""
    return escaped(f"{letter['action']} from the {letter['origin']}{number}")
