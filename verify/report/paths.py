"""Attribute paths, and what happened to them, for people."""

from __future__ import annotations

from collections.abc import Sequence

from tablecopy_cli.common.items import is_plain, quoted, value_text
from verify.comparison.differences import PathChange


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


def change_text(path: PathChange) -> str:
    """Say what happened at a path, with the values where `path` holds them."""
    text = what_changed(path)
    if path.source is not None and path.destination is not None:
        return f"{text}: {value_text(path.source)} -> {value_text(path.destination)}"
    value = path.source if path.source is not None else path.destination
    return text if value is None else f"{text}: {value_text(value)}"


def what_changed(path: PathChange) -> str:
    """Say what happened at a path, without any value."""
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
