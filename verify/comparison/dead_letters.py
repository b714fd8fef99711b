"""The open dead letters of the copy, found by key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.control_function import ControlFunction, Status
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.items import Item, to_json
from verify.comparison.results import DeadLetter
from verify.scan.canonical import number

_Token: TypeAlias = tuple[tuple[str, str, str], ...]

# An age is of the moment of control's last look, at most a minute ago.
_LOOK_SECONDS = 60.0


class DeadLetters:
    """Dead letters by key, numbers by value; remembers which were asked for.

    Parameters
    ----------
    letters
        As the control function tells them: ``key`` in DynamoDB JSON, and what was refused why.
    note
        One line, where not all open letters are known: why.
    count
        How many are open; ``None`` if that is not known. As many as there are ``letters`` unless given.

    Attributes
    ----------
    count
        The same.
    """

    def __init__(
        self, letters: Sequence[DeadLetter] = (), note: str | None = None, count: int | None = 0
    ) -> None:
        self.note = note
        self.count = max(count, len(letters)) if count is not None else None
        self._by_key = {_token(letter["key"]): letter for letter in letters}
        self._asked: set[_Token] = set()

    def of(self, key: Item) -> DeadLetter | None:
        """Return the open letter of a key, if it is known."""
        token = _token(key)
        letter = self._by_key.get(token)
        if letter is not None:
            self._asked.add(token)
        return letter

    def others(self) -> list[DeadLetter]:
        """Return the letters that `of` has not returned, in control's order."""
        return [letter for token, letter in self._by_key.items() if token not in self._asked]


def read_dead_letters(side: Side, control_function: str | None) -> DeadLetters:
    """Ask the control function of a copy for its open dead letters.

    A comparison needs no letters: where they cannot be had there are none, and the note says why.

    Parameters
    ----------
    side
        The source side, in whose account the function is.
    control_function
        Its name or ARN; ``None`` where the tables belong to no copy that is known. Nothing is asked then.
    """
    if control_function is None:
        return DeadLetters()
    try:
        count, letters = ControlFunction(side, control_function).letters(values=False)
        known = DeadLetters(letters, count=count)
    except UserError as error:
        return DeadLetters(note=f"open dead letters are not known: {error}", count=None)
    except (ValueError, LookupError, TypeError, AttributeError):
        return DeadLetters(
            note=f"open dead letters are not known: {control_function} does not answer as a control function",
            count=None,
        )
    if count > len(letters):
        known.note = f"{count:,} dead letters are open, of which control tells the first {len(letters):,}"
    return known


def _token(key: Item) -> _Token:
    # A key holds strings, numbers and binary values only, and base64 has one spelling.
    return tuple(
        sorted(
            (name, kind, number(content) if kind == "N" else content)
            for name, value in to_json(key).items()
            for kind, content in value.items()
        )
    )


def status_of(side: Side, control_function: str | None) -> Status | None:
    """The run's status, for the next step; ``None`` if there is no one to ask, or no answer.

    A comparison needs no run: that it cannot be asked changes the advice and nothing else.

    Parameters
    ----------
    side
        The source side, in whose account the function is.
    control_function
        Its name or ARN; ``None`` if the tables belong to no known copy.
    """
    if control_function is None:
        return None
    try:
        status = ControlFunction(side, control_function).status()
        return status if isinstance(status.get("phase"), str) else None
    except (UserError, ValueError, LookupError, TypeError, AttributeError):
        return None


def lag_of(side: Side, control_function: str | None) -> Callable[[], float]:
    """How to ask how far behind the source the destination is.

    Parameters
    ----------
    side
        The source side, in whose account the function is.
    control_function
        Its name or ARN; ``None`` where the tables belong to no copy that is known.

    Returns
    -------
    callable
        Returns seconds: 0 while there is nothing to apply, or nobody to ask.
    """
    if control_function is None:
        return lambda: 0.0
    name = control_function

    def lag() -> float:
        try:
            age = float(ControlFunction(side, name).status().get("oldest_unapplied_age", 0.0))
        except (UserError, ValueError, LookupError, TypeError, AttributeError):
            return 0.0
        return age + _LOOK_SECONDS if age else 0.0

    return lag
