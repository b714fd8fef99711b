"""Records what the destination permanently rejects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tablecopy.data.writer import Rejected
from tablecopy.dynamodb.requests import item_of, key_of, key_token
from tablecopy.journal.dead_letters import DeadLetter, DeadLetters, Origin
from tablecopy.metrics import log


class DeadLetterSink:
    """Turns rejected requests into dead letters. Safe to use from several threads.

    Parameters
    ----------
    sequence_numbers
        Sequence number of the stream record behind each request; none for a backfill's requests.
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

    def put(self, rejected: Rejected) -> None:
        """Save a dead letter for each of the rejected requests."""
        for request in rejected.requests:
            key = key_of(request, self._key_names)
            image = item_of(request)
            token = key_token(key)
            self._letters.put(
                DeadLetter(
                    token,
                    key,
                    self._origin,
                    "put" if image else "delete",
                    rejected.code,
                    rejected.message,
                    self._sequence_numbers.get(request, ""),
                    image,
                )
            )
            self.tokens.add(token)
        log.event("dead_letter", origin=self._origin, code=rejected.code, writes=len(rejected.requests))
