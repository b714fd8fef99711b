"""What a run needs, taken away under it: it stops and says why.

These come last (tests/e2e/conftest.py): the stream that the applied mapping reads is gone afterwards.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.faults.runs import EQUAL, run_to_ready
from tests.e2e.faults.scenarios import DESTINATION_DELETED, STREAM_SWITCHED
from tests.e2e.faults.stand import DESTINATION_NAME, Stand, all_copied, is_stopped
from tests.e2e.faults.table import FaultTable
from tools.local.demo.cities import TABLE_NAME

pytestmark = pytest.mark.terraform


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
