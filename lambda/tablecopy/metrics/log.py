"""One JSON object a line to the function's log. Keys and values of items never go in here."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tablecopy.metrics.definitions import NAMESPACE, Metric


def event(name: str, **fields: object) -> None:
    """Log ``name`` with ``fields``; every field must be JSON and free of item data."""
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
