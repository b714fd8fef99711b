"""The journal's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tablecopy.dynamodb.client import DynamoDBClient, Json
from tablecopy.dynamodb.pages import BadPage
from tablecopy.journal.codec import number, text
from tablecopy.journal.store import Conflict, Store, Versioned
from tests.unit.tablecopy.fakes import moto_client


@pytest.fixture
def store(moto_store: Store) -> Store:
    """The product's own transport carries these calls, also on the oldest botocore."""
    return moto_store


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


def test_an_update_leaves_other_attributes_alone(store: Store) -> None:
    store.put("a", "b", {"n": number(1), "name": text("x"), "other": text("y")})
    changed = store.update("a", "b", assign={"name": text("z")}, add={"n": number(2), "new": number(1)})
    assert changed == {"n": {"N": "3"}, "name": text("z"), "new": {"N": "1"}}
    found = store.get("a", "b")
    assert found == {"pk": text("a"), "sk": text("b"), "other": text("y"), **changed}


def test_an_update_may_have_a_condition(store: Store) -> None:
    store.put("a", "b", {"name": text("x")})
    condition: Any = {"condition": "#name = :name", "names": {"#name": "name"}}
    with pytest.raises(Conflict):
        store.update("a", "b", assign={"name": text("y")}, values={":name": text("other")}, **condition)
    store.update("a", "b", assign={"name": text("z")}, values={":name": text("x")}, **condition)
    assert store.get("a", "b") == {"pk": text("a"), "sk": text("b"), "name": text("z")}


def test_a_query_reads_all_pages_of_one_partition_in_order(store: Store) -> None:
    for index in (3, 1, 0, 2, 4):
        store.put("a", str(index), {"padding": text("x" * 390_000)})
    store.put("b", "0", {})
    assert [item["sk"]["S"] for item in store.query("a")] == ["0", "1", "2", "3", "4"]
    assert list(store.query("a", only=["sk"])) == [{"sk": text(str(index))} for index in range(5)]
    assert list(store.query("c")) == []


def test_the_number_of_items_of_a_partition(store: Store) -> None:
    for index in range(5):
        store.put("a", str(index), {"padding": text("x" * 390_000)})
    store.put("b", "other", {})
    assert store.count("a") == 5
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
    list(store.query("a", only=["sk"]))
    store.count("a")
    assert [request["ConsistentRead"] for request in client.requests] == [True] * 4


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


class TestSavingWithOthers:
    """A record and items that belong to it are written together, or none of them."""

    def test_all_are_written(self, store: Store) -> None:
        saved = store.save_with(("a", "b"), Numbered("x"), [("a", "c", {"v": {"N": "1"}})], extra=EXTRA)
        assert saved == Numbered("x", version=1)
        assert store.get("a", "b") == {**KEY, "name": {"S": "x"}, "version": {"N": "1"}, **EXTRA}
        assert store.get("a", "c") == {"pk": {"S": "a"}, "sk": {"S": "c"}, "v": {"N": "1"}}
        assert saved is not None
        assert store.save_with(("a", "b"), saved, []) == Numbered("x", version=2)

    def test_nothing_is_written_if_another_writer_was_first(self, store: Store) -> None:
        store.save_with(("a", "b"), Numbered("x"), [])
        for late in (Numbered("y"), Numbered("y", version=3)):
            assert store.save_with(("a", "b"), late, [("a", "c", {})]) is None
        assert store.get("a", "c") is None

    def test_another_error_is_raised(self, store: Store) -> None:
        with pytest.raises(ClientError):
            store.save_with(("a", "b"), Numbered("x"), [("", "c", {})])


@dataclass(frozen=True)
class Numbered(Versioned):
    name: str


KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}
EXTRA = {"expires_at": {"N": "5"}}
