"""The journal's table."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tablecopy.dynamodb.client import DynamoDBClient, Json
from tablecopy.dynamodb.pages import BadPage
from tablecopy.journal.codec import number, text
from tablecopy.journal.store import Conflict, Store
from tests.unit.tablecopy.fakes import moto_client


def test_an_item_comes_back(store: Store) -> None:
    store.put("a", "b", {"n": number(0.1)})
    assert store.get("a", "b") == {"pk": text("a"), "sk": text("b"), "n": {"N": "0.1"}}
    assert store.get("a", "c") is None


def test_a_condition_that_does_not_hold_is_a_conflict(store: Store) -> None:
    store.put("a", "b", {"n": number(1)})
    with pytest.raises(Conflict):
        store.put("a", "b", {"n": number(2)}, condition="attribute_not_exists(pk)")
    with pytest.raises(Conflict):
        store.put(
            "a", "b", {"n": number(2)}, condition="#n = :two", names={"#n": "n"}, values={":two": number(2)}
        )
    with pytest.raises(Conflict):
        store.delete("a", "b", condition="n = :two", values={":two": number(2)})
    assert store.get("a", "b") == {"pk": text("a"), "sk": text("b"), "n": number(1)}


def test_a_condition_that_holds(store: Store) -> None:
    store.put("a", "b", {"n": number(1)}, condition="attribute_not_exists(pk)")
    store.put(
        "a", "b", {"n": number(2)}, condition="#n = :one", names={"#n": "n"}, values={":one": number(1)}
    )
    store.delete("a", "b", condition="n = :two", values={":two": number(2)})
    assert store.get("a", "b") is None


def test_another_error_is_no_conflict(store: Store) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        Store(moto_client(), "elsewhere").put("a", "b", {}, condition="attribute_not_exists(pk)")


def test_a_query_reads_all_pages_of_one_partition_in_order(store: Store) -> None:
    for index in (3, 1, 0, 2, 4):
        store.put("a", str(index), {"padding": text("x" * 390_000)})
    store.put("b", "0", {})
    assert [item["sk"]["S"] for item in store.query("a")] == ["0", "1", "2", "3", "4"]
    assert [item["sk"]["S"] for item in store.query("a", first="1", last="3")] == ["1", "2", "3"]


def test_names_and_numbers_of_a_partition(store: Store) -> None:
    for index in range(5):
        store.put("a", str(index), {"padding": text("x" * 390_000)})
    store.put("b", "other", {})
    assert store.names("a") == {"0", "1", "2", "3", "4"}
    assert store.count("a") == 5
    assert store.names("c") == set()
    assert store.count("c") == 0


def test_every_read_is_strongly_consistent() -> None:
    # moto does not tell the difference; fencing depends on it.
    class Recording(DynamoDBClient):
        def __init__(self) -> None:
            self.requests: list[Json] = []

        def call(self, operation: str, body: Any) -> Json:
            self.requests.append(dict(body))
            return {"Items": [], "Count": 0} if operation == "query" else {}

    client = Recording()
    store = Store(client, "journal")
    store.get("a", "b")
    list(store.query("a"))
    list(store.query("a", first="b", last="c"))
    store.count("a")
    store.names("a")
    assert [request["ConsistentRead"] for request in client.requests] == [True] * 5


@pytest.mark.parametrize("key", [None, {}])
def test_a_page_with_an_empty_last_key_ends_the_query(key: Json | None) -> None:
    class Endless(DynamoDBClient):
        def __init__(self) -> None:
            """Nothing is signed."""

        def call(self, operation: str, body: Any) -> Json:
            assert "ExclusiveStartKey" not in body
            return {"Items": [], "Count": 0, "LastEvaluatedKey": key}

    with pytest.raises(BadPage):
        list(Store(Endless(), "journal").query("run"))
