"""The tokens of an expression."""

from __future__ import annotations

import re

from tools.simulation.attributes import invalid
from tools.simulation.errors import ServiceError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""An attribute name that may stand in an expression."""

_TOKEN = re.compile(r"\s*([#:][A-Za-z0-9_]+|[A-Za-z_][A-Za-z0-9_]*|[0-9]+|<=|>=|<>|[=<>(),.\[\]+-])")
_KEYWORDS = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE"})


class Tokens:
    """The tokens of an expression, one after another. Keywords are in upper case."""

    def __init__(self, text: str, kind: str) -> None:
        self._text = text
        self._kind = kind
        self._tokens: list[str] = []
        self._at = 0
        end = len(text.rstrip())
        at = 0
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None:
                raise self.error()
            token = match[1]
            self._tokens.append(token.upper() if token.upper() in _KEYWORDS else token)
            at = match.end()
        if not self._tokens:
            raise invalid(f"Invalid {kind}: The expression can not be empty;")

    def peek(self, ahead: int = 0) -> str:
        """Return the next token, or a later one, without taking it. Empty at the end."""
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else ""

    def next(self) -> str:
        """Take the next token. Empty at the end."""
        token = self.peek()
        self._at += 1
        return token

    def skip(self, token: str) -> bool:
        """Take the next token if it is ``token``, and return whether it was."""
        if self.peek() != token:
            return False
        self._at += 1
        return True

    def take(self, token: str) -> None:
        """Take the next token, which must be ``token``."""
        if not self.skip(token):
            raise self.error()

    def error(self) -> ServiceError:
        """Return the error for an expression that cannot be read."""
        return invalid(f'Invalid {self._kind}: Syntax error; token: "{self.peek()}", near: "{self._text}"')
