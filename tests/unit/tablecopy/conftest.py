"""What the tests of the Lambda package share: credentials that reach nothing, and a journal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from tablecopy.journal.store import Store
from tests.unit.tablecopy.fakes import FakeClock, moto_client
from tests.unit.tablecopy.front import Front, front
from tests.unit.tablecopy.journal_table import new_store


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")


@pytest.fixture(scope="session")
def moto_front() -> Iterator[Front]:
    with front() as server:
        yield server


@pytest.fixture(autouse=True)
def dynamodb(moto_front: Front, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Calls of DynamoDB reach moto through the product's transport; each one has to be valid."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", moto_front.url)
    yield
    invalid, moto_front.invalid = moto_front.invalid, []
    assert not invalid, invalid


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> Store:
    """An empty journal."""
    return new_store()


@pytest.fixture
def moto_store() -> Iterator[Store]:
    """An empty journal in moto, spoken to through the real DynamoDBClient."""
    with mock_aws():
        client = moto_client()
        keys = ("pk", "HASH"), ("sk", "RANGE")
        client.call(
            "create_table",
            {
                "TableName": "journal",
                "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in keys],
                "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
            },
        )
        yield Store(client, "journal")
