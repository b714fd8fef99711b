"""Counts what a function does, and publishes that from time to time."""

from __future__ import annotations

import threading
from collections import defaultdict

from tablecopy.clock import Clock
from tablecopy.metrics import log
from tablecopy.metrics.definitions import COPY, INDEX, TABLE, Metric

# CloudWatch keeps standard metrics by the minute; more often would only cost log lines.
PUBLISH_EVERY_SECONDS = 30.0


class Meter:
    """Adds up until it publishes. Safe to use from several threads.

    What was counted is published once: each value is what came since the one before, for the statistic Sum.
    """

    def __init__(self, clock: Clock, copy_name: str) -> None:
        self._clock = clock
        self._copy_name = copy_name
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], dict[Metric, float]] = defaultdict(dict)
        self._published = clock.now()

    def add(self, metric: Metric, value: float, table: str = "", index: str = "") -> None:
        """Count ``value`` for the copy as a whole, or for a table, or for an index of it."""
        if not value:
            return
        with self._lock:
            counts = self._counts[table, index]
            counts[metric] = counts.get(metric, 0) + value

    def publish_if_due(self) -> None:
        """Publish, unless that was done a moment ago. For work that goes on for minutes."""
        if self._clock.now() - self._published >= PUBLISH_EVERY_SECONDS:
            self.publish()

    def publish(self) -> None:
        """Log what has been counted since the last time; nothing where nothing has."""
        with self._lock:
            counted, self._counts = self._counts, defaultdict(dict)
        self._published = self._clock.now()
        for (table, index), values in counted.items():
            places = {COPY: self._copy_name, TABLE: table, INDEX: index}
            log.metrics({name: place for name, place in places.items() if place}, values, self._published)
