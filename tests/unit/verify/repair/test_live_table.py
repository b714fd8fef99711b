"""A table that is read and written item by item: what it is, and what its answers mean."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tablecopy.dynamodb.identity import Identity
from tablecopy_cli.common import Side, UserError
from verify.repair.live_table import LiveTable, Overtaken, Refused, digest_of
from verify.scan.canonical import digest


class Client:
    """Answers each call with what a test has set, or raises it."""

    def __init__(self) -> None:
        self.answer: Any = {}
        self.requests: list[dict[str, Any]] = []

    def _answer(self, **request: Any) -> Any:
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    get_item = put_item = delete_item = _answer


DESCRIPTION = {
    "TableArn": "arn:x",
    "TableId": "id-1",
    "KeySchema": [
        {"AttributeName": "sk", "KeyType": "RANGE"},
        {"AttributeName": "pk", "KeyType": "HASH"},
    ],
    "AttributeDefinitions": [
        {"AttributeName": "sk", "AttributeType": "B"},
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "index", "AttributeType": "S"},
    ],
}


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def table(client: Client) -> LiveTable:
    dynamodb: Any = client
    return LiveTable(Side("destination", "cities"), dynamodb, DESCRIPTION)


KEY = {"pk": {"S": "a"}, "sk": {"B": "AP8="}}
DECODED = {"pk": {"S": "a"}, "sk": {"B": b"\x00\xff"}}


def test_what_a_table_is(table: LiveTable) -> None:
    assert (table.identity, table.key_names) == (Identity("arn:x", "id-1", None), ("pk", "sk"))


def test_items_are_read_consistently(client: Client, table: LiveTable) -> None:
    client.answer = {"Item": DECODED}
    assert table.read(KEY) == DECODED
    assert client.requests[-1] == {"TableName": "cities", "Key": DECODED, "ConsistentRead": True}
    client.answer = {}
    assert table.read(KEY) is None


def test_writes_return_what_they_replaced(client: Client, table: LiveTable) -> None:
    client.answer = {"Attributes": DECODED}
    condition = {"ConditionExpression": "x"}
    assert table.put(DECODED, condition) == DECODED
    assert client.requests[-1] == {
        "TableName": "cities",
        "Item": DECODED,
        "ReturnValues": "ALL_OLD",
        "ConditionExpression": "x",
    }
    assert table.delete(KEY, condition) == DECODED
    assert client.requests[-1]["Key"] == DECODED
    assert client.requests[-1]["ReturnValues"] == "ALL_OLD"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ConditionalCheckFailedException", Overtaken),
        ("TransactionConflictException", Overtaken),
        ("ReplicatedWriteConflictException", Overtaken),
        ("ValidationException", Refused),
        ("ItemCollectionSizeLimitExceededException", Refused),
        ("ThrottlingException", UserError),
        ("AccessDeniedException", UserError),
        ("ResourceNotFoundException", UserError),
    ],
)
def test_what_an_error_means(client: Client, table: LiveTable, code: str, error: type[Exception]) -> None:
    client.answer = ClientError({"Error": {"Code": code, "Message": "so\nit is"}}, "PutItem")
    with pytest.raises(error) as info:
        table.put(DECODED, {"ConditionExpression": "x"})
    assert "\n" not in str(info.value)


def test_digests_are_those_of_the_comparison() -> None:
    assert digest_of(None) is None
    assert digest_of({"a": {"N": "1.0"}}) == digest_of({"a": {"N": "1"}}) != digest_of({"a": {"S": "1"}})
    assert digest_of({"a": {"B": b"\x00\xff"}}) == digest({"a": {"B": "AP8="}}).hex()
    assert digest_of({"a": {"BS": [b"a", b"b"]}}) == digest_of({"a": {"BS": [b"b", b"a"]}})
