"""The journal in memory."""

from typing import Any

import pytest

from tools.benchmarks.memory_table import MemoryTable, NotUnderstood


def item(pk: str, sk: str, **attributes: Any) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}, **attributes}


@pytest.fixture
def table() -> MemoryTable:
    made = MemoryTable()
    for sk in ("2", "1", "30"):
        made.answer("PutItem", {"Item": item("a", sk)})
    made.answer("PutItem", {"Item": item("b", "1")})
    return made


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("pk = :pk", ["1", "2", "30"]),
        ("pk = :pk AND sk BETWEEN :x AND :y", ["2", "30"]),
        ("pk = :pk AND begins_with(sk, :y)", ["30"]),
    ],
)
def test_query(table: MemoryTable, condition: str, found: list[str]) -> None:
    values = {":pk": {"S": "a"}, ":x": {"S": "2"}, ":y": {"S": "3" if "begins" in condition else "30"}}
    answer = table.answer("Query", {"KeyConditionExpression": condition, "ExpressionAttributeValues": values})
    assert [one["sk"]["S"] for one in answer["Items"]] == found


def test_delete_and_get(table: MemoryTable) -> None:
    table.answer("DeleteItem", {"Key": item("a", "1")})
    assert table.answer("GetItem", {"Key": item("a", "1")}) == {}
    assert table.answer("GetItem", {"Key": item("b", "1")}) == {"Item": item("b", "1")}


def test_update_sets_attributes(table: MemoryTable) -> None:
    update = {
        "Key": item("a", "1"),
        "UpdateExpression": "SET #n = :n, done = :d",
        "ExpressionAttributeNames": {"#n": "number"},
        "ExpressionAttributeValues": {":n": {"N": "1"}, ":d": {"BOOL": True}},
    }
    table.answer("UpdateItem", update)
    expected = item("a", "1", number={"N": "1"}, done={"BOOL": True})
    assert table.answer("GetItem", {"Key": item("a", "1")}) == {"Item": expected}


def test_batches_and_transactions(table: MemoryTable) -> None:
    writes = [{"PutRequest": {"Item": item("c", "1")}}, {"DeleteRequest": {"Key": item("a", "1")}}]
    table.answer("BatchWriteItem", {"RequestItems": {"journal": writes}})
    parts = [{"Put": {"Item": item("c", "2")}}, {"ConditionCheck": {}}, {"Delete": {"Key": item("a", "2")}}]
    table.answer("TransactWriteItems", {"TransactItems": parts})
    keys = [item(pk, sk) for pk in "ac" for sk in ("1", "2")]
    answer = table.answer("BatchGetItem", {"RequestItems": {"journal": {"Keys": keys}}})
    assert answer["Responses"]["journal"] == [item("c", "1"), item("c", "2")]


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("UpdateItem", {"Key": item("a", "1"), "UpdateExpression": "ADD total :n"}),
        ("Query", {"KeyConditionExpression": "pk = :a AND sk > :b", "ExpressionAttributeValues": {}}),
        ("Scan", {}),
    ],
)
def test_it_does_not_guess(table: MemoryTable, operation: str, request_: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstood):
        table.answer(operation, request_)
