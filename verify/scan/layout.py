"""What the items of a table look like, learned from them: structures that msgspec decodes them into.

Decoding a typed value (``{"S": "x"}``) into a structure of one field costs half of what one of `Value`, which
has a field for every type, does; and a map whose names are known half of what a dictionary does. Attributes
have the same type in nearly every item, so structures are made for what was seen, and whatever does not fit
them is decoded into `Value`.

Strings and binary values stay the JSON they came as. Where a structure knows the type, numbers become text,
and BOOL and NULL truth values: that costs less, and they are encoded as they came. Sets become sets and maps
structures or dictionaries: encoded again by `ENCODER`, whose order is that of the names, equal values have
equal texts, whatever they were decoded into.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

ENCODER = msgspec.json.Encoder(order="deterministic")

# Above this the search for a name in a structure costs more than a dictionary.
_MAX_NAMES = 64

# A map that has shown new names on so many pages has names that are data, such as other items' keys.
_MAX_SURPRISES = 8

# What an attribute that is not there is left as; omitted by identity when encoded.
_NOTHING = Raw()


class Value(Struct, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """A typed value of any type DynamoDB has."""

    S: Raw = _NOTHING
    N: Raw = _NOTHING
    M: dict[str, Value] | UnsetType = UNSET
    L: list[Value] | UnsetType = UNSET
    BOOL: Raw = _NOTHING
    NULL: Raw = _NOTHING
    SS: frozenset[str] | UnsetType = UNSET
    NS: frozenset[str] | UnsetType = UNSET
    B: Raw = _NOTHING
    BS: frozenset[str] | UnsetType = UNSET


class Untyped(Exception):
    """A value without a type: not DynamoDB's JSON."""


class Layout:
    """The values seen in one place: of an attribute, of a name in a map, or of the elements of lists."""

    def __init__(self) -> None:
        self._kinds: set[str] = set()
        self._names = Names()
        self._elements: Layout | None = None

    def see(self, value: Value) -> bool:
        """Learn from a value; whether it was a surprise.

        Raises
        ------
        Untyped
            It is of no type.
        """
        kind = _kind(value)
        surprise = kind not in self._kinds
        self._kinds.add(kind)
        if kind == "M":
            assert isinstance(value.M, dict)
            return self._names.see([value.M]) or surprise
        if kind == "L":
            assert isinstance(value.L, list)
            self._elements = self._elements or Layout()
            for element in value.L:
                surprise |= self._elements.see(element)
        return surprise

    def type(self) -> Any:
        """A type that msgspec decodes such values into, and refuses others for."""
        if len(self._kinds) != 1:
            return Value
        (kind,) = self._kinds
        if kind == "M":
            return _only(kind, self._names.structure() or dict[str, Value])
        if kind == "L" and self._elements:
            return _only(kind, list[self._elements.type()])  # type: ignore[misc]
        return _SCALARS_AND_SETS.get(kind, Value)


class Names:
    """The names seen in maps at one place, or in items, with the layout of each one's values.

    Attributes
    ----------
    fields
        Name to the field that it has in `structure`.
    """

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self._layouts: dict[str, Layout] = {}
        self._surprises = 0

    def see(self, maps: Iterable[dict[str, Value]]) -> bool:
        """Learn from maps; whether there was a surprise."""
        surprise = False
        for content in maps:
            for name, value in content.items():
                layout = self._layouts.get(name)
                if layout is None:
                    if self._open():
                        continue
                    layout = self._layouts[name] = Layout()
                surprise |= layout.see(value)
        self._surprises += surprise
        return surprise

    def structure(self) -> Any:
        """A structure with a field for each name, or None where that does not pay or is not possible."""
        if self._open():
            return None
        # In the order of the names, which is that they are encoded in.
        self.fields = {name: f"a{at}" for at, name in enumerate(sorted(self._layouts))}
        fields = [
            (at, self._layouts[name].type() | UnsetType, field(default=UNSET, name=name))
            for name, at in self.fields.items()
        ]
        try:
            return msgspec.defstruct(
                "Names", fields, gc=False, omit_defaults=True, forbid_unknown_fields=True
            )
        except ValueError:
            # A name that msgspec does not take for a field's, such as one with a quote.
            return None

    def _open(self) -> bool:
        return len(self._layouts) > _MAX_NAMES or self._surprises > _MAX_SURPRISES


def _only(kind: str, content: Any) -> Any:
    return msgspec.defstruct(f"Only{kind}", [(kind, content)], gc=False, forbid_unknown_fields=True)


_SCALARS_AND_SETS: dict[str, Any] = {
    **{kind: _only(kind, Raw) for kind in ("S", "B")},
    # Python's text is decoded and encoded faster than JSON is cut out and copied. A number has no escapes.
    "N": _only("N", str),
    **{kind: _only(kind, bool) for kind in ("BOOL", "NULL")},
    **{kind: _only(kind, frozenset[str]) for kind in ("SS", "NS", "BS")},
}


def _kind(value: Value) -> str:
    for kind in Value.__struct_fields__:
        content = getattr(value, kind)
        if content is not UNSET and content is not _NOTHING:
            return kind
    raise Untyped
