"""Conditions under which a write overwrites exactly the item that was read.

The limits are those of DynamoDB's expression parameters
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-expression-parameters):
an expression has at most 4 KB and 300 operators and functions. The page names the 300 for update expressions
only, but DynamoDB holds every kind of expression to them
(https://github.com/scylladb/scylladb/issues/14473). Each ``AND`` is counted here, so that a condition that
fits here fits DynamoDB however it counts; that is room for 149 attributes beside the key.

A condition names attributes. None says that there are no others: what was added in between is only seen in
what the write returns (``ReturnValues=ALL_OLD``).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tablecopy_cli.common.items import Item

MAX_EXPRESSION_BYTES = 4096
MAX_OPERATORS = 300

_ABSENT = "attribute_not_exists(#k)"


class TooWide(Exception):
    """An item has more attributes than a condition can name. The message says so in one line."""


def is_absent(key_name: str) -> dict[str, Any]:
    """Parameters of a write that holds only where there is no item; ``key_name``: any key attribute."""
    return {"ConditionExpression": _ABSENT, "ExpressionAttributeNames": {"#k": key_name}}


def is_unchanged(read: Item, key_names: Collection[str], new: Item | None = None) -> dict[str, Any]:
    """Parameters of a write that holds only where each attribute is what was read.

    Parameters
    ----------
    read
        The item that was read, as boto3 gave it.
    key_names
        Its key attributes.
    new
        What is to be written: what it has and ``read`` lacks must still not be there.

    Raises
    ------
    TooWide
        The condition would exceed DynamoDB's limits.
    """
    names = {"#k": next(iter(key_names))}
    values: dict[str, Any] = {}
    clauses = ["attribute_exists(#k)"]
    for at, name in enumerate(name for name in read if name not in key_names):
        names[f"#{at}"] = name
        values[f":{at}"] = read[name]
        clauses.append(f"#{at}=:{at}")
    for at, name in enumerate((name for name in new or () if name not in read), len(values)):
        names[f"#{at}"] = name
        clauses.append(f"attribute_not_exists(#{at})")
    expression = " AND ".join(clauses)
    if 2 * len(clauses) - 1 > MAX_OPERATORS or len(expression) > MAX_EXPRESSION_BYTES:
        raise TooWide(
            f"{len(clauses) - 1} attributes are more than one condition can guard; copy this item by hand"
        )
    parameters: dict[str, Any] = {"ConditionExpression": expression, "ExpressionAttributeNames": names}
    if values:
        parameters["ExpressionAttributeValues"] = values
    return parameters
