"""Both ways of comparing, with a destination of another engine than the source.

Its scans have another order, other segments and pages of other sizes, and it spells numbers, sets and items
in its own way. What differs is the same as between two tables of one engine.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tablecopy.comparison.canonical import canonical
from tests.engines.engine import REGION, Elsewhere, names, running
from tests.unit.tablecopy.fakes import FakeClock
from tests.unit.verify.account import Account, Client
from tests.unit.verify.pairs import TABLES, Item, item
from tests.unit.verify.service import FakeTable, serving
from tests.unit.verify.world import World, records

Captured: TypeAlias = pytest.CaptureFixture[str]

# No engine takes these as they are: DynamoDB returns numbers and binary values as it spells them.
SPELLED = {"spellings of numbers", "spellings of binary values", "numbers as keys"}


@pytest.fixture(scope="module", params=names())
def elsewhere(request: pytest.FixtureRequest) -> Iterator[Elsewhere]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        with running(request.param) as url:
            yield Elsewhere(url)


@pytest.fixture
def world(tmp_path: Path, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A source of one engine, and a destination of another."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    source, local = FakeTable(account="111111111111", page_size=7), FakeTable(name="cities-copy")
    with serving(source, local) as served:
        yield World(source, local, served, tmp_path / "work")


def found(world: World, capsys: Captured, *flags: str) -> tuple[int, list[Any]]:
    """Exit code and differences, however their keys are spelled."""
    code = world.run("--format", "jsonl", *flags)
    lines = [line for line in records(capsys.readouterr().out) if line.get("type") == "difference"]
    return code, [(line["kind"], canonical({"M": line["key"]}), line.get("paths", [])[:20]) for line in lines]


def both(world: World, elsewhere: Elsewhere, capsys: Captured, segments: int = 3) -> tuple[int, list[Any]]:
    """Compare with the other engine in both ways, and return what both have found."""
    flags = [
        "--destination",
        elsewhere.name,
        "--destination-region",
        REGION,
        "--destination-endpoint-url",
        elsewhere.url,
    ]
    here = found(world, capsys, *flags, "--writes-stopped")
    account = Account(
        FakeClock(time.time()),
        Client(world.source),
        elsewhere.client,
        (world.source.name, elsewhere.name),
        segments,
    )
    world.served.functions["control"] = account.invoke_control
    there = found(world, capsys, *flags, "--in-account", "--control-function", "control")
    assert there == here
    return here


@pytest.mark.parametrize("tables", sorted(TABLES.keys() - SPELLED))
def test_the_tables_of_verify(world: World, elsewhere: Elsewhere, capsys: Captured, tables: str) -> None:
    source, destination = TABLES[tables]
    world.source.replace_all(source)
    world.destination.replace_all(destination)
    elsewhere.fill(destination)
    assert both(world, elsewhere, capsys) == found(world, capsys, "--writes-stopped")


def test_many_pages_in_segments_that_do_not_align(
    world: World, elsewhere: Elsewhere, capsys: Captured
) -> None:
    """Of 1,500 items of 2 KB, pages of the other engine hold about 500."""
    text = {"S": "x" * 2_000}
    items: list[Item] = [
        item(f"p{n % 40}", n, text=text, tags={"SS": ["b", "a"]}, n={"N": f"{n}.50"}) for n in range(1_500)
    ]
    world.source.page_size = 90
    world.source.replace_all(items)
    changed = [
        {**each, "n": {"N": "-1"}} if number % 300 == 7 else each
        for number, each in enumerate(items)
        if number % 500
    ]
    elsewhere.fill([*changed, *(item("extra", n) for n in range(4))])
    code, differences = both(world, elsewhere, capsys)
    kinds = [kind for kind, *_ in differences]
    assert (code, kinds.count("missing"), kinds.count("changed"), kinds.count("extra")) == (1, 3, 5, 4)


def test_an_engine_that_spells_everything_in_its_own_way(
    world: World, elsewhere: Elsewhere, capsys: Captured
) -> None:
    items: list[Item] = [
        item(
            f"p{n}",
            "1.50",
            b={"N": "2.500"},
            a={"NS": ["10.0", "2", "1E1"][: 2 if n else 1]},
            c={"SS": ["z", "a"]},
        )
        for n in range(30)
    ]
    world.source.replace_all(items)
    elsewhere.fill([dict(reversed(each.items())) for each in items])
    assert both(world, elsewhere, capsys) == (0, [])
