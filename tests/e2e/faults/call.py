"""One call of a function to AWS, as the proxy sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

Json = dict[str, Any]

_VERBS = {
    "GetItem": "read",
    "PutItem": "put",
    "DeleteItem": "delete",
    # The run is put by an update.
    "UpdateItem": "put",
    "BatchGetItem": "read",
    "Query": "query",
}
_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]+)/\d+/[^/]+/(?P<service>[^/]+)/")


@dataclass(frozen=True)
class Call:
    """What is asked for, by which function.

    Attributes
    ----------
    function
        Who calls: the name its port of the proxy was opened with.
    service, operation
        ``dynamodb`` and ``BatchWriteItem``, for example. The operation of a REST service is its method and
        path.
    access_key
        Of the session that signed the request; empty when nothing did.
    table
        The first table that is named; empty when none is.
    step
        What the call is to a reader of the engine: ``write``, ``scan``, ``lease put``, ``run read``,
        ``segment put`` and so on (kind of item in the journal and what is done to it), else the operation.
    body
        The JSON document, if the request is one. It may hold items: it is never logged.
    """

    function: str
    service: str
    operation: str
    access_key: str
    table: str
    step: str
    body: Json

    @classmethod
    def parse(
        cls, function: str, journal: str, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Call:
        """Read a request. ``journal`` is the name of the journal's table."""
        found = _CREDENTIAL.search(headers.get("Authorization", ""))
        target = headers.get("X-Amz-Target", "")
        document = _document(body)
        if target:
            operation = target.rsplit(".", 1)[-1]
        elif "x-www-form-urlencoded" in headers.get("Content-Type", ""):
            operation = parse_qs(body.decode()).get("Action", [""])[0]
        else:
            operation = f"{method} {path.partition('?')[0]}"
        table = document.get("TableName") or next(iter(document.get("RequestItems", {})), "")
        return cls(
            function=function,
            service=found["service"] if found else "",
            operation=operation,
            access_key=found["key"] if found else "",
            table=table,
            step=_step(operation, document, in_journal=bool(table) and table == journal),
            body=document,
        )

    def assigns(self, attribute: str, value: Json) -> bool:
        """Whether an UpdateItem gives an attribute this value."""
        names: Json = self.body.get("ExpressionAttributeNames", {})
        values: Json = self.body.get("ExpressionAttributeValues", {})
        placeholders = [each for each, name in names.items() if name == attribute]
        return any(values.get(f":{each.removeprefix('#')}") == value for each in placeholders)

    def holds_key(self, key: Json) -> bool:
        """Whether a BatchWriteItem puts or deletes the item with this key."""
        return any(_has_key(request, key) for request in self.write_requests())

    def write_requests(self) -> list[Json]:
        """The requests of a BatchWriteItem."""
        requests: list[Json] = self.body.get("RequestItems", {}).get(self.table, [])
        return requests


def _document(body: bytes) -> Json:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _step(operation: str, document: Json, in_journal: bool) -> str:
    if in_journal:
        batch = [key for table in document.get("RequestItems", {}).values() for key in table["Keys"]]
        item = document.get("Key") or document.get("Item") or next(iter(batch), {})
        values = document.get("ExpressionAttributeValues", {})
        partition = (item.get("pk") or values.get(":pk") or {}).get("S", "journal")
        # Leases and applied batches are in many partitions.
        kind = partition.partition("#")[0]
        return f"{kind} {_VERBS.get(operation, operation)}"
    return {"BatchWriteItem": "write", "Scan": "scan"}.get(operation, operation)


def _has_key(request: Json, key: Json) -> bool:
    item = request.get("PutRequest", {}).get("Item") or request.get("DeleteRequest", {}).get("Key") or {}
    return all(item.get(name) == value for name, value in key.items())
