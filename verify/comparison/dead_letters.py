"""What the copy's control function adds to a comparison: open dead letters, the run's status, and its lag.

A comparison needs no run. If the control function does not answer, the tables are compared without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from tablecopy.comparison.canonical import number
from tablecopy.control.status import Status
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.control_function import ControlFunction
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.items import Item, to_json
from verify.comparison.results import DeadLetter

_Token: TypeAlias = tuple[tuple[str, str, str], ...]

# The age of the oldest change is that of control's last look at the stream, up to a minute ago.
_LOOK_SECONDS = 60.0


class DeadLetters:
    """Open dead letters by key, with numbers compared by value. Remembers which keys were asked for.

    Parameters
    ----------
    letters
        As the control function returns them: ``key`` in DynamoDB JSON, and the rejected write.
    note
        If not all open dead letters are known: the reason, in one line.
    count
        How many are open; ``None`` if that is not known. At least the number of ``letters``.
    """

    def __init__(
        self, letters: Sequence[DeadLetter] = (), note: str | None = None, count: int | None = 0
    ) -> None:
        self.note = note
        self.count = max(count, len(letters)) if count is not None else None
        self._by_key = {_token(letter["key"]): letter for letter in letters}
        self._asked: set[_Token] = set()

    def of(self, key: Item) -> DeadLetter | None:
        """Return the open dead letter of a key, if there is one."""
        token = _token(key)
        letter = self._by_key.get(token)
        if letter is not None:
            self._asked.add(token)
        return letter

    def others(self) -> list[DeadLetter]:
        """Return the dead letters that `of` has not returned, in control's order."""
        return [letter for token, letter in self._by_key.items() if token not in self._asked]


def read_dead_letters(side: Side, control_function: str | None) -> DeadLetters:
    """Ask the control function for the open dead letters. If it does not answer, the note says why.

    Parameters
    ----------
    side
        The source side, in whose account the function is.
    control_function
        Its name or ARN; ``None`` if the tables belong to no known copy.
    """
    if control_function is None:
        return DeadLetters()
    try:
        count, letters = ControlFunction(side, control_function).letters(values=False)
    except UserError as error:
        return DeadLetters(note=f"Cannot read the open dead letters: {error}", count=None)
    note = None
    if count > len(letters):
        note = f"{count:,} dead letters are open. The control function returned the first {len(letters):,}."
    return DeadLetters(letters, note, count)


def read_status(side: Side, control_function: str | None) -> Status | None:
    """Return the run's status, for the next step; ``None`` if the function is not known or does not answer.

    Parameters
    ----------
    side, control_function
        As for `read_dead_letters`.
    """
    if control_function is None:
        return None
    try:
        return ControlFunction(side, control_function).status()
    except UserError:
        return None


def lag_of(side: Side, control_function: str | None) -> Callable[[], float]:
    """Return a function that asks how far the destination is behind the source.

    Parameters
    ----------
    side, control_function
        As for `read_dead_letters`.

    Returns
    -------
    callable
        Returns seconds: 0 if there is nothing to apply, or if the lag is not known.
    """

    def lag() -> float:
        status = read_status(side, control_function)
        age = status.get("oldest_unapplied_age", 0.0) if status else 0.0
        return age + _LOOK_SECONDS if age else 0.0

    return lag


def _token(key: Item) -> _Token:
    # A key holds only strings, numbers and binary values, and base64 has one spelling.
    return tuple(
        sorted(
            (name, kind, number(content) if kind == "N" else content)
            for name, value in to_json(key).items()
            for kind, content in value.items()
        )
    )
