"""The journal's table: items by partition key and sort key, in DynamoDB JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from tablecopy.dynamodb import errors
from tablecopy.dynamodb.client import DynamoDB, Json
from tablecopy.dynamodb.pages import BadPage
from tablecopy.journal.codec import encode, number, text


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


class Conflict(Exception):
    """A conditional write did not find the item in the expected state."""


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

    def delete(self, pk: str, sk: str, *, condition: str | None = None, values: Json | None = None) -> None:
        """Remove the item. Raises Conflict if ``condition`` does not hold."""
        self._conditional("delete_item", {"Key": {"pk": text(pk), "sk": text(sk)}}, condition, values, None)

    def count(self, pk: str) -> int:
        """Return the number of items in a partition."""
        request = self._partition(pk) | {"Select": "COUNT"}
        return sum(page["Count"] for page in self._query_pages(request))

    def names(self, pk: str) -> set[str]:
        """Return the sort keys of a partition."""
        request = self._partition(pk) | {"ProjectionExpression": "sk"}
        return {item["sk"]["S"] for page in self._query_pages(request) for item in page["Items"]}

    def query(self, pk: str, *, first: str | None = None, last: str | None = None) -> Iterator[Json]:
        """Yield the items of a partition by sort key, from ``first`` to ``last`` if given."""
        request = self._partition(pk)
        if first is not None and last is not None:
            request["KeyConditionExpression"] += " AND sk BETWEEN :first AND :last"
            request["ExpressionAttributeValues"].update({":first": text(first), ":last": text(last)})
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
    ) -> None:
        optional: dict[str, Any] = {
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ExpressionAttributeNames": names,
        }
        given = {name: value for name, value in optional.items() if value}
        try:
            self._client.call(operation, {"TableName": self._table, **request, **given})
        except ClientError as error:
            if errors.code(error) == errors.CONDITION_FAILED:
                raise Conflict(f"{request.get('Key') or ''} is not in the expected state") from error
            raise
