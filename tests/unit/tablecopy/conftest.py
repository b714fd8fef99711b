"""What the tests of the Lambda package share: credentials that reach nothing, and a journal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from tablecopy.journal.store import Store
from tests.unit.tablecopy.fakes import FakeClock, moto_client
from tests.unit.tablecopy.front import Front, front


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
def store() -> Iterator[Store]:
    """An empty journal: a real table as far as moto goes, spoken to through the real DynamoDBClient."""
    with mock_aws():
        yield new_store()


def new_store() -> Store:
    """Create the journal's table in the AWS that moto shows at the moment."""
    client = moto_client()
    client.call(
        "create_table",
        {
            "TableName": "journal",
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
        },
    )
    return Store(client, "journal")
