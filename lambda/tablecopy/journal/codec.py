"""The journal's codec: a dataclass as a DynamoDB item, one attribute for each field.

Numbers, texts and enums, flags, lists of texts, and maps in DynamoDB JSON are supported. A field that is
``None`` is left out of the item.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import Field, field, fields
from enum import StrEnum
from functools import lru_cache
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

from tablecopy.dynamodb.client import Json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    R = TypeVar("R", bound=DataclassInstance)
else:
    R = TypeVar("R")

T = TypeVar("T")


def text(value: str) -> Json:
    """Return ``value`` as a DynamoDB string."""
    return {"S": value}


def number(value: float) -> Json:
    """Return ``value`` as a DynamoDB number."""
    return {"N": repr(value)}


def stored_as(attribute: str, default: T) -> T:
    """Define a field whose attribute in the journal has another name than the field."""
    defined: Any = field(default=default, metadata={"attribute": attribute})
    found: T = defined
    return found


def encode(record: DataclassInstance, *, without: Collection[str] = ()) -> Json:
    """Return the attributes of a dataclass instance, except the fields in ``without``."""
    values = (
        (attribute, getattr(record, name))
        for name, attribute, _, _ in _attributes(type(record))
        if name not in without
    )
    return {attribute: _encoded(value) for attribute, value in values if value is not None}


def decode(cls: type[R], item: Json, **given: object) -> R:
    """Return the instance of ``cls`` that ``item`` holds; ``given`` are fields that are not attributes."""
    found: dict[str, Any] = {}
    for name, attribute, kind, convert in _attributes(cls):
        value = item.get(attribute)
        if value is not None:
            found[name] = value[kind] if convert is None else convert(value[kind])
    found.update(given)
    return cls(**found)


@lru_cache
def _attributes(cls: type[DataclassInstance]) -> list[tuple[str, str, str, Callable[[Any], Any] | None]]:
    hints = get_type_hints(cls)
    return [(each.name, _attribute(each), *_reader(hints[each.name])) for each in fields(cls)]


def _attribute(each: Field[Any]) -> str:
    name: str = each.metadata.get("attribute", each.name)
    return name


def _encoded(value: object) -> Json:
    match value:
        case bool():
            return {"BOOL": value}
        case int() | float():
            return number(value)
        case tuple():
            return {"L": [text(element) for element in value]}
        case dict():
            return {"M": value}
    return text(str(value))


def _reader(hint: Any) -> tuple[str, Callable[[Any], Any] | None]:
    """Return the attribute's type for a field of type ``hint``, and what converts its value, if anything."""
    [hint, *_] = [each for each in get_args(hint) if each is not NoneType] if _is_optional(hint) else [hint]
    if hint is bool:
        return "BOOL", None
    if hint in {int, float}:
        return "N", hint
    if get_origin(hint) is tuple:
        return "L", _texts
    if get_origin(hint) is dict:
        return "M", None
    return "S", hint if issubclass(hint, StrEnum) else None


def _texts(elements: list[Json]) -> tuple[str, ...]:
    return tuple(element["S"] for element in elements)


def _is_optional(hint: Any) -> bool:
    return NoneType in get_args(hint)
