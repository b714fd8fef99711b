"""What control finds wrong with the two tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from tablecopy.control.tables import (
    destination_lost,
    destination_problems,
    key_definition,
    provisioned,
    source_problems,
)
from tablecopy.dynamodb.client import DynamoDBClient, Json
from tests.unit.tablecopy.fakes import moto_client

STREAM: Json = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}}


@pytest.fixture
def client() -> Iterator[DynamoDBClient]:
    with mock_aws():
        yield moto_client()


def create(client: DynamoDBClient, table: str, sort_type: str | None = None, **more: Any) -> Json:
    schema = [{"AttributeName": "pk", "KeyType": "HASH"}]
    types = [{"AttributeName": "pk", "AttributeType": "S"}]
    if sort_type:
        schema.append({"AttributeName": "sk", "KeyType": "RANGE"})
        types.append({"AttributeName": "sk", "AttributeType": sort_type})
    request = {"TableName": table, "BillingMode": "PAY_PER_REQUEST", "KeySchema": schema, **more}
    description: Json = client.call("create_table", {**request, "AttributeDefinitions": types})[
        "TableDescription"
    ]
    return description


def check(client: DynamoDBClient, *, allow_items: bool = False, confirmed: bool = True) -> list[str]:
    return destination_problems(
        client, "source", client, "copy", allow_items=allow_items, confirmed=confirmed
    )


def test_a_source_with_its_stream(client: DynamoDBClient) -> None:
    arn = create(client, "source", **STREAM)["LatestStreamArn"]
    assert source_problems(client, "source", arn) == []


def test_a_source_without_a_stream(client: DynamoDBClient) -> None:
    create(client, "source")
    [problem] = source_problems(client, "source", "arn")
    assert "no longer has a stream" in problem


def test_a_source_with_another_stream(client: DynamoDBClient) -> None:
    create(client, "source", **STREAM)
    [problem] = source_problems(client, "source", "arn:old")
    assert "turned off and on" in problem


def test_a_stream_without_images(client: DynamoDBClient) -> None:
    specification = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    arn = create(client, "source", StreamSpecification=specification)["LatestStreamArn"]
    [problem] = source_problems(client, "source", arn)
    assert "KEYS_ONLY" in problem


def test_a_source_that_is_gone(client: DynamoDBClient) -> None:
    assert source_problems(client, "source", "arn") == ["source table source no longer exists"]


class Described(DynamoDBClient):
    """A table as AWS describes it; moto gives it no id."""

    def __init__(self, table_id: str, status: str = "ACTIVE") -> None:
        self.description = {"TableId": table_id, "TableStatus": status}

    def call(self, operation: str, body: Any) -> Json:
        assert (operation, body) == ("describe_table", {"TableName": "copy"})
        return {"Table": self.description}


def test_a_destination_that_is_as_it_was() -> None:
    assert destination_lost(Described("id"), "copy", "id") == []
    # A run of an earlier release has not noted it.
    assert destination_lost(Described("id"), "copy", "") == []


def test_a_destination_that_was_deleted(client: DynamoDBClient) -> None:
    [problem] = destination_lost(client, "copy", "id")
    assert "was deleted" in problem
    assert "start a new copy" in problem
    assert destination_lost(Described("id", "DELETING"), "copy", "id") == [problem]


def test_a_destination_that_is_another_one() -> None:
    [problem] = destination_lost(Described("other"), "copy", "id")
    assert "created again" in problem
    assert "start a new copy" in problem


def test_what_is_provisioned(client: DynamoDBClient) -> None:
    throughput = {"ReadCapacityUnits": 7, "WriteCapacityUnits": 5}
    described = create(client, "source", BillingMode="PROVISIONED", ProvisionedThroughput=throughput)
    assert provisioned(described, "ReadCapacityUnits") == 7
    assert provisioned(create(client, "copy"), "ReadCapacityUnits") == 0


def test_an_empty_destination(client: DynamoDBClient) -> None:
    create(client, "source", "N")
    create(client, "copy", "N")
    assert check(client) == []


def test_no_destination(client: DynamoDBClient) -> None:
    create(client, "source")
    [problem] = check(client)
    assert "does not exist" in problem


@pytest.mark.parametrize("sort_type", ["S", None])
def test_another_key(client: DynamoDBClient, sort_type: str | None) -> None:
    create(client, "source", "N")
    create(client, "copy", sort_type)
    [problem] = check(client)
    assert "has the key" in problem


def test_items_at_the_destination(client: DynamoDBClient) -> None:
    create(client, "source")
    create(client, "copy")
    client.call("put_item", {"TableName": "copy", "Item": {"pk": {"S": "a"}}})
    [problem] = check(client)
    assert "allow_items" in problem
    assert check(client, allow_items=True) == []


def test_an_apply_never_starts_a_copy_over_items(client: DynamoDBClient) -> None:
    create(client, "source")
    create(client, "copy")
    assert check(client, allow_items=True, confirmed=False) == []
    client.call("put_item", {"TableName": "copy", "Item": {"pk": {"S": "a"}}})
    [problem] = check(client, allow_items=True, confirmed=False)
    assert "copy already holds about 1 item, and an apply never overwrites items" in problem
    assert "tablecopy start" in problem
    # Starting it would not help here.
    [problem] = check(client, allow_items=False, confirmed=False)
    assert "allow_items" in problem


def test_time_to_live_at_the_destination(client: DynamoDBClient) -> None:
    create(client, "source")
    create(client, "copy")
    client.call(
        "update_time_to_live",
        {"TableName": "copy", "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "until"}},
    )
    [problem] = check(client)
    assert "--time-to-live-specification Enabled=false,AttributeName=until" in problem


def test_an_empty_page_that_is_not_the_last_one_is_no_proof(client: DynamoDBClient) -> None:
    class Sparse(DynamoDBClient):
        def __init__(self) -> None:
            """Everything but the scan is the other client's."""

        def call(self, operation: str, body: Any) -> Json:
            if operation == "scan":
                return {"Count": 0, "LastEvaluatedKey": {"pk": {"S": "a"}}}
            return client.call(operation, body)

    create(client, "source")
    create(client, "copy")
    [problem] = destination_problems(client, "source", Sparse(), "copy", allow_items=False, confirmed=True)
    assert "holds items" in problem


def test_the_hash_key_comes_first(client: DynamoDBClient) -> None:
    assert key_definition(create(client, "source", "B")) == [("pk", "S", "HASH"), ("sk", "B", "RANGE")]


class Fixed:
    """A caller whose table is described as it was given."""

    def __init__(self, description: Json) -> None:
        self._description = description

    def call(self, operation: str, body: Any) -> Json:
        assert operation == "describe_table"
        return {"Table": {"TableStatus": "ACTIVE", **self._description}}


ARN = "arn:aws:dynamodb:eu-west-1:111111111111:table/orders"
REPLICA = "arn:aws:dynamodb:us-east-1:111111111111:table/orders"


@pytest.mark.parametrize(
    ("source", "destination", "problem"),
    [
        ({"TableArn": ARN, "TableId": "1"}, {"TableArn": ARN, "TableId": "1"}, f"are one table, {ARN}"),
        ({"TableArn": ARN}, {"TableArn": ARN}, f"are one table, {ARN}"),
        (
            {"TableArn": ARN, "Replicas": [{"RegionName": "us-east-1"}]},
            {"TableArn": REPLICA},
            "are replicas of one global table",
        ),
    ],
)
def test_a_table_is_not_copied_onto_itself(source: Json, destination: Json, problem: str) -> None:
    """Written to itself, or to a replica that writes back, its stream would never end."""
    tables = Fixed(source), "orders", Fixed(destination), "orders"
    [found] = destination_problems(*tables, allow_items=True, confirmed=True)
    assert problem in found
