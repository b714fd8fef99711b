"""The answers of the loopback server, and its journal in memory."""

import json
from typing import Any

import pytest

from tools.benchmarks.items import Pages
from tools.benchmarks.server import ServerOptions
from tools.benchmarks.service import DESTINATION, JOURNAL, SOURCE, MemoryTable, NotUnderstood, Service


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
    changed = table.answer("UpdateItem", update)
    assert changed == {"Attributes": {"number": {"N": "1"}, "done": {"BOOL": True}}}
    expected = item("a", "1", number={"N": "1"}, done={"BOOL": True})
    assert table.answer("GetItem", {"Key": item("a", "1")}) == {"Item": expected}


def test_update_adds_to_numbers(table: MemoryTable) -> None:
    update = {
        "Key": item("a", "9"),
        "UpdateExpression": "SET done = :d ADD #n :n",
        "ExpressionAttributeNames": {"#n": "number"},
        "ExpressionAttributeValues": {":n": {"N": "2"}, ":d": {"BOOL": True}},
    }
    assert table.answer("UpdateItem", update)["Attributes"]["number"] == {"N": "2"}
    assert table.answer("UpdateItem", update)["Attributes"]["number"] == {"N": "4"}


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
        ("UpdateItem", {"Key": item("a", "1"), "UpdateExpression": "DELETE total :n"}),
        ("Query", {"KeyConditionExpression": "pk = :a AND sk > :b", "ExpressionAttributeValues": {}}),
        ("Scan", {}),
    ],
)
def test_it_does_not_guess(table: MemoryTable, operation: str, request_: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstood):
        table.answer(operation, request_)


@pytest.fixture
def service() -> Service:
    return Service(Pages("medium", 100, seed=7), "medium", watched=2)


def ask(service: Service, operation: str, **request: Any) -> Any:
    status, answer = service.answer(operation, json.dumps(request).encode())
    assert status == 200, answer
    return json.loads(answer)


def puts(*numbers: int) -> dict[str, Any]:
    requests = [{"PutRequest": {"Item": {"pk": {"S": f"k{number:015d}"}}}} for number in numbers]
    return {"RequestItems": {DESTINATION: requests}}


def test_what_is_written_is_counted(service: Service) -> None:
    page = ask(service, "Scan", TableName=SOURCE, Limit=25)
    requests = [{"PutRequest": {"Item": item}} for item in page["Items"]]
    ask(service, "BatchWriteItem", RequestItems={DESTINATION: requests})
    stats = service.stats()
    assert stats["received"] == stats["served"] == {"items": 25, "sum": sum(range(25))}
    assert stats["watched_writes"] == 1


def test_a_single_write_and_a_delete_count_as_one_each(service: Service) -> None:
    key = {"pk": {"S": "k000000000000002"}, "sk": {"N": "2"}}
    ask(service, "PutItem", TableName=DESTINATION, Item=key)
    ask(service, "BatchWriteItem", RequestItems={DESTINATION: [{"DeleteRequest": {"Key": key}}]})
    assert service.stats()["received"] == {"items": 2, "sum": 4}
    assert service.stats()["watched_writes"] == 2


@pytest.mark.parametrize("numbers", [range(26), [1, 2, 1]])
def test_a_batch_that_dynamodb_refuses_is_refused(service: Service, numbers: Any) -> None:
    status, answer = service.answer("BatchWriteItem", json.dumps(puts(*numbers)).encode())
    assert (status, json.loads(answer)["__type"].rsplit("#", 1)[1]) == (400, "ValidationException")
    assert service.stats()["received"]["items"] == 0


def test_consumed_capacity_is_told_when_it_is_asked_for(service: Service) -> None:
    asked = {"ReturnConsumedCapacity": "TOTAL"}
    read = ask(service, "Scan", TableName=SOURCE, ConsistentRead=True, **asked)
    # 100 items of 360 bytes are 35.2 KB, which are nine units of 4 KB.
    assert read["ConsumedCapacity"] == {"TableName": SOURCE, "CapacityUnits": 9}
    assert ask(service, "Scan", TableName=SOURCE, **asked)["ConsumedCapacity"]["CapacityUnits"] == 4.5
    written = ask(service, "BatchWriteItem", **puts(1, 2, 3), **asked)
    assert written["ConsumedCapacity"] == [{"TableName": DESTINATION, "CapacityUnits": 3.0}]
    assert "ConsumedCapacity" not in ask(service, "Scan", TableName=SOURCE)
    assert "ConsumedCapacity" not in ask(service, "BatchWriteItem", **puts(1))
    none = {"ReturnConsumedCapacity": "NONE"}
    assert "ConsumedCapacity" not in ask(service, "BatchWriteItem", **puts(1), **none)


def test_writes_to_the_journal_are_not_counted_as_copied(service: Service) -> None:
    item = {"pk": {"S": "segment"}, "sk": {"S": "0"}, "checkpoint": {"S": "k000000000000002"}}
    ask(service, "PutItem", TableName=JOURNAL, Item=item)
    assert service.stats()["received"]["items"] == 0
    assert ask(service, "GetItem", TableName=JOURNAL, Key={"pk": item["pk"], "sk": item["sk"]}) == {
        "Item": item
    }


def test_what_it_does_not_know_is_an_error(service: Service) -> None:
    for table in (SOURCE, JOURNAL):
        status, answer = service.answer("ExportTable", json.dumps({"TableName": table}).encode())
        assert status == 400
        assert b"ExportTable" in answer


def test_a_request_without_an_operation_assumes_the_role(service: Service) -> None:
    status, answer = service.answer("", b"Action=AssumeRole&Version=2011-06-15")
    assert status == 200
    assert b"<AssumeRoleResult>" in answer


@pytest.fixture
def compared() -> Service:
    return ServerOptions("medium", 100, 7, copy="mirrored").service()


def keys(*numbers: int) -> list[dict[str, Any]]:
    return [{"sk": {"N": str(number)}, "pk": {"S": f"k{number:015d}"}} for number in numbers]


def test_a_table_to_compare_with_has_equal_items_in_another_order(compared: Service) -> None:
    tables = [ask(compared, "Scan", TableName=table)["Items"] for table in (SOURCE, DESTINATION)]
    names = [[item["pk"]["S"] for item in table] for table in tables]
    assert names[0] == names[1][::-1]
    assert compared.stats()["served"] == {"items": 200, "sum": 2 * sum(range(100))}
    assert compared.stats()["received"]["items"] == 0


def test_tables_that_are_disjoint_have_no_key_in_common() -> None:
    service = ServerOptions("medium", 100, 7, copy="disjoint").service()
    tables = [ask(service, "Scan", TableName=table)["Items"] for table in (SOURCE, DESTINATION)]
    source, copy = ({item["pk"]["S"] for item in table} for table in tables)
    assert len(source) == len(copy) == 100
    assert not source & copy
    wanted = [{name: tables[0][0][name] for name in ("pk", "sk")}]
    found = ask(service, "BatchGetItem", RequestItems={DESTINATION: {"Keys": wanted}})
    assert found == {"Responses": {DESTINATION: []}, "UnprocessedKeys": {}}


@pytest.mark.parametrize("table", [SOURCE, DESTINATION])
def test_items_are_found_by_their_keys(compared: Service, table: str) -> None:
    scanned = {item["pk"]["S"]: item for item in ask(compared, "Scan", TableName=table)["Items"]}
    wanted: dict[str, Any] = {"Keys": keys(5, 99, 7), "ConsistentRead": True}
    answer = ask(compared, "BatchGetItem", RequestItems={table: wanted}, ReturnConsumedCapacity="TOTAL")
    assert answer["Responses"] == {table: [scanned[key["pk"]["S"]] for key in wanted["Keys"]]}
    assert answer["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 3}]


def test_more_keys_than_dynamodb_reads_at_once_are_refused(compared: Service) -> None:
    body = json.dumps({"RequestItems": {SOURCE: {"Keys": keys(*range(101))}}}).encode()
    status, answer = compared.answer("BatchGetItem", body)
    assert (status, json.loads(answer)["__type"].rsplit("#", 1)[1]) == (400, "ValidationException")


def test_a_destination_that_is_not_compared_cannot_be_read(service: Service) -> None:
    status, answer = service.answer("Scan", json.dumps({"TableName": DESTINATION}).encode())
    assert status == 400
    assert b"does not know Scan of copy" in answer


def test_both_tables_are_described(compared: Service) -> None:
    descriptions = [
        ask(compared, "DescribeTable", TableName=table)["Table"] for table in (SOURCE, DESTINATION)
    ]
    for description, account in zip(descriptions, ("111111111111", "222222222222"), strict=True):
        assert (description["ItemCount"], description["TableSizeBytes"]) == (100, 36_000)
        assert account in description["TableArn"]
    assert descriptions[0]["TableId"] != descriptions[1]["TableId"]
    arn = descriptions[1]["TableArn"]
    assert ask(compared, "ListTagsOfResource", ResourceArn=arn) == {"Tags": []}
    for operation in ("DescribeTimeToLive", "DescribeContinuousBackups"):
        assert "DISABLED" in json.dumps(ask(compared, operation, TableName=DESTINATION))
