"""One spelling for everything DynamoDB calls equal, and its digest.

Items stay in DynamoDB's own JSON as it is on the wire: ``{"N": "12.50"}``, binary values as base64 text.
Two items are equal exactly when their canonical text is equal:

* types count: ``{"N": "1"}`` is not ``{"S": "1"}``, and a missing attribute is neither NULL nor ``""``;
* numbers by value, exactly: ``1``, ``1.0`` and ``1E0`` are one number, two numbers of 38 digits that
  differ in the last one are two;
* sets without order, number sets by value, wherever they are nested; binary values by their bytes;
* lists in order, maps without.

Every variable-length part carries its length, so that no two different items share a text.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Any

DIGEST_BYTES = 16
"""128 bits: among a billion items the chance that any two collide is below 1e-20."""

# DynamoDB's numbers lie between 1E-130 and 9.99...E+125. Far beyond them the plain spelling of a number
# would only cost memory.
_MAX_EXPONENT = 1000


def digest(item: Mapping[str, Any]) -> bytes:
    """Digest an item: equal items, and only these, share it.

    Parameters
    ----------
    item
        Attribute name to typed value, in DynamoDB JSON.

    Returns
    -------
    bytes
        `DIGEST_BYTES` bytes.
    """
    return blake2b(
        _attributes(item).encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES, usedforsecurity=False
    ).digest()


def canonical(value: Mapping[str, Any]) -> str:
    """Spell one typed value (``{"S": "x"}``) so that equal values, and only these, share the text.

    Raises
    ------
    ValueError
        The value is of no type DynamoDB has.
    """
    ((kind, content),) = value.items()
    if kind == "S":
        return f"S{len(content)}:{content}"
    if kind == "N":
        return f"N{number(content)};"
    if kind == "M":
        return "M" + _attributes(content)
    if kind == "L":
        return f"L{len(content)}:" + "".join([canonical(element) for element in content])
    if kind == "BOOL":
        return "T" if content else "F"
    if kind == "NULL":
        return "0"
    if kind == "B":
        return f"B{_binary(content)};"
    if kind == "SS":
        return _set("s", [f"{len(element)}:{element}" for element in content])
    if kind == "NS":
        return _set("n", [f"{number(element)};" for element in content])
    if kind == "BS":
        return _set("b", [f"{_binary(element)};" for element in content])
    raise ValueError(f"DynamoDB has no attribute type {kind!r}")


def number(text: str) -> str:
    """Spell a number plainly: no exponent, no leading or trailing zeros, no minus zero.

    Exact whatever its digits; nothing passes through a float.

    Raises
    ------
    ValueError
        The text is not a number.
    """
    # Most numbers are plain integers, which are their own canonical spelling.
    if text.isascii() and text.isdigit() and (text[0] != "0" or text == "0"):
        return text
    try:
        value = Decimal(text)
    except ArithmeticError:
        raise ValueError(f"not a number: {text!r}") from None
    if not value:
        return "0"
    if not value.is_finite() or abs(value.adjusted()) > _MAX_EXPONENT:
        raise ValueError(f"not a number DynamoDB can hold: {text!r}")
    plain = format(value, "f")
    whole, point, fraction = plain.partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if point and fraction else whole


def _attributes(content: Mapping[str, Any]) -> str:
    parts = [f"{len(content)}:"]
    # Strings and numbers are most of any table: spelling them here saves a call each.
    for name in sorted(content):
        value = content[name]
        if "S" in value:
            text = value["S"]
            parts.append(f"{len(name)}:{name}S{len(text)}:{text}")
        elif "N" in value:
            parts.append(f"{len(name)}:{name}N{number(value['N'])};")
        else:
            parts.append(f"{len(name)}:{name}{canonical(value)}")
    return "".join(parts)


def _binary(content: str) -> str:
    return b64decode(content).hex()


def _set(mark: str, elements: list[str]) -> str:
    unique = sorted(set(elements))
    return f"{mark}{len(unique)}:" + "".join(unique)
