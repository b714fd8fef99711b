"""One JSON object a line to the function's log. Keys and values of items never go in here."""

from __future__ import annotations

import json


def event(name: str, **fields: object) -> None:
    """Log ``name`` with ``fields``; every field must be JSON and free of item data."""
    print(json.dumps({"event": name, **fields}, default=str), flush=True)


def metric(
    namespace: str, dimensions: dict[str, str], unit: str, values: dict[str, float], at: float
) -> None:
    """Log ``values`` in CloudWatch's embedded metric format, which needs no API call and no permission."""
    print(
        json.dumps(
            {
                "_aws": {
                    "Timestamp": int(at * 1000),
                    "CloudWatchMetrics": [
                        {
                            "Namespace": namespace,
                            "Dimensions": [list(dimensions)],
                            "Metrics": [{"Name": name, "Unit": unit} for name in values],
                        }
                    ],
                },
                **dimensions,
                **values,
            }
        ),
        flush=True,
    )
