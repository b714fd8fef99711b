"""A whole run with real processes: several slices, writes all the while, functions killed at work.

The copy is made once; the tests look at it in the order they stand in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tablecopy.control.status import Status
from tablecopy.metrics.definitions import (
    DESTINATION_READ_THROTTLES,
    DESTINATION_READ_UNITS,
    DIFFERENCES_FOUND,
    FAILED_VERIFIERS,
    ITEMS_COMPARED,
    METRICS,
    READ_THROTTLES,
    TOUCHED_DIFFERENCES,
    TOUCHED_KEYS_LEFT,
    VERIFICATION_FAILED,
    VERIFICATION_IDLE,
    VERIFICATION_RUNNING,
    VERIFIED_THROUGH_AGE,
    WRITE_THROTTLES,
    WRITES_REFUSED,
)
from tablecopy_cli.app import main as tablecopy
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.control_function import ControlFunction
from tablecopy_cli.common.errors import UserError
from tests.e2e.copying import Copy
from tests.e2e.journey import Journey, travel, value_of
from tests.unit.tablecopy.published import Published, published
from tools.local.accounts import SOURCE_ACCOUNT, LocalAws
from tools.local.demo.cities import STREAM, TABLE, TABLE_NAME, cities, key_of, token_of
from tools.local.demo.stack import root_module
from tools.local.demo.traffic import Writer, fill

pytestmark = pytest.mark.terraform

ITEMS = 6_000
SEED = 7

FUNCTIONS = ("reconciler", "backfill", "replicator", "verifier", "tracker")

SELDOM = {READ_THROTTLES, WRITE_THROTTLES, WRITES_REFUSED, DESTINATION_READ_THROTTLES}
OF_A_VERIFICATION = {
    DESTINATION_READ_UNITS,
    DIFFERENCES_FOUND,
    FAILED_VERIFIERS,
    ITEMS_COMPARED,
    TOUCHED_DIFFERENCES,
    TOUCHED_KEYS_LEFT,
    VERIFICATION_FAILED,
    VERIFICATION_IDLE,
    VERIFICATION_RUNNING,
    VERIFIED_THROUGH_AGE,
}


@dataclass
class Story:
    """What happened on the way to ``ready``."""

    copy: Copy
    killed_workers: set[str]
    killed_replicators: set[str]
    writer: Writer
    ready: Status


@pytest.fixture(scope="module")
def copy(local_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    directory = tmp_path_factory.mktemp("root")
    region = local_aws.regions[SOURCE_ACCOUNT]
    items = cities(ITEMS)
    source = local_aws.session(SOURCE_ACCOUNT).client("dynamodb")
    source.create_table(**TABLE)
    fill(source, items, lambda done: None)
    source.update_table(TableName=TABLE_NAME, StreamSpecification=STREAM)
    variables: dict[str, Any] = {
        "source_table": {"name": TABLE_NAME, "region": region, "profile": "source"},
        "destination_table": {"profile": "destination"},
        # A worker that was killed holds its lease until its time is up, and the run waits for that.
        "backfill": {"segments": 12, "concurrency": 2, "slice_seconds": 3, "timeout_seconds": 30},
        "replicator": {"timeout_seconds": 30, "batch_size": 100},
        "control": {"drained_after_seconds": 5},
        "verification": {"enabled": True, "segments": 3, "concurrency": 3},
        "start_on_apply": False,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in local_aws.environment().items():
            patch.setenv(name, value)
        terraform = root_module(local_aws, directory, variables)
        terraform.init()
        terraform.apply()
        outputs = terraform.output()
        side = Side("source", region=region, profile="source")
        yield Copy(local_aws, terraform, outputs, ControlFunction(side, outputs["control_function_name"]))


@pytest.fixture(scope="module")
def journey(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """It begins when the tests before have left both tables equal."""
    held = {token_of(item): item for item in cities()[:ITEMS]} | story.writer.ledger
    items = [item for item in held.values() if item]
    reserve = cities()[ITEMS + 500 : ITEMS + 1_000]
    made = travel(story.copy, tmp_path_factory.mktemp("back"), items, reserve, SEED)
    made.ledger = story.writer.ledger | made.ledger
    return made


@pytest.fixture(scope="module")
def story(copy: Copy) -> Story:
    assert copy.function.status()["phase"] == "none", "start_on_apply is off"
    print(f"writer's seed: {SEED}")
    items = cities(ITEMS + 500)
    writer = Writer(copy.source, items[:ITEMS], items[ITEMS:], rate=40, seed=SEED)
    writer.start()
    copy.function.start()
    with pytest.raises(UserError, match="already in progress"):
        copy.function.start()
    workers = copy.kill_while_writing("backfill")
    replicators = copy.kill_while_writing("replicator")
    copy.wait_for("the backfill", lambda status: status["segments_done"] == status["segments"])
    writer.stop()
    ready = copy.wait_for("ready for cutover", lambda status: status["phase"] == "ready")
    return Story(copy, workers, replicators, writer, ready)


def test_functions_were_killed_at_work(story: Story) -> None:
    assert story.killed_workers
    assert story.killed_replicators


def test_the_run_took_more_than_one_slice(story: Story) -> None:
    assert story.ready["slice"] >= 2


def test_changes_of_every_kind_were_replayed(story: Story) -> None:
    assert set(story.writer.counts) == {"inserted", "updated", "deleted", "re-inserted"}
    # Every change leaves a record but an update that changes nothing.
    assert 0 < story.ready["changes"] <= story.writer.changes
    assert story.ready["deletes"] > 0


def test_the_functions_tell_what_they_have_done(story: Story) -> None:
    """At most what the journal has: killed functions have not told everything, and none tells it twice."""
    story.copy.wait_for("the end of a pass", lambda status: "Reconciliations" in _told(story.copy))
    told = _told(story.copy)
    assert set(told) >= {metric.name for metric in set(METRICS) - SELDOM - OF_A_VERIFICATION}
    journal = {
        "ItemsCopied": "items",
        "BytesCopied": "bytes",
        "RecordsApplied": "changes",
        "PutsApplied": "puts",
        "DeletesApplied": "deletes",
    }
    for metric, field in journal.items():
        assert 0 < sum(told[metric][""]) <= story.ready[field], metric


def test_both_tables_are_equal(story: Story) -> None:
    done = story.copy.verify("--writes-stopped")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_account_and_this_machine_find_the_same(story: Story) -> None:
    missing, changed = story.copy.destination.scan(TableName=TABLE_NAME)["Items"][:2]
    extra = {**missing, "country": {"S": "extra"}}
    story.copy.destination.delete_item(TableName=TABLE_NAME, Key=key_of(missing))
    story.copy.destination.put_item(TableName=TABLE_NAME, Item={**changed, "note": {"S": "changed"}})
    story.copy.destination.put_item(TableName=TABLE_NAME, Item=extra)
    here, there = (
        story.copy.verify("--writes-stopped", "--format", "jsonl", *flags) for flags in ([], ["--in-account"])
    )
    for item in (missing, changed):
        story.copy.destination.put_item(TableName=TABLE_NAME, Item=item)
    story.copy.destination.delete_item(TableName=TABLE_NAME, Key=key_of(extra))
    assert (here.returncode, there.returncode) == (1, 1), there.stdout + there.stderr
    found = [_differences(done.stdout) for done in (here, there)]
    assert found[0] == found[1]
    assert sorted(found[0].values()) == ["changed", "extra", "missing"]


def _differences(lines: str) -> dict[str, str]:
    """Kind of each difference in the output of verify, by key."""
    records = [json.loads(line) for line in lines.splitlines()]
    return {
        json.dumps(record["key"], sort_keys=True): record["kind"]
        for record in records
        if record["type"] == "difference"
    }


def test_a_plan_finds_nothing_to_change(story: Story) -> None:
    assert not story.copy.terraform.plan()


def test_a_single_missing_item_is_found(story: Story) -> None:
    item = story.copy.destination.scan(TableName=TABLE_NAME, Limit=1)["Items"][0]
    story.copy.destination.delete_item(TableName=TABLE_NAME, Key=key_of(item))
    done = story.copy.verify("--writes-stopped")
    story.copy.destination.put_item(TableName=TABLE_NAME, Item=item)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 missing" in done.stdout


def test_the_account_finds_them_equal_while_the_writers_work(journey: Journey) -> None:
    """Its metrics are told also."""
    names = {metric.name for metric in OF_A_VERIFICATION}
    assert names <= set(_told(journey.there))


def test_a_fence_is_enforced_and_named_when_its_command_dies(journey: Journey) -> None:
    assert "explicit deny in a resource-based policy" in journey.denial
    assert "fence" in journey.status_after_the_kill
    assert f"table/{TABLE_NAME} denies writes" in journey.status_after_the_kill


def test_the_command_carries_on_and_seals(journey: Journey) -> None:
    there = journey.there
    assert "Sealed: equal (seen)" in journey.sealed
    assert there.function.status()["phase"] == "sealed"
    assert there.mapping_state() == "Disabled"


def test_the_way_back_scans_nothing(journey: Journey) -> None:
    status = journey.back.function.status()
    assert (status["phase"], status["seal_grade"]) == ("sealed", "seen")
    assert (status["slice"], status["items"], status["bytes"]) == (0, 0, 0)
    assert status["changes"] > 0


def test_there_and_back_again_no_acknowledged_write_is_lost(journey: Journey) -> None:
    """The ledger follows the writers: first at the source, then at the destination."""
    ledger = {token_of(item): item for item in cities()[:ITEMS]} | journey.ledger
    expected = {token: value_of(item) for token, item in ledger.items() if item is not None}
    assert journey.written_at_the_destination > 0
    for client in (journey.there.source, journey.there.destination):
        pages = client.get_paginator("scan").paginate(TableName=TABLE_NAME, ConsistentRead=True)
        found = {token_of(item): value_of(item) for page in pages for item in page["Items"]}
        assert found == expected


def test_neither_apply_nor_start_brings_a_sealed_run_back(
    story: Story, journey: Journey, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = story.copy
    copy.terraform.apply()
    assert copy.function.status()["phase"] == "sealed"
    assert tablecopy(["start", "--from-terraform", str(copy.terraform.directory)]) == 2
    assert "sealed" in capsys.readouterr().err
    assert copy.mapping_state() == "Disabled"


def test_disabled_everything_goes_but_the_destination_table(story: Story) -> None:
    copy = story.copy
    before = copy.destination.describe_table(TableName=TABLE_NAME)["Table"]["TableId"]
    copy.terraform.environment["TF_VAR_enabled"] = "false"
    copy.terraform.apply()
    assert not copy.terraform.plan()
    assert copy.destination.describe_table(TableName=TABLE_NAME)["Table"]["TableId"] == before
    names = [
        function["FunctionName"]
        for function in copy.aws.session(SOURCE_ACCOUNT).client("lambda").list_functions()["Functions"]
    ]
    assert not [name for name in names if name.startswith("tablecopy-cities")]
    assert copy.outputs["journal_table_name"] not in copy.source.list_tables()["TableNames"]
    assert TABLE_NAME in copy.source.list_tables()["TableNames"]


def _told(copy: Copy) -> Published:
    """What the functions' logs hold of metrics."""
    logs = copy.aws.session(SOURCE_ACCOUNT).client("logs")
    names = [copy.outputs[f"{kind}_function_name"] for kind in FUNCTIONS]
    pages = (
        page
        for name in names
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
    )
    lines = [event["message"] for page in pages for event in page["events"]]
    return published("\n".join(lines), names[0].removesuffix("-reconciler"))
