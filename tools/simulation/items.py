"""Items as the tables keep them, and how a table's keys are read from JSON.

An item stays the JSON bytes in which it came. Only its keys are decoded when it is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec

from tools.simulation.attributes import (
    PARTITION_KEY_BYTES,
    SORT_KEY_BYTES,
    Key,
    KeyValue,
    Scalar,
    Value,
    check_value,
    hash_of,
    invalid,
    item_size,
    key_bytes,
    to_json,
)
from tools.simulation.capacity import Capacity
from tools.simulation.errors import ServiceError

ITEM_BYTES = 400 * 1024
"""Largest item (Developer Guide, Quotas in Amazon DynamoDB)."""

_UNIT_BYTES = 1024

_EMPTY: tuple[Scalar, ...] = ("", b"")


class Item:
    """An item. It never changes: a write puts another one in its place.

    Attributes
    ----------
    key, body
        Its key, and its JSON.
    hash
        Hash of the partition key.
    index_keys
        For each index of the table its key in the index, or None if it is not in the index.
    expires
        Value of the TTL attribute; None without one.
    """

    __slots__ = ("_document", "_key_json", "_size", "body", "expires", "hash", "index_keys", "key", "schema")

    def __init__(
        self,
        schema: Schema,
        key: Key,
        body: bytes,
        index_keys: tuple[Key | None, ...],
        expires: float | None,
    ) -> None:
        self.schema = schema
        self.key = key
        self.body = body
        self.hash = schema.hash_of(key)
        self.index_keys = index_keys
        self.expires = expires
        self._size = 0
        self._key_json: bytes | None = None
        self._document: dict[str, Value] | None = None

    @property
    def document(self) -> dict[str, Value]:
        """The item decoded. Do not change it."""
        if self._document is None:
            self._document = msgspec.json.decode(self.body)
        return self._document

    @property
    def size(self) -> int:
        """Size in bytes as DynamoDB counts it."""
        if not self._size:
            self._size = item_size(msgspec.json.decode(self.body))
        return self._size

    @property
    def key_json(self) -> bytes:
        """The key's attributes in DynamoDB JSON."""
        if self._key_json is None:
            self._key_json = self.schema.key_json(self.key)
        return self._key_json

    @property
    def key_size(self) -> int:
        """Size of the key's attributes in bytes."""
        return sum(
            len(name) + key_bytes(value) for (name, _), value in zip(self.schema.key, self.key, strict=True)
        )

    @property
    def write_units(self) -> int:
        """Units that a write of the item costs (Developer Guide, DynamoDB read and write operations)."""
        # The JSON is always longer than what DynamoDB counts.
        return 1 if len(self.body) <= _UNIT_BYTES else -(-self.size // _UNIT_BYTES)


@dataclass(frozen=True)
class Index:
    """A secondary index.

    Attributes
    ----------
    key
        Name and type of its partition key, and of its sort key if it has one.
    projection
        "ALL" or "KEYS_ONLY".
    local
        A local index uses the table's capacity.
    """

    name: str
    key: tuple[tuple[str, str], ...]
    projection: str = "ALL"
    local: bool = False
    capacity: Capacity = field(default_factory=Capacity)


class Schema:
    """The keys of a table, its indexes' keys and its TTL attribute.

    Parameters
    ----------
    key
        Name and type ("S", "N" or "B") of the partition key, and of the sort key if there is one.
    salt
        Tables with the same salt keep equal keys in the same order.
    """

    def __init__(
        self, key: tuple[tuple[str, str], ...], indexes: tuple[Index, ...] = (), ttl: str = "", salt: int = 0
    ) -> None:
        self.key = key
        self.key_names = tuple(name for name, _ in key)
        self.indexes = indexes
        self.ttl = ttl
        self._salt = salt
        names = list(self.key_names)
        names += [name for index in indexes for name, _ in index.key if name not in names]
        if ttl and ttl not in names:
            names.append(ttl)
        self._fields = _fields(tuple(names))
        self._items = _decoder(tuple(names), strict=False)
        self._keys = _decoder(self.key_names, strict=True)
        self._readers = tuple((self._fields[name], name, kind) for name, kind in key)
        self._index_readers = tuple(
            (index, tuple((self._fields[name], name, kind) for name, kind in index.key)) for index in indexes
        )
        self._simple = not indexes and not ttl

    def hash_of(self, key: Key) -> int:
        """Return the hash of a key's partition key."""
        return hash_of(key[0], self._salt)

    def item(self, body: bytes) -> Item:
        """Return the item in ``body``.

        Raises
        ------
        ServiceError
            DynamoDB would reject the item.
        """
        try:
            values = self._items.decode(body)
        except msgspec.DecodeError as error:
            raise ServiceError("SerializationException", str(error)) from None
        key = tuple([self._item_key(values, *reader) for reader in self._readers])
        if len(body) > SORT_KEY_BYTES:
            self._check_key_size(key)
        if len(body) > ITEM_BYTES and item_size(msgspec.json.decode(body)) > ITEM_BYTES:
            raise invalid("Item size has exceeded the maximum allowed size")
        if b'"SS"' in body or b'"NS"' in body or b'"BS"' in body:
            check_value({"M": msgspec.json.decode(body)})
        if self._simple:
            return Item(self, key, body, (), None)
        index_keys = tuple(self._index_key(values, *reader) for reader in self._index_readers)
        return Item(self, key, body, index_keys, self._expiry(values))

    def key_of(self, body: bytes) -> Key:
        """Return the key in ``body``, which has the key's attributes and no others.

        Raises
        ------
        ServiceError
            It is not a key of this table.
        """
        values = _decode(self._keys, body)
        key = tuple([self._plain_key(values, *reader) for reader in self._readers])
        if len(body) > SORT_KEY_BYTES:
            self._check_key_size(key)
        return key

    def key_json(self, key: Key) -> bytes:
        """Return a key in DynamoDB JSON."""
        return msgspec.json.encode(
            {name: to_json(value) for name, value in zip(self.key_names, key, strict=True)}
        )

    def _item_key(self, values: Any, field_: str, name: str, kind: str) -> Scalar:
        value: KeyValue | None = getattr(values, field_)
        if value is None:
            raise invalid(f"One or more parameter values were invalid: Missing the key {name} in the item")
        scalar = value.scalar(kind)
        if scalar is None:
            raise invalid(
                f"One or more parameter values were invalid: Type mismatch for key {name} expected: {kind}"
            )
        if not scalar and scalar in _EMPTY:
            raise _empty_key(name)
        return scalar

    def _plain_key(self, values: Any, field_: str, name: str, kind: str) -> Scalar:
        value: KeyValue | None = getattr(values, field_)
        scalar = value.scalar(kind) if value is not None else None
        if scalar is None:
            raise invalid("The provided key element does not match the schema")
        if not scalar and scalar in _EMPTY:
            raise _empty_key(name)
        return scalar

    def _check_key_size(self, key: Key) -> None:
        for value, most, what in zip(
            key, (PARTITION_KEY_BYTES, SORT_KEY_BYTES), ("hashkey", "rangekey"), strict=False
        ):
            if key_bytes(value) > most:
                raise invalid(
                    f"One or more parameter values were invalid: Size of {what} has exceeded the maximum "
                    f"size limit of {most} bytes"
                )

    def _index_key(self, values: Any, index: Index, readers: tuple[tuple[str, str, str], ...]) -> Key | None:
        found: list[Scalar] = []
        for field_, name, kind in readers:
            value: KeyValue | None = getattr(values, field_)
            if value is None:
                continue
            scalar = value.scalar(kind)
            if scalar is None:
                raise invalid(
                    f"One or more parameter values were invalid: Type mismatch for Index Key {name} "
                    f"Expected: {kind} IndexName: {index.name}"
                )
            if scalar in _EMPTY:
                raise invalid(
                    "One or more parameter values are not valid. A value specified for a secondary index "
                    "key is not supported. The AttributeValue for a key attribute cannot contain an empty "
                    f"string value. IndexName: {index.name}, IndexKey: {name}"
                )
            if key_bytes(scalar) > (SORT_KEY_BYTES if found else PARTITION_KEY_BYTES):
                raise invalid(
                    "One or more parameter values were invalid: Size of index key has exceeded the maximum "
                    f"size limit. IndexName: {index.name}"
                )
            found.append(scalar)
        # An item without all key attributes of an index is not in the index.
        return tuple(found) if len(found) == len(readers) else None

    def _expiry(self, values: Any) -> float | None:
        if not self.ttl:
            return None
        value: KeyValue | None = getattr(values, self._fields[self.ttl])
        # TTL ignores an attribute of another type.
        return None if value is None or value.N is None else float(value.N)


def _fields(names: tuple[str, ...]) -> dict[str, str]:
    return {name: f"a{number}" for number, name in enumerate(names)}


@cache
def _decoder(names: tuple[str, ...], *, strict: bool) -> msgspec.json.Decoder[Any]:
    fields = _fields(names)
    struct = msgspec.defstruct(
        "Attributes",
        [(fields[name], KeyValue | None, None) for name in names],
        rename={fields[name]: name for name in names},
        forbid_unknown_fields=strict,
    )
    return msgspec.json.Decoder(struct)


def _decode(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        if "unknown field" in str(error):
            raise invalid("The provided key element does not match the schema") from None
        raise ServiceError("SerializationException", str(error)) from None
    except msgspec.DecodeError as error:
        raise ServiceError("SerializationException", str(error)) from None


def _empty_key(name: str) -> ServiceError:
    return invalid(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain "
        f"an empty string value. Key: {name}"
    )
