"""Tables are compared only if they are two, with one key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tablecopy.dynamodb.client import Json
from tablecopy.verifier.tables import Described, NotComparable, Tables
from tests.unit.tablecopy.fakes import client_error

SCHEMA = [{"AttributeName": "sk", "KeyType": "RANGE"}, {"AttributeName": "pk", "KeyType": "HASH"}]
TYPES = [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}]


def table(name: str, **changes: Any) -> Json:
    return {
        "TableArn": f"arn:aws:dynamodb:eu-west-1:111111111111:table/{name}",
        "TableId": name,
        "KeySchema": SCHEMA,
        "AttributeDefinitions": TYPES,
        **changes,
    }


class Client:
    """Describes one table, or answers with an error."""

    def __init__(self, answer: Json | ClientError, expiry: str | None = None) -> None:
        self._answer = answer
        self._expiry = expiry

    def call(self, operation: str, body: Mapping[str, Any]) -> Json:
        if isinstance(self._answer, ClientError):
            raise self._answer
        if operation == "describe_table":
            return {"Table": self._answer}
        assert operation == "describe_time_to_live"
        return {"TimeToLiveDescription": {"AttributeName": self._expiry} if self._expiry else {}}


def describe(source: Client, destination: Client) -> Described:
    return Tables((source, destination), ("orders", "copy")).describe()  # type: ignore[arg-type]


def test_what_a_verification_needs_is_read() -> None:
    provisioned = {"ProvisionedThroughput": {"ReadCapacityUnits": 100}}
    described = describe(
        Client(table("orders", ItemCount=30), "expires"), Client(table("copy", ItemCount=10, **provisioned))
    )
    assert described == Described(
        ("pk", "sk"),
        "expires",
        0.0,
        50.0,
        "arn:aws:dynamodb:eu-west-1:111111111111:table/orders#orders "
        "arn:aws:dynamodb:eu-west-1:111111111111:table/copy#copy",
        40,
    )


def test_a_table_that_was_created_again_has_another_identity() -> None:
    one, other = (describe(Client(table("orders")), Client(table("copy", TableId=id_))) for id_ in "ab")
    assert one.identities != other.identities


@pytest.mark.parametrize(
    ("destination", "reason"),
    [
        (table("orders"), "one table"),
        (table("copy", KeySchema=SCHEMA[1:]), "primary keys differ"),
        (table("copy", AttributeDefinitions=[TYPES[0], {**TYPES[1], "AttributeType": "S"}]), "keys differ"),
        (client_error("ResourceNotFoundException"), "table copy does not exist"),
    ],
)
def test_tables_that_cannot_be_compared(destination: Json | ClientError, reason: str) -> None:
    with pytest.raises(NotComparable, match=reason):
        describe(Client(table("orders")), Client(destination))


def test_another_error_is_raised() -> None:
    with pytest.raises(ClientError):
        describe(Client(table("orders")), Client(client_error("AccessDeniedException")))
