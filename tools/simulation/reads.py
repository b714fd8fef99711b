"""GetItem, BatchGetItem, Query and Scan.

Source: API reference of each operation; Developer Guide, "DynamoDB read and write operations".
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import msgspec

from tools.simulation.answers import Consumed, answer, array
from tools.simulation.attributes import HASHES, Key, Value, binary, invalid, number
from tools.simulation.expressions import (
    Scope,
    check_placeholders,
    condition,
    key_condition,
    projection,
)
from tools.simulation.items import Item
from tools.simulation.requests import BatchGetItem, GetItem, Keys, NotSimulated, Page, Query, Scan
from tools.simulation.table import Table

PAGE_BYTES = 1024 * 1024
"""A page of Query or Scan ends when its items have reached this size."""

_BATCH_KEYS = 100
_BATCH_BYTES = 16 * 1024 * 1024
_READ_UNIT_BYTES = 4096

TableOf = Callable[[str], Table]
"""Returns the table with a name or ARN."""


def get_item(table_of: TableOf, request: GetItem) -> bytes:
    """Return the answer of GetItem."""
    table = table_of(request.table_name)
    key = table.schema.key_of(bytes(request.key))
    item = table.find(key) if request.consistent_read else table.find_eventually(key)
    units = _charge(table, key, item, request.consistent_read)
    if request.return_consumed_capacity == "NONE" and not request.projection_expression:
        return b"{}" if item is None else b'{"Item":%s}' % item.body
    consumed = Consumed(table, request.return_consumed_capacity)
    consumed.add(units)
    body = b""
    if item is not None:
        body = _projected(item, request.projection_expression, request.expression_attribute_names)
    return answer([("ConsumedCapacity", consumed.json()), ("Item", body)])


def batch_get_item(table_of: TableOf, request: BatchGetItem) -> bytes:
    """Return the answer of BatchGetItem, whose items are in any order."""
    wanted = [
        (table_of(name), keys, [table_of(name).schema.key_of(bytes(key)) for key in keys.keys])
        for name, keys in request.request_items.items()
    ]
    count = sum(len(keys) for _, _, keys in wanted)
    if not count:
        raise invalid("The batch get item request has no keys")
    if count > _BATCH_KEYS:
        raise invalid("Too many items requested for the BatchGetItem call")
    responses, unprocessed, consumed = [], [], []
    size = 0
    read_any = False
    throttle = None
    for table, request_keys, keys in wanted:
        if len(frozenset(keys)) < len(keys):
            raise invalid("Provided list of item keys contains duplicates")
        world = table.world
        left_out = world.chance(table.behavior.unprocessed)
        used = Consumed(table, request.return_consumed_capacity)
        bodies: list[bytes] = []
        left: list[bytes] = []
        order = list(range(len(keys)))
        world.random.shuffle(order)
        for at in order:
            key = keys[at]
            limit = table.throughput.read_limit(table.schema.hash_of(key))
            throttle = throttle or (limit and table.throughput.throttled(limit, "Read")) or None
            if limit or size >= _BATCH_BYTES or (left_out and world.random.random() < 0.5):
                left.append(bytes(request_keys.keys[at]))
                continue
            read_any = True
            item = table.find(key) if request_keys.consistent_read else table.find_eventually(key)
            used.add(_charge(table, key, item, request_keys.consistent_read, checked=True))
            if item is not None:
                size += item.size
                bodies.append(
                    _projected(
                        item, request_keys.projection_expression, request_keys.expression_attribute_names
                    )
                )
        name = msgspec.json.encode(table.name)
        responses.append(name + b":" + array(bodies))
        if left:
            unprocessed.append(name + b":" + _unprocessed(request_keys, left))
        if used.json():
            consumed.append(used.json())
    if throttle is not None and not read_any:
        raise throttle
    return answer(
        [
            ("ConsumedCapacity", array(consumed) if consumed else b""),
            ("Responses", b"{" + b",".join(responses) + b"}"),
            ("UnprocessedKeys", b"{" + b",".join(unprocessed) + b"}"),
        ]
    )


def scan(table_of: TableOf, request: Scan) -> bytes:
    """Return the answer of Scan. Items come in the order of their hashes, of which a segment is a range."""
    table = table_of(request.table_name)
    first, end = 0, HASHES
    if (request.segment is None) != (request.total_segments is None):
        raise invalid("The Segment and TotalSegments parameters are required together")
    if request.segment is not None and request.total_segments is not None:
        segment, total = request.segment, request.total_segments
        if not 1 <= total <= 1_000_000 or not 0 <= segment < total:
            raise invalid("The Segment parameter must be less than TotalSegments, from 1 to 1000000")
        first, end = HASHES * segment // total, HASHES * (segment + 1) // total
    after = _start(table, request)
    if after is not None and not first <= table.schema.hash_of(after) < end:
        raise invalid(
            "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey "
            f"with correct Segment. TotalSegments: {request.total_segments} Segment: {request.segment}"
        )
    return _page(
        table, request, table.scan(first, end, after), table.schema.hash_of(after) if after else first
    )


def query(table_of: TableOf, request: Query) -> bytes:
    """Return the answer of Query."""
    table = table_of(request.table_name)
    partition_key, sort_keys, first, end = _matching(table, request)
    after = _start(table, request)
    if after is not None and after[0] != partition_key:
        raise invalid("The provided starting key is outside query boundaries based on provided conditions")
    keys: Iterator[Key]
    if sort_keys is None:
        keys = iter([(partition_key,)] if after is None else [])
    elif request.scan_index_forward:
        if after is not None:
            first = max(first, bisect_right(sort_keys, after[1]))
        keys = ((partition_key, sort_keys[at]) for at in range(first, end))
    else:
        if after is not None:
            end = min(end, bisect_left(sort_keys, after[1]))
        keys = ((partition_key, sort_keys[at]) for at in range(end - 1, first - 1, -1))
    items = (item for item in map(table.find, keys) if item is not None)
    hash_ = table.schema.hash_of((partition_key,))
    return _page(table, request, items, hash_, request.key_condition_expression)


def _page(table: Table, request: Page, items: Iterator[Item], hash_: int, keys: str = "") -> bytes:
    """Read a page of ``items``, the first of which has the hash ``hash_``."""
    world = table.world
    limit = request.limit
    if limit is not None and limit < 1:
        raise invalid("1 validation error detected: Value at 'limit' must be greater than or equal to 1")
    _check_throttle(table, hash_)
    if limit != 1 and world.chance(table.behavior.short_page):
        limit = world.random.randint(1, min(limit or 100, 100))
    matching: list[bytes] = []
    read: list[Item] = []
    wire = 0
    more = False
    test = condition(request.filter_expression) if request.filter_expression else None
    names, values = request.expression_attribute_names, request.expression_attribute_values
    if names or values:
        _check_placeholders(request, keys)
    whole = not request.projection_expression
    for item in items:
        read.append(item)
        wire += len(item.body)
        if test is None or test.test(Scope(item.document, names, values)):
            matching.append(
                item.body if whole else _projected(item, request.projection_expression, names, checked=True)
            )
        # At the limit there may be more, even if there is nothing.
        more = len(read) == limit or (wire >= PAGE_BYTES and _size(read) >= PAGE_BYTES)
        if more:
            break
    # DynamoDB counts fewer bytes than the JSON has.
    units = 1 if wire <= _READ_UNIT_BYTES else -(-_size(read) // _READ_UNIT_BYTES)
    used = units * (1.0 if request.consistent_read else 0.5)
    table.throughput.read(read[0].hash if read else hash_, used)
    consumed = Consumed(table, request.return_consumed_capacity)
    consumed.add(used)
    counts_only = request.select == "COUNT"
    if request.select not in {"", "COUNT", "ALL_ATTRIBUTES", "SPECIFIC_ATTRIBUTES"}:
        raise NotSimulated(f"Select {request.select}")
    used_units = consumed.json()
    return b'{%s"Count":%d,%s%s"ScannedCount":%d}' % (
        b'"ConsumedCapacity":%s,' % used_units if used_units else b"",
        len(matching),
        b"" if counts_only else b'"Items":[%s],' % b",".join(matching),
        b'"LastEvaluatedKey":%s,' % read[-1].key_json if more else b"",
        len(read),
    )


def _size(items: list[Item]) -> int:
    return sum(item.size for item in items)


def _check_placeholders(request: Page, keys: str) -> None:
    used = []
    if request.filter_expression:
        used.append(condition(request.filter_expression).placeholders)
    if keys:
        used.append(key_condition(keys).placeholders)
    if request.projection_expression:
        used.append(projection(request.projection_expression).placeholders)
    check_placeholders(used, request.expression_attribute_names, request.expression_attribute_values)


def _matching(table: Table, request: Query) -> tuple[Any, list[Any] | None, int, int]:
    """Return a query's partition key, its sort keys (None without a sort key), and the range that matches."""
    schema = table.schema.key
    names = tuple(request.expression_attribute_names.items())
    placeholder, operator, operands = _key_operands(
        request.key_condition_expression, table.schema.key_names, names
    )
    scope = Scope({}, {}, request.expression_attribute_values)
    partition_key = _scalar(scope.value(placeholder), schema[0][1])
    if len(schema) == 1:
        return partition_key, None, 0, 0
    sort_keys = table.collection(partition_key)
    if not operator:
        return partition_key, sort_keys, 0, len(sort_keys)
    bounds = [_scalar(scope.value(operand), schema[1][1]) for operand in operands]
    return partition_key, sort_keys, *_range(sort_keys, operator, bounds)


@lru_cache
def _key_operands(
    expression: str, key_names: tuple[str, ...], names: tuple[tuple[str, str], ...]
) -> tuple[str, str, tuple[str, ...]]:
    """Return the partition key's placeholder, and the sort key's operator and placeholders if given."""
    scope = Scope({}, dict(names), {})
    parts = {
        scope.name(path[0]): (operator, operands)
        for path, operator, operands in key_condition(expression).parts
    }
    operator, operands = parts.pop(key_names[0], ("", ()))
    if operator != "=":
        raise invalid(f"Query condition missed key schema element: {key_names[0]}")
    [placeholder] = operands
    operator, operands = parts.pop(key_names[1], ("", ())) if len(key_names) > 1 else ("", ())
    if parts:
        raise invalid("Query key condition not supported")
    return placeholder, operator, operands


def _range(sort_keys: list[Any], operator: str, bounds: list[Any]) -> tuple[int, int]:
    left, right = bisect_left(sort_keys, bounds[0]), bisect_right(sort_keys, bounds[-1])
    match operator:
        case "=" | "BETWEEN":
            return left, right
        case "<":
            return 0, left
        case "<=":
            return 0, right
        case ">":
            return right, len(sort_keys)
        case ">=":
            return left, len(sort_keys)
    end = left
    while end < len(sort_keys) and sort_keys[end].startswith(bounds[0]):
        end += 1
    return left, end


def _scalar(value: Value, kind: str) -> Any:
    if kind not in value:
        raise invalid(
            "One or more parameter values were invalid: Condition parameter type does not match schema type"
        )
    text = value[kind]
    return text if kind == "S" else number(text) if kind == "N" else binary(text)


def _start(table: Table, request: Page) -> Key | None:
    start = bytes(request.exclusive_start_key)
    return table.schema.key_of(start) if start else None


def _charge(table: Table, key: Key, item: Item | None, consistent: bool, *, checked: bool = False) -> float:
    """Consume the units of a read, and return them."""
    hash_ = table.schema.hash_of(key)
    if not checked:
        _check_throttle(table, hash_)
    units = 1 if item is None or len(item.body) <= _READ_UNIT_BYTES else -(-item.size // _READ_UNIT_BYTES)
    used = units * (1.0 if consistent else 0.5)
    table.throughput.read(hash_, used)
    return used


def _check_throttle(table: Table, hash_: int) -> None:
    if table.world.chance(table.behavior.throttled):
        raise table.throughput.throttled("KeyRangeThroughputExceeded", "Read")
    limit = table.throughput.read_limit(hash_)
    if limit:
        raise table.throughput.throttled(limit, "Read")


def _projected(item: Item, expression: str, names: dict[str, str], *, checked: bool = False) -> bytes:
    if not expression:
        return item.body
    parsed = projection(expression)
    if not checked:
        check_placeholders([parsed.placeholders], names, {})
    return msgspec.json.encode(parsed.apply(Scope(item.document, names, {})))


def _unprocessed(request: Keys, left: list[bytes]) -> bytes:
    members = [("ConsistentRead", b"true" if request.consistent_read else b""), ("Keys", array(left))]
    if request.projection_expression:
        members.append(("ProjectionExpression", msgspec.json.encode(request.projection_expression)))
    if request.expression_attribute_names:
        members.append(("ExpressionAttributeNames", msgspec.json.encode(request.expression_attribute_names)))
    return answer(members)
