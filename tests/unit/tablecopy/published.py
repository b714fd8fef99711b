"""What a function has told CloudWatch: its log, read as the embedded metric format is."""

from __future__ import annotations

import json
from collections import defaultdict

from tablecopy.metrics.definitions import METRICS, NAMESPACE

Published = dict[str, dict[str, list[float]]]
"""The values of each metric, by the dimensions besides Copy, as in "copy/by-date"."""

_BY_NAME = {metric.name: metric for metric in METRICS}


def published(log: str, copy: str = "move") -> Published:
    """The metrics of ``copy`` in ``log``, each document of which must be one that CloudWatch takes."""
    found: Published = defaultdict(lambda: defaultdict(list))
    for line in log.splitlines():
        document = json.loads(line) if line.startswith("{") else {}
        if "_aws" in document:
            assert document["Copy"] == copy
            _read(document, found)
    return {name: dict(values) for name, values in found.items()}


def total(log: str) -> dict[str, dict[str, float]]:
    """The same, each metric's values added up."""
    return {
        name: {place: sum(values) for place, values in by_place.items()}
        for name, by_place in published(log).items()
    }


def _read(document: dict[str, object], found: Published) -> None:
    about = document["_aws"]
    assert isinstance(about, dict)
    assert set(about) == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(about["Timestamp"], int)
    # In milliseconds; a value of another order is dropped as too old or too new.
    assert 1.7e12 < about["Timestamp"] < 2e12
    [directive] = about["CloudWatchMetrics"]
    assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
    assert directive["Namespace"] == NAMESPACE
    assert 1 <= len(directive["Metrics"]) <= 100
    [dimensions] = directive["Dimensions"]
    assert len(dimensions) <= 30
    assert dimensions[0] == "Copy"
    for name in dimensions:
        value = document[name]
        assert isinstance(value, str)
        assert 1 <= len(value) <= 1024
    place = "/".join(str(document[name]) for name in dimensions[1:])
    for described in directive["Metrics"]:
        metric = _BY_NAME[described["Name"]]
        assert described["Unit"] == metric.unit
        assert tuple(dimensions) in metric.dimensions
        value = document[metric.name]
        assert isinstance(value, int | float)
        found[metric.name][place].append(value)
    named = {described["Name"] for described in directive["Metrics"]}
    assert set(document) == {"_aws", *dimensions, *named}
