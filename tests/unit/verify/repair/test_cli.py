"""The command line of the repair, against DynamoDB in process (moto)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import boto3
import pytest

import verify.repair.command
from tablecopy_cli.common import terraform
from tablecopy_cli.common.errors import UserError
from verify.cli import main
from verify.comparison.results import Comparison, Difference, SideResult
from verify.repair.live_table import LiveTable, digest_of
from verify.repair.plan import Header, write_plan

TABLES = ["--source", "cities", "--source-region", "eu-west-1"]
TABLES += ["--destination", "cities", "--destination-region", "eu-central-1"]

Stored = dict[str, Any]


def item(pk: str, value: str = "") -> Stored:
    return {"pk": {"S": pk}, **({"v": {"S": value}} if value else {})}


SOURCE = {"new": item("new", "secret"), "other": item("other", "secret"), "same": item("same")}
DESTINATION = {"gone": item("gone", "secret"), "other": item("other", "old"), "same": item("same")}


class World:
    """Two tables that differ, and the plan that fixes it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "plan.jsonl"
        self.clients: list[Any] = []
        self.table_ids = {"source": "id-1", "destination": "id-2"}
        for region, items in (("eu-west-1", SOURCE), ("eu-central-1", DESTINATION)):
            client = boto3.client("dynamodb", region_name=region)
            self.clients.append(client)
            self.create(client)
            for stored in items.values():
                client.put_item(TableName="cities", Item=stored)
        self.pauses: list[float] = []
        self.on_pause: Callable[[int], None] = lambda number: None
        self.plan()

    @staticmethod
    def create(client: Any) -> None:
        client.create_table(
            TableName="cities",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def description(self, side: int) -> dict[str, Any]:
        table: dict[str, Any] = self.clients[side].describe_table(TableName="cities")["Table"]
        return table

    def plan(self) -> Header:
        differences = []
        for pk in sorted({*SOURCE, *DESTINATION} - {"same"}):
            mine, theirs = SOURCE.get(pk), DESTINATION.get(pk)
            kind: Any = "extra" if mine is None else "missing" if theirs is None else "changed"
            differences.append(
                Difference(
                    kind,
                    {"pk": {"S": pk}},
                    source_digest=digest_of(mine),
                    destination_digest=digest_of(theirs),
                )
            )
        source, destination = (self.description(side) for side in (0, 1))
        return write_plan(
            self.path,
            Comparison(
                SideResult(source["TableArn"], 3, 1.0),
                SideResult(destination["TableArn"], 3, 1.0),
                differences,
                counts={"missing": 1, "changed": 1, "extra": 1},
                writes_stopped=True,
            ),
            source_table_id=self.table_ids["source"],
            destination_table_id=self.table_ids["destination"],
        )

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.on_pause(len(self.pauses))

    def run(self, *arguments: str, tables: list[str] = TABLES) -> int:
        return main(["repair", str(self.path), *tables, *arguments])

    def stored(self, side: int) -> dict[str, Stored]:
        return {each["pk"]["S"]: each for each in self.clients[side].scan(TableName="cities")["Items"]}


@pytest.fixture
def world(aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path)
    connect = LiveTable.connect

    def connect_with_id(side: Any, *, connections: int) -> LiveTable:
        # moto's tables have no ids.
        table = connect(side, connections=connections)
        return replace(table, description={**table.description, "TableId": world.table_ids[side.name]})

    monkeypatch.setattr(LiveTable, "connect", connect_with_id)
    command = verify.repair.command.repair
    monkeypatch.setattr(verify.repair.command, "repair", partial(command, pause=world.pause))
    return world


APPLY = ("--writes-stopped", "--apply")


def test_without_apply_nothing_is_written(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run() == 0
    assert world.stored(1) == DESTINATION
    out, err = capsys.readouterr()
    assert out == (
        "Dry run: 3 would be applied.\n"
        "\n"
        "Would be applied (3)\n"
        '  delete   pk="gone"\n'
        '  put      pk="new"\n'
        '  replace  pk="other"\n'
        "\n"
        "Next:\n"
        "  1. Stop the writers. Without --writes-stopped, --apply is refused.\n"
        "  2. Apply the repair plan.\n"
        f"     verify repair {world.path} --writes-stopped --apply {' '.join(TABLES)}\n"
    )
    for fact in ("note: ", "--apply", "replicator", "--control-function", "--writes-stopped"):
        assert fact in err
    assert err.count("\n") == 1
    assert world.pauses == []
    assert world.run("--writes-stopped") == 0
    assert capsys.readouterr().err == ""


def test_apply_needs_to_know_that_nothing_else_writes(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.run("--apply") == 2
    assert world.stored(1) == DESTINATION
    assert "verify: error: It is not known whether the replicator is held" in capsys.readouterr().err


def test_apply_makes_the_destination_what_the_source_is(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.run(*APPLY) == 0
    assert world.stored(1) == SOURCE
    assert world.pauses == [10.0]
    out, err = capsys.readouterr()
    assert out.startswith('Repair: 3 applied.\n\nApplied (3)\n  delete   pk="gone"\n')
    assert "\nEqual: each repaired item was read again" in out
    assert "  1. Seal the copy." in out
    assert "secret" not in out + err

    assert world.run(*APPLY) == 0
    assert capsys.readouterr().out.startswith("Repair: 3 already equal.\n")


def test_json_lines(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run(*APPLY, "--format", "jsonl") == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert records[:3] == [
        {"type": "repair", "action": action, "key": {"pk": {"S": pk}}, "result": "done", "reason": ""}
        for action, pk in (("delete", "gone"), ("put", "new"), ("replace", "other"))
    ]
    assert records[3:] == [
        {
            "type": "summary",
            "source": world.description(0)["TableArn"],
            "destination": world.description(1)["TableArn"],
            "actions": 3,
            "applied": True,
            "would": 0,
            "done": 3,
            "already": 0,
            "changed_at_source": 0,
            "changed_at_destination": 0,
            "failed": 0,
            "unequal": 0,
            "moved": None,
            "next": records[3]["next"],
        }
    ]
    assert records[3]["next"][-1] == {
        "text": "Switch the writers to the destination table.",
        "command": None,
    }


def test_what_has_changed_exits_3(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.clients[1].put_item(TableName="cities", Item=item("new", "newer"))
    assert world.run(*APPLY, "--limit", "1") == 3
    assert world.stored(1) == {**SOURCE, "new": item("new", "newer")}
    out = capsys.readouterr().out
    assert out.startswith("Repair: 1 changed in the destination, 2 applied.\n")
    assert "Not applied, changed in the destination (1)\n" in out
    assert '  put      pk="new"\n           the item was created\n' in out
    assert "  ... and 1 more (--limit 0 or --format jsonl lists them all)\n" in out
    assert world.run("--limit", "0") == 3
    assert "more (--limit 0" not in capsys.readouterr().out


def test_what_has_changed_at_the_source_exits_3_in_a_dry_run(world: World) -> None:
    world.clients[0].delete_item(TableName="cities", Key=item("new"))
    assert world.run() == 3


@pytest.mark.parametrize("look", [0, 1])
def test_a_source_that_changes_is_not_repaired_from(
    world: World, look: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(number: int) -> None:
        if number == look:
            world.clients[0].put_item(TableName="cities", Item=item("gone"))

    world.on_pause = change
    change(0)
    assert world.run(*APPLY) == 3
    assert world.stored(1) == DESTINATION
    out, err = capsys.readouterr()
    assert out == ""
    assert "nothing was written: 1 source item has changed since the plan was made" in err


def test_an_item_that_fails_exits_2(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("verify.repair.live_table.MAX_OPERATORS", 0)
    assert world.run(*APPLY) == 2
    out = capsys.readouterr().out
    assert out.startswith("Repair: 2 failed, 1 applied.\n")
    assert "Fix the reasons" in out


def test_a_table_made_again_is_another_table(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.table_ids["destination"] = "id-3"
    assert world.run(*APPLY) == 2
    assert world.stored(1) == DESTINATION
    assert "cities was deleted and created again since the plan was written" in capsys.readouterr().err


@pytest.mark.parametrize("side", [0, 1])
def test_a_table_made_again_while_the_repair_makes_sure(
    world: World, side: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def replaced(number: int) -> None:
        items = world.stored(side).values()
        world.clients[side].delete_table(TableName="cities")
        world.create(world.clients[side])
        for item in items:
            world.clients[side].put_item(TableName="cities", Item=item)

    world.on_pause = replaced
    assert world.run(*APPLY) == 2
    assert world.stored(1) == DESTINATION
    assert "cities was deleted and created again while this run read it" in capsys.readouterr().err


@pytest.mark.parametrize("side", ["source", "destination"])
def test_a_plan_for_another_table(world: World, side: str, capsys: pytest.CaptureFixture[str]) -> None:
    world.create(boto3.client("dynamodb", region_name="eu-north-1"))
    assert world.run(*APPLY, f"--{side}-region", "eu-north-1") == 2
    assert re.search(
        rf"error: {side}: the plan is for arn:\S+:table/cities, not for arn:aws:dynamodb:eu-north-1:",
        capsys.readouterr().err,
    )


def test_a_plan_that_is_cut(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    lines = world.path.read_text().splitlines(keepends=True)
    world.path.write_text("".join(lines[:-1]))
    assert world.run(*APPLY) == 2
    assert world.stored(1) == DESTINATION
    assert f"{world.path} is truncated after line 4" in capsys.readouterr().err


def test_trouble_in_the_middle_tells_what_was_done(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = verify.repair.command.Repair.outcomes

    def outcomes(*arguments: Any) -> Any:
        yield next(real(*arguments))
        raise UserError("destination: PutItem is not allowed")

    monkeypatch.setattr(verify.repair.command.Repair, "outcomes", outcomes)
    assert world.run(*APPLY) == 2
    out, err = capsys.readouterr()
    assert out.startswith('Repair ended early: 1 applied.\n\nApplied (1)\n  delete   pk="gone"\n')
    assert "Apply the plan again." in out
    assert err.endswith("verify: error: destination: PutItem is not allowed\n")
    assert world.run(*APPLY, "--format", "jsonl") == 2
    assert '"summary"' not in capsys.readouterr().out


class FakeControl:
    """A control function whose status a test sets."""

    status_now: ClassVar[dict[str, Any]]

    def __init__(self, side: Any, name: str) -> None:
        assert side.region == "eu-west-1"
        assert name == "control"

    def status(self) -> dict[str, Any]:
        return dict(self.status_now)


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> type[FakeControl]:
    class Control(FakeControl):
        status_now: ClassVar[dict[str, Any]] = {
            "phase": "ready",
            "run": "a",
            "phase_since": 0.0,
            "now": 10_000.0,
            "changes": 1,
            "oldest_unapplied_age": 0.0,
            "redrive": False,
            "segments": 16,
            "segments_done": 12,
        }

    monkeypatch.setattr(verify.repair.command, "ControlFunction", Control)
    return Control


CONTROL = ("--control-function", "control")


def test_the_control_function_is_asked(world: World, control: Any) -> None:
    assert world.run(*APPLY, *CONTROL) == 0
    assert world.stored(1) == SOURCE
    assert world.pauses == [90.0, 90.0]


def test_a_repair_in_a_quiet_run_needs_no_other_comparison(
    world: World, control: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.run(*APPLY, *CONTROL) == 0
    out = capsys.readouterr().out
    assert "  1. Seal the copy.\n     tablecopy seal --control-function control" in out


def test_a_run_that_became_ready_after_the_comparison_began_needs_one(
    world: World, control: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    control.status_now["phase_since"] = 1.0
    assert world.run(*APPLY, *CONTROL) == 0
    out = capsys.readouterr().out
    assert "Equal:" not in out
    assert "Seal the copy" not in out
    assert "  Compare both tables again" in out


def test_what_differs_after_the_repair_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = verify.repair.command.Repair.outcomes

    def outcomes(*arguments: Any) -> Any:
        yield from real(*arguments)
        world.clients[1].put_item(TableName="cities", Item=item("new", "newer"))

    monkeypatch.setattr(verify.repair.command.Repair, "outcomes", outcomes)
    assert world.run(*APPLY) == 3
    out = capsys.readouterr().out
    assert "1 item still differs\n" in out
    assert "Equal:" not in out
    assert "  Compare again.\n  verify --writes-stopped" in out


def test_a_repair_that_writes_nothing_need_not_look_again(world: World, control: Any) -> None:
    assert world.run(*APPLY, *CONTROL) == 0
    del world.pauses[:]
    assert world.run(*APPLY, *CONTROL) == 0
    assert world.pauses == [90.0]


def test_a_phase_that_forbids_it(world: World, control: Any, capsys: pytest.CaptureFixture[str]) -> None:
    control.status_now["phase"] = "slice"
    assert world.run(*APPLY, *CONTROL) == 2
    assert world.stored(1) == DESTINATION
    assert "error: The run is in phase slice. The backfill is writing." in capsys.readouterr().err
    assert world.run(*CONTROL) == 0
    err = capsys.readouterr().err
    assert "note: --apply" in err
    assert "phase slice" in err


def test_changes_during_the_repair_exit_3(
    world: World, control: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(number: int) -> None:
        if number == 2:
            control.status_now["changes"] += 1

    world.on_pause = change
    assert world.run(*APPLY, *CONTROL) == 3
    assert world.stored(1) == SOURCE
    shown = capsys.readouterr().out
    assert "Compare again: the replicator has applied changes.\n" in shown
    assert "Equal:" not in shown


OUTPUTS = {
    "control_function_name": "control",
    "tables": {
        "source": {"table_name": "cities", "region": "eu-west-1"},
        "destination": {"table_name": "cities", "region": "eu-central-1"},
    },
}


def test_tables_and_control_function_from_the_terraform_outputs(
    world: World, control: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def read_outputs(directory: str) -> dict[str, Any]:
        asked.append(directory)
        return OUTPUTS

    monkeypatch.setattr(terraform, "read_outputs", read_outputs)
    assert world.run(*APPLY, tables=["--from-terraform", "infra"]) == 0
    assert world.pauses == [90.0, 90.0]
    assert world.run(*APPLY, tables=[]) == 0
    assert asked == ["infra", "."]
    control.status_now["phase"] = "slice"
    assert world.run(*APPLY, tables=[]) == 2


def test_without_a_control_function_in_the_outputs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform, "read_outputs", lambda directory: {"tables": OUTPUTS["tables"]})
    assert world.run("--apply", tables=[]) == 2
    assert world.run(*APPLY, tables=[]) == 0
    assert world.pauses == [10.0]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "FILE is missing"),
        (["plan", "--limit", "-1"], "--limit"),
        (["plan", "--writes"], 'unknown flag "--writes". Did you mean "--writes-stopped"?'),
    ],
)
def test_wrong_flags_exit_2(arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["repair", *arguments]) == 2
    assert error in capsys.readouterr().err


def test_one_table_alone_is_not_enough(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run(tables=["--source", "cities"]) == 2
    assert "pass both --source and --destination" in capsys.readouterr().err
