"""The items of each segment, side by side, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

# More columns than that are thinner than a pixel of a telephone.
_COLUMNS = 128
_HEIGHT = 48


def bars(source: Sequence[int], destination: Sequence[int]) -> str:
    """Draw a column a segment: the source's items upward, the destination's downward.

    Neighbours share a column where there are more than 128 segments. Columns whose sides do not have the same
    count carry a mark on the axis. No style attributes, which the page's policy forbids.

    Parameters
    ----------
    source, destination
        Items of each segment.
    """
    pairs = list(zip_longest(source, destination, fillvalue=0))
    size = -(-len(pairs) // _COLUMNS)
    groups = [pairs[start : start + size] for start in range(0, len(pairs), size)]
    highest = max(1, max(_height(group, side) for group in groups for side in (0, 1)))
    uneven = sum(mine != theirs for mine, theirs in pairs)
    label = f"Items of {len(pairs):,} segments; {uneven:,} of them have another count at the destination."
    drawn = "".join(_column(at, at * size + 1, group, highest) for at, group in enumerate(groups))
    return (
        f'<svg class="bars" role="img" aria-label="{label}" preserveAspectRatio="none" '
        f'viewBox="0 {-_HEIGHT} {len(groups) * 10} {2 * _HEIGHT}">{drawn}</svg>'
    )


def bar_figures(source: Sequence[int], destination: Sequence[int]) -> Iterator[str]:
    """Yield the table rows of the same figures."""
    for number, (mine, theirs) in enumerate(zip_longest(source, destination, fillvalue=0), 1):
        apart = f"{theirs - mine:+,}" if theirs != mine else ""
        yield f"<tr><td>{number:,}</td><td>{mine:,}</td><td>{theirs:,}</td><td>{apart}</td></tr>"


def _height(group: Sequence[tuple[int, int]], side: int) -> float:
    # The last column may have fewer segments than the others.
    return sum(pair[side] for pair in group) / len(group)


def _column(at: int, first: int, group: Sequence[tuple[int, int]], highest: float) -> str:
    last = first + len(group) - 1
    which = f"Segment {first:,}" if first == last else f"Segments {first:,} to {last:,}"
    mine, theirs = sum(mine for mine, _ in group), sum(theirs for _, theirs in group)
    up, down = ((_HEIGHT - 3) * _height(group, side) / highest for side in (0, 1))
    uneven = any(mine != theirs for mine, theirs in group)
    mark = f'<rect class="uneven" x="{at * 10}" y="-2" width="10" height="4"/>' if uneven else ""
    return (
        f"<g><title>{which}: {mine:,} at the source, {theirs:,} at the destination</title>"
        f'<rect class="source" x="{at * 10 + 1}" y="{-up - 2:.2f}" width="8" height="{up:.2f}"/>'
        f'<rect class="destination" x="{at * 10 + 1}" y="2" width="8" height="{down:.2f}"/>{mark}</g>'
    )
