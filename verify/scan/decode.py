"""Decoding pages of items, each time faster for what the pages before have shown."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from verify.scan.layout import ENCODER, Names, Untyped, Value

# Looking at an item costs many times what decoding it does. What these do not show is learned when it comes.
_FIRST_LOOK_ITEMS = 256


class BadPage(Exception):
    """The body is not that of a Scan or BatchGetItem: it must be read again."""


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


class _Keys(Struct):
    Keys: list[dict[str, dict[str, str]]] = []


class Batch(Struct):
    """The answer of a BatchGetItem. Its items are JSON."""

    Responses: dict[str, list[Raw]]
    UnprocessedKeys: dict[str, _Keys] | None = None
    ConsumedCapacity: list[_Capacity] | None = None


_decode_any = msgspec.json.Decoder(_ScannedAny).decode
_decode_batch = msgspec.json.Decoder(Batch).decode


@dataclass(frozen=True)
class Decoded:
    """A page whose items are structures of a learned layout, or dictionaries of `layout.Value`.

    Parameters
    ----------
    items
        The items.
    last_key
        LastEvaluatedKey as JSON; ``None`` on the last page.
    units
        Read capacity units it has cost.
    fields
        Name of an attribute to its field in the structures; ``None`` where they are dictionaries.
    """

    items: Sequence[Any]
    last_key: bytes | None
    units: float
    fields: Mapping[str, str] | None

    def texts(self) -> Iterator[bytes]:
        """Each item as JSON with all names and sets in order: equal items have equal texts."""
        return map(ENCODER.encode, self.items)

    def key_column(self, name: str, kind: str) -> list[Any]:
        """Return the JSON of a key attribute of every item.

        Raises
        ------
        BadPage
            An item does not have the attribute in this type.
        """
        try:
            if self.fields is None:
                values = [item[name] for item in self.items]
            else:
                values = list(map(attrgetter(self.fields[name]), self.items))
            column = list(map(attrgetter(kind), values))
        except (KeyError, AttributeError):
            values = column = [None]
        # A structure of one type always has its value.
        if isinstance(values[0], Value | None) and not all(column):
            raise BadPage(f"an item has no key attribute {name} of type {kind}")
        # Numbers of a structure are text.
        return ENCODER.encode_lines(column).splitlines() if isinstance(column[0], str) else column

    def values(self, name: str) -> Iterable[Any]:
        """The values of an attribute; UNSET where an item does not have it."""
        if self.fields is None:
            return [item.get(name, UNSET) for item in self.items]
        if name not in self.fields:
            return [UNSET] * len(self.items)
        return map(attrgetter(self.fields[name]), self.items)

    def take_out(self, name: str) -> None:
        """Take an attribute out of the items that have it."""
        if self.fields is None:
            for item in self.items:
                item.pop(name, None)
        elif name in self.fields:
            for item in self.items:
                setattr(item, self.fields[name], UNSET)


class PageDecoder:
    """Decodes pages of one table. Shared by its readers, which learn from each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names = Names()
        self._learned: tuple[Callable[[bytes], _Scanned], Mapping[str, str]] | None = None
        self._seen = False

    def decode(self, body: bytes) -> Decoded:
        """Decode the body of a Scan's answer.

        Raises
        ------
        BadPage
            It is not a whole page.
        """
        learned = self._learned
        if learned is not None:
            decode, fields = learned
            try:
                return _decoded(decode(body), fields)
            except msgspec.ValidationError:
                # An attribute, or a type of one, that was not seen so far.
                pass
            except msgspec.DecodeError as error:
                raise BadPage(str(error)) from error
        try:
            scanned = _decode_any(body)
        except msgspec.DecodeError as error:
            raise BadPage(str(error)) from error
        with self._lock:
            self._learn(scanned.Items)
        return _decoded(scanned, None)

    def _learn(self, items: Sequence[dict[str, Value]]) -> None:
        step = 1 if self._seen else -(-len(items) // _FIRST_LOOK_ITEMS) or 1
        self._seen = True
        try:
            surprise = self._names.see(items[::step])
        except Untyped as error:
            raise BadPage("a value without a type") from error
        if not surprise:
            return
        structure: Any = self._names.structure()
        self._learned = None
        if structure is not None:
            scanned: Any = msgspec.defstruct("Scanned", [("Items", list[structure])], bases=(_Scanned,))
            self._learned = msgspec.json.Decoder(scanned).decode, self._names.fields


def batch(body: bytes) -> Batch:
    """Decode the body of a BatchGetItem's answer.

    Raises
    ------
    BadPage
        It is not a whole answer.
    """
    try:
        return _decode_batch(body)
    except msgspec.DecodeError as error:
        raise BadPage("the body is not that of BatchGetItem") from error


def page_of(items: Sequence[Raw]) -> bytes:
    """Return items as the page of a scan."""
    return b'{"Items":[%b],"Count":%d}' % (b",".join(items), len(items))


def _last_key(value: Raw | UnsetType) -> bytes | None:
    if isinstance(value, UnsetType):
        return None
    text = bytes(value)
    # Without a key the next page would be the first one again, or none would be read.
    try:
        if msgspec.json.decode(text, type=dict[str, dict[str, str]]):
            return text
    except msgspec.MsgspecError:
        pass
    raise BadPage(f"a LastEvaluatedKey of {text[:40]!r}")


def _decoded(scanned: _Scanned, fields: Mapping[str, str] | None) -> Decoded:
    if scanned.Count != len(scanned.Items):
        raise BadPage(f"{len(scanned.Items)} items, and a Count of {scanned.Count}")
    return Decoded(
        scanned.Items,
        _last_key(scanned.LastEvaluatedKey),
        scanned.ConsumedCapacity.CapacityUnits if scanned.ConsumedCapacity else 0.0,
        fields,
    )
