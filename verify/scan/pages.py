"""Turns pages of items into rows of keys and digests: the hot path of a scan.

A page is decoded into structures made for the table's attributes (`decode`, `layout`). Encoded again with
every name and every set in order, two equal items have one text, and its digest goes into the row. Nothing
here builds an item in Python's own types, which is what reading a table spends most of its time on.

Items that are equal can still get different digests, where a service spells equal values differently from
item to item (DynamoDB does not: it trims numbers, and encodes binary values and strings in one way). Such a
pair is read again and compared exactly (`canonical`). The opposite does not happen: the text determines the
item, and the digest is XXH3 with 128 bits. Its seed is a secret of each comparison, so that no one can create
different items with the same digest.
"""

from __future__ import annotations

import re
from binascii import hexlify
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from msgspec import Raw
from xxhash import xxh3_128_digest

from tablecopy.comparison.canonical import number
from verify.scan.decode import Decoded, PageDecoder, page_of
from verify.scan.identity import KeySchema

# Whether numbers are spelled in one way is looked at on the first page of a segment, and on every so many.
_LOOK_AGAIN_PAGES = 16

_NUMBER = rb"(?:0|-?(?:[1-9]\d*+(?:\.\d*[1-9])?|0\.\d*[1-9]))"
_ODD_NUMBER = re.compile(rb'"N":\s*"(?!' + _NUMBER + rb'")([^"]*)"')
_NUMBER_SET = re.compile(rb'("NS":\s*\[)([^\]]*)\]')
_ODD_NUMBER_SET = re.compile(rb'"NS":\s*\[(?!\s*"' + _NUMBER + rb'"(?:,\s*"' + _NUMBER + rb'")*\s*\])')
_ELEMENT = re.compile(rb'"([^"]*)"')


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
    """Turns pages of a segment into rows; one for each thread.

    Parameters
    ----------
    keys
        The table's primary key.
    ignored
        Names of attributes that are not compared.
    expiry
        Name of the time to live attribute, if the rows are to have it.
    decoder
        What the table's readers share.
    seed
        Of the digests, 64 bits. Only digests of the same seed can be compared.
    """

    def __init__(
        self,
        keys: KeySchema,
        ignored: Iterable[str] = (),
        expiry: str | None = None,
        decoder: PageDecoder | None = None,
        seed: int = 0,
    ) -> None:
        self._keys = keys.attributes
        self._ignored = frozenset(ignored) - {name for name, _ in self._keys}
        self._expiry = expiry
        self._decoder = decoder or PageDecoder()
        self._seed = seed
        self._pages = 0
        self._respell = False

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
        decoded = self._decoder.decode(respelled(body) if self._respell else body)
        return Page(self._rows(decoded), len(decoded.items), decoded.last_key, decoded.units)

    def digests(self, items: Sequence[Raw]) -> list[tuple[str, str, tuple[str, ...]]]:
        """Return the keys and the digests of single items, as a scan would enter them.

        A scan that has not noticed yet that numbers are spelled in several ways enters another digest; where
        there are two, the one with the numbers spelled plainly comes first.

        Returns
        -------
        list of tuple
            Partition key and sort key as rows have them, and the digests.

        Raises
        ------
        BadPage
            An item is not DynamoDB's.
        """
        page = page_of(items)
        plain = respelled(page)
        found = self._fields(page)
        if plain == page:
            return [(partition, sort, (digest,)) for partition, sort, digest in found]
        return [
            (partition, sort, (first, digest) if first != digest else (digest,))
            for (partition, sort, digest), (_, _, first) in zip(found, self._fields(plain), strict=True)
        ]

    def _fields(self, page: bytes) -> list[list[str]]:
        rows = self._rows(self._decoder.decode(page)).splitlines()
        return [row.decode().split("\t")[:3] for row in rows]

    def _rows(self, decoded: Decoded) -> bytes:
        if not decoded.items:
            return b""
        expiries = self._expiries(decoded)
        for name in self._ignored:
            decoded.take_out(name)
        # One text at a time, which is still in the processor's cache when it is hashed.
        digests = map(hexlify, map(xxh3_128_digest, decoded.texts(), repeat(self._seed)))
        columns: list[Iterable[Any]] = [decoded.key_column(name, kind) for name, kind in self._keys]
        if len(columns) == 1:
            columns.append([b"-"] * len(decoded.items))
        return b"\n".join(map(b"\t".join, zip(*columns, digests, expiries, strict=True))) + b"\n"

    def _expiries(self, decoded: Decoded) -> list[bytes]:
        if self._expiry is None:
            return [b""] * len(decoded.items)
        # Only numbers expire (Developer Guide, Time to Live).
        return [_number_of(value) for value in decoded.values(self._expiry)]


def _number_of(value: Any) -> bytes:
    found = getattr(value, "N", b"")
    return found.encode() if isinstance(found, str) else bytes(found).strip(b'"')


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
