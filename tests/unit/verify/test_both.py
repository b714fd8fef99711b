"""`verify` and `verify --in-account` return the same verdict and the same differences."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.unit.tablecopy.fakes import FakeClock
from tests.unit.verify.account import Account
from tests.unit.verify.pairs import TABLES, Item, item
from tests.unit.verify.service import FakeTable
from tests.unit.verify.world import World, records

Captured: TypeAlias = pytest.CaptureFixture[str]

# Both must agree on these. When they have read an item differs, and how often.
DIFFERENCE = ("kind", "key", "paths", "standing", "expires")
SUMMARY = (
    "verdict",
    "go_ahead",
    "source_items",
    "destination_items",
    "missing",
    "changed",
    "extra",
    "expired",
    "unsettled",
    "unlisted",
    "findings",
)

# The journal lists so many paths of an item.
MOST_PATHS = 20

HOUR = 3_600


def printed(capsys: Captured) -> list[dict[str, Any]]:
    """What was printed since the last time, without the metrics of the functions."""
    return [each for each in records(capsys.readouterr().out) if "type" in each]


def compared(world: World, capsys: Captured, *flags: str) -> tuple[int, list[Any], dict[str, Any]]:
    """Exit code, differences and summary."""
    code = world.run("--format", "jsonl", *flags)
    found = printed(capsys)
    differences = [
        {
            name: each[name][:MOST_PATHS] if name == "paths" else each[name]
            for name in DIFFERENCE
            if name in each
        }
        for each in found
        if each["type"] == "difference"
    ]
    return code, differences, {name: found[-1][name] for name in SUMMARY}


def both_agree(
    world: World, capsys: Captured, *flags: str, has_copy: bool = True
) -> tuple[int, list[Any], dict[str, Any]]:
    """Compare both ways, and return what both have found."""
    here = compared(world, capsys, *flags)
    account = Account.of(FakeClock(time.time()), world.source, world.destination, has_copy=has_copy)
    world.served.functions["control"] = account.invoke_control
    there = compared(world, capsys, *flags, "--in-account", "--control-function", "control")
    assert there == here
    return there


@pytest.mark.parametrize("flags", [("--writes-stopped",), ("--lag", "0.01")], ids=["stopped", "under writes"])
@pytest.mark.parametrize("tables", TABLES)
def test_both_agree(world: World, capsys: Captured, tables: str, flags: tuple[str, ...]) -> None:
    source, destination = TABLES[tables]
    world.source.replace_all(source)
    world.destination.replace_all(destination)
    code, differences, summary = both_agree(world, capsys, *flags)
    assert code == (summary["verdict"] == "different") == bool(differences)


def test_the_repair_plans_are_the_same(world: World, tmp_path: Path) -> None:
    source, destination = TABLES["missing, changed and extra"]
    world.source.replace_all(source)
    world.destination.replace_all(destination)
    account = Account.of(FakeClock(time.time()), world.source, world.destination)
    world.served.functions["control"] = account.invoke_control
    plans = [tmp_path / name for name in ("here.jsonl", "there.jsonl")]
    for plan, flags in zip(plans, ([], ["--in-account", "--control-function", "control"]), strict=True):
        assert world.run("--repair-plan", str(plan), *flags) == 1
    here, there = (records(plan.read_text()) for plan in plans)
    assert there[1:] == here[1:]
    assert there[0]["left_out"] == here[0]["left_out"]
    assert len(here) == 2 + 5


@pytest.mark.parametrize("flags", [("--writes-stopped",), ("--lag", "0.01")], ids=["stopped", "under writes"])
def test_without_a_copy(world: World, capsys: Captured, flags: tuple[str, ...]) -> None:
    source, destination = TABLES["missing, changed and extra"]
    world.source.replace_all(source)
    world.destination.replace_all(destination)
    code, differences, summary = both_agree(world, capsys, *flags, has_copy=False)
    assert (code, len(differences), summary["verdict"], summary["unsettled"]) == (1, 5, "different", 0)


@pytest.mark.parametrize(("kind", "content"), [("B", "AP8="), ("N", "-12.5"), ("S", "Z\u00fcrich")])
def test_keys_of_every_type(world: World, capsys: Captured, kind: str, content: str) -> None:
    keys = (("pk", "S"), ("id", kind))
    for side, account in (("source", "1"), ("destination", "2")):
        table = FakeTable(name=f"keyed-{side}", account=account, keys=keys)
        world.served.tables[table.name] = table
        setattr(world, side, table)
    world.source.put({"pk": {"S": "a"}, "id": {kind: content}})
    [found] = both_agree(world, capsys)[1]
    assert (found["kind"], found["key"]["id"]) == ("missing", {kind: content})


def test_expired_items(world: World, capsys: Captured) -> None:
    moments = {"now": -HOUR, "long ago": -6 * 366 * 24 * HOUR, "later": HOUR, "never": None}

    def items(prefix: str) -> list[Item]:
        return [
            item(
                f"{prefix} {name}",
                1,
                **({} if at is None else {"expires": {"N": str(int(time.time() + at))}}),
            )
            for name, at in moments.items()
        ]

    world.source.expiry = "expires"
    world.source.replace_all(items("source"))
    world.destination.replace_all(items("destination"))
    _, _, summary = both_agree(world, capsys)
    assert (summary["expired"], summary["missing"], summary["extra"]) == (2, 3, 3)


def test_what_is_only_counted_is_listed_by_segment(world: World, capsys: Captured) -> None:
    world.source.page_size = world.destination.page_size = 500
    world.source.replace_all([item("a", n) for n in range(3_300)])
    account = Account.of(FakeClock(time.time()), world.source, world.destination)
    world.served.functions["control"] = account.invoke_control
    assert world.run("--format", "jsonl", "--in-account", "--control-function", "control") == 1
    found = printed(capsys)
    summary = found[-1]
    unlisted = [each for each in found if each["type"] == "unlisted"]
    listed = sum(each["type"] == "difference" for each in found)
    assert summary["missing"] == 3_300 == listed + summary["unlisted"]
    assert summary["unlisted"] == sum(each["differences"] for each in unlisted) > 0
    # The first step lists the segment with most of them, all of which it has.
    most = max(unlisted, key=lambda each: each["differences"])
    command = next(step["command"] for step in summary["next"] if "--segment" in (step["command"] or ""))
    segment = f"{most['segment']}/{most['of']}"
    assert f"--segment {segment}" in command
    assert world.run("--format", "jsonl", "--segment", segment) == 1
    here = records(capsys.readouterr().out)
    assert here[-1]["missing"] == 1_000 + most["differences"]
