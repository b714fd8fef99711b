"""Stands in for Lambda's context object."""

from __future__ import annotations

import time

# The longest that Lambda lets a function run.
_TIMEOUT_SECONDS = 900


class FakeContext:
    """The context of an invocation that begins now."""

    def __init__(self, request_id: str) -> None:
        self.aws_request_id = request_id
        self._ends = time.monotonic() + _TIMEOUT_SECONDS

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda would end the function."""
        return int((self._ends - time.monotonic()) * 1000)
