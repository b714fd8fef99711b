"""Dead letters: what the destination permanently rejects blocks nothing, and a redrive resolves it."""

from __future__ import annotations

import pytest

from tablecopy.control.status import Status
from tablecopy_cli.app import main as tablecopy
from tests.e2e.faults.faults import RefuseKey
from tests.e2e.faults.rules import Rule
from tests.e2e.faults.scenarios import ITEM_REFUSED, LETTERS_REDRIVEN, RECORD_REFUSED, WRITERS
from tests.e2e.faults.stand import DESTINATION_NAME, Stand, all_copied, is_ready
from tests.e2e.faults.table import FaultTable
from tools.local.demo.cities import TABLE_NAME, Item, key_of

pytestmark = pytest.mark.terraform


def copied(faults: Stand, item: Item) -> Item | None:
    answer = faults.destination.get_item(TableName=DESTINATION_NAME, Key=key_of(item), ConsistentRead=True)
    found: Item | None = answer.get("Item")
    return found


def refusing(name: str, functions: str, item: Item) -> Rule:
    """No write of this item is taken, alone or in company."""
    key = key_of(item)
    return Rule(name, RefuseKey(key), functions, "write", where=lambda call: call.holds_key(key))


def test_refused_items_and_records(faults: Stand, table: FaultTable) -> None:
    items = faults.source_items()
    refused_item, refused_change, other = items[10], items[20], items[30]
    of_item = refusing(ITEM_REFUSED, WRITERS, refused_item)
    of_change = refusing(RECORD_REFUSED, "replicator", refused_change)
    faults.set_rules([of_item, of_change])
    faults.start()
    faults.wait_for("the backfill", all_copied)

    # A record behind the refused one, in the same shard, arrives.
    for item in (refused_change, other):
        faults.source.put_item(TableName=TABLE_NAME, Item={**item, "note": {"S": "changed"}})
    faults.wait_for(
        "the other change", lambda _: copied(faults, other) == {**other, "note": {"S": "changed"}}
    )
    faults.wait_for("both letters", lambda _: len(faults.journal_items("letter")) == 2)
    kept = {letter["key"]["M"]["id"]["N"]: letter for letter in faults.journal_items("letter")}
    assert kept[refused_item["id"]["N"]]["origin"] == {"S": "backfill"}
    assert kept[refused_change["id"]["N"]]["origin"] == {"S": "stream"}
    assert {letter["code"]["S"] for letter in kept.values()} == {"ValidationException"}

    # Drained long since, the run waits for the letters, and says so.
    def waits_for_letters(status: Status) -> bool:
        assert not is_ready(status)
        return "letter" in status["reason"]

    waiting = faults.wait_for("word of the letters", waits_for_letters)
    for rule in (of_item, of_change):
        table.add(rule.name, rule.injected, f"dead letter, shard continues; {waiting['reason']}")

    faults.set_rules([])
    assert tablecopy(["redrive", "--from-terraform", str(faults.copy.terraform.directory)]) == 0
    faults.wait_for("ready for cutover", is_ready)
    assert faults.journal_items("letter") == []
    faults.assert_equal()
    table.add(LETTERS_REDRIVEN, 1, "dead letters resolved; ready, equal")
