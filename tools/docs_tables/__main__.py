"""``python -m tools.docs_tables``: write the tables; with ``--check``, say which are stale (exit code 1)."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.docs_tables import sizes
from tools.docs_tables.markdown import MarkerMissing, filled, replaced
from tools.docs_tables.module import Module, described_by, read_module

REPOSITORY = Path(__file__).parents[2]
COPY = REPOSITORY / "modules" / "copy"


def modules() -> list[Path]:
    """Directories of the modules that people call."""
    examples = sorted(path.parent for path in REPOSITORY.glob("examples/*/main.tf"))
    return [REPOSITORY, COPY, *examples]


def documented(directory: Path) -> Module:
    """A module's interface. The root's texts are those of modules/copy, which it passes its inputs to."""
    module = read_module(directory)
    return described_by(module, read_module(COPY)) if directory == REPOSITORY else module


def stale() -> dict[Path, str]:
    """README files whose tables are not what their modules say, and what they should hold.

    Raises
    ------
    MarkerMissing
        One has no place for a table.
    """
    found: dict[Path, str] = {}
    for directory in modules():
        file = directory / "README.md"
        is_now = file.read_text() if file.exists() else ""
        name = str(file.relative_to(REPOSITORY))
        ought = filled(is_now, documented(directory), name)
        if directory == REPOSITORY:
            ought = replaced(ought, "sizes", sizes.table(), name)
        if ought != is_now:
            found[file] = ought
    return found


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
            print(f"{name} does not say what its module does; run make docs", file=sys.stderr)
        else:
            file.write_text(text)
            print(f"{name} written")
    return 1 if found and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
