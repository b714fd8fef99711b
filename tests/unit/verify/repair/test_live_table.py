"""A table that is read and written item by item: what it is, and what its answers mean."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tablecopy.comparison.canonical import digest
from tablecopy.dynamodb.description import Identity
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.errors import UserError
from verify.repair.live_table import (
    MAX_EXPRESSION_BYTES,
    MAX_OPERATORS,
    LiveTable,
    Overtaken,
    Rejected,
    TooWide,
    digest_of,
    is_absent,
    is_unchanged,
)


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
        ("ValidationException", Rejected),
        ("ItemCollectionSizeLimitExceededException", Rejected),
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


def item(attributes: int) -> dict[str, Any]:
    return {"pk": {"S": "a"}, "sk": {"N": "1"}, **{f"a{n}": {"S": str(n)} for n in range(attributes)}}


def operators(expression: str) -> int:
    return len(re.findall(r"=| AND |attribute_(?:not_)?exists", expression))


def test_where_there_is_no_item() -> None:
    assert is_absent("pk") == {
        "ConditionExpression": "attribute_not_exists(#k)",
        "ExpressionAttributeNames": {"#k": "pk"},
    }


def test_each_attribute_is_guarded() -> None:
    new = {"pk": {"S": "a"}, "x": {"S": "new"}, "z": {"NULL": True}}
    assert is_unchanged({"pk": {"S": "a"}, "x": {"S": "old"}, "y": {"L": []}}, ["pk"], new) == {
        "ConditionExpression": "attribute_exists(#k) AND #0=:0 AND #1=:1 AND attribute_not_exists(#2)",
        "ExpressionAttributeNames": {"#k": "pk", "#0": "x", "#1": "y", "#2": "z"},
        "ExpressionAttributeValues": {":0": {"S": "old"}, ":1": {"L": []}},
    }


def test_an_item_that_is_all_key() -> None:
    assert is_unchanged({"pk": {"S": "a"}, "sk": {"N": "1"}}, ["pk", "sk"]) == {
        "ConditionExpression": "attribute_exists(#k)",
        "ExpressionAttributeNames": {"#k": "pk"},
    }


def test_the_widest_item_that_fits() -> None:
    expression = is_unchanged(item(149), ["pk", "sk"])["ConditionExpression"]
    assert operators(expression) == MAX_OPERATORS - 1
    assert len(expression) <= MAX_EXPRESSION_BYTES
    with pytest.raises(TooWide, match="150 attributes"):
        is_unchanged(item(150), ["pk", "sk"])


def test_attributes_to_come_count_by_their_length_too() -> None:
    expression = is_unchanged(item(0), ["pk", "sk"], item(135))["ConditionExpression"]
    assert MAX_EXPRESSION_BYTES - 40 < len(expression) <= MAX_EXPRESSION_BYTES
    with pytest.raises(TooWide):
        is_unchanged(item(0), ["pk", "sk"], item(137))
