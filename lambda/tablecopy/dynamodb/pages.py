"""Scan pages, divided into items without decoding them.

A page's body is matched with a pattern and not parsed. The bytes between an item's braces go into a write
request as DynamoDB sent them. Items do not become Python objects, because decoding and encoding them would
take most of the time.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from tablecopy.dynamodb.client import Json

# An item nests 32 levels deep (DynamoDB limits), each of them two objects: {"M": {"name": ...}}.
_DEPTH = 70

_SPACE = rb"[ \t\r\n]*+"
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'


def _object(depth: int) -> bytes:
    """Return the pattern of an object that nests up to ``depth`` objects. It never backtracks."""
    inside = rb'[^{}"]*+(?:' + _STRING + rb'[^{}"]*+)*+'
    for _ in range(depth):
        inside = rb'[^{}"]*+(?:(?:' + _STRING + rb"|\{" + inside + rb'\})[^{}"]*+)*+'
    return rb"\{" + inside + rb"\}"


_OBJECT = _object(_DEPTH)
_MEMBER = re.compile(_SPACE + rb"[{,]?" + _SPACE + rb'"(\w+)"' + _SPACE + rb":" + _SPACE)
_VALUE = re.compile(_OBJECT + rb"|" + _STRING + rb'|[^{}\[\]",\s]++')
_FIRST = re.compile(rb"\[" + _SPACE)
_ITEM = re.compile(rb"(" + _OBJECT + rb")" + _SPACE + rb"(,?)" + _SPACE)
_END = re.compile(_SPACE + rb"\}" + _SPACE + rb"\Z")


class BadPage(Exception):
    """The body is not a whole answer of Scan."""


@dataclass(frozen=True)
class Page:
    """A page of a Scan.

    Attributes
    ----------
    items
        Each item's JSON as DynamoDB sent it.
    last_key
        Key after which the next page begins (LastEvaluatedKey), or None on the last page.
    consumed
        Read capacity units that the page consumed; 0 if the request did not ask for them.
    """

    items: list[bytes]
    last_key: Json | None
    consumed: float


def parse(body: bytes) -> Page:
    """Return the page in the body of an answer of Scan.

    Raises
    ------
    BadPage
        The body is not a whole page. The page must be read again.
    """
    items: list[bytes] | None = None
    values: dict[str, bytes] = {}
    at = 0
    while member := _MEMBER.match(body, at):
        name = member[1].decode()
        if name == "Items":
            items, at = _items(body, member.end())
            continue
        value = _VALUE.match(body, member.end())
        if value is None:
            raise BadPage(f"{name} has no value")
        values[name] = value[0]
        at = value.end()
    if not _END.match(body, at):
        raise BadPage(f"the page does not end at byte {at} of {len(body)}")
    if items is None:
        raise BadPage("there are no Items")
    if values.get("Count") != b"%d" % len(items):
        raise BadPage(f"there are {len(items)} items, but Count is {values.get('Count')!r}")
    last_key = _json(values, "LastEvaluatedKey")
    # Without a key, the first page would be read again, or no further page would be read.
    if "LastEvaluatedKey" in values and not (isinstance(last_key, dict) and last_key):
        raise BadPage(f"LastEvaluatedKey is {values['LastEvaluatedKey'][:40]!r}")
    return Page(items, last_key, _consumed(values))


@dataclass(frozen=True)
class DecodedPage:
    """A page of a Scan, decoded.

    Attributes
    ----------
    items
        The items in DynamoDB JSON.
    size
        Bytes of the page.
    last_key, consumed
        As in `Page`.
    """

    items: list[Json]
    size: int
    last_key: Json | None
    consumed: float


def decode(body: bytes) -> DecodedPage:
    """Return the page in the body of an answer of Scan, decoded. Raises BadPage as `parse` does."""
    try:
        page = json.loads(body)
        items = page["Items"]
        whole = len(items) == page["Count"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadPage("the page is cut short or is not that of a scan") from error
    if not whole or page.get("LastEvaluatedKey") == {}:
        raise BadPage(f"there are {len(items)} items, but Count is {page['Count']}, or the last key is empty")
    consumed = page.get("ConsumedCapacity") or {}
    return DecodedPage(items, len(body), page.get("LastEvaluatedKey"), consumed.get("CapacityUnits", 0.0))


def _items(body: bytes, at: int) -> tuple[list[bytes], int]:
    first = _FIRST.match(body, at)
    if first is None:
        raise BadPage("Items is not a list")
    at = first.end()
    items: list[bytes] = []
    match = _ITEM.match
    more: bytes | bool = body[at : at + 1] != b"]"
    while more:
        found = match(body, at)
        if found is None:
            raise BadPage(f"there is no item at byte {at} of {len(body)}")
        item, more = found.groups()
        items.append(item)
        at = found.end()
    if body[at : at + 1] != b"]":
        raise BadPage(f"the items do not end at byte {at} of {len(body)}")
    return items, at + 1


def _json(values: dict[str, bytes], name: str) -> Json | None:
    value = values.get(name)
    try:
        document: Json | None = None if value is None else json.loads(value)
    except ValueError as error:
        raise BadPage(f"{name} is not JSON") from error
    return document


def _consumed(values: dict[str, bytes]) -> float:
    consumed = _json(values, "ConsumedCapacity") or {}
    return float(consumed.get("CapacityUnits", 0.0))
