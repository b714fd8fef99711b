"""The items of each segment, side by side, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TypeAlias

# More columns than that are thinner than a pixel of a telephone.
_COLUMNS = 128
_HEIGHT = 48

Group: TypeAlias = Sequence[tuple[int, int]]


def bars(source: Sequence[int], destination: Sequence[int]) -> str:
    """Draw a column a segment: the source's items upward, the destination's downward.

    Neighbours share a column where there are more than 128 segments. Columns whose sides do not have the same
    count carry a mark on the axis. No style attributes, which the page's policy forbids.

    Parameters
    ----------
    source, destination
        Items of each segment.
    """
    groups = list(_groups(source, destination))
    highest = max(1, max(_height(group, side) for _, group in groups for side in (0, 1)))
    pairs = [pair for _, group in groups for pair in group]
    uneven = sum(mine != theirs for mine, theirs in pairs)
    label = f"Items of {len(pairs):,} segments; {uneven:,} of them have another count at the destination."
    drawn = "".join(_column(at, name, group, highest) for at, (name, group) in enumerate(groups))
    return (
        f'<svg class="bars" role="img" aria-label="{label}" preserveAspectRatio="none" '
        f'viewBox="0 {-_HEIGHT} {len(groups) * 10} {2 * _HEIGHT}">{drawn}</svg>'
    )


def bar_figures(source: Sequence[int], destination: Sequence[int]) -> Iterator[str]:
    """Yield the table rows of the same figures, one a column."""
    for name, group in _groups(source, destination):
        mine, theirs = _sums(group)
        apart = f"{theirs - mine:+,}" if theirs != mine else ""
        yield f"<tr><td>{name}</td><td>{mine:,}</td><td>{theirs:,}</td><td>{apart}</td></tr>"


def _groups(source: Sequence[int], destination: Sequence[int]) -> Iterator[tuple[str, Group]]:
    # A scan may have a million segments.
    pairs = list(zip_longest(source, destination, fillvalue=0))
    size = -(-len(pairs) // _COLUMNS)
    for start in range(0, len(pairs), size):
        group = pairs[start : start + size]
        last = start + len(group)
        yield (f"{last:,}" if len(group) == 1 else f"{start + 1:,} to {last:,}"), group


def _sums(group: Group) -> tuple[int, int]:
    return sum(mine for mine, _ in group), sum(theirs for _, theirs in group)


def _height(group: Group, side: int) -> float:
    # The last column may have fewer segments than the others.
    return _sums(group)[side] / len(group)


def _column(at: int, name: str, group: Group, highest: float) -> str:
    mine, theirs = _sums(group)
    up, down = ((_HEIGHT - 3) * _height(group, side) / highest for side in (0, 1))
    uneven = any(mine != theirs for mine, theirs in group)
    mark = f'<rect class="uneven" x="{at * 10}" y="-2" width="10" height="4"/>' if uneven else ""
    return (
        f"<g><title>Segment {name}: {mine:,} at the source, {theirs:,} at the destination</title>"
        f'<rect class="source" x="{at * 10 + 1}" y="{-up - 2:.2f}" width="8" height="{up:.2f}"/>'
        f'<rect class="destination" x="{at * 10 + 1}" y="2" width="8" height="{down:.2f}"/>{mark}</g>'
    )
