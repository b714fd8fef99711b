"""The one number to be alarmed by: how old the oldest change is that has not been applied."""

from __future__ import annotations

from tablecopy import log
from tablecopy.clock import Clock
from tablecopy.control.stream import Backlog

NAMESPACE = "DynamoDBAccountCopy"

# CloudWatch keeps standard metrics by the minute; more often would only cost log lines.
_PUBLISH_EVERY_SECONDS = 30.0


class Metrics:
    """Publishes the backlog's age, in every phase: the mapping's own IteratorAge is silent while disabled."""

    def __init__(self, clock: Clock, copy_name: str) -> None:
        self._clock = clock
        self._copy_name = copy_name
        self._published = 0.0

    def publish(self, backlog: Backlog) -> None:
        """Publish now, or leave it if that was done a moment ago."""
        now = self._clock.now()
        if now - self._published < _PUBLISH_EVERY_SECONDS:
            return
        self._published = now
        log.metric(
            NAMESPACE,
            {"Copy": self._copy_name},
            "Seconds",
            {"OldestUnappliedChangeAge": backlog.oldest_age},
            now,
        )
