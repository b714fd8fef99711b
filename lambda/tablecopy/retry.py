"""What an error of DynamoDB means for the call that met it, and how long to wait before the next try."""

from __future__ import annotations

import random

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

_BACKOFF_BASE_SECONDS = 0.05
_BACKOFF_CAP_SECONDS = 5.0

_THROTTLES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "ThrottledException",
        "LimitExceededException",
    }
)
_EXPIRED = frozenset({"ExpiredTokenException", "ExpiredToken"})
_RETRYABLE = frozenset({"InternalServerError", "ServiceUnavailable", "TransactionInProgressException"})
_REFUSALS = frozenset({"ValidationException", "ItemCollectionSizeLimitExceededException"})

# ConnectionError is not only "never connected": a TLS error in mid-answer is one, too.
NO_ANSWER = (HTTPClientError, ConnectionError)
"""What botocore raises when no whole answer came. The call may have taken effect, and may still do so."""


def code(error: ClientError) -> str:
    """DynamoDB's name for the error."""
    return error.response["Error"]["Code"]


def is_throttle(error: ClientError) -> bool:
    """The table, one of its indexes or a partition has no capacity left for the moment."""
    return code(error) in _THROTTLES


def is_expired(error: ClientError) -> bool:
    """The session's credentials are no longer valid; new ones are."""
    return code(error) in _EXPIRED


def is_server_error(error: ClientError) -> bool:
    """DynamoDB failed; whether the call took effect is not known."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500


def is_retryable(error: ClientError) -> bool:
    """The same call may succeed later."""
    known = code(error) in _RETRYABLE or is_throttle(error) or is_expired(error)
    return known or is_server_error(error)


def is_refusal(error: ClientError) -> bool:
    """The call is bad as it is, and stays so."""
    return code(error) in _REFUSALS


class Backoff:
    """Full jitter: each wait is any time between zero and an exponentially growing bound.

    Parameters
    ----------
    base, cap
        Bounds of the first wait and of any wait, in seconds.
    """

    def __init__(
        self,
        jitter: random.Random,
        base: float = _BACKOFF_BASE_SECONDS,
        cap: float = _BACKOFF_CAP_SECONDS,
    ) -> None:
        self._jitter = jitter
        self._base = base
        self._cap = cap
        self._attempt = 0

    def progress(self) -> None:
        """Something was achieved: begin again with short waits."""
        self._attempt = 0

    def next(self) -> float:
        """Seconds to wait before the next try."""
        bound = min(self._cap, self._base * 2**self._attempt)
        self._attempt += 1
        return self._jitter.uniform(0, bound)
