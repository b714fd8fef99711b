"""The differences that a page of HTML holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tablecopy.text import count_text, timestamp
from tablecopy_cli.common.items import Item, key_text, quoted, value_text
from verify.comparison.differences import PathChange
from verify.comparison.results import KINDS, Comparison, Difference, Kind
from verify.report.paths import path_text, what_changed
from verify.report.wording import dead_letter_text

# A browser filters and shows that much without hesitating.
_ROWS = 5_000
_CHARACTERS = 20_000_000
_PATHS = 200
_VALUE_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Rows:
    """What was chosen of the differences.

    Parameters
    ----------
    texts
        One JSON object each, in the order of keys. Nothing in them can end a ``<script>`` element.
    refused
        How many of all differences have an open dead letter.
    """

    texts: list[str]
    refused: int


def rows_of(comparison: Comparison) -> Rows:
    """Choose the differences to show: at most 5,000, and 20 million characters.

    Goes through the differences once. Where there are more, every kind gets its share, so that a million
    missing items do not hide the three that differ.
    """
    left = _shares(comparison.counts)
    texts: list[str] = []
    characters = refused = 0
    for difference in comparison.differences:
        refused += difference.dead_letter is not None
        if left.get(difference.kind, 0) and characters < _CHARACTERS:
            left[difference.kind] -= 1
            texts.append(embedded(_row(difference)))
            characters += len(texts[-1])
    return Rows(texts, refused)


def embedded(value: Any) -> str:
    """Write JSON that stays inside a ``<script type="application/json">``, whatever it holds."""
    # JSON in ASCII has U+2028 and U+2029 escaped; these three occur only inside of strings.
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _shares(counts: Mapping[Kind, int]) -> dict[Kind, int]:
    # The rarest kind first: what it does not need is left to the others.
    shares: dict[Kind, int] = {}
    left = _ROWS
    rarest_first = sorted(KINDS, key=lambda kind: counts.get(kind, 0))
    for behind, kind in zip(range(len(KINDS), 0, -1), rarest_first, strict=True):
        shares[kind] = min(counts.get(kind, 0), left // behind)
        left -= shares[kind]
    return shares


def _row(difference: Difference) -> dict[str, Any]:
    paths = difference.paths
    row: dict[str, Any] = {
        "kind": difference.kind,
        "key": key_text(difference.key),
        "json": quoted(difference.key),
        "what": _summary(difference),
        # An expired item may go at any moment; that it did not change says nothing.
        "standing": difference.standing or difference.kind == "expired",
        "first": timestamp(difference.first_seen),
        "last": timestamp(difference.last_seen),
        "checks": difference.checks,
        "paths": [_path(path) for path in paths[:_PATHS]],
        "source_digest": difference.source_digest,
        "destination_digest": difference.destination_digest,
    }
    if len(paths) > _PATHS:
        row["more"] = f"and {count_text(len(paths) - _PATHS, 'more attribute')}"
    if difference.dead_letter is not None:
        row["letter"] = dead_letter_text(difference.dead_letter)
    return row


def _summary(difference: Difference) -> str:
    if difference.expires is not None:
        where = "destination" if difference.source_digest is None else "source"
        return f"only at the {where}, expired {timestamp(difference.expires)}"
    if difference.kind == "missing":
        return "only at the source"
    if difference.kind == "extra":
        return "only at the destination"
    names = [path_text(path.path) for path in difference.paths[:4]]
    more = len(difference.paths) - 3
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:3])} and {more:,} more"


def _path(path: PathChange) -> dict[str, str]:
    told = {"path": path_text(path.path), "change": what_changed(path)}
    if path.source is not None or path.destination is not None:
        told["source"] = _value(path.source)
        told["destination"] = _value(path.destination)
    return told


def _value(value: Item | None) -> str:
    if value is None:
        return "absent"
    text = value_text(value)
    left = len(text) - _VALUE_CHARACTERS
    return text if left <= 0 else f"{text[:_VALUE_CHARACTERS]}... {left:,} more characters"
