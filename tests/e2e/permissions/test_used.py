"""Each permission that the functions have is used by a whole run, or Lambda uses it for them."""

from __future__ import annotations

from subprocess import CompletedProcess

import pytest

from tablecopy.control.proof import QUIET_SECONDS
from tablecopy.control.status import Status
from tablecopy_cli.app import main as tablecopy
from tablecopy_cli.common.errors import UserError
from tests.e2e.faults.faults import RefuseKey
from tests.e2e.faults.rules import Rule
from tests.e2e.faults.stand import DESTINATION_NAME, Stand, all_copied, is_ready
from tests.e2e.permissions.roles import Role, as_list
from tests.e2e.permissions.used import Recording, is_used, recording
from tools.checks.actions import CALLED_BY_AWS
from tools.local.demo.cities import TABLE_NAME, Item, key_of

pytestmark = pytest.mark.terraform

NOT_ON_THE_STAND = {("reconciler", "ReadManyShardsInParts"): "used above 500 open shards only"}
"""Statements that a whole run of a small table does not use, with the reason."""


@pytest.fixture(scope="module")
def whole_run(the_stand: Stand) -> Recording:
    """Two slices, changes meanwhile, a dead letter tried again, comparisons, a cutover, and its audit."""
    the_stand.reset()
    refused, changed, deleted = the_stand.source_items()[:3]
    late = {**changed, "note": {"S": "changed"}}
    key = key_of(refused)
    rule = Rule("refused", RefuseKey(key), ".*", "write", where=lambda call: call.holds_key(key))

    def are_applied(_: Status) -> bool:
        found = the_stand.destination_items()
        return late in found and deleted not in found

    def is_refused(_: Status) -> bool:
        [letter] = the_stand.journal_items("letter")
        return letter["origin"] == {"S": "stream"}

    try:
        with recording(the_stand) as made:
            the_stand.set_rules([rule])
            the_stand.start()
            the_stand.wait_for("the backfill", all_copied)
            the_stand.source.put_item(TableName=TABLE_NAME, Item=late)
            the_stand.source.delete_item(TableName=TABLE_NAME, Key=key_of(deleted))
            the_stand.wait_for("both changes", are_applied)
            the_stand.source.put_item(TableName=TABLE_NAME, Item={**refused, "note": {"S": "changed"}})
            the_stand.wait_for("the refused change", is_refused)
            the_stand.set_rules([])
            directory = str(the_stand.copy.terraform.directory)
            assert tablecopy(["letters", "--from-terraform", directory]) == 0
            assert tablecopy(["redrive", "--from-terraform", directory]) == 0
            ready = the_stand.wait_for("ready for cutover", is_ready)
            assert ready["slice"] >= 2
            the_stand.assert_equal()
            different = _compare_in_the_account(the_stand, deleted, gone=changed)
            equal = the_stand.copy.verify("--in-account")
            assert equal.returncode == 0, equal.stdout + equal.stderr
            # Until the tracker has listed what the comparison left open, a cutover is refused.
            function = the_stand.copy.function
            the_stand.wait_until(
                "a possible cutover", lambda: not function.cutover(QUIET_SECONDS)[1]["refused"]
            )
            # Both streams have a key that is compared again.
            the_stand.source.put_item(TableName=TABLE_NAME, Item={**late, "note": {"S": "again"}})
            assert tablecopy(["cutover", "--yes", "--max-stop", "5m", "--from-terraform", directory]) == 0
            the_stand.wait_for("the seal", lambda status: status["phase"] == "sealed")
            # A new writer changes what an audit must judge by its old image.
            written = {**late, "note": {"S": "by a new writer"}}
            the_stand.destination.put_item(TableName=DESTINATION_NAME, Item=written)
            assert tablecopy(["audit", "--from-terraform", directory]) == 0
            the_stand.wait_for("the grade", lambda status: status["seal_grade"] == "audited")
    finally:
        the_stand.set_rules([])
        for item in (refused, changed, deleted):
            the_stand.source.put_item(TableName=TABLE_NAME, Item=item)
        the_stand.reset()
    assert different.returncode == 1, different.stdout + different.stderr
    assert "1 missing" in different.stdout
    assert "1 extra" in different.stdout
    return made


def _compare_in_the_account(stand: Stand, extra: Item, *, gone: Item) -> CompletedProcess[str]:
    """Compare with two differences, which are removed again. A second request finds the first in progress."""
    stand.destination.put_item(TableName=DESTINATION_NAME, Item=extra)
    late = stand.destination.delete_item(
        TableName=DESTINATION_NAME, Key=key_of(gone), ReturnValues="ALL_OLD"
    )["Attributes"]
    try:
        stand.let_run("verifier", allowed=False)
        stand.copy.function.verify(writes_stopped=True)
        with pytest.raises(UserError, match="already in progress"):
            stand.copy.function.verify(writes_stopped=True)
        stand.let_run("verifier", allowed=True)
        return stand.copy.verify("--in-account", "--report")
    finally:
        stand.let_run("verifier", allowed=True)
        stand.destination.put_item(TableName=DESTINATION_NAME, Item=late)
        stand.destination.delete_item(TableName=DESTINATION_NAME, Key=key_of(extra))


def test_every_permission_is_used_or_explained(whole_run: Recording, roles: dict[str, Role]) -> None:
    uses = whole_run.uses()
    unused, used = set(), set()
    for role in roles.values():
        for statement in role.statements():
            sid = statement["Sid"]
            for action in as_list(statement["Action"]):
                (used if is_used(role, statement, action, uses) else unused).add((role.kind, sid, action))
    unexplained = sorted(each for each in unused if each[:2] not in CALLED_BY_AWS | NOT_ON_THE_STAND)
    assert not unexplained, f"granted and used by nothing in a whole run: {unexplained}"
    # Its control function has a role of this name where there is no copy.
    explained = {each for each in CALLED_BY_AWS if each[0] != "comparison"} | set(NOT_ON_THE_STAND)
    assert {each[:2] for each in unused} == explained, "what is explained is granted, and not used"
    assert not {each[:2] for each in used} & set(CALLED_BY_AWS)
