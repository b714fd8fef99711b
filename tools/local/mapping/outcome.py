"""What became of a batch, as the function's answer says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tools.local.mapping.batch import Batch


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to an invocation that did reach the function.

    Attributes
    ----------
    error : str, optional
        ``FunctionError`` of the response, ``"Unhandled"`` for one.
    payload : bytes
        What the function returned, as JSON.
    """

    status_code: int
    executed_version: str
    error: str | None
    payload: bytes
    request_id: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of an attempt to have a batch processed.

    Attributes
    ----------
    failed_from : int, optional
        Place of the first record that is not done; None if all are done.
    answer : Answer, optional
        None if the function was not invoked, because it was throttled for one. Such an attempt is not
        counted as a retry.
    reported : bool
        Whether the function itself named the record at `failed_from`.
    reason : str
        For the log.
    """

    failed_from: int | None
    answer: Answer | None = None
    reported: bool = False
    reason: str = ""

    @classmethod
    def not_invoked(cls, reason: str) -> Outcome:
        """The function was not reached."""
        return cls(failed_from=0, reason=reason)

    @classmethod
    def of(cls, answer: Answer, batch: Batch, partial_responses: bool) -> Outcome:
        """Judge a function's answer.

        Parameters
        ----------
        partial_responses : bool
            Whether the mapping has ``ReportBatchItemFailures``; without it the returned value means nothing.
        """
        if answer.error:
            return cls(failed_from=0, answer=answer, reason=_error_message(answer))
        if not partial_responses:
            return cls(failed_from=None, answer=answer)
        try:
            identifiers = _failed_identifiers(json.loads(answer.payload or b"null"))
        except ValueError as error:
            return cls(failed_from=0, answer=answer, reason=str(error))
        places = [batch.find(identifier) for identifier in identifiers]
        known = [place for place in places if place is not None]
        if len(known) < len(places):
            return cls(failed_from=0, answer=answer, reason="an itemIdentifier is not of this batch")
        if not known:
            return cls(failed_from=None, answer=answer)
        return cls(failed_from=min(known), answer=answer, reported=True, reason="reported by the function")


def _failed_identifiers(returned: Any) -> list[str]:
    """The sequence numbers a function reports.

    No value, an empty object, and an absent, null or empty list are all complete success; whatever has
    another shape is complete failure.

    Raises
    ------
    ValueError
        The value says nothing that can be understood.
    """
    if returned is None:
        return []
    if not isinstance(returned, dict):
        raise ValueError("the returned value is not an object")
    failures = returned.get("batchItemFailures")
    if failures is None:
        return []
    if not isinstance(failures, list):
        raise ValueError("batchItemFailures is not a list")
    return [_identifier(failure) for failure in failures]


def _identifier(failure: Any) -> str:
    identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
    if not isinstance(identifier, str) or not identifier:
        raise ValueError("an entry of batchItemFailures has no itemIdentifier")
    return identifier


def _error_message(answer: Answer) -> str:
    try:
        value = json.loads(answer.payload or b"null")
    except ValueError:
        value = None
    message = value.get("errorMessage") if isinstance(value, dict) else None
    return f"{answer.error}: {message or 'no message'}"
