"""The names of the AWS provider that the Terraform code uses: types, arguments, blocks and attributes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2

REPOSITORY = Path(__file__).parents[2]
RESOURCE, DATA, PROVIDER = "resource", "data", "provider aws"
# Terraform's own, of every resource.
_META = {"count", "for_each", "provider", "depends_on", "lifecycle", "provisioner", "connection"}
_PROVIDER_META = {"alias", "version"}
_REFERENCE = re.compile(r"(?<![\w.\"])(data\.)?(aws_\w+)\.\w+((?:\[[^\]]*\])*(?:\.\w+(?:\[[^\]]*\])*)+)")
_STEP = re.compile(r"\.(\w+)")
_BACKTICKS_AND_COMMENTS = re.compile(r"`[^`\n]*`|^\s*(?:#|//).*$", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Use:
    """A name that a file uses.

    ``type`` is ``resource aws_x``, ``data aws_x`` or ``provider aws``. ``path`` leads to the name through
    blocks. ``set`` says whether the file gives it a value, or else reads it.
    """

    file: str
    type: str
    path: tuple[str, ...]
    set: bool


def files(repository: Path = REPOSITORY) -> list[Path]:
    """The Terraform files that users get."""
    return sorted(
        [*repository.glob("*.tf"), *repository.glob("modules/*/*.tf"), *repository.glob("examples/*/*.tf")]
    )


def used_types(paths: Iterable[Path] | None = None) -> list[str]:
    """The types the files use, without the provider itself."""
    return sorted({use.type for path in paths or files() for use in uses(path)} - {PROVIDER})


def uses(path: Path) -> Iterator[Use]:
    """Every name of the provider in a file.

    What an expression reads by way of a local value or a variable is not followed.
    """
    text = path.read_text()
    document = hcl2.loads(text)
    name = str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else path.name
    for kind in (RESOURCE, DATA):
        for block in document.get(kind, []):
            for label, bodies in block.items():
                type_ = label.strip('"')
                if type_.startswith("aws_"):
                    yield Use(name, f"{kind} {type_}", (), set=True)
                    for body in bodies.values():
                        yield from _settings(name, f"{kind} {type_}", body, ())
    for block in document.get("provider", []):
        for label, body in block.items():
            if label.strip('"') == "aws":
                yield from _settings(name, PROVIDER, body, ())
    for is_data, type_, steps in _REFERENCE.findall(_BACKTICKS_AND_COMMENTS.sub("", text)):
        kind = DATA if is_data else RESOURCE
        yield Use(name, f"{kind} {type_}", tuple(_STEP.findall(re.sub(r"\[[^\]]*\]", "", steps))), set=False)


def _settings(file: str, type_: str, body: dict[str, Any], path: tuple[str, ...]) -> Iterator[Use]:
    for key, value in body.items():
        name = key.strip('"')
        if name.startswith("__") or (not path and name in (_PROVIDER_META if type_ == PROVIDER else _META)):
            continue
        if name == "dynamic":
            for dynamic in value:
                for label, block in dynamic.items():
                    for content in block["content"]:
                        yield from _nested(file, type_, content, (*path, label.strip('"')))
        elif isinstance(value, list) and value and all(_is_block(item) for item in value):
            for item in value:
                yield from _nested(file, type_, item, (*path, name))
        else:
            yield Use(file, type_, (*path, name), set=True)


def _nested(file: str, type_: str, body: dict[str, Any], path: tuple[str, ...]) -> Iterator[Use]:
    yield Use(file, type_, path, set=True)
    yield from _settings(file, type_, body, path)


def _is_block(value: Any) -> bool:
    return isinstance(value, dict) and bool(value.get("__is_block__"))
