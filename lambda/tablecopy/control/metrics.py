"""The numbers to be alarmed by: the age of the oldest unapplied change, and the open dead letters."""

from __future__ import annotations

from collections.abc import Callable

from tablecopy import log
from tablecopy.clock import Clock
from tablecopy.control.stream import Backlog

NAMESPACE = "DynamoDBAccountCopy"

# CloudWatch keeps standard metrics by the minute; more often would only cost log lines.
_PUBLISH_EVERY_SECONDS = 30.0


class Metrics:
    """Publishes in every phase: the mapping's own IteratorAge is silent while it is disabled.

    Parameters
    ----------
    count_letters
        Tells how many dead letters are open.
    """

    def __init__(self, clock: Clock, copy_name: str, count_letters: Callable[[], int]) -> None:
        self._clock = clock
        self._copy_name = copy_name
        self._count_letters = count_letters
        self._published = 0.0

    def publish(self, backlog: Backlog) -> None:
        """Publish now, or leave it if that was done a moment ago."""
        now = self._clock.now()
        if now - self._published < _PUBLISH_EVERY_SECONDS:
            return
        self._published = now
        dimensions = {"Copy": self._copy_name}
        log.metric(NAMESPACE, dimensions, "Seconds", {"OldestUnappliedChangeAge": backlog.oldest_age}, now)
        log.metric(NAMESPACE, dimensions, "Count", {"DeadLetters": self._count_letters()}, now)
