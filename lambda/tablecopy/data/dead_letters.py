"""Where a function puts what the destination refuses for good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tablecopy.data.writer import Refused
from tablecopy.dynamodb.requests import item_of, key_of, key_token
from tablecopy.journal.dead_letters import DeadLetter, DeadLetters, Origin
from tablecopy.metrics import log


class Letterbox:
    """Makes dead letters of refused requests. Safe to use from several threads.

    Parameters
    ----------
    sequence_numbers
        Of the stream records that the requests stand for, by request; nothing for a backfill's.
    """

    def __init__(
        self,
        letters: DeadLetters,
        origin: Origin,
        key_names: Sequence[str],
        sequence_numbers: Mapping[bytes, str] | None = None,
    ) -> None:
        self._letters = letters
        self._origin = origin
        self._key_names = key_names
        self._sequence_numbers = sequence_numbers or {}
        self.tokens: set[str] = set()

    def put(self, refused: Refused) -> None:
        """Keep each of the refused requests as a dead letter."""
        for request in refused.requests:
            key = key_of(request, self._key_names)
            image = item_of(request)
            token = key_token(key)
            self._letters.put(
                DeadLetter(
                    token,
                    key,
                    self._origin,
                    "put" if image else "delete",
                    refused.code,
                    refused.message,
                    self._sequence_numbers.get(request, ""),
                    image,
                )
            )
            self.tokens.add(token)
        log.event("dead_letter", origin=self._origin, code=refused.code, writes=len(refused.requests))
