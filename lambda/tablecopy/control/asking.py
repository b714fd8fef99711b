"""When to ask a service again that all copies of an account, and everything else in it, share.

Lambda's control plane takes 15 requests a second from an account, DescribeStream 10 (Lambda and DynamoDB
quotas). A copy that asked once a second would leave little to the others.
"""

from __future__ import annotations

from botocore.exceptions import ClientError

from tablecopy.clock import Clock
from tablecopy.dynamodb import errors

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 10.0

_TOO_MANY_REQUESTS = 429


class Asking:
    """Whether it is time to ask: at once, then after pauses that grow from one second to ten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due = clock.now()
        self._pause = _FIRST_PAUSE_SECONDS

    def is_due(self) -> bool:
        """Whether to ask now."""
        return self._clock.now() >= self._due

    def asked(self, *, rest: float | None = None) -> None:
        """Note that it was asked now; ``rest`` is how many seconds nothing is expected to change for."""
        self._due = self._clock.now() + (self._pause if rest is None else rest)
        self._pause = min(_LONGEST_PAUSE_SECONDS, 2 * self._pause)


def is_not_yet(error: ClientError) -> bool:
    """Whether a service was too busy, or busy with this resource: the same request may succeed later."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if status == _TOO_MANY_REQUESTS or errors.is_throttled(error):
        return True
    return errors.kind(error) is errors.Kind.TRANSIENT and not errors.is_server_error(error)
