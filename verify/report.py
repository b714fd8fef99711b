"""The report for people: a headline, the differences in groups, the next step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sides.items import is_plain, key_text, quoted, value_text
from sides.output import Style
from verify.compare import Comparison, Progress
from verify.differences import Difference, Kind, PathChange

_TITLES: dict[Kind, str] = {
    "missing": "Missing at the destination",
    "different": "Different",
    "extra": "Extra at the destination",
}


def text_report(comparison: Comparison, style: Style, limit: int) -> Iterator[str]:
    """Yield the lines of the text report.

    Parameters
    ----------
    comparison
        What was found.
    style
        Colours of the stream.
    limit
        How many items of each group to list; 0 lists them all.
    """
    yield _headline(comparison, style)
    yield ""
    yield from _sides(comparison, style)
    for kind, title in _TITLES.items():
        group = [difference for difference in comparison.differences if difference.kind == kind]
        if group:
            yield ""
            yield style.bold(f"{title} ({len(group):,})")
            yield from _group(group, style, limit)
    step = _next_step(comparison)
    if step:
        yield ""
        yield f"{style.bold('Next:')} {step}"


def progress_text(progress: Progress) -> str:
    """Say in one line how far a comparison is."""
    seconds = max(progress.seconds, 0.001)
    items = progress.source_items + progress.destination_items
    scanned = (
        f"{progress.source_items:,} items of the source, {progress.destination_items:,} of the destination"
    )
    if progress.stage == "scan":
        return f"scanning: {scanned}, {items / seconds:,.0f} items/s"
    return f"rechecking: {progress.rechecked:,} of {progress.candidates:,} candidates ({scanned})"


def _headline(comparison: Comparison, style: Style) -> str:
    if comparison.verdict == "equal":
        return f"{style.green('Equal:')} {_items(comparison.source_items)} compared, none differs."
    counts = ", ".join(f"{comparison.count(kind):,} {kind}" for kind in _TITLES if comparison.count(kind))
    if comparison.verdict == "different":
        return f"{style.red('Different:')} {counts}."
    if comparison.writes_stopped:
        return (
            f"{style.yellow('Unsettled:')} no difference is left, but {_items(comparison.settled)} "
            "changed during the comparison, although writes should have stopped."
        )
    return f"{style.yellow('Unsettled:')} {counts}, each on an item that changed during the comparison."


def _sides(comparison: Comparison, style: Style) -> Iterator[str]:
    rows = []
    for label, arn, items, units in (
        ("source", comparison.source, comparison.source_items, comparison.source_units),
        ("destination", comparison.destination, comparison.destination_items, comparison.destination_units),
    ):
        _, _, _, region, account, table = arn.split(":", 5)
        spent = f", {units:,.0f} read units" if units else ""
        rows.append((label, table.removeprefix("table/"), f"{account} {region}", f"{_items(items)}{spent}"))
    label_width, name_width, place_width = (max(len(row[column]) for row in rows) for column in range(3))
    for label, name, place, read in rows:
        place = style.dim(place.ljust(place_width))
        yield f"  {label.ljust(label_width)}  {name.ljust(name_width)}  {place}  {read}"
    note = f"  {comparison.seconds:,.1f} s"
    if comparison.settled:
        note += (
            f"; {_items(comparison.settled)} differed in the scan and no longer did when read again"
            " (changes underway)"
        )
    yield style.dim(note)


def _group(group: Sequence[Difference], style: Style, limit: int) -> Iterator[str]:
    shown = group[:limit] if limit else group
    for difference in shown:
        moving = style.yellow("  (changed during the comparison)") if difference.moving else ""
        yield f"  {key_text(difference.key)}{moving}"
        rows = [(path_text(path.path), _change_text(path)) for path in difference.paths]
        width = min(40, max((len(name) for name, _ in rows), default=0))
        for name, change in rows:
            yield f"      {name:<{width}}  {change}"
    if len(shown) < len(group):
        yield style.dim(
            f"  ... and {len(group) - len(shown):,} more (--limit 0 or --format jsonl lists them all)"
        )


def path_text(path: Sequence[str | int]) -> str:
    """Write an attribute path for people: ``address.lines[2]``, ``["odd name"].x``."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif is_plain(step):
            parts.append(f".{step}" if parts else step)
        else:
            parts.append(f"[{quoted(step)}]")
    return "".join(parts)


def _change_text(path: PathChange) -> str:
    text = _what_changed(path)
    if path.source is not None and path.destination is not None:
        return f"{text}: {value_text(path.source)} -> {value_text(path.destination)}"
    value = path.source if path.source is not None else path.destination
    return text if value is None else f"{text}: {value_text(value)}"


def _what_changed(path: PathChange) -> str:
    if path.change == "type_changed":
        return f"type changed ({path.source_type} at the source, {path.destination_type} at the destination)"
    if path.change == "removed":
        return "only at the source"
    if path.change == "added":
        return "only at the destination"
    if path.elements_added or path.elements_removed:
        parts = []
        if path.elements_removed:
            parts.append(f"{path.elements_removed:,} only at the source")
        if path.elements_added:
            parts.append(f"{path.elements_added:,} only at the destination")
        return f"set changed ({', '.join(parts)})"
    return "value changed"


def _items(count: int) -> str:
    return f"{count:,} item" if count == 1 else f"{count:,} items"


def _next_step(comparison: Comparison) -> str:
    if comparison.verdict == "equal":
        if comparison.writes_stopped:
            return "the destination holds what the source holds: seal the copy, then move the writers."
        return "before the cutover, stop the writers, let the copy drain, verify with --writes-stopped."
    if comparison.verdict == "unsettled":
        if comparison.writes_stopped:
            return "find what still writes to the tables, stop it and verify again."
        return "verify again in a moment; changes underway will have arrived by then."
    if comparison.writes_stopped:
        return "do not move the writers; find out why these differ, then verify again."
    return "if the copy was still catching up, let it drain and verify again; what stands then is real."
