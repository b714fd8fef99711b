"""What a Terraform module takes and gives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hcl2

from tools.docs_tables.types import Field, type_of

_HEADER = re.compile(r"(?:#.*\n)+")


@dataclass(frozen=True)
class Input:
    """A variable, or a field of one.

    Parameters
    ----------
    path
        The variable's name, then those of the fields; ``[*]`` follows what is a collection of objects.
    type
        See `tools.docs_tables.types.Field`.
    default
        As Terraform code; ``None`` where it has to be given.
    text
        What its description says of it: of an object the first paragraph, of a field its list item.
    """

    path: str
    type: str
    default: str | None
    text: str


@dataclass(frozen=True)
class Module:
    """A module's interface.

    Parameters
    ----------
    name
        Of its directory.
    header
        The comment that its main.tf begins with.
    inputs, outputs
        In the order of the files; an output is its name and its description.
    """

    name: str
    header: str
    inputs: tuple[Input, ...]
    outputs: tuple[tuple[str, str], ...]


def read_module(directory: Path) -> Module:
    """Read variables.tf, outputs.tf and the header of main.tf."""
    comment = _HEADER.match((directory / "main.tf").read_text())
    return Module(
        directory.resolve().name,
        "\n".join(line.lstrip("# ") for line in comment[0].splitlines()) if comment else "",
        tuple(row for name, body in _blocks(directory, "variable") for row in _variable(name, body)),
        tuple((name, _text(body)) for name, body in _blocks(directory, "output")),
    )


def described_by(module: Module, other: Module) -> Module:
    """A module with the texts of the module that it passes its inputs to.

    A field without a text takes the other's, and so does an input whose text is the beginning of the
    other's.
    """
    texts = {row.path: row.text for row in other.inputs}
    inputs = (
        replace(row, text=texts[row.path]) if texts.get(row.path, "").startswith(row.text) else row
        for row in module.inputs
    )
    return replace(module, inputs=tuple(inputs))


def bullets(description: str) -> dict[str, str]:
    """The list of a description: text by field; a nested item's name follows its parent's and a dot.

    A field is named in backquotes before the first colon; one item may name several.
    """
    found: dict[str, str] = {}
    parents: list[tuple[int, str]] = []
    for match in re.finditer(r"^( *)\* (`[^:]+): +(.*)$", description, re.MULTILINE):
        indent, names, text = len(match[1]), re.findall(r"`([^`]+)`", match[2]), match[3]
        parents = [parent for parent in parents if parent[0] < indent]
        prefix = f"{parents[-1][1]}." if parents else ""
        found.update((prefix + name, text) for name in names)
        parents.append((indent, prefix + names[0]))
    return found


def _blocks(directory: Path, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    file = directory / f"{kind}s.tf"
    if not file.exists():
        return
    options = hcl2.SerializationOptions(
        with_comments=False, explicit_blocks=False, preserve_heredocs=False, strip_string_quotes=True
    )
    # The rules are most of the text and nothing of the interface; terraform fmt indents them so.
    text = re.sub(r"^  validation \{\n.*?^  \}\n", "", file.read_text(), flags=re.MULTILINE | re.DOTALL)
    for block in hcl2.loads(text, serialization_options=options).get(kind, []):
        yield from block.items()


def _variable(name: str, body: dict[str, Any]) -> Iterator[Input]:
    short, fields = type_of(body["type"].removeprefix("${").removesuffix("}"))
    default = json.dumps(body["default"]) if "default" in body else None
    # What follows the first paragraph is about the fields, where there are some.
    yield Input(name, short, default, _text(body) if fields else _on_one_line(_description(body)))
    said = bullets(_description(body))
    yield from _rows(name, short, fields, said, "")


def _rows(path: str, short: str, fields: tuple[Field, ...], said: dict[str, str], at: str) -> Iterator[Input]:
    path += "." if short == "object" else "[*]."
    for field in fields:
        key = at + field.name
        yield Input(path + field.name, field.type, field.default, said.get(key, ""))
        yield from _rows(path + field.name, field.type, field.fields, said, f"{key}.")


def _description(body: dict[str, Any]) -> str:
    # The parser escapes quotes in a heredoc, where they are none.
    return str(body["description"]).replace('\\"', '"').replace("$${", "${")


def _text(body: dict[str, Any]) -> str:
    return _on_one_line(_description(body).strip().partition("\n\n")[0])


def _on_one_line(text: str) -> str:
    return " ".join(text.split()).replace(" * ", "<br>• ")
