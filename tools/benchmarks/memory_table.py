"""A table in memory with what our functions ask of the journal.

Conditions are not looked at: nothing that is measured depends on one that fails.
"""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]

_ASSIGNMENT = re.compile(r"\s*([#\w]+)\s*=\s*(:\w+)\s*")


class NotUnderstood(Exception):
    """A request that this table cannot answer rightly, and so does not."""


class MemoryTable:
    """Items by ``pk`` and ``sk``, both strings."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], Json] = {}

    def answer(self, operation: str, request: Json) -> Json:
        """The answer to ``operation``, in DynamoDB's JSON."""
        match operation:
            case "GetItem":
                found = self._items.get(_key(request["Key"]))
                return {} if found is None else {"Item": found}
            case "PutItem":
                self._items[_key(request["Item"])] = request["Item"]
            case "DeleteItem":
                self._items.pop(_key(request["Key"]), None)
            case "UpdateItem":
                self._update(request)
            case "Query":
                return self._query(request)
            case "BatchGetItem":
                return self._batch_get(request)
            case "BatchWriteItem":
                return self._batch_write(request)
            case "TransactWriteItems":
                for ((kind, part),) in (entry.items() for entry in request["TransactItems"]):
                    if kind != "ConditionCheck":
                        self.answer(f"{kind}Item", part)
            case _:
                raise NotUnderstood(f"the journal of the benchmark does not know {operation}")
        return {}

    def _update(self, request: Json) -> None:
        expression: str = request["UpdateExpression"]
        names = request.get("ExpressionAttributeNames", {})
        values = request.get("ExpressionAttributeValues", {})
        assignments = [_ASSIGNMENT.fullmatch(part) for part in expression.removeprefix("SET ").split(",")]
        key = _key(request["Key"])
        item = {**request["Key"], **self._items.get(key, {})}
        for assignment in assignments:
            if assignment is None:
                raise NotUnderstood(f"the journal of the benchmark does not understand {expression!r}")
            name, value = assignment.groups()
            item[names.get(name, name)] = values[value]
        self._items[key] = item

    def _query(self, request: Json) -> Json:
        """Equality of pk, and a range or prefix of sk by the names of the values that bound it."""
        condition: str = request["KeyConditionExpression"]
        values = {
            name: value["S"] for name, value in request["ExpressionAttributeValues"].items() if "S" in value
        }
        wanted = re.fullmatch(
            r"\S+ = (:\w+)(?: AND (?:\S+ BETWEEN (:\w+) AND (:\w+)|begins_with\(\S+, (:\w+)\)))?", condition
        )
        if wanted is None:
            raise NotUnderstood(f"the journal of the benchmark does not understand {condition!r}")
        partition, first, last, prefix = wanted.groups()
        found = [
            item
            for (pk, sk), item in sorted(self._items.items())
            if pk == values[partition]
            and (first is None or values[first] <= sk <= values[last])
            and (prefix is None or sk.startswith(values[prefix]))
        ]
        return {"Items": found, "Count": len(found), "ScannedCount": len(found)}

    def _batch_get(self, request: Json) -> Json:
        found = {
            table: [self._items[_key(key)] for key in wanted["Keys"] if _key(key) in self._items]
            for table, wanted in request["RequestItems"].items()
        }
        return {"Responses": found, "UnprocessedKeys": {}}

    def _batch_write(self, request: Json) -> Json:
        for writes in request["RequestItems"].values():
            for write in writes:
                if "PutRequest" in write:
                    self.answer("PutItem", write["PutRequest"])
                else:
                    self.answer("DeleteItem", write["DeleteRequest"])
        return {"UnprocessedItems": {}}


def _key(item: Json) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]
