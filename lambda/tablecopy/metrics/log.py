"""The function's log: one JSON object a line, for events and for metrics. Item data never goes in here."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Mapping

from tablecopy.clock import Clock
from tablecopy.metrics.definitions import COPY, INDEX, NAMESPACE, TABLE, Metric

# CloudWatch keeps standard metrics by the minute; more often would only cost log lines.
PUBLISH_EVERY_SECONDS = 30.0


def event(name: str, **fields: object) -> None:
    """Log ``name`` with ``fields``. Every field must be JSON and free of item data."""
    print(json.dumps({"event": name, **fields}, default=str), flush=True)


def metrics(dimensions: Mapping[str, str], values: Mapping[Metric, float], at: float) -> None:
    """Log ``values`` of the moment ``at`` in CloudWatch's embedded metric format.

    That needs no API call and no permission. The format allows 100 metrics a document and 30 dimensions
    (CloudWatch User Guide, "Specification: Embedded metric format"); there are fewer metrics than that.
    """
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": metric.name, "Unit": metric.unit} for metric in values],
    }
    document = {
        "_aws": {"Timestamp": int(at * 1000), "CloudWatchMetrics": [directive]},
        **dimensions,
        **{metric.name: value for metric, value in values.items()},
    }
    print(json.dumps(document), flush=True)


class MetricsBuffer:
    """Adds up metrics until they are published. Safe to use from several threads.

    Each count is published once: a value is what was counted since the previous one, for the statistic Sum.
    """

    def __init__(self, clock: Clock, copy_name: str) -> None:
        self._clock = clock
        self._copy_name = copy_name
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], dict[Metric, float]] = defaultdict(dict)
        self._published = clock.now()

    def add(self, metric: Metric, value: float, table: str = "", index: str = "") -> None:
        """Count ``value`` for the whole copy, for a table, or for an index of a table."""
        if not value:
            return
        with self._lock:
            counts = self._counts[table, index]
            counts[metric] = counts.get(metric, 0) + value

    def publish_if_due(self) -> None:
        """Publish unless that was done recently. For work that takes minutes."""
        if self._clock.now() - self._published >= PUBLISH_EVERY_SECONDS:
            self.publish()

    def publish(self) -> None:
        """Log what was counted since the last time, or nothing if nothing was counted."""
        with self._lock:
            counted, self._counts = self._counts, defaultdict(dict)
        self._published = self._clock.now()
        for (table, index), values in counted.items():
            dimensions = {COPY: self._copy_name, TABLE: table, INDEX: index}
            metrics({name: value for name, value in dimensions.items() if value}, values, self._published)
