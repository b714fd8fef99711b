"""Every fault, injected into a real run: it ends ready and equal, or stops and says why.

One applied copy serves all runs (see `Stand.reset`). The tests stand in this order because the last ones
take away what the others need.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from local.demo.cities import TABLE_NAME, Item, key_of
from operate.function import Status
from sides import UserError
from tests.e2e.faults.faults import Hold
from tests.e2e.faults.rules import Rule
from tests.e2e.faults.scenarios import (
    DELIVERED_AGAIN,
    DESTINATION_DELETED,
    SCENARIOS,
    STATE_MACHINE_STOPPED,
    STREAM_SWITCHED,
    TWO_STARTS,
    Scenario,
    control_kills,
    replicator_kills,
    worker_kills,
)
from tests.e2e.faults.stand import DESTINATION_NAME, Stand, all_copied, is_ready, is_stopped
from tests.e2e.faults.stream import Event, number_of, position, records_after
from tests.e2e.faults.table import FaultTable

pytestmark = pytest.mark.terraform

EQUAL = "ready, equal"


def run_to_ready(faults: Stand, rules: Sequence[Rule], seconds: float, **patience: float) -> Status:
    """A run under these faults, with writes until every one of them is spent or ``seconds`` are over."""
    faults.set_rules(rules)
    faults.start()
    with faults.writing():
        faults.wait_for("the backfill", all_copied, **patience)
        give_up = time.monotonic() + seconds
        while any(rule.times and not rule.is_spent for rule in rules) and time.monotonic() < give_up:
            faults.status()
            time.sleep(0.2)
    ready = faults.wait_for("ready for cutover", is_ready, **patience)
    faults.assert_equal()
    return ready


def note(table: FaultTable, faults: Stand, rules: Sequence[Rule], outcome: str) -> None:
    for rule in rules:
        table.add(rule.name, rule.injected, outcome)
    unused = [rule.name for rule in rules if not rule.injected]
    assert not unused, f"never injected (seed {faults.seed}): {unused}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_calls_that_fail(faults: Stand, table: FaultTable, scenario: Scenario) -> None:
    rules = scenario.rules()
    run_to_ready(faults, rules, scenario.seconds)
    note(table, faults, rules, EQUAL)


def test_functions_killed_at_every_step(faults: Stand, table: FaultTable) -> None:
    rules = [*worker_kills(), *replicator_kills(), *control_kills()]
    ready = run_to_ready(faults, rules, seconds=90)
    note(table, faults, rules, f"{EQUAL}, {ready['slice']} slices")


def test_a_state_machine_stopped_by_hand(faults: Stand, table: FaultTable) -> None:
    hold = Hold()
    # The first page is held while the execution goes, as if it had been stopped at that very moment.
    faults.set_rules([Rule("held", hold, "backfill", "scan")])
    faults.start()
    with faults.writing():
        assert hold.held.wait(30)
        states = faults.client("stepfunctions")
        machine = faults.copy.outputs["state_machine_arn"]
        [running] = states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]
        states.stop_execution(executionArn=running["executionArn"])
        hold.release()
        faults.set_rules([])
        faults.wait_for("the backfill", all_copied)
    ready = faults.wait_for("ready for cutover", is_ready)
    faults.assert_equal()
    table.add(STATE_MACHINE_STOPPED, 1, f"{EQUAL}, {ready['slice']} slices")


def test_two_runs_started_at_once(faults: Stand, table: FaultTable) -> None:
    answers: list[Status | str] = []

    def start() -> None:
        try:
            answers.append(faults.copy.function.start())
        except UserError as error:
            answers.append(str(error))

    starts = [threading.Thread(target=start) for _ in range(2)]
    for each in starts:
        each.start()
    for each in starts:
        each.join()
    refused = [answer for answer in answers if isinstance(answer, str)]
    assert len(refused) == 1, answers
    assert "\n" not in refused[0]
    faults.wait_for("ready for cutover", is_ready)
    faults.assert_equal()
    table.add(TWO_STARTS, 1, f"the second is refused; {EQUAL}")


def test_batches_delivered_again_and_recut(faults: Stand, table: FaultTable) -> None:
    faults.start()
    faults.wait_for("ready for cutover", is_ready)
    begin = position(faults)
    items = faults.source_items()[:30]
    for version in ("1", "2", "3"):
        change(faults, items, version)
        faults.wait_for("the change at the destination", lambda _, v=version: has_version(faults, items, v))
    faults.reconcile()
    faults.wait_for("ready for cutover", is_ready)
    records = records_after(faults, begin)
    assert len(records) == 3 * len(items)
    deliveries = 0
    # As they were, one by one, and in portions that begin and end within the batches of the first delivery:
    # Lambda goes back to a record and delivers from there on to the end.
    for size in (len(records), 30, 20, 45, 7):
        for start in range(0, len(records), size):
            answer = deliver(faults, records[start : start + size])
            assert answer == {"batchItemFailures": []}, f"portions of {size}: {answer}"
            deliveries += 1
        assert has_version(faults, items, "3"), f"portions of {size} have taken the destination back"
    faults.assert_equal()
    table.add(DELIVERED_AGAIN, deliveries, "not taken back; ready, equal")


def change(faults: Stand, items: list[Item], version: str) -> None:
    for item in items:
        faults.source.put_item(TableName=TABLE_NAME, Item={**item, "version": {"N": version}})


def has_version(faults: Stand, items: list[Item], version: str) -> bool:
    """Whether the destination has all these items in that version."""
    found = 0
    for item in items:
        answer = faults.destination.get_item(
            TableName=DESTINATION_NAME, Key=key_of(item), ConsistentRead=True
        )
        found += answer.get("Item", {}).get("version") == {"N": version}
    return found == len(items)


def deliver(faults: Stand, records: list[Event]) -> Any:
    """Invoke the replicator with a batch; its answer."""
    response = faults.client("lambda").invoke(
        FunctionName=faults.function_name("replicator"), Payload=json.dumps({"Records": records})
    )
    answer = json.loads(response["Payload"].read())
    assert "FunctionError" not in response, f"from record {number_of(records[0])}: {answer}"
    return answer


def test_a_destination_table_deleted_under_a_run(faults: Stand, table: FaultTable) -> None:
    faults.start()
    with faults.writing():
        faults.wait_for("the backfill", all_copied)
        definition = faults.destination.describe_table(TableName=DESTINATION_NAME)["Table"]
        faults.destination.delete_table(TableName=DESTINATION_NAME)
        stopped = faults.wait_for("a stop", is_stopped, may_stop=True)
    assert "destination" in stopped["reason"]
    assert DESTINATION_NAME in stopped["reason"]
    faults.destination.create_table(**creation_of(definition))
    # Nothing is lost: the source and its stream have everything, and a new run brings it.
    faults.reset()
    run_to_ready(faults, [], seconds=0)
    table.add(DESTINATION_DELETED, 1, f"stopped: {stopped['reason']}; new run {EQUAL}")


def test_a_stream_switched_off_and_on_under_a_run(faults: Stand, table: FaultTable) -> None:
    faults.start()
    with faults.writing():
        faults.wait_for("the backfill", all_copied)
        specification = faults.source.describe_table(TableName=TABLE_NAME)["Table"]["StreamSpecification"]
        faults.source.update_table(TableName=TABLE_NAME, StreamSpecification={"StreamEnabled": False})
        faults.source.update_table(TableName=TABLE_NAME, StreamSpecification=specification)
        stopped = faults.wait_for("a stop", is_stopped, may_stop=True)
    assert "stream" in stopped["reason"]
    table.add(STREAM_SWITCHED, 1, f"stopped: {stopped['reason']}")


def creation_of(definition: dict[str, Any]) -> dict[str, Any]:
    """The request that makes a described table again."""

    def indexes(kind: str) -> list[dict[str, Any]]:
        wanted = ("IndexName", "KeySchema", "Projection")
        return [{name: index[name] for name in wanted} for index in definition.get(kind, [])]

    request = {name: definition[name] for name in ("TableName", "AttributeDefinitions", "KeySchema")}
    for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        if indexes(kind):
            request[kind] = indexes(kind)
    return {**request, "BillingMode": "PAY_PER_REQUEST"}
