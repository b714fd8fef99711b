"""What a copy leaves out is named wherever a table has it, and nothing of it has to be readable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from tests.unit.verify.definitions import (
    TARGETS,
    FakeClient,
    FakeSide,
    compare,
    described,
    error,
    index,
    one,
    provisioned,
    read,
    request_of,
)
from verify.settings.compare import compare_definitions
from verify.settings.describe import read_beside
from verify.settings.findings import Unreadable

VECTOR = {"IndexName": "by-meaning", "Dimensions": 8, "IndexArn": "arn:1", "ItemCount": 5}
REPLICATED = {"Replicas": [{"RegionName": "us-east-1"}], "GlobalTableVersion": "2019.11.21"}
POLICY = {"Statement": [{"Effect": "Allow", "Resource": "TABLE"}]}
NOT_COPIED = "not copied"
DESCRIBE = "aws dynamodb describe-table --table-name orders --region eu-west-1"


@pytest.mark.parametrize(
    ("has", "aspect", "severities", "said"),
    [
        (
            described(VectorIndexes=[VECTOR]),
            "vector_index by-meaning",
            ("data", "cost"),
            NOT_COPIED,
        ),
        (described(**REPLICATED), "global_table", ("data", "cost"), "replicas in us-east-1, which is not"),
        (
            described(DisassociationProtectionEnabled=True),
            "DisassociationProtectionEnabled",
            ("data", "cost"),
            NOT_COPIED,
        ),
        (
            described(Triggers={"On": ["put"]}),
            "unknown: Triggers",
            ("data", "data"),
            "neither copies nor compares",
        ),
        ({"policy": POLICY}, "resource_policy", ("data", "data"), NOT_COPIED),
        (
            {"kinesis": [("changes", "ACTIVE")]},
            "kinesis_destination",
            ("data", "cost"),
            NOT_COPIED,
        ),
        ({"insights": ["table"]}, "contributor_insights", ("cosmetic", "cost"), NOT_COPIED),
    ],
)
def test_what_one_table_has(has: Any, aspect: str, severities: tuple[str, str], said: str) -> None:
    at_source, at_destination = one(has, {}), one({}, has)
    assert (at_source.aspect, at_destination.aspect) == (aspect, aspect)
    assert (at_source.severity, at_destination.severity) == severities
    assert said in at_source.text
    assert at_source.source
    assert at_destination.destination
    assert not at_source.destination
    assert at_source.fix
    # As it is on both sides, it is not missed; a member that is not known was compared as it came.
    assert compare(has, has) == []


@pytest.mark.parametrize(
    ("here", "there", "aspect"),
    [
        (
            {"VectorIndexes": [VECTOR]},
            {"VectorIndexes": [{**VECTOR, "Dimensions": 9}]},
            "vector_index by-meaning",
        ),
        ({"Triggers": 1}, {"Triggers": 2}, "unknown: Triggers"),
        (REPLICATED, {"Replicas": [{"RegionName": "us-east-2"}]}, "global_table"),
    ],
)
def test_what_both_have_and_differs(here: Any, there: Any, aspect: str) -> None:
    found = one(described(**here), described(**there))
    assert (found.aspect, found.severity) == (aspect, "data")
    assert "Compare it by hand." in found.text
    assert found.fix == f"{DESCRIBE} && {DESCRIBE}"


def test_the_state_of_an_index_is_no_difference() -> None:
    other = {**VECTOR, "IndexArn": "arn:2", "ItemCount": 6}
    assert compare(described(VectorIndexes=[VECTOR]), described(VectorIndexes=[other])) == []


def test_replicas_of_one_global_table_are_not_two_copies() -> None:
    source, destination = read("source", described(**REPLICATED)), read("destination")
    replica = {**destination.description, "TableArn": "arn:aws:dynamodb:us-east-1:111111111111:table/orders"}
    (found,) = compare_definitions(source, replace(destination, description=replica))
    assert (found.aspect, found.severity) == ("global_table", "data")
    assert "Both tables are replicas of one global table" in found.text


def test_names_that_aws_has_chosen_steer_no_terminal() -> None:
    found = one(described(**{"x\x1b[2J": 1}), described())
    assert found.aspect.isprintable()
    assert found.text.isprintable()


def test_policies_are_compared_without_the_arns_of_the_tables() -> None:
    assert compare({"policy": POLICY}, {"policy": POLICY}) == []
    other = {"Statement": [{"Effect": "Deny", "Resource": "TABLE"}]}
    found = one({"policy": POLICY}, {"policy": other})
    assert "The resource policies differ" in found.text
    assert found.source == {"Statement": [{"Effect": "Allow", "Resource": "TABLE_ARN"}]}


def test_a_kinesis_stream_that_was_switched_off_does_not_count() -> None:
    assert compare({"kinesis": [("changes", "DISABLED")]}, {}) == []
    found = one({"kinesis": [("changes", "ACTIVE")]}, {"kinesis": [("other", "ACTIVE")]})
    assert found.severity == "data"


def test_insights_of_an_index() -> None:
    table = described(GlobalSecondaryIndexes=[index()])
    here, there = (
        read(name, table, insights=on) for name, on in (("source", ["by-day"]), ("destination", []))
    )
    (found,) = compare_definitions(here, there)
    assert parameters_of(found.fix) == {"IndexName": "by-day", "ContributorInsightsAction": "ENABLE"}


def parameters_of(command: str | None) -> dict[str, Any]:
    _, method, found = request_of(command)
    assert method == "update_contributor_insights"
    return {name: value for name, value in found.items() if name != "TableName"}


READS = {
    "policy": ("resource_policy", "dynamodb:GetResourcePolicy"),
    "kinesis": ("kinesis_destination", "dynamodb:DescribeKinesisStreamingDestination"),
    "insights": ("contributor_insights", "dynamodb:DescribeContributorInsights"),
}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDeniedException", "is not allowed on the source"),
        ("UnknownOperationException", "the source's endpoint does not support"),
        ("ValidationException", "failed on the source"),
    ],
)
@pytest.mark.parametrize("argument", READS)
def test_what_cannot_be_read_is_said_and_no_error(argument: str, code: str, said: str) -> None:
    aspect, permission = READS[argument]
    found = one({argument: error(code)}, {})
    assert (found.aspect, found.severity, found.source) == (aspect, "cosmetic", "unknown")
    assert said in found.text
    assert permission in found.text
    granted = f"Allow {permission} on the source, then run verify again."
    assert found.fix == (granted if code == "AccessDeniedException" else None)


@pytest.fixture
def targets() -> Iterator[dict[str, Any]]:
    """Scalable targets by side; none unless the test sets some."""
    TARGETS.clear()
    yield TARGETS
    TARGETS.clear()


def scaling(low: int, high: int, index: str = "") -> dict[str, Any]:
    return {
        "ResourceId": f"table/orders{index}",
        "ScalableDimension": "dynamodb:table:WriteCapacityUnits",
        "MinCapacity": low,
        "MaxCapacity": high,
    }


@pytest.mark.parametrize(
    ("here", "there", "severity"),
    [
        ([scaling(5, 50)], [], "data"),
        ([scaling(5, 50)], [scaling(5, 40)], "data"),
        ([scaling(5, 50)], [scaling(5, 50, "/index/by-day")], "data"),
        ([scaling(5, 50)], [scaling(5, 60)], "cost"),
        ([], [scaling(5, 50)], "cost"),
        ([scaling(5, 50)], [scaling(5, 50)], None),
        ([], [], None),
    ],
)
def test_auto_scaling(targets: dict[str, Any], here: Any, there: Any, severity: str | None) -> None:
    targets |= {"source": here, "destination": there}
    table = provisioned(5, 5, GlobalSecondaryIndexes=[index(**provisioned(1, 1))])
    found = compare(table, table)
    assert [(finding.aspect, finding.severity) for finding in found] == (
        [("auto_scaling", severity)] if severity else []
    )
    for finding in found:
        assert finding.fix
        assert finding.fix.count("aws application-autoscaling describe-scalable-targets") == 2


def test_a_table_on_demand_misses_no_scaling(targets: dict[str, Any]) -> None:
    targets["source"] = [scaling(5, 50)]
    assert [finding.aspect for finding in compare(provisioned(5, 5), described())] == ["billing_mode"]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (error("AccessDeniedException"), "is not allowed on the source"),
        (EndpointConnectionError(endpoint_url="http://localhost"), "failed on the source"),
    ],
)
def test_auto_scaling_that_cannot_be_read(targets: dict[str, Any], failure: Exception, said: str) -> None:
    targets["source"] = failure
    found = one(provisioned(5, 5), provisioned(5, 5))
    assert (found.aspect, found.severity, found.source) == ("auto_scaling", "cosmetic", "unknown")
    assert f"application-autoscaling:DescribeScalableTargets {said}" in found.text
    assert found.fix


def test_auto_scaling_of_a_table_given_by_its_arn_is_not_asked_for(targets: dict[str, Any]) -> None:
    """It would be that of the caller's own table of the name."""
    targets["source"] = AssertionError("asked")
    description = {**provisioned(5, 5), "TableArn": "arn:aws:dynamodb:eu-west-1:1:table/orders"}
    side = FakeSide("source", description["TableArn"])
    client: Any = FakeClient(description["TableArn"], None, None, [{}], address=description["TableArn"])
    scaling = read_beside(client, side, description, scales=True).auto_scaling
    assert scaling == Unreadable("application-autoscaling:DescribeScalableTargets", "by name only")
