"""Completes what ministack answers to DescribeAlarms in the query protocol."""

from __future__ import annotations

import datetime
import json
from types import ModuleType
from typing import Any
from xml.sax.saxutils import escape

Answer = tuple[int, dict[str, str], bytes]
LIST_PARAMETERS = ("AlarmNames", "AlarmTypes")
TEXT_PARAMETERS = ("AlarmNamePrefix", "StateValue", "MaxRecords", "NextToken")


def complete_describe_alarms(cloudwatch: ModuleType) -> None:
    """Replace the functions of ministack's CloudWatch that put and describe alarms.

    Selecting and paging stay ministack's: the request is handed on in the JSON protocol, whose answer is
    complete, and the answer is written as XML.

    Parameters
    ----------
    cloudwatch
        ministack's module of that service.
    """
    describe = cloudwatch._describe_alarms
    put = cloudwatch._put_metric_alarm

    def describe_alarms(params: Any, cbor_data: Any, is_cbor: bool, is_json: bool = False) -> Answer:
        answer: Answer = describe(params, cbor_data, is_cbor, is_json)
        if is_cbor or is_json or answer[0] != 200:
            return answer
        _, _, body = describe(params, _as_json_request(params), False, True)
        result = _as_xml("DescribeAlarmsResult", json.loads(body))
        complete: Answer = cloudwatch._xml(200, "DescribeAlarmsResponse", result)
        return complete

    def put_metric_alarm(params: Any, cbor_data: Any, is_cbor: bool, is_json: bool = False) -> Answer:
        answer: Answer = put(params, cbor_data, is_cbor, is_json)
        if answer[0] == 200 and not is_cbor and not is_json:
            _add_what_is_not_read(params, cloudwatch._alarms[_first(params, "AlarmName")])
        return answer

    cloudwatch._describe_alarms = describe_alarms  # type: ignore[attr-defined]
    cloudwatch._put_metric_alarm = put_metric_alarm  # type: ignore[attr-defined]


def _add_what_is_not_read(params: Any, alarm: dict[str, Any]) -> None:
    """Add to an alarm the parameters of a query that ministack passes over, and take away its guesses."""
    alarm["InsufficientDataActions"] = _members(params, "InsufficientDataActions")
    for name in ("ThresholdMetricId", "EvaluateLowSampleCountPercentile"):
        if value := _first(params, name):
            alarm[name] = value
    if metrics := _nested(params, "Metrics"):
        alarm["Metrics"] = metrics
    for name in ("Statistic", "Period", "Threshold", "MetricName", "Namespace"):
        # An alarm over several metrics, a percentile or an anomaly band goes without some of these.
        if not _first(params, name):
            alarm.pop(name, None)


def _nested(params: Any, name: str) -> list[Any]:
    """The list of structures a query spreads over parameters like ``Metrics.member.1.MetricStat.Stat``."""
    tree: dict[str, Any] = {}
    for parameter in params:
        first, *path = parameter.split(".")
        if first == name:
            branch = tree
            for step in path[:-1]:
                branch = branch.setdefault(step, {})
            branch[path[-1]] = _first(params, parameter)
    members: list[Any] = _lists(tree)
    return members or []


def _lists(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    if "member" in tree:
        members = tree["member"]
        return [_lists(members[number]) for number in sorted(members, key=int)]
    return {name: _lists(inner) for name, inner in tree.items()}


def _as_json_request(params: Any) -> dict[str, Any]:
    request: dict[str, Any] = {name: _members(params, name) for name in LIST_PARAMETERS}
    request.update({name: _first(params, name) for name in TEXT_PARAMETERS})
    return {name: value for name, value in request.items() if value}


def _first(params: Any, name: str) -> str:
    value = params.get(name, "")
    return str(value[0]) if isinstance(value, list) else str(value)


def _members(params: Any, name: str) -> list[str]:
    found: list[str] = []
    while text := _first(params, f"{name}.member.{len(found) + 1}"):
        found.append(text)
    return found


def _as_xml(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        content = "".join(_as_xml(key, inner) for key, inner in value.items())
    elif isinstance(value, list):
        content = "".join(_as_xml("member", inner) for inner in value)
    elif name.endswith("Timestamp") and isinstance(value, int | float):
        moment = datetime.datetime.fromtimestamp(value, tz=datetime.UTC)
        content = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    elif isinstance(value, bool):
        content = "true" if value else "false"
    else:
        content = escape(str(value))
    return f"<{name}>{content}</{name}>"
