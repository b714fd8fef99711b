"""The journal's table: items by partition key and sort key, in DynamoDB JSON."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from tablecopy.clock import Clock
from tablecopy.dynamodb import errors
from tablecopy.dynamodb.client import DynamoDB, Json
from tablecopy.dynamodb.errors import Backoff
from tablecopy.dynamodb.pages import BadPage
from tablecopy.journal.codec import encode, number, text

MOST_KEYS = 100
"""Most items of one BatchGetItem (API reference)."""

# After so many calls in a row that read nothing, ``get_many`` fails.
_FUTILE_CALLS = 5


@dataclass(frozen=True)
class Versioned:
    """A record that several writers may replace.

    Attributes
    ----------
    version
        Raised by 1 by every write. A write that does not know the latest version is rejected.
    """

    version: int = field(default=0, kw_only=True)


V = TypeVar("V", bound=Versioned)
A = TypeVar("A")
R = TypeVar("R")


class Conflict(Exception):
    """A conditional write did not find the item in the expected state."""


def map_with(pool: Executor | None, function: Callable[[A], R], arguments: Iterable[A]) -> list[R]:
    """Return the results of calls, made in ``pool`` at the same time, or one after the other without one."""
    if pool is None:
        return list(map(function, arguments))
    calls = [pool.submit(function, argument) for argument in arguments]
    return [call.result() for call in calls]


class Store:
    """Reads and writes the journal. Reads are strongly consistent, because the functions fence each other."""

    def __init__(self, client: DynamoDB, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, pk: str, sk: str) -> Json | None:
        """Return the item, or None."""
        response = self._client.call(
            "get_item",
            {"TableName": self._table, "Key": {"pk": text(pk), "sk": text(sk)}, "ConsistentRead": True},
        )
        item: Json | None = response.get("Item")
        return item

    def get_many(self, keys: Sequence[tuple[str, str]], clock: Clock, jitter: random.Random) -> list[Json]:
        """Return the items with these keys that exist, in any order.

        DynamoDB may return a part of them (API reference, BatchGetItem: UnprocessedKeys). The others are
        requested again after a growing wait.

        Parameters
        ----------
        keys
            Partition keys and sort keys, each pair once; at most ``MOST_KEYS``.
        clock, jitter
            How to wait.

        Raises
        ------
        botocore.exceptions.ClientError
            The journal has no capacity, or another error.
        """
        left = [{"pk": text(pk), "sk": text(sk)} for pk, sk in keys]
        items: list[Json] = []
        backoff = Backoff(jitter)
        futile = 0
        while left:
            asked = len(left)
            request = {"RequestItems": {self._table: {"Keys": left, "ConsistentRead": True}}}
            answer = self._client.call("batch_get_item", request)
            items += [item for page in answer["Responses"].values() for item in page]
            left = [key for page in answer["UnprocessedKeys"].values() for key in page["Keys"]]
            if len(left) < asked:
                backoff.progress()
                futile = 0
            else:
                futile += 1
            if futile == _FUTILE_CALLS:
                raise _no_capacity()
            if left:
                clock.sleep(backoff.next())
        return items

    def put(
        self,
        pk: str,
        sk: str,
        attributes: Json,
        *,
        condition: str | None = None,
        values: Json | None = None,
        names: dict[str, str] | None = None,
    ) -> None:
        """Write the whole item. Raises Conflict if ``condition`` does not hold."""
        self._conditional(
            "put_item",
            {"Item": {"pk": text(pk), "sk": text(sk), **attributes}},
            condition,
            values,
            names,
        )

    def update(
        self,
        pk: str,
        sk: str,
        *,
        assign: Json | None = None,
        add: Json | None = None,
        condition: str | None = None,
        values: Json | None = None,
        names: dict[str, str] | None = None,
    ) -> Json:
        """Change attributes of an item and leave its others alone.

        Parameters
        ----------
        assign
            Attributes and their new values.
        add
            Attributes, and the numbers to add to them. If the answer is lost, they may be added again.

        Returns
        -------
        dict
            The changed attributes as they are now.

        Raises
        ------
        Conflict
            ``condition`` does not hold.
        """
        expression, update_names, update_values = _update(assign or {}, add or {})
        answer = self._conditional(
            "update_item",
            {
                "Key": {"pk": text(pk), "sk": text(sk)},
                "UpdateExpression": expression,
                "ReturnValues": "UPDATED_NEW",
            },
            condition,
            {**(values or {}), **update_values},
            {**(names or {}), **update_names},
        )
        changed: Json = answer["Attributes"]
        return changed

    def save(
        self, pk: str, sk: str, record: V, *, is_new: bool = False, without: Collection[str] = ()
    ) -> V | None:
        """Replace the item that ``record`` was derived from by its version.

        Parameters
        ----------
        record
            A dataclass instance with a ``version``, which every write raises by 1.
        is_new
            The item does not exist yet.
        without
            Fields that are not attributes of the item.

        Returns
        -------
        record or None
            The record as written; ``None`` if another writer was first.
        """
        updated = replace(record, version=record.version + 1)
        attributes = encode(updated, without=without)
        try:
            if is_new:
                self.put(pk, sk, attributes, condition="attribute_not_exists(pk)")
            else:
                self.put(
                    pk,
                    sk,
                    attributes,
                    condition="#version = :known",
                    names={"#version": "version"},
                    values={":known": number(record.version)},
                )
        except Conflict:
            return None
        return updated

    def save_and_add(
        self,
        pk: str,
        sk: str,
        record: V,
        to: tuple[str, str],
        add: Json,
        *,
        without: Collection[str] = (),
    ) -> V | None:
        """Replace the item that ``record`` was derived from and add numbers to the item ``to``: both or none.

        Returns
        -------
        record or None
            The record as written. ``None`` if it cannot be written now, or was written by an earlier attempt
            whose answer is lost. Read the item to find out.
        """
        updated = replace(record, version=record.version + 1)
        item = {"pk": text(pk), "sk": text(sk), **encode(updated, without=without)}
        expression, names, values = _update({}, add)
        actions: list[Json] = [
            {
                "Put": {
                    "TableName": self._table,
                    "Item": item,
                    "ConditionExpression": "#version = :known",
                    "ExpressionAttributeNames": {"#version": "version"},
                    "ExpressionAttributeValues": {":known": number(record.version)},
                }
            },
            {
                "Update": {
                    "TableName": self._table,
                    "Key": {"pk": text(to[0]), "sk": text(to[1])},
                    "UpdateExpression": expression,
                    "ExpressionAttributeNames": names,
                    "ExpressionAttributeValues": values,
                }
            },
        ]
        try:
            self._client.call("transact_write_items", {"TransactItems": actions})
        except ClientError as error:
            if errors.code(error) == errors.TRANSACTION_CANCELED:
                return None
            raise
        return updated

    def save_with(
        self,
        key: tuple[str, str],
        record: V,
        items: Sequence[tuple[str, str, Json]],
        *,
        without: Collection[str] = (),
        extra: Json | None = None,
    ) -> V | None:
        """Replace the item that ``record`` was derived from, and write ``items``: all or nothing.

        Parameters
        ----------
        key
            Partition key and sort key of the record. A record of version 0 does not exist yet.
        items
            Partition key, sort key and attributes of the other items, at most 99 of them and 4 MB in all (API
            reference, TransactWriteItems).
        extra
            Attributes of the item that are not in the record.

        Returns
        -------
        record or None
            The record as written. ``None`` if another writer was first, or an earlier attempt whose answer
            is lost.
        """
        updated = replace(record, version=record.version + 1)
        item = {"pk": text(key[0]), "sk": text(key[1]), **encode(updated, without=without), **(extra or {})}
        put: Json = {"TableName": self._table, "Item": item}
        if record.version == 0:
            put["ConditionExpression"] = "attribute_not_exists(pk)"
        else:
            put |= {
                "ConditionExpression": "#version = :known",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":known": number(record.version)},
            }
        puts = [put] + [
            {"TableName": self._table, "Item": {"pk": text(pk), "sk": text(sk), **attributes}}
            for pk, sk, attributes in items
        ]
        try:
            self._client.call("transact_write_items", {"TransactItems": [{"Put": each} for each in puts]})
        except ClientError as error:
            if errors.code(error) == errors.TRANSACTION_CANCELED:
                return None
            raise
        return updated

    def delete(
        self,
        pk: str,
        sk: str,
        *,
        condition: str | None = None,
        values: Json | None = None,
        names: dict[str, str] | None = None,
    ) -> None:
        """Remove the item. Raises Conflict if ``condition`` does not hold."""
        key = {"pk": text(pk), "sk": text(sk)}
        self._conditional("delete_item", {"Key": key}, condition, values, names)

    def count(self, pk: str) -> int:
        """Return the number of items in a partition."""
        request = self._partition(pk) | {"Select": "COUNT"}
        return sum(page["Count"] for page in self._query_pages(request))

    def query(self, pk: str, *, only: Sequence[str] = ()) -> Iterator[Json]:
        """Yield the items of a partition by sort key, with all attributes or ``only`` these."""
        request = self._partition(pk)
        if only:
            names = {f"#a{index}": attribute for index, attribute in enumerate(only)}
            request |= {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
        for page in self._query_pages(request):
            yield from page["Items"]

    def _partition(self, pk: str) -> Json:
        return {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": text(pk)},
            "ConsistentRead": True,
        }

    def _query_pages(self, request: Json) -> Iterator[Json]:
        while True:
            page = self._client.call("query", request)
            yield page
            if "LastEvaluatedKey" not in page:
                return
            if not page["LastEvaluatedKey"]:
                # The next page would be the first one again.
                raise BadPage("a page of the journal has an empty LastEvaluatedKey")
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _conditional(
        self,
        operation: str,
        request: Json,
        condition: str | None,
        values: Json | None,
        names: dict[str, str] | None,
    ) -> Json:
        optional: dict[str, Any] = {
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ExpressionAttributeNames": names,
        }
        given = {name: value for name, value in optional.items() if value}
        try:
            return self._client.call(operation, {"TableName": self._table, **request, **given})
        except ClientError as error:
            if errors.code(error) == errors.CONDITION_FAILED:
                raise Conflict(f"{request.get('Key') or ''} is not in the expected state") from error
            raise


def _update(assign: Json, add: Json) -> tuple[str, dict[str, str], Json]:
    """Return an update expression with its names and values."""
    # An attribute may have the name of a reserved word.
    names = {f"#a{index}": attribute for index, attribute in enumerate([*assign, *add])}
    values = {f":a{index}": value for index, value in enumerate([*assign.values(), *add.values()])}
    sets = [f"#a{index} = :a{index}" for index in range(len(assign))]
    adds = [f"#a{index} :a{index}" for index in range(len(assign), len(names))]
    clauses = [f"{clause} {', '.join(terms)}" for clause, terms in (("SET", sets), ("ADD", adds)) if terms]
    return " ".join(clauses), names, values


def _no_capacity() -> ClientError:
    # DynamoDB's own error for a call that reads nothing (API reference, BatchGetItem).
    error: Any = {
        "Error": {
            "Code": "ProvisionedThroughputExceededException",
            "Message": "the journal has no capacity for this read",
        },
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    return ClientError(error, "BatchGetItem")
