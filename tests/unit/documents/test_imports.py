"""Which package may import which: the arrows of docs/internals.svg, and what they reach."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tools.checks.hcl import REPOSITORY

PICTURE = (REPOSITORY / "docs/internals.svg").read_text()
PAGE = (REPOSITORY / "docs/internals.md").read_text()
ROOTS = {
    "tablecopy": REPOSITORY / "lambda/tablecopy",
    "tablecopy_cli": REPOSITORY / "cli/tablecopy_cli",
    "verify": REPOSITORY / "verify",
}
BOXES = frozenset(re.findall(r'data-package="([\w.]+)"', PICTURE))
ARROWS = re.findall(r'data-from="([\w.]+)" data-to="([\w.]+)"', PICTURE)


def sources() -> Iterator[tuple[str, Path]]:
    """Every package of the product by its name, with each of its files."""
    for root, folder in ROOTS.items():
        for file in sorted(folder.rglob("*.py")):
            yield ".".join((root, *file.parent.relative_to(folder).parts)), file


@cache
def imports() -> dict[tuple[str, str], set[str]]:
    """The files that import from one package into another, by importing and imported package."""
    packages = {package for package, _ in sources()}
    found = defaultdict(set)
    for package, file in sources():
        for node in ast.walk(ast.parse(file.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{each.name}" for each in node.names]
            for name in names:
                while name and name not in packages:
                    name = name.rpartition(".")[0]
                if name and name != package:
                    found[package, name].add(str(file.relative_to(REPOSITORY)))
    return found


def reached(start: str, without: tuple[str, str] | None = None) -> set[str]:
    """The packages to which arrows lead from one, over others also."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        package = waiting.pop()
        to = {b for a, b in ARROWS if a == package and (a, b) != without} - seen
        seen |= to
        waiting += to
    return seen


def test_the_picture_and_the_page_have_every_package() -> None:
    packages = {package for package, _ in sources()}
    assert packages == BOXES
    assert packages == set(re.findall(r"^\| `([\w.]+)` \|", PAGE.partition("## Parts")[0], re.MULTILINE))


def test_no_arrow_leads_back() -> None:
    assert [package for package in BOXES if package in reached(package)] == []


def test_every_import_follows_the_arrows() -> None:
    forbidden = {pair: sorted(files) for pair, files in imports().items() if pair[1] not in reached(pair[0])}
    assert forbidden == {}


def test_every_arrow_stands_for_an_import() -> None:
    assert [arrow for arrow in ARROWS if arrow not in imports()] == []
    assert [arrow for arrow in ARROWS if arrow[1] in reached(arrow[0], without=arrow)] == []


def test_the_product_does_without_what_is_for_developers() -> None:
    found = [
        str(file.relative_to(REPOSITORY))
        for _, file in sources()
        if re.search(r"^\s*(?:from|import) (?:tools|tests)\b", file.read_text(), re.MULTILINE)
    ]
    assert found == []


def test_the_tools_do_without_one_another() -> None:
    found = set()
    for file in sorted((REPOSITORY / "tools").rglob("*.py")):
        own = file.relative_to(REPOSITORY / "tools").parts[0]
        named = re.findall(r"^\s*(?:from|import) tools\.(\w+)", file.read_text(), re.MULTILINE)
        found |= {(own, other) for other in named if other != own}
    # The checks run the provider's schema through the local Terraform, and control is measured on a virtual
    # clock.
    assert found == {("checks", "local"), ("benchmarks", "simulation")}
