"""Terraform's type expressions, as trees of fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """A field of an object type.

    Parameters
    ----------
    name
        As it is written.
    type
        The type without what is inside an object: ``string``, ``list(string)``, ``map(object)``.
    default
        As Terraform code; ``None`` where the field has to be given.
    fields
        Those of the object, or of the collection's objects.
    """

    name: str
    type: str
    default: str | None
    fields: tuple[Field, ...]


def type_of(expression: str) -> tuple[str, tuple[Field, ...]]:
    """Take a type expression apart.

    Parameters
    ----------
    expression
        As in ``type = ...``, on any number of lines, without comments.

    Returns
    -------
    tuple
        The type as `Field.type` has it, and its fields.

    Raises
    ------
    ValueError
        It is no type expression.
    """
    constructor, inner = _call(expression)
    if constructor == "object":
        inner = inner.strip().removeprefix("{").removesuffix("}")
        return "object", tuple(_field(part) for part in _parts(inner))
    if inner:
        short, fields = type_of(inner)
        return f"{constructor}({short})", fields
    return constructor, ()


def _field(text: str) -> Field:
    name, _, expression = (part.strip() for part in text.partition("="))
    default: str | None = None
    constructor, inner = _call(expression)
    if constructor == "optional":
        expression, *given = _parts(inner)
        default = given[0] if given else "null"
    short, fields = type_of(expression)
    return Field(name, short, default, fields)


def _call(expression: str) -> tuple[str, str]:
    match = re.fullmatch(r"\s*(\w+)\s*(?:\((.*)\)\s*)?", expression, re.DOTALL)
    if match is None:
        raise ValueError(f"{expression!r} is no type expression")
    return match[1], match[2] or ""


def _parts(text: str) -> Iterator[str]:
    """What commas part, but for those inside brackets and strings."""
    depth, part = 0, ""
    for token in re.findall(r'"(?:\\.|[^"\\])*"|.', text, re.DOTALL):
        depth += (token in "([{") - (token in ")]}")
        if token == "," and depth == 0:
            yield part.strip()
            part = ""
        else:
            part += token
    if part.strip():
        yield part.strip()
