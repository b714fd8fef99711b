from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

from tools.local.alarms import complete_describe_alarms

Params = dict[str, list[str]]


class FakeCloudWatch(SimpleNamespace):
    """The parts of ministack's module that are used, with its habit of leaving things out."""

    def __init__(self) -> None:
        super().__init__(_alarms={}, _describe_alarms=self.describe, _put_metric_alarm=self.put)

    def put(self, params: Params, data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        name = params["AlarmName"][0]
        self._alarms[name] = {"AlarmName": name, "Statistic": "Average", "Period": 60, "Threshold": 0.0,
                              "MetricName": "", "Namespace": "", "Unit": None,
                              "StateUpdatedTimestamp": 1700000000, "ActionsEnabled": True,
                              "InsufficientDataActions": []}  # fmt: skip
        return 200, {}, b""

    def describe(self, params: Params, data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        if not is_json:
            return (400, {}, b"no") if params.get("MaxRecords") == ["0"] else (200, {}, b"<incomplete/>")
        names = data.get("AlarmNames")
        found = [alarm for name, alarm in self._alarms.items() if not names or name in names]
        return 200, {}, json.dumps({"MetricAlarms": found, "CompositeAlarms": []}).encode()

    @staticmethod
    def _xml(status: int, root: str, inner: str) -> Any:
        return status, {}, f"<{root}>{inner}</{root}>".encode()


def put_and_describe(**params: str) -> ElementTree.Element:
    cloudwatch = FakeCloudWatch()
    complete_describe_alarms(cloudwatch)  # type: ignore[arg-type]
    cloudwatch._put_metric_alarm({name: [value] for name, value in params.items()}, {}, False)
    cloudwatch._put_metric_alarm({"AlarmName": ["other"]}, {}, False)
    answer = cloudwatch._describe_alarms({"AlarmNames.member.1": [params["AlarmName"]]}, {}, False)
    [alarm] = ElementTree.fromstring(answer[2]).findall("DescribeAlarmsResult/MetricAlarms/member")
    return alarm


def test_types_are_written_as_the_query_protocol_has_them() -> None:
    alarm = put_and_describe(AlarmName="a<b", Statistic="Sum", Period="60")
    assert alarm.findtext("AlarmName") == "a<b"
    assert alarm.findtext("ActionsEnabled") == "true"
    assert alarm.findtext("StateUpdatedTimestamp") == "2023-11-14T22:13:20.000000Z"
    assert alarm.find("Unit") is None


def test_actions_on_missing_data_are_kept() -> None:
    alarm = put_and_describe(AlarmName="a", **{"InsufficientDataActions.member.1": "arn:1"})
    assert [action.text for action in alarm.findall("InsufficientDataActions/member")] == ["arn:1"]


def test_what_was_not_asked_for_is_not_made_up() -> None:
    alarm = put_and_describe(AlarmName="a", ExtendedStatistic="p99", Period="300")
    assert alarm.find("Statistic") is None
    assert alarm.findtext("Period") == "60"


def test_an_alarm_over_several_metrics() -> None:
    metrics = {f"Metrics.member.{index}.Id": f"m{index}" for index in range(1, 12)}
    stat = {
        "Metrics.member.1.MetricStat.Stat": "Sum",
        "Metrics.member.1.MetricStat.Metric.Dimensions.member.1.Name": "Copy",
    }
    alarm = put_and_describe(AlarmName="a", **metrics, **stat)
    assert [found.text for found in alarm.findall("Metrics/member/Id")] == [f"m{i}" for i in range(1, 12)]
    assert alarm.findtext("Metrics/member/MetricStat/Metric/Dimensions/member/Name") == "Copy"
    for name in ("MetricName", "Namespace", "Statistic", "Period"):
        assert alarm.find(name) is None


def test_errors_and_other_protocols_are_left_alone() -> None:
    cloudwatch = FakeCloudWatch()
    complete_describe_alarms(cloudwatch)  # type: ignore[arg-type]
    assert cloudwatch._describe_alarms({"MaxRecords": ["0"]}, {}, False)[0] == 400
    assert json.loads(cloudwatch._describe_alarms({}, {}, False, True)[2])["MetricAlarms"] == []
