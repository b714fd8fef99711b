"""The result as one HTML page that is complete in itself: no network, no fonts, no other file."""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from markupsafe import Markup

from tablecopy.text import count_text, duration_text, timestamp
from tablecopy_cli.advice import Step
from tablecopy_cli.common.files import replacing
from tablecopy_cli.common.items import Item, key_text, to_json, value_text
from tablecopy_cli.common.text import escaped
from verify.comparison.differences import PathChange
from verify.comparison.results import KINDS, Comparison, Difference, Kind
from verify.report.wording import (
    EXPIRED_NOTE,
    SEVERITIES,
    STILL_CHANGING,
    TITLES,
    dead_letter_text,
    expiry_text,
    headline,
    location,
    pairing_text,
    path_text,
    rechecks_text,
    restrictions,
    settled_text,
    share_text,
    unlisted_rows,
    unlisted_text,
    what_changed,
    where_text,
)
from verify.settings.findings import in_order

if TYPE_CHECKING:
    from jinja2 import Environment

# A browser filters and shows this much without a delay.
_ROWS = 5_000
_CHARACTERS = 20_000_000
_PATHS = 200
_VALUE_CHARACTERS = 2_000

# Attributes to count, since a table may have any number of names, and to show.
_COUNTED_ATTRIBUTES = 10_000
_SHOWN_ATTRIBUTES = 50

# More columns than this are narrower than a pixel of a phone.
_COLUMNS = 128
_COLUMN_HEIGHT = 45

_DISTRIBUTION = "dynamodb-account-copy"

# Flags whose values come from items.
_VALUE_FLAG = "--expression-attribute-values"


def write_html(
    path: str | Path, comparison: Comparison, steps: Sequence[Step] = (), command: Sequence[str] = ()
) -> None:
    """Write the page.

    It holds at most 5,000 differences and states how many there are. Its policy (CSP) allows only the style
    and the script of this package, by their hashes. Keys, names and messages become text, never markup, and
    everything invisible in them is escaped.

    Parameters
    ----------
    path
        The file to write.
    comparison
        The result to report.
    steps
        The next steps, as `advice.next_steps` returns them.
    command
        The command that compared the tables, as words. The values of a filter expression are left out unless
        it has ``--show-values``.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    environment = _environment()
    style, script = (_file(environment, name) for name in ("page.css", "page.js"))
    found = _Found(comparison)
    text = environment.get_template("page.html").render(
        comparison=comparison,
        source=comparison.source,
        destination=comparison.destination,
        headline=headline(comparison),
        share=share_text(comparison),
        steps=steps,
        found=found,
        findings=in_order(comparison.findings),
        columns=list(columns(comparison.source.segments, comparison.destination.segments)),
        restrictions=restrictions(comparison),
        command=_command_text(command),
        version=_version(),
        style=style,
        script=script,
        policy=(
            f"default-src 'none'; style-src 'sha256-{_sha256(style)}'; "
            f"script-src 'sha256-{_sha256(script)}'; base-uri 'none'; form-action 'none'"
        ),
    )
    with replacing(Path(path)) as file:
        file.write(text)


@dataclass
class AttributeCount:
    """The changed items in which one attribute differs.

    Parameters
    ----------
    number
        Position among the attributes in the order in which they were found.
    name
        Name of the attribute, as reports write it.
    items
        Number of items.
    changes
        Number of items for each text that describes a change.
    """

    number: int
    name: str
    items: int = 0
    changes: Counter[str] = field(default_factory=Counter)


class _Found:
    """What one pass over the differences finds: the rows to show, and the counts of all of them.

    The page holds at most 5,000 rows and 20 million characters of them. If there are more differences, each
    kind gets a share, so that a million missing items do not hide three changed ones.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.rows: list[Markup] = []
        self.dead_letters = len(comparison.dead_letters)
        self.unread = 0
        self._attributes: dict[str, AttributeCount] = {}
        row = _environment().get_template("row.html")
        left = row_shares(comparison.counts)
        characters = 0
        for difference in comparison.differences:
            self.dead_letters += difference.dead_letter is not None
            self.unread += not difference.checks
            numbers = self._count_attributes(difference)
            if left.get(difference.kind, 0) and characters < _CHARACTERS:
                left[difference.kind] -= 1
                text = row.render(row=difference, attributes=numbers, number=len(self.rows), paths=_PATHS)
                self.rows.append(Markup(text))
                characters += len(text)

    @property
    def attributes(self) -> list[AttributeCount]:
        """The attributes in which most items differ, most frequent first."""
        ranked = sorted(self._attributes.values(), key=lambda one: (-one.items, one.name))
        return ranked[:_SHOWN_ATTRIBUTES]

    @property
    def more_attributes(self) -> int:
        """How many other attributes differ somewhere."""
        return max(0, len(self._attributes) - _SHOWN_ATTRIBUTES)

    def _count_attributes(self, difference: Difference) -> list[int]:
        changes = defaultdict(set)
        for path in difference.paths:
            # A change inside of a map or a list is a change of the attribute's value.
            changes[str(path.path[0])].add(_change(path) if len(path.path) == 1 else "value changed")
        numbers = []
        for name, texts in changes.items():
            count = self._attributes.get(name)
            if count is None:
                if len(self._attributes) == _COUNTED_ATTRIBUTES:
                    continue
                count = AttributeCount(len(self._attributes), path_text((name,)))
                self._attributes[name] = count
            count.items += 1
            count.changes.update(texts)
            numbers.append(count.number)
        return numbers


def row_shares(counts: Mapping[Kind, int]) -> dict[Kind, int]:
    """Return how many differences of each kind the page shows.

    Parameters
    ----------
    counts
        Number of differences of each kind.
    """
    # The rarest kind first: what it does not need is left to the others.
    shares: dict[Kind, int] = {}
    left = _ROWS
    rarest_first = sorted(KINDS, key=lambda kind: counts.get(kind, 0))
    for behind, kind in zip(range(len(KINDS), 0, -1), rarest_first, strict=True):
        shares[kind] = min(counts.get(kind, 0), left // behind)
        left -= shares[kind]
    return shares


_Group: TypeAlias = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the chart: the items of a segment, or of neighbouring segments.

    Parameters
    ----------
    name
        Number of the segment from 1, or ``"4 to 6"``.
    source, destination
        Items in each table.
    up, down
        Height of the source's and of the destination's bar; the highest of all is 45.
    uneven
        Whether a segment of the column has another number of items in the destination.
    """

    name: str
    source: int
    destination: int
    up: float
    down: float
    uneven: bool


def columns(source: Sequence[int], destination: Sequence[int]) -> Iterator[Column]:
    """Yield the columns of the chart: one for each segment, at most 128.

    Parameters
    ----------
    source, destination
        Items of each segment.
    """
    groups = list(_groups(source, destination))
    # The last column may have fewer segments than the others, so the average is what counts.
    averages = [[sum(side) / len(group) for side in zip(*group, strict=True)] for _, group in groups]
    highest = max((height for pair in averages for height in pair), default=0) or 1
    for (name, group), (up, down) in zip(groups, averages, strict=True):
        mine, theirs = (sum(side) for side in zip(*group, strict=True))
        yield Column(
            name,
            mine,
            theirs,
            round(_COLUMN_HEIGHT * up / highest, 2),
            round(_COLUMN_HEIGHT * down / highest, 2),
            any(one != other for one, other in group),
        )


def _groups(source: Sequence[int], destination: Sequence[int]) -> Iterator[tuple[str, _Group]]:
    # A scan may have a million segments.
    pairs = list(zip_longest(source, destination, fillvalue=0))
    size = max(1, -(-len(pairs) // _COLUMNS))
    for start in range(0, len(pairs), size):
        group = pairs[start : start + size]
        last = start + len(group)
        yield (f"{last:,}" if len(group) == 1 else f"{start + 1:,} to {last:,}"), group


@cache
def _environment() -> Environment:
    # Most commands write no page.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("verify.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.globals.update(
        EXPIRED_NOTE=EXPIRED_NOTE, STILL_CHANGING=STILL_CHANGING, SEVERITIES=SEVERITIES, TITLES=TITLES
    )
    environment.filters.update(
        amount=lambda count: f"{count:,.0f}",
        count=count_text,
        duration=duration_text,
        json=_json,
        key=key_text,
        dead_letter=dead_letter_text,
        location=location,
        timestamp=timestamp,
        path=lambda path: path_text(path.path),
        rechecks=rechecks_text,
        settled=settled_text,
        pairing=pairing_text,
        unlisted=unlisted_text,
        unlisted_rows=unlisted_rows,
        value=_value,
        what=_what,
        what_changed=what_changed,
    )
    return environment


def _visible(value: Any) -> Any:
    """Escape everything invisible in a text that a template prints; markup is made of such texts."""
    return escaped(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _file(environment: Environment, name: str) -> Markup:
    assert environment.loader is not None
    return Markup(environment.loader.get_source(environment, name)[0])


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(value: Any) -> str:
    """Write a value as JSON on one line; unlike `escaped`, the escapes of invisible characters are JSON's."""
    text = json.dumps(to_json(value), ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _what(difference: Difference) -> str:
    """Write in a few words what differs."""
    if difference.expires is not None:
        return expiry_text(difference)
    if difference.kind != "changed":
        return where_text(difference)
    names = [path_text(path.path) for path in difference.paths[:4]]
    more = len(difference.paths) - 3
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:3])} and {more:,} more"


def _change(path: PathChange) -> str:
    if path.change == "type_changed":
        return f"type changed ({path.source_type} to {path.destination_type})"
    return what_changed(path) if path.change in ("added", "removed") else "value changed"


def _value(value: Item | None) -> str:
    if value is None:
        return "absent"
    text = value_text(value)
    left = len(text) - _VALUE_CHARACTERS
    return text if left <= 0 else f"{text[:_VALUE_CHARACTERS]}... {left:,} more characters"


def _command_text(words: Sequence[str]) -> str:
    if "--show-values" in words:
        return shlex.join(words)
    shown = []
    hide = False
    for word in words:
        flag, equals, _ = word.partition("=")
        if flag == _VALUE_FLAG and equals:
            word = f"{flag}=..."
        shown.append("..." if hide else word)
        hide = word == _VALUE_FLAG
    return shlex.join(shown)


def _version() -> str:
    try:
        return f"{_DISTRIBUTION} {version(_DISTRIBUTION)}"
    except PackageNotFoundError:
        return f"{_DISTRIBUTION} (not installed)"
