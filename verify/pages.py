"""Pages of items to rows of keys and digests: the hot path of a scan.

A page is decoded by msgspec into structures made for the table's attributes: scalars stay the bytes that
DynamoDB sent, sets become sets, maps become dictionaries. Encoded again with every name and every set in
order, two equal items have one text, and its digest goes into the row. Nothing here builds an item in
Python's own types, which is what reading a table spends most of its time on.

Items that are equal can still get different digests, where a service spells equal values differently from
item to item (DynamoDB does not: it trims numbers, and encodes binary values and strings in one way). Such a
pair is read again and compared exactly (`canonical`). The opposite cannot happen: the text determines the
item, so that equal digests mean equal items.
"""

from __future__ import annotations

import re
from binascii import hexlify
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from verify.canonical import number
from verify.keys import KeySchema

_DIGEST_BYTES = 16

# Above this the search for a name in a structure costs more than a dictionary.
_MAX_LEARNED_NAMES = 64

# Whether numbers are spelled in one way is looked at on the first page of a segment, and on every so many.
_LOOK_AGAIN_PAGES = 16

_NUMBER = rb"(?:0|-?(?:[1-9]\d*+(?:\.\d*[1-9])?|0\.\d*[1-9]))"
_ODD_NUMBER = re.compile(rb'"N":\s*"(?!' + _NUMBER + rb'")([^"]*)"')
_NUMBER_SET = re.compile(rb'("NS":\s*\[)([^\]]*)\]')
_ODD_NUMBER_SET = re.compile(rb'"NS":\s*\[(?!\s*"' + _NUMBER + rb'"(?:,\s*"' + _NUMBER + rb'")*\s*\])')
_ELEMENT = re.compile(rb'"([^"]*)"')

# What an attribute that is not there is left as; omitted by identity when encoded.
_NOTHING = Raw()


class BadPage(Exception):
    """The body is not that of a Scan or BatchGetItem: it must be read again."""


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


def _only(kind: str, content: Any) -> type[Struct]:
    return msgspec.defstruct(f"Only{kind}", [(kind, content)], gc=False, forbid_unknown_fields=True)


# Structures of one field cost a third of `Value`: most attributes have the same type in every item.
_ONLY: dict[str, Any] = {
    **{kind: _only(kind, Raw) for kind in ("S", "N", "BOOL", "NULL", "B")},
    **{kind: _only(kind, frozenset[str]) for kind in ("SS", "NS", "BS")},
    "M": _only("M", dict[str, Value]),
    "L": _only("L", list[Value]),
}


class _Capacity(Struct):
    CapacityUnits: float = 0.0


class _Scanned(Struct):
    Items: list[Any]
    Count: int
    LastEvaluatedKey: Raw | UnsetType = UNSET
    # A local AWS may leave the capacity out.
    ConsumedCapacity: _Capacity | None = None


class _ScannedAny(_Scanned):
    Items: list[dict[str, Value]]


class _Batch(Struct):
    Responses: dict[str, list[Raw]]


_decode_any = msgspec.json.Decoder(_ScannedAny).decode
_encode_lines = msgspec.json.Encoder(order="deterministic").encode_lines


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a Scan.

    Parameters
    ----------
    rows
        A line for each item: partition key and sort key as JSON (``-`` where the table has none), digest in
        hexadecimal, and the time to live as the item spells it (empty where there is none), parted by tabs.
        JSON has neither tabs nor line breaks but between its parts.
    items
        How many they are.
    last_key
        Where the next page begins (LastEvaluatedKey) as JSON; ``None`` on the last page.
    units
        Read capacity units it has cost.
    """

    rows: bytes
    items: int
    last_key: bytes | None
    units: float


class Reader:
    """Turns pages into rows. Learns what the table's items look like; one for each thread.

    Parameters
    ----------
    keys
        The table's primary key.
    ignored
        Names of attributes that do not count.
    expiry
        Name of the time to live attribute, if the rows are to have it.
    """

    def __init__(self, keys: KeySchema, ignored: Iterable[str] = (), expiry: str | None = None) -> None:
        self._keys = keys.attributes
        self._ignored = frozenset(ignored) - {name for name, _ in self._keys}
        self._expiry = expiry
        self._pages = 0
        self._respell = False
        self._learned: dict[str, set[str]] = {}
        self._decode: Callable[[bytes], _Scanned] | None = None
        self._fields: dict[str, str] = {}

    def page(self, body: bytes) -> Page:
        """Read the body of a Scan's answer.

        Raises
        ------
        BadPage
            It is not a whole page.
        """
        if self._pages % _LOOK_AGAIN_PAGES == 0 and not self._respell:
            self._respell = bool(_ODD_NUMBER.search(body) or _ODD_NUMBER_SET.search(body))
        self._pages += 1
        if self._respell:
            body = respelled(body)
        scanned, learned = self._scanned(body)
        if scanned.Count != len(scanned.Items):
            raise BadPage(f"{len(scanned.Items)} items, and a Count of {scanned.Count}")
        last_key = scanned.LastEvaluatedKey
        return Page(
            self._rows(scanned.Items, learned=learned),
            scanned.Count,
            None if last_key is UNSET else bytes(last_key),
            scanned.ConsumedCapacity.CapacityUnits if scanned.ConsumedCapacity else 0.0,
        )

    def digests(self, body: bytes, table: str) -> list[tuple[str, ...]]:
        """The digests of the items in the body of a BatchGetItem's answer, as a scan would enter them.

        A scan that has not noticed yet that numbers are spelled in several ways enters another digest; where
        there are two, the one with the numbers spelled plainly comes first.

        Raises
        ------
        BadPage
            It is not a whole answer.
        """
        try:
            items = msgspec.json.decode(body, type=_Batch).Responses.get(table, [])
        except msgspec.DecodeError as error:
            raise BadPage(str(error)) from error
        if not items:
            return []
        page = b'{"Items":[%b],"Count":%d}' % (b",".join(items), len(items))
        forms = [self._digests(form) for form in dict.fromkeys((respelled(page), page))]
        return [tuple(dict.fromkeys(several)) for several in zip(*forms, strict=True)]

    def _digests(self, body: bytes) -> list[str]:
        scanned, learned = self._scanned(body)
        rows = self._rows(scanned.Items, learned=learned)
        return [row.split(b"\t")[2].decode() for row in rows.splitlines()]

    def _scanned(self, body: bytes) -> tuple[_Scanned, bool]:
        """The page, and whether its items are of the learned structure; otherwise they are dictionaries."""
        if self._decode is not None:
            try:
                return self._decode(body), True
            except msgspec.ValidationError:
                # An attribute, or a type of one, that was not seen so far.
                pass
            except msgspec.DecodeError as error:
                raise BadPage(str(error)) from error
        try:
            scanned = _decode_any(body)
        except msgspec.DecodeError as error:
            raise BadPage(str(error)) from error
        self._learn(scanned.Items)
        return scanned, False

    def _rows(self, items: Sequence[Any], *, learned: bool) -> bytes:
        if not items:
            return b""
        expiries = [b""] * len(items) if self._expiry is None else self._expiries(items, learned=learned)
        self._take_out_ignored(items, learned=learned)
        digests = [
            hexlify(blake2b(text, digest_size=_DIGEST_BYTES).digest())
            for text in _encode_lines(items).splitlines()
        ]
        columns: list[Iterable[Any]] = [
            self._column(items, name, kind, learned=learned) for name, kind in self._keys
        ]
        if len(columns) == 1:
            columns.append([b"-"] * len(items))
        return b"\n".join(map(b"\t".join, zip(*columns, digests, expiries, strict=True))) + b"\n"

    def _column(self, items: Sequence[Any], name: str, kind: str, *, learned: bool) -> Iterable[Any]:
        if learned:
            return map(attrgetter(f"{self._fields[name]}.{kind}"), items)
        return [getattr(item[name], kind) for item in items]

    def _expiries(self, items: Sequence[Any], *, learned: bool) -> list[bytes]:
        assert self._expiry is not None
        if learned:
            at = self._fields.get(self._expiry)
            values = [UNSET] * len(items) if at is None else map(attrgetter(at), items)
        else:
            values = [item.get(self._expiry, UNSET) for item in items]
        # Only numbers expire (Developer Guide, Time to Live).
        return [bytes(getattr(value, "N", b"")).strip(b'"') for value in values]

    def _take_out_ignored(self, items: Sequence[Any], *, learned: bool) -> None:
        for name in self._ignored:
            if not learned:
                for item in items:
                    item.pop(name, None)
            elif name in self._fields:
                for item in items:
                    setattr(item, self._fields[name], UNSET)

    def _learn(self, items: Sequence[dict[str, Value]]) -> None:
        """Make structures for what these items and those before them have."""
        known = sum(map(len, self._learned.values()))
        for item in items:
            for name, value in item.items():
                self._learned.setdefault(name, set()).add(_kind(value))
        if known == sum(map(len, self._learned.values())):
            return
        self._decode = None
        if len(self._learned) <= _MAX_LEARNED_NAMES:
            # In the order of the names: that is the order they are encoded in.
            self._fields = {name: f"a{at}" for at, name in enumerate(sorted(self._learned))}
            try:
                self._decode = self._learned_decoder()
            except ValueError:
                # A name that msgspec does not take for a field's, such as one with a quote.
                return

    def _learned_decoder(self) -> Callable[[bytes], _Scanned]:
        fields = []
        for name, at in self._fields.items():
            kinds = self._learned[name]
            content: Any = _ONLY[next(iter(kinds))] if len(kinds) == 1 else Value
            fields.append((at, content | UnsetType, field(default=UNSET, name=name)))
        item = msgspec.defstruct("Item", fields, gc=False, omit_defaults=True, forbid_unknown_fields=True)
        scanned = msgspec.defstruct("Scanned", [("Items", list[item])], bases=(_Scanned,))  # type: ignore[valid-type]
        decode: Callable[[bytes], _Scanned] = msgspec.json.Decoder(scanned).decode  # type: ignore[assignment]
        return decode


def respelled(body: bytes) -> bytes:
    """The page with every number spelled plainly (`canonical.number`).

    Neither pattern can match inside a string: there, a quote has a backslash before it.
    """
    body = _ODD_NUMBER.sub(lambda found: b'"N":"%b"' % _plain(found[1]), body)
    return _NUMBER_SET.sub(
        lambda found: found[1] + _ELEMENT.sub(lambda one: b'"%b"' % _plain(one[1]), found[2]) + b"]", body
    )


def _plain(text: bytes) -> bytes:
    try:
        return number(text.decode("ascii")).encode("ascii")
    except ValueError:
        # Not a number at all: kept as it is, so that it equals itself.
        return text


def _kind(value: Value) -> str:
    for kind in Value.__struct_fields__:
        content = getattr(value, kind)
        if content is not UNSET and content is not _NOTHING:
            return kind
    raise BadPage("a value without a type")
