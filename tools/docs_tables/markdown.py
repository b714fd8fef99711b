"""Markdown: tables of inputs and outputs, and the files that hold them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tools.docs_tables.module import Module

_NEW = """\
# {name}

{header}

## Inputs

<!-- BEGIN inputs -->
<!-- END inputs -->

## Outputs

<!-- BEGIN outputs -->
<!-- END outputs -->
"""


class MarkerMissing(Exception):
    """A file has no place for a table; the text says which, and what to add."""


def inputs_table(module: Module) -> str:
    """A row for each variable and, below it, for each of its fields."""
    return _table(
        ("input", "type", "default", "description"),
        (
            (
                f"`{row.path}`",
                f"`{row.type}`",
                "**required**" if row.default is None else f"`{row.default}`",
                row.text,
            )
            for row in module.inputs
        ),
    )


def outputs_table(module: Module) -> str:
    """A row for each output."""
    return _table(("output", "description"), ((f"`{name}`", text) for name, text in module.outputs))


def filled(text: str, module: Module, file: str) -> str:
    """A file's text with the tables of `module` between its markers.

    Parameters
    ----------
    text
        The file as it is; empty for one that is to be made.
    module
        Whose tables.
    file
        What errors call the file.

    Raises
    ------
    MarkerMissing
        There is no pair of markers for one of the tables.
    """
    text = text or _NEW.format(name=module.name, header=module.header)
    for name, table in (("inputs", inputs_table(module)), ("outputs", outputs_table(module))):
        text = replaced(text, name, table, file)
    return text


def replaced(text: str, name: str, table: str, file: str) -> str:
    """Return a file's text with this table between the markers of `name`.

    Raises
    ------
    MarkerMissing
        There is no pair of markers.
    """
    begin, end = f"<!-- BEGIN {name} -->", f"<!-- END {name} -->"
    if not re.search(f"{begin}\n.*?{end}", text, re.DOTALL):
        raise MarkerMissing(f"{file} has no lines {begin} and {end}; put them where the table belongs")
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n{table}{end}{rest.partition(end)[2]}"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    # A bar would begin the next cell, even in code.
    lines = [[cell.replace("|", "\\|") for cell in line] for line in (header, ("---",) * len(header), *rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
