"""PutItem, DeleteItem, UpdateItem, BatchWriteItem and TransactWriteItems.

Source: API reference of each operation; Developer Guide, "DynamoDB read and write operations" (a write that
fails its condition costs units as well) and "Managing complex workflows with DynamoDB transactions".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from tools.simulation.answers import Consumed, answer, array
from tools.simulation.attributes import Key, Value, invalid
from tools.simulation.errors import ServiceError
from tools.simulation.expressions import Document, Scope, check_placeholders, condition, update
from tools.simulation.items import Item
from tools.simulation.requests import (
    BatchWriteItem,
    ConditionCheck,
    DeleteItem,
    NotSimulated,
    PutItem,
    TransactWriteItems,
    UpdateItem,
    Write,
    WriteRequest,
)
from tools.simulation.table import Table

_BATCH_REQUESTS = 25
_BATCH_BYTES = 16 * 1024 * 1024
_TRANSACTION_ACTIONS = 100
_TRANSACTION_BYTES = 4 * 1024 * 1024

# A transaction writes each item twice: to prepare and to commit.
_TRANSACTION_WRITES = 2

_TOKEN_SECONDS = 600.0
"""How long a client request token makes a transaction idempotent."""

TableOf = Callable[[str], Table]


@dataclass(slots=True)
class Planned:
    """A write that may be made: the item before and after it, both None if there is none."""

    table: Table
    key: Key
    old: Item | None
    new: Item | None
    holds: bool
    request: Write

    @property
    def changes(self) -> bool:
        """Whether it is more than a check of a condition."""
        return not isinstance(self.request, ConditionCheck)


def write_item(table_of: TableOf, request: Write) -> bytes:
    """Return the answer of PutItem, DeleteItem or UpdateItem."""
    planned = _plan(table_of, request)
    table = planned.table
    world = table.world
    if world.chance(table.behavior.throttled):
        raise table.throughput.throttled("KeyRangeThroughputExceeded", "Write")
    if world.chance(table.behavior.transaction_conflict):
        raise ServiceError("TransactionConflictException", "Transaction is ongoing for the item")
    hash_ = table.schema.hash_of(planned.key)
    cost = table.cost(planned.old, planned.new if planned.holds else planned.old, hash_)
    exceeded = table.pay(cost)
    if exceeded:
        throughput, limit = exceeded
        raise throughput.throttled(limit, "Write")
    if not planned.holds:
        raise ServiceError("ConditionalCheckFailedException", "The conditional request failed")
    table.apply(planned.key, planned.new)
    consumed = Consumed(table, request.return_consumed_capacity)
    consumed.add_cost(cost)
    return answer([("Attributes", _returned(planned)), ("ConsumedCapacity", consumed.json())])


def batch_write_item(table_of: TableOf, request: BatchWriteItem, size: int) -> bytes:
    """Return the answer of BatchWriteItem. ``size`` is that of the request in bytes."""
    if size > _BATCH_BYTES:
        raise invalid("The total request size exceeds 16 MB")
    count = sum(map(len, request.request_items.values()))
    if not count or not all(request.request_items.values()):
        raise invalid(
            "1 validation error detected: The batch write request list must have a length of 1 to 25"
        )
    if count > _BATCH_REQUESTS:
        raise invalid("Too many items requested for the BatchWriteItem call")
    # Everything is checked before anything is written.
    batches = [
        (table, requests, list(_batch_items(table, requests)))
        for table, requests in ((table_of(name), each) for name, each in request.request_items.items())
    ]
    unprocessed, consumed = [], []
    throttle: ServiceError | None = None
    wrote_any = False
    for table, requests, writes in batches:
        world, behavior = table.world, table.behavior
        used = Consumed(table, request.return_consumed_capacity)
        left: list[WriteRequest] = []
        left_out = world.chance(behavior.unprocessed)
        if world.chance(behavior.throttled):
            throttle = table.throughput.throttled("KeyRangeThroughputExceeded", "Write")
            left = requests
            writes = []
        for (key, new), each in zip(writes, requests, strict=False):
            if left_out and world.random.random() < 0.5:
                left.append(each)
                continue
            old = table.find(key)
            cost = table.cost(old, new, new.hash if new is not None else table.schema.hash_of(key))
            exceeded = table.pay(cost)
            if exceeded:
                throughput, limit = exceeded
                throttle = throughput.throttled(limit, "Write")
                left.append(each)
                continue
            table.apply(key, new)
            used.add_cost(cost)
            wrote_any = True
        if left:
            respelled = world.chance(behavior.respelled)
            name = msgspec.json.encode(table.name)
            unprocessed.append(name + b":" + array([_spelled(each, respelled) for each in left]))
        part = used.json()
        if part:
            consumed.append(part)
    if throttle is not None and not wrote_any:
        raise throttle
    return answer(
        [
            ("ConsumedCapacity", array(consumed) if consumed else b""),
            ("UnprocessedItems", b"{" + b",".join(unprocessed) + b"}"),
        ]
    )


class Transactions:
    """Carries out TransactWriteItems, all or nothing."""

    def __init__(self) -> None:
        self._tokens: dict[str, tuple[float, bytes, bytes]] = {}

    def write(self, table_of: TableOf, request: TransactWriteItems, body: bytes) -> bytes:
        """Return the answer of TransactWriteItems; ``body`` is the request as it came."""
        requests = [
            _action(each.put, each.delete, each.update, each.condition_check)
            for each in request.transact_items
        ]
        if not 1 <= len(requests) <= _TRANSACTION_ACTIONS:
            raise invalid("1 validation error detected: transactItems must have a length of 1 to 100")
        world = table_of(requests[0].table_name).world
        known = self._tokens.get(request.client_request_token) if request.client_request_token else None
        if known is not None and world.now - known[0] < _TOKEN_SECONDS:
            if known[1] != body:
                raise ServiceError(
                    "IdempotentParameterMismatchException",
                    "The request uses the same client token as a previous, but non-identical request",
                )
            return known[2]
        planned = [_plan(table_of, each) for each in requests]
        _check_transaction(planned)
        costs = [
            each.table.cost(
                each.old, each.new if each.changes else each.old, each.table.schema.hash_of(each.key)
            )
            for each in planned
        ]
        reasons = []
        for each, cost in zip(planned, costs, strict=True):
            reason = "None"
            exceeded = each.table.write_limit(cost, _TRANSACTION_WRITES)
            if exceeded:
                throughput, limit = exceeded
                error = throughput.throttled(limit, "Write")
                is_provisioned = error.code == "ProvisionedThroughputExceededException"
                reason = "ProvisionedThroughputExceeded" if is_provisioned else "ThrottlingError"
            elif world.chance(each.table.behavior.transaction_conflict):
                reason = "TransactionConflict"
            elif not each.holds:
                reason = "ConditionalCheckFailed"
            reasons.append(reason)
        if any(reason != "None" for reason in reasons):
            raise ServiceError(
                "TransactionCanceledException",
                "Transaction cancelled, please refer cancellation reasons for specific reasons "
                f"[{', '.join(reasons)}]",
            )
        used: dict[str, Consumed] = {}
        for each, cost in zip(planned, costs, strict=True):
            each.table.charge(cost, _TRANSACTION_WRITES)
            consumed = used.setdefault(
                each.table.name, Consumed(each.table, request.return_consumed_capacity)
            )
            consumed.add_cost(cost, _TRANSACTION_WRITES)
            if each.changes:
                each.table.apply(each.key, each.new)
        parts = [part for part in (each.json() for each in used.values()) if part]
        result = answer([("ConsumedCapacity", array(parts) if parts else b"")])
        if request.client_request_token:
            self._tokens[request.client_request_token] = world.now, body, result
        return result


def _action(*actions: Write | None) -> Write:
    given = [action for action in actions if action is not None]
    if len(given) != 1:
        raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
    return given[0]


def _check_transaction(planned: list[Planned]) -> None:
    targets = [(each.table.name, each.key) for each in planned]
    if len(frozenset(targets)) < len(targets):
        raise invalid("Transaction request cannot include multiple operations on one item")
    size = sum(
        max(len(each.new.body) if each.new else 0, len(each.old.body) if each.old else 0) for each in planned
    )
    if size > _TRANSACTION_BYTES:
        raise invalid("The aggregate size of the items in the transaction cannot exceed 4 MB")


def _plan(table_of: TableOf, request: Write) -> Planned:
    """Return what a write would do, whether or not its condition holds."""
    table = table_of(request.table_name)
    names, values = request.expression_attribute_names, request.expression_attribute_values
    if names or values:
        used = []
        if request.condition_expression:
            used.append(condition(request.condition_expression).placeholders)
        if isinstance(request, UpdateItem) and request.update_expression:
            used.append(update(request.update_expression).placeholders)
        check_placeholders(used, names, values)
    new: Item | None = None
    if isinstance(request, PutItem):
        new = table.schema.item(bytes(request.item))
        key = new.key
    else:
        assert isinstance(request, DeleteItem | UpdateItem | ConditionCheck)
        key = table.schema.key_of(bytes(request.key))
    old = table.find(key)
    holds = True
    if request.condition_expression:
        scope = Scope(old.document if old is not None else {}, names, values)
        holds = condition(request.condition_expression).test(scope)
    if isinstance(request, UpdateItem) and holds:
        new = _updated(table, request, key, old)
    return Planned(table, key, old, new, holds, request)


def _updated(table: Table, request: UpdateItem, key: Key, old: Item | None) -> Item:
    body = old.body if old is not None else table.schema.key_json(key)
    if not request.update_expression:
        return table.schema.item(body)
    before: Document = msgspec.json.decode(body)
    changed: Document = msgspec.json.decode(body)
    parsed = update(request.update_expression)
    scope = Scope(before, request.expression_attribute_names, request.expression_attribute_values)
    for path in parsed.paths:
        if scope.name(path[0]) in table.schema.key_names:
            raise invalid(
                "One or more parameter values were invalid: Cannot update attribute "
                f"{scope.name(path[0])}. This attribute is part of the key"
            )
    parsed.apply(scope, changed)
    return table.schema.item(msgspec.json.encode(changed))


def _batch_items(table: Table, requests: Iterable[WriteRequest]) -> Iterator[tuple[Key, Item | None]]:
    seen: set[Key] = set()
    schema = table.schema
    for request in requests:
        new: Item | None = None
        if request.put_request is not None and request.delete_request is None:
            new = schema.item(bytes(request.put_request.item))
            key = new.key
        elif request.delete_request is not None and request.put_request is None:
            key = schema.key_of(bytes(request.delete_request.key))
        else:
            raise invalid("Supplied AttributeValue has more than one datatypes set")
        if key in seen:
            raise invalid("Provided list of item keys contains duplicates")
        seen.add(key)
        yield key, new


def _spelled(request: WriteRequest, respelled: bool) -> bytes:
    """Return a request as it came, or with the same attributes in another order."""
    if request.put_request is not None:
        body, form = bytes(request.put_request.item), b'{"PutRequest":{"Item":%s}}'
    else:
        assert request.delete_request is not None
        body, form = bytes(request.delete_request.key), b'{"DeleteRequest":{"Key":%s}}'
    if respelled:
        document: dict[str, Value] = msgspec.json.decode(body)
        body = msgspec.json.encode(dict(reversed(document.items())))
    return form % body


def _returned(planned: Planned) -> bytes:
    """Return the attributes that ``ReturnValues`` names; empty if there are none."""
    old, new = planned.old, planned.new
    match planned.request.return_values:
        case "NONE":
            return b""
        case "ALL_OLD":
            return old.body if old is not None else b""
        case "ALL_NEW" if isinstance(planned.request, UpdateItem):
            return new.body if new is not None else b""
        case "UPDATED_NEW" if isinstance(planned.request, UpdateItem) and new is not None:
            scope = Scope({}, planned.request.expression_attribute_names, {})
            paths = update(planned.request.update_expression).paths
            names = [scope.name(path[0]) for path in paths]
            return msgspec.json.encode({name: new.document[name] for name in names if name in new.document})
    raise NotSimulated(f"ReturnValues {planned.request.return_values}")
