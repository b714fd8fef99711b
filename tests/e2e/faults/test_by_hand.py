"""What people and AWS do to a run besides failing calls; it goes on."""

from __future__ import annotations

import json
import threading

import pytest

from tablecopy.control.status import Status
from tablecopy_cli.common.errors import UserError
from tests.e2e.faults.faults import Hold
from tests.e2e.faults.rules import Rule
from tests.e2e.faults.runs import EQUAL
from tests.e2e.faults.scenarios import DELIVERED_AGAIN, STATE_MACHINE_STOPPED, TWO_STARTS
from tests.e2e.faults.stand import DESTINATION_NAME, Stand, all_copied, is_ready
from tests.e2e.faults.stream import Event, number_of, position, records_after
from tests.e2e.faults.table import FaultTable
from tools.local.demo.cities import TABLE_NAME, Item, key_of

pytestmark = pytest.mark.terraform


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
            deliveries += deliver(faults, records[start : start + size])
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


def deliver(faults: Stand, records: list[Event]) -> int:
    """Invoke the replicator with a batch, and again from where it says, until all is done; how often."""
    deliveries = 0
    while records:
        response = faults.client("lambda").invoke(
            FunctionName=faults.function_name("replicator"), Payload=json.dumps({"Records": records})
        )
        answer = json.loads(response["Payload"].read())
        assert "FunctionError" not in response, f"from record {number_of(records[0])}: {answer}"
        deliveries += 1
        failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        assert failed != [number_of(records[0])], f"nothing done from record {failed[0]} on"
        records = [record for record in records if failed and int(number_of(record)) >= int(failed[0])]
    return deliveries
