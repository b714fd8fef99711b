"""Attribute values in DynamoDB JSON: keys, sizes, order and equality.

Numbers are compared by value and binaries by their bytes, so a value has one key whatever its spelling.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec

from tools.simulation.errors import ServiceError

Scalar: TypeAlias = str | bytes | Decimal
"""A key attribute's value: a string, a binary or a number."""

Key: TypeAlias = tuple[Scalar, ...]
"""The key of an item: its partition key and, if the table has one, its sort key."""

Value: TypeAlias = dict[str, Any]
"""An attribute value in DynamoDB JSON, such as ``{"S": "a"}``."""

PARTITION_KEY_BYTES = 2048
SORT_KEY_BYTES = 1024

HASHES = 1 << 32
"""Number of values that ``hash_of`` returns."""


class KeyValue(msgspec.Struct):
    """An attribute value of a key's type; with a value of another type, all members are None."""

    S: str | None = None
    N: str | None = None
    B: str | None = None

    def scalar(self, kind: str) -> Scalar | None:
        """Return the value if it is of the type ``kind`` ("S", "N" or "B")."""
        if kind == "S":
            return self.S
        if kind == "N":
            return None if self.N is None else number(self.N)
        return None if self.B is None else binary(self.B)


def invalid(message: str) -> ServiceError:
    """Return the error for a request that is not valid."""
    return ServiceError("ValidationException", message)


def number(text: str) -> Decimal:
    """Return the value of a number. It has at most 38 digits (Developer Guide, Supported data types)."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise invalid("The parameter cannot be converted to a numeric value")
    if len(value.as_tuple().digits) > 38 and len(value.normalize().as_tuple().digits) > 38:
        raise invalid("Attempting to store more than 38 significant digits in a Number")
    return value


def binary(text: str) -> bytes:
    """Return the bytes of a binary value."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ServiceError("SerializationException", "Invalid base64 value") from None


@lru_cache(maxsize=4096)
def hash_of(value: Scalar, salt: int = 0) -> int:
    """Return the hash that decides an item's place in the table, from 0 to ``HASHES`` - 1."""
    if isinstance(value, str):
        data = value.encode()
    else:
        data = value if isinstance(value, bytes) else str(value.normalize()).encode()
    # CRC-32 alone puts similar keys next to each other.
    return (zlib.crc32(data, salt) * 0x9E3779B1) % HASHES


def key_bytes(value: Scalar) -> int:
    """Return the size of a key attribute's value in bytes."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode())
    return len(value) if isinstance(value, bytes) else _number_size(value)


def to_json(value: Scalar) -> Value:
    """Return a key attribute's value in DynamoDB JSON, numbers without zeros that change nothing."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bytes):
        return {"B": base64.b64encode(value).decode()}
    return {"N": number_text(value)}


def number_text(value: Decimal) -> str:
    """Return a number as DynamoDB writes it."""
    normal = value.normalize()
    return f"{normal:f}" if -40 < normal.adjusted() < 38 else str(normal)


def item_size(document: dict[str, Value]) -> int:
    """Return the size of an item in bytes (Developer Guide, DynamoDB item sizes and formats)."""
    return sum(_name_size(name) + value_size(value) for name, value in document.items())


def value_size(value: Value) -> int:
    """Return the size of an attribute value in bytes, without its name."""
    for kind, content in value.items():
        match kind:
            case "S":
                return _name_size(content)
            case "N":
                return _number_size(Decimal(content))
            case "B":
                return _binary_size(content)
            case "BOOL" | "NULL":
                return 1
            case "M":
                return 3 + sum(1 + _name_size(name) + value_size(each) for name, each in content.items())
            case "L":
                return 3 + sum(1 + value_size(each) for each in content)
            case "SS":
                return sum(map(_name_size, content))
            case "NS":
                return sum(_number_size(Decimal(each)) for each in content)
            case "BS":
                return sum(map(_binary_size, content))
    raise invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")


def _name_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _number_size(value: Decimal) -> int:
    return 1 + (len(value.normalize().as_tuple().digits) + 1) // 2


def _binary_size(text: str) -> int:
    return len(text) // 4 * 3 - text.count("=")


def check_value(value: Value) -> None:
    """Check an attribute value of a request.

    Raises
    ------
    ServiceError
        The value has no type or more than one, a set is empty or holds a value twice, or a number is not one
        (Developer Guide, Supported data types and naming rules).
    """
    if not isinstance(value, dict) or len(value) != 1:
        raise invalid("Supplied AttributeValue has more than one datatypes set, or none")
    [(kind, content)] = value.items()
    match kind:
        case "N":
            number(content)
        case "B":
            binary(content)
        case "SS" | "NS" | "BS":
            if not content:
                raise invalid("One or more parameter values were invalid: An set may not be empty")
            if len(comparable(value)[1]) < len(content):
                raise invalid(
                    "One or more parameter values were invalid: Input collection contains duplicates"
                )
        case "M":
            for each in content.values():
                check_value(each)
        case "L":
            for each in content:
                check_value(each)
        case "S" | "BOOL" | "NULL":
            pass
        case _:
            raise invalid(f"Supplied AttributeValue has an unknown type {kind}")


def comparable(value: Value) -> Any:
    """Return what equals another value's exactly if both attribute values are the same for DynamoDB."""
    [(kind, content)] = value.items()
    match kind:
        case "N":
            return kind, Decimal(content)
        case "B":
            return kind, binary(content)
        case "SS":
            return kind, frozenset(content)
        case "NS":
            return kind, frozenset(map(Decimal, content))
        case "BS":
            return kind, frozenset(map(binary, content))
        case "M":
            return kind, {name: comparable(each) for name, each in content.items()}
        case "L":
            return kind, [comparable(each) for each in content]
    return kind, content


def same_item(one: bytes, other: bytes) -> bool:
    """Return whether two items in DynamoDB JSON are the same item, whatever their spelling."""
    if one == other:
        return True
    decode = msgspec.json.decode
    return bool(comparable({"M": decode(one)}) == comparable({"M": decode(other)}))
