"""The simulated DynamoDB against the rules that AWS documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tablecopy.dynamodb.client import Json, encode
from tablecopy.dynamodb.pages import parse
from tablecopy.journal.store import Conflict, Store, Versioned
from tests.simulation.tables import Account, number, text
from tools.simulation.attributes import item_size
from tools.simulation.behavior import TableBehavior
from tools.simulation.items import Index
from tools.simulation.machine import SimMachine
from tools.simulation.names import SOURCE_ACCOUNT
from tools.simulation.network import Caller, Network, SimDynamoDB
from tools.simulation.requests import NotSimulated
from tools.simulation.scheduler import Host

SORTED = (("pk", "S"), ("sk", "S"))


def put_request(pk: str, **attributes: Json) -> Json:
    return {"PutRequest": {"Item": {"pk": text(pk), **attributes}}}


def delete_request(pk: str) -> Json:
    return {"DeleteRequest": {"Key": {"pk": text(pk)}}}


def keys(items: list[Json]) -> list[str]:
    return [item["pk"]["S"] for item in items]


# Items


def test_an_item_comes_back_byte_by_byte() -> None:
    account = Account()
    account.table()
    item = '{"pk":{"S":"a"},"n":{"N":"12.50"},"b":{"B":"AAE="},"text":{"S":"\\u00e4\\n"}}'
    body = b'{"TableName":"orders","Item":%s}' % item.encode()
    caller = Caller("host", SOURCE_ACCOUNT)
    account.dynamodb.handle("PutItem", body, caller)
    answer = account.dynamodb.handle(
        "GetItem", encode({"TableName": "orders", "Key": {"pk": text("a")}, "ConsistentRead": True}), caller
    )
    assert answer == b'{"Item":%s}' % item.encode()


def test_a_key_is_the_same_in_every_spelling() -> None:
    account = Account()
    table = account.table(key=(("id", "N"),))
    for spelling in ("1", "1.0", "10e-1"):
        account.call("PutItem", TableName="orders", Item={"id": {"N": spelling}})
    assert len(table) == 1


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"sk": text("a")}, "Missing the key pk"),
        ({"pk": number(1)}, "Type mismatch for key pk"),
        ({"pk": text("")}, "cannot contain an empty string value"),
        ({"pk": text("x" * 2049)}, "exceeded the maximum size limit of 2048 bytes"),
        ({"pk": text("a"), "big": text("x" * 410_000)}, "exceeded the maximum allowed size"),
        ({"pk": text("a"), "set": {"SS": []}}, "may not be empty"),
        ({"pk": text("a"), "set": {"NS": ["1", "1.0"]}}, "contains duplicates"),
    ],
)
def test_an_invalid_item_is_rejected(item: Json, message: str) -> None:
    account = Account()
    account.table()
    error = account.error("PutItem", TableName="orders", Item=item)
    assert error.code == "ValidationException"
    assert message in error.message


def test_an_item_may_be_larger_in_json_than_in_the_table() -> None:
    account = Account()
    table = account.table()
    numbers = {"NS": [str(value) for value in range(100_000, 160_000)]}
    account.put("a", numbers=numbers)
    body = table.get(("a",))
    assert body is not None
    assert len(body) > 400 * 1024 > item_size(json.loads(body))


def test_a_key_must_have_exactly_the_keys_attributes() -> None:
    account = Account()
    account.table()
    error = account.error("GetItem", TableName="orders", Key={"pk": text("a"), "sk": text("b")})
    assert error.message == "The provided key element does not match the schema"


def test_a_table_that_does_not_exist_is_an_error() -> None:
    error = Account().error("GetItem", TableName="orders", Key={"pk": text("a")})
    assert error.code == "ResourceNotFoundException"


def test_what_is_not_simulated_is_no_answer_of_dynamodb() -> None:
    account = Account()
    account.table()
    with pytest.raises(NotSimulated, match="CreateBackup"):
        account.call("CreateBackup")
    with pytest.raises(NotSimulated, match="IndexName"):
        account.call("Query", TableName="orders", IndexName="x", KeyConditionExpression="pk = :pk")


# Conditions and updates


def test_a_write_whose_condition_fails_changes_nothing() -> None:
    account = Account()
    account.table()
    account.put("a", n=number(1))
    request = {"TableName": "orders", "Item": {"pk": text("a")}}
    error = account.error("PutItem", **request, ConditionExpression="attribute_not_exists(pk)")
    assert error.code == "ConditionalCheckFailedException"
    assert account.get("a") == {"pk": text("a"), "n": number(1)}


def test_a_write_returns_the_old_item_on_request() -> None:
    account = Account()
    account.table()
    account.put("a", n=number(1))
    answer = account.call("DeleteItem", TableName="orders", Key={"pk": text("a")}, ReturnValues="ALL_OLD")
    assert answer["Attributes"] == {"pk": text("a"), "n": number(1)}


def test_an_update_makes_the_item_that_does_not_exist() -> None:
    account = Account()
    account.table()
    answer = account.call(
        "UpdateItem",
        TableName="orders",
        Key={"pk": text("a")},
        UpdateExpression="ADD letters :one SET #t = :t",
        ExpressionAttributeNames={"#t": "type"},
        ExpressionAttributeValues={":one": number(1), ":t": text("x")},
        ReturnValues="ALL_NEW",
    )
    assert answer["Attributes"] == {"pk": text("a"), "letters": number(1), "type": text("x")}


def test_an_update_does_not_change_the_key() -> None:
    account = Account()
    account.table()
    error = account.error(
        "UpdateItem",
        TableName="orders",
        Key={"pk": text("a")},
        UpdateExpression="SET pk = :b",
        ExpressionAttributeValues={":b": text("b")},
    )
    assert "part of the key" in error.message


# BatchWriteItem


def test_a_batch_puts_and_deletes() -> None:
    account = Account()
    account.table()
    account.put("a")
    answer = account.call(
        "BatchWriteItem",
        RequestItems={"orders": [delete_request("a"), put_request("b")]},
        ReturnConsumedCapacity="INDEXES",
    )
    assert account.get("a") is None
    assert account.get("b") == {"pk": text("b")}
    assert answer == {
        "UnprocessedItems": {},
        "ConsumedCapacity": [{"TableName": "orders", "CapacityUnits": 2.0, "Table": {"CapacityUnits": 2.0}}],
    }


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ([put_request(str(n)) for n in range(26)], "Too many items"),
        ([put_request("a"), delete_request("a")], "duplicates"),
        ([], "1 to 25"),
        ([put_request("b"), put_request("")], "empty string"),
        ([{}], "datatypes"),
    ],
)
def test_an_invalid_batch_writes_nothing(requests: list[Json], message: str) -> None:
    account = Account()
    table = account.table()
    error = account.error("BatchWriteItem", RequestItems={"orders": requests})
    assert message in error.message
    assert len(table) == 0


def test_a_batch_of_more_than_16_mb_is_rejected() -> None:
    account = Account()
    account.table()
    large = [put_request(str(n), s=text("\x01" * 120_000)) for n in range(25)]
    error = account.error("BatchWriteItem", RequestItems={"orders": large})
    assert "16 MB" in error.message


def test_unprocessed_requests_are_a_random_part_and_may_be_spelled_otherwise() -> None:
    account = Account()
    table = account.table(behavior=TableBehavior(unprocessed=1.0, respelled=1.0))
    requests = [put_request(str(n), name=text("x")) for n in range(25)]
    answer = account.call("BatchWriteItem", RequestItems={"orders": requests})
    left = answer["UnprocessedItems"]["orders"]
    assert 0 < len(left) < 25
    assert len(table) == 25 - len(left)
    assert all(request in requests for request in left)
    assert list(left[0]["PutRequest"]["Item"]) == ["name", "pk"]


# BatchGetItem


def test_a_batch_get_returns_what_exists() -> None:
    account = Account()
    account.table()
    account.batch("abc")
    wanted = [{"pk": text(key)} for key in "abx"]
    answer = account.call(
        "BatchGetItem",
        RequestItems={"orders": {"Keys": wanted, "ConsistentRead": True}},
        ReturnConsumedCapacity="TOTAL",
    )
    assert sorted(keys(answer["Responses"]["orders"])) == ["a", "b"]
    assert answer["UnprocessedKeys"] == {}
    assert answer["ConsumedCapacity"] == [{"TableName": "orders", "CapacityUnits": 3.0}]


def test_a_batch_get_returns_items_in_any_order() -> None:
    account = filled(50)
    wanted = [{"pk": text(str(key))} for key in range(50)]
    answer = account.call("BatchGetItem", RequestItems={"orders": {"Keys": wanted, "ConsistentRead": True}})
    assert answer["Responses"]["orders"] != wanted
    assert len(answer["Responses"]["orders"]) == 50


def test_a_batch_get_returns_at_most_16_megabytes() -> None:
    account = Account()
    account.table()
    for key in range(50):
        account.put(str(key), s=text("x" * 390_000))
    wanted = [{"pk": text(str(key))} for key in range(50)]
    answer = account.call("BatchGetItem", RequestItems={"orders": {"Keys": wanted, "ConsistentRead": True}})
    assert len(answer["Responses"]["orders"]) == 44
    assert len(answer["UnprocessedKeys"]["orders"]["Keys"]) == 6


def test_a_batch_get_leaves_keys_unprocessed() -> None:
    account = Account()
    account.table(behavior=TableBehavior(unprocessed=1.0))
    wanted = [{"pk": text(str(key))} for key in range(50)]
    answer = account.call("BatchGetItem", RequestItems={"orders": {"Keys": wanted, "ConsistentRead": True}})
    left = answer["UnprocessedKeys"]["orders"]
    assert 0 < len(left["Keys"]) < 50
    assert left["ConsistentRead"] is True


@pytest.mark.parametrize(
    ("wanted", "message"),
    [([str(key) for key in range(101)], "Too many items"), (["a", "a"], "duplicates"), ([], "no keys")],
)
def test_an_invalid_batch_get_is_rejected(wanted: list[str], message: str) -> None:
    account = Account()
    account.table()
    request = {"orders": {"Keys": [{"pk": text(key)} for key in wanted]}}
    assert message in account.error("BatchGetItem", RequestItems=request).message


# Scan and Query


def scan(account: Account, **members: Any) -> Iterator[Json]:
    """Yield the pages of a scan."""
    while True:
        page = account.call("Scan", TableName="orders", ConsistentRead=True, **members)
        yield page
        if "LastEvaluatedKey" not in page:
            return
        members["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def scanned(account: Account, **members: Any) -> list[str]:
    """Return the keys that a whole scan finds."""
    return [key for page in scan(account, **members) for key in keys(page["Items"])]


def filled(items: int = 100, **settings: Any) -> Account:
    account = Account()
    account.table(**settings)
    for first in range(0, items, 25):
        account.batch(str(key) for key in range(first, min(items, first + 25)))
    return account


def test_the_segments_of_a_scan_have_each_item_once() -> None:
    account = filled()
    found = [
        key for segment in range(7) for key in scanned(account, Limit=3, Segment=segment, TotalSegments=7)
    ]
    assert sorted(found) == sorted(str(key) for key in range(100))
    assert found == scanned(account)


def test_a_scan_continues_inside_a_partition_key() -> None:
    account = Account()
    account.table(key=SORTED)
    wanted = [(str(pk), str(sk)) for pk in range(5) for sk in range(5)]
    for pk, sk in wanted:
        account.put(pk, sk=text(sk))
    items = [item for page in scan(account, Limit=2) for item in page["Items"]]
    assert sorted((item["pk"]["S"], item["sk"]["S"]) for item in items) == wanted


def test_two_tables_keep_equal_keys_in_the_same_order_unless_they_are_salted() -> None:
    orders = [scanned(filled(salt=salt)) for salt in (0, 0, 1)]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]


def test_a_page_that_reaches_its_limit_names_a_last_key_even_at_the_end() -> None:
    account = filled(4)
    pages = list(scan(account, Limit=4))
    assert [page["Count"] for page in pages] == [4, 0]


def test_a_page_ends_at_one_megabyte() -> None:
    account = Account()
    account.table()
    for key in range(4):
        account.put(str(key), s=text("x" * 390_000))
    pages = list(scan(account, ReturnConsumedCapacity="TOTAL"))
    assert [page["Count"] for page in pages] == [3, 1]
    assert pages[0]["ConsumedCapacity"]["CapacityUnits"] == -(-3 * 390_005 // 4096)


def test_a_start_key_of_another_segment_is_rejected() -> None:
    account = filled()
    [page] = [next(scan(account, Limit=3, Segment=0, TotalSegments=4))]
    error = account.error(
        "Scan", TableName="orders", Segment=1, TotalSegments=4, ExclusiveStartKey=page["LastEvaluatedKey"]
    )
    assert "Invalid ExclusiveStartKey" in error.message


def test_a_scan_sees_what_was_written_behind_its_start_key_only() -> None:
    account = filled()
    pages = scan(account, Limit=10)
    first = keys(next(pages)["Items"])
    for key in range(200, 300):
        account.put(str(key))
    account.delete(first[0])
    rest = [key for page in pages for key in keys(page["Items"])]
    whole = scanned(account)
    assert rest == whole[whole.index(first[-1]) + 1 :]


def test_a_scan_counts() -> None:
    page = next(scan(filled(3), Select="COUNT", Limit=1))
    assert page["Count"] == 1
    assert "Items" not in page


def test_pages_may_be_short() -> None:
    account = filled(behavior=TableBehavior(short_page=1.0))
    pages = list(scan(account))
    assert len(pages) > 1
    assert sum(page["Count"] for page in pages) == 100


def test_the_product_reads_the_pages() -> None:
    account = filled(10)
    body = encode({"TableName": "orders", "Limit": 4, "ReturnConsumedCapacity": "TOTAL"})
    answer = account.dynamodb.handle("Scan", body, Caller("host", SOURCE_ACCOUNT))
    page = parse(answer)
    assert len(page.items) == 4
    assert page.consumed == 0.5
    assert page.last_key == json.loads(page.items[-1])


def test_a_query_finds_a_range_of_sort_keys_in_order() -> None:
    account = Account()
    account.table(key=SORTED)
    for sk in ("b", "a", "d", "c"):
        account.put("x", sk=text(sk))
    account.put("y", sk=text("a"))

    def found(condition: str, **members: Any) -> list[str]:
        values = {":pk": text("x"), ":b": text("b"), ":c": text("c")}
        given = {name: value for name, value in values.items() if name in condition}
        page = account.call(
            "Query",
            TableName="orders",
            KeyConditionExpression=condition,
            ExpressionAttributeValues=given,
            **members,
        )
        return [item["sk"]["S"] for item in page["Items"]]

    assert found("pk = :pk") == ["a", "b", "c", "d"]
    assert found("pk = :pk AND sk BETWEEN :b AND :c") == ["b", "c"]
    assert found("pk = :pk AND sk > :b") == ["c", "d"]
    assert found("pk = :pk AND sk <= :b") == ["a", "b"]
    assert found("pk = :pk AND begins_with(sk, :c)") == ["c"]
    assert found("pk = :pk", ScanIndexForward=False, Limit=2) == ["d", "c"]
    start = {"pk": text("x"), "sk": text("b")}
    assert found("pk = :pk", ExclusiveStartKey=start) == ["c", "d"]
    assert found("pk = :pk", ExclusiveStartKey=start, ScanIndexForward=False) == ["a"]


def test_an_eventually_consistent_read_may_miss_the_last_second() -> None:
    account = Account()
    account.table(behavior=TableBehavior(stale_read=1.0))
    account.put("a")
    request = {"TableName": "orders", "Key": {"pk": text("a")}}
    assert "Item" not in account.call("GetItem", **request)
    assert "Item" in account.call("GetItem", **request, ConsistentRead=True)
    account.wait(1)
    assert "Item" in account.call("GetItem", **request)


# Transactions


def add(table: str, pk: str) -> Json:
    return {
        "Update": {
            "TableName": table,
            "Key": {"pk": text(pk)},
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": number(1)},
        }
    }


def test_a_transaction_is_all_or_nothing() -> None:
    account = Account()
    account.table()
    account.put("a")
    check = {
        "ConditionCheck": {
            "TableName": "orders",
            "Key": {"pk": text("b")},
            "ConditionExpression": "attribute_exists(pk)",
        }
    }
    error = account.error("TransactWriteItems", TransactItems=[add("orders", "a"), check])
    assert error.code == "TransactionCanceledException"
    assert "[None, ConditionalCheckFailed]" in error.message
    assert account.get("a") == {"pk": text("a")}
    account.put("b")
    account.call("TransactWriteItems", TransactItems=[add("orders", "a"), check])
    assert account.get("a") == {"pk": text("a"), "n": number(1)}


def test_a_transaction_costs_twice_as_much() -> None:
    account = Account()
    table = account.table()
    answer = account.call(
        "TransactWriteItems", TransactItems=[add("orders", "a")], ReturnConsumedCapacity="TOTAL"
    )
    assert answer["ConsumedCapacity"] == [{"TableName": "orders", "CapacityUnits": 2.0}]
    assert table.throughput.consumed_write == 2


def test_a_transaction_may_not_have_an_item_twice() -> None:
    account = Account()
    account.table()
    error = account.error("TransactWriteItems", TransactItems=[add("orders", "a"), add("orders", "a")])
    assert "multiple operations on one item" in error.message


def test_a_client_token_makes_a_transaction_idempotent_for_ten_minutes() -> None:
    account = Account()
    account.table()
    request = {"TransactItems": [add("orders", "a")], "ClientRequestToken": "token"}
    account.call("TransactWriteItems", **request)
    account.call("TransactWriteItems", **request)
    assert account.get("a") == {"pk": text("a"), "n": number(1)}
    other = {"TransactItems": [add("orders", "b")], "ClientRequestToken": "token"}
    assert account.error("TransactWriteItems", **other).code == "IdempotentParameterMismatchException"
    account.wait(601)
    account.call("TransactWriteItems", **request)
    assert account.get("a") == {"pk": text("a"), "n": number(2)}


def test_a_write_may_meet_a_transaction() -> None:
    account = Account()
    account.table(behavior=TableBehavior(transaction_conflict=1.0))
    assert account.error("PutItem", TableName="orders", Item={"pk": text("a")}).code == (
        "TransactionConflictException"
    )


# Indexes

BY_DAY = Index("by-day", (("day", "S"), ("amount", "N")))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"day": number(1)}, "Type mismatch for Index Key day"),
        ({"day": text("")}, "secondary index key is not supported"),
        ({"day": text("x" * 2049), "amount": number(1)}, "Size of index key"),
    ],
)
def test_an_index_rejects_items_that_its_table_would_take(attributes: Json, message: str) -> None:
    account = Account()
    account.table(indexes=(BY_DAY,))
    error = account.error("PutItem", TableName="orders", Item={"pk": text("a"), **attributes})
    assert message in error.message


def test_a_write_costs_units_of_each_index_that_changes() -> None:
    account = Account()
    keys_only = Index("by-amount", (("amount", "N"),), projection="KEYS_ONLY")
    local = Index("local", (("pk", "S"), ("amount", "N")), local=True)
    account.table(key=SORTED, indexes=(BY_DAY, keys_only, local))

    def cost(**attributes: Json) -> tuple[float, float | None, float | None, float | None]:
        item = {"pk": text("a"), "sk": text("b"), **attributes}
        answer = account.call("PutItem", TableName="orders", Item=item, ReturnConsumedCapacity="INDEXES")
        consumed = answer["ConsumedCapacity"]
        indexes = consumed.get("GlobalSecondaryIndexes", {}) | consumed.get("LocalSecondaryIndexes", {})
        named = [indexes.get(name, {}).get("CapacityUnits") for name in ("by-day", "by-amount", "local")]
        assert consumed["CapacityUnits"] == consumed["Table"]["CapacityUnits"] + sum(filter(None, named))
        return consumed["Table"]["CapacityUnits"], *named  # type: ignore[return-value]

    assert cost() == (1, None, None, None)
    assert cost(day=text("mon")) == (1, None, None, None)
    assert cost(day=text("mon"), amount=number(1)) == (1, 1, 1, 1)
    # Another attribute changes what a full projection holds.
    assert cost(day=text("mon"), amount=number(1), x=text("y")) == (1, 1, None, 1)
    # Another key is a delete and a put in the index.
    assert cost(day=text("mon"), amount=number(2), x=text("y")) == (1, 2, 2, 2)
    assert cost(day=text("mon"), amount=number(2), x=text("y")) == (1, None, None, None)


# TTL


def test_ttl_deletes_some_time_after_the_expiry() -> None:
    account = Account()
    table = account.table(ttl="expires_at", behavior=TableBehavior(ttl_delay=(60, 3600)))
    now = account.world.now
    account.put("gone", expires_at={"N": str(int(now) + 100)})
    account.put("kept", expires_at={"N": str(int(now) + 100)})
    account.put("old", expires_at={"N": str(int(now) - 6 * 365 * 86_400)})
    account.put("text", expires_at=text("1"))
    account.wait(100)
    assert len(table) == 4
    account.put("kept", expires_at={"N": str(int(now) + 100_000)})
    account.wait(3600)
    assert account.get("gone") is None
    assert len(table) == 3


# Descriptions, and what the judge uses


def test_a_table_describes_itself() -> None:
    account = Account()
    table = account.table(key=SORTED, stream="NEW_IMAGE", stream_label="label", ttl="t", indexes=(BY_DAY,))
    described = account.call("DescribeTable", TableName="orders")["Table"]
    assert described["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert described["LatestStreamArn"] == f"{table.arn}/stream/label"
    assert described["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    assert described["TableId"] == table.id
    assert [index["IndexName"] for index in described["GlobalSecondaryIndexes"]] == ["by-day"]
    lifetime = account.call("DescribeTimeToLive", TableName="orders")["TimeToLiveDescription"]
    assert lifetime == {"TimeToLiveStatus": "ENABLED", "AttributeName": "t"}


def test_a_table_that_is_created_again_has_another_id() -> None:
    account = Account()
    first = account.table()
    account.dynamodb.delete_table("orders")
    assert account.table().id != first.id


def test_items_are_counted_every_six_hours() -> None:
    account = Account()
    account.table()

    def count() -> int:
        found: int = account.call("DescribeTable", TableName="orders")["Table"]["ItemCount"]
        return found

    account.put("a")
    assert count() == 1
    account.put("b")
    assert count() == 1
    account.wait(6 * 3600)
    assert count() == 2


def test_the_judge_sees_each_write_and_the_history_of_a_key() -> None:
    account = Account()
    table = account.table(keep_history=True)
    seen: list[tuple[object, bytes | None, bytes | None]] = []
    table.on_write(lambda key, old, new: seen.append((key, old, new)))
    account.put("a")
    began = account.world.now
    account.wait(10)
    account.put("a", n=number(1))
    account.delete("a")
    account.delete("a")
    first, second = b'{"pk":{"S":"a"}}', b'{"pk":{"S":"a"},"n":{"N":"1"}}'
    key = table.key_of({"pk": text("a")})
    assert seen == [(key, None, first), (key, first, second), (key, second, None)]
    assert table.history(key) == [(began, first), (began + 10, second), (began + 10, None)]
    assert table.values_since(key, began + 5) == [first, second, None]
    assert table.values_since(key, began - 1) == [None, first, second, None]
    assert list(table.items()) == []


def test_the_products_journal_works_on_a_simulated_table() -> None:
    account = Account()
    table = account.table("journal", key=SORTED, behavior=TableBehavior(unprocessed=0.9))
    world = account.world
    host = Host("host")
    machine = SimMachine(world, host)
    client = SimDynamoDB(machine, Network(world), account.dynamodb, Caller("host", SOURCE_ACCOUNT))
    store = Store(client, "journal")
    done = []

    def use() -> None:
        store.put("run", "state", {"n": number(1)}, condition="attribute_not_exists(pk)")
        with pytest.raises(Conflict):
            store.put("run", "state", {"n": number(2)}, condition="attribute_not_exists(pk)")
        assert store.get("run", "state") == {"pk": text("run"), "sk": text("state"), "n": number(1)}
        assert store.update("run", "state", add={"n": number(2)}) == {"n": number(3)}
        for shard in ("b", "c"):
            store.put("shards", shard, {"version": number(0), "open": {"BOOL": True}})
        assert store.count("shards") == 2
        assert list(store.query("shards", only=["sk"])) == [{"sk": text("b")}, {"sk": text("c")}]
        found = store.get_many([("shards", name) for name in "abc"], machine, machine.random())
        assert sorted(item["sk"]["S"] for item in found) == ["b", "c"]
        record = store.save_and_add("shards", "b", Versioned(), ("run", "totals"), {"n": number(5)})
        assert record == Versioned(version=1)
        assert store.save_and_add("shards", "b", Versioned(), ("run", "totals"), {"n": number(5)}) is None
        assert store.get("run", "totals") == {"pk": text("run"), "sk": text("totals"), "n": number(5)}
        store.delete("shards", "b")
        done.append(len(table))

    task = world.spawn(host, use)
    world.run(world.now + 60)
    assert task.error is None
    assert done == [3]
