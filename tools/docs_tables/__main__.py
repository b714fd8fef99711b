"""``python -m tools.docs_tables``: write the tables; with ``--check``, say which are stale (exit code 1)."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.docs_tables import cost, sizes
from tools.docs_tables.markdown import MarkerMissing, filled, replaced
from tools.docs_tables.module import Module, described_by, read_module

REPOSITORY = Path(__file__).parents[2]
COPY = REPOSITORY / "modules" / "copy"
COMPARISON = REPOSITORY / "modules" / "verify"


CALCULATED = {
    "README.md": {"sizes": sizes.table},
    "docs/cost.md": {"example": cost.example, "daily": cost.daily, "tracking": cost.tracking},
    "docs/sizes.md": {
        "settings": sizes.settings,
        "verification": sizes.verification,
        "calls": cost.per_second,
    },
}
"""Tables that are calculated, by page and by the name between its markers."""


def modules() -> list[Path]:
    """Directories of the modules that people call."""
    examples = sorted(path.parent for path in REPOSITORY.glob("examples/*/main.tf"))
    return [REPOSITORY, COPY, COMPARISON, *examples]


def documented(directory: Path) -> Module:
    """A module's interface. The root's texts are those of modules/copy, which it passes its inputs to."""
    module = read_module(directory)
    return described_by(module, read_module(COPY)) if directory == REPOSITORY else module


def stale() -> dict[Path, str]:
    """Pages whose tables are not what modules and calculations say, and what they should hold.

    Raises
    ------
    MarkerMissing
        One has no place for a table.
    """
    texts: dict[Path, str] = {}
    for directory in modules():
        file = directory / "README.md"
        texts[file] = filled(_is_now(file), documented(directory), str(file.relative_to(REPOSITORY)))
    for name, tables in CALCULATED.items():
        file = REPOSITORY / name
        for marker, table in tables.items():
            texts[file] = replaced(texts.get(file) or _is_now(file), marker, table(), name)
    return {file: text for file, text in texts.items() if text != _is_now(file)}


def _is_now(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def main(arguments: list[str]) -> int:
    """Write what is stale, or name it; returns the exit code."""
    try:
        found = stale()
    except MarkerMissing as error:
        print(error, file=sys.stderr)
        return 1
    for file, text in found.items():
        name = file.relative_to(REPOSITORY)
        if "--check" in arguments:
            print(f"the tables of {name} are stale; run make docs", file=sys.stderr)
        else:
            file.write_text(text)
            print(f"{name} written")
    return 1 if found and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
