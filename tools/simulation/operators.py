"""What the operators and functions of expressions do with attribute values.

Sources: Developer Guide, "Condition and filter expressions, operators, and functions", "Update expressions".
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any

from tools.simulation.attributes import Value, comparable, invalid, number_text, value_size

SETS = ("SS", "NS", "BS")

_DIGITS = Context(prec=38)

ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "<>": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def compare(operator: str, left: Value | None, right: Value | None) -> bool:
    """Return whether ``left operator right`` holds; a value that does not exist is None."""
    if left is None or right is None:
        return operator == "<>" and (left is None) != (right is None)
    one, other = comparable(left), comparable(right)
    if operator in {"=", "<>"}:
        return ORDER[operator](one, other)
    if one[0] != other[0] or one[0] not in {"S", "N", "B"}:
        return False
    return ORDER[operator](one[1], other[1])


def size(value: Value | None) -> Value | None:
    """Return what the function ``size`` returns."""
    if value is None:
        return None
    [(kind, content)] = value.items()
    if kind in {"S", "B"}:
        return {"N": str(value_size(value))}
    return {"N": str(len(content))} if kind in {"M", "L", *SETS} else None


def calculate(left: Value, sign: str, right: Value) -> Value:
    """Return the sum or difference of two numbers."""
    if "N" not in left or "N" not in right:
        raise invalid("An operand in the update expression has an incorrect data type")
    one, other = Decimal(left["N"]), Decimal(right["N"])
    return {"N": number_text(_DIGITS.add(one, other) if sign == "+" else _DIGITS.subtract(one, other))}


def append(left: Value, right: Value) -> Value:
    """Return what the function ``list_append`` returns."""
    if "L" not in left or "L" not in right:
        raise invalid("An operand in the update expression has an incorrect data type")
    return {"L": [*left["L"], *right["L"]]}


def add(value: Value | None, more: Value) -> Value:
    """Return what ADD makes of a value: a larger number, or a set with more elements."""
    if value is None:
        return more
    if "N" in value and "N" in more:
        return calculate(value, "+", more)
    [(kind, content)] = value.items()
    if kind not in SETS or kind not in more:
        raise invalid("An operand in the update expression has an incorrect data type")
    known = comparable(value)[1]
    return {kind: [*content, *(e for e in more[kind] if not comparable({kind: [e]})[1] <= known)]}


def subtract(value: Value | None, less: Value) -> Value | None:
    """Return what DELETE leaves of a set; None if it is empty."""
    if value is None:
        return None
    [(kind, content)] = value.items()
    if kind not in SETS or kind not in less:
        raise invalid("An operand in the update expression has an incorrect data type")
    gone = comparable(less)[1]
    left = [each for each in content if not comparable({kind: [each]})[1] <= gone]
    # A set may not be empty.
    return {kind: left} if left else None


def required(value: Value | None) -> Value:
    """Return a value that must exist. Raises ServiceError otherwise."""
    if value is None:
        raise invalid("The provided expression refers to an attribute that does not exist in the item")
    return value
