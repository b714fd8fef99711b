"""The fence: merged with what the policy has, under its revision, and lifted to what it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.cutover.fence import ACTIONS, LARGEST_POLICY, SID, Fence, denied, has_fence, restored
from tests.unit.cli.run.control import HandClock

ARN = "arn:aws:dynamodb:eu-west-1:111111111111:table/orders"
ROLE = "arn:aws:iam::222222222222:role/tablecopy-destination"
OWN = {
    "Version": "2012-10-17",
    "Id": "ours",
    "Statement": [
        {"Sid": "Read", "Effect": "Allow", "Principal": "*", "Action": "dynamodb:GetItem", "Resource": ARN}
    ],
}


class FakeDynamoDB:
    """Keeps one policy under revisions; an answer may show the policy before the latest change."""

    def __init__(self, document: Any = None) -> None:
        self.policies: list[tuple[Any, str]] = [(document, "1" if document else "NO_POLICY")]
        self.behind = 0
        self.before_write = lambda: None
        self.writes = 0

    def describe_table(self, **request: Any) -> Any:
        return {"Table": {"TableArn": ARN}}

    def get_resource_policy(self, **request: Any) -> Any:
        at = len(self.policies) - 1
        if self.behind and at:
            self.behind -= 1
            at -= 1
        document, revision = self.policies[at]
        if document is None:
            raise _error("PolicyNotFoundException")
        return {"Policy": json.dumps(document), "RevisionId": revision}

    def put_resource_policy(self, **request: Any) -> Any:
        self._write(request["ExpectedRevisionId"], json.loads(request["Policy"]))

    def delete_resource_policy(self, **request: Any) -> Any:
        self._write(request["ExpectedRevisionId"], None)

    def change(self, document: Any) -> None:
        revision = "NO_POLICY" if document is None else str(len(self.policies) + 1)
        self.policies.append((document, revision))

    def _write(self, expected: str, document: Any) -> None:
        self.before_write()
        self.before_write = lambda: None
        if expected != self.policies[-1][1]:
            raise _error("PolicyNotFoundException")
        self.writes += 1
        self.change(document)

    @property
    def document(self) -> Any:
        return self.policies[-1][0]


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "operation")


def fence(client: FakeDynamoDB, records: list[tuple[str, bool]], role: str | None = None) -> Fence:
    class WithClient(Side):
        def client(self, *args: Any, **settings: Any) -> Any:
            return client

    side = WithClient("source", table_name="orders")
    return Fence(side, lambda arn, on: records.append((arn, on)), HandClock(), except_role=role)


@pytest.mark.parametrize("own", [None, OWN], ids=["no policy", "a policy"])
def test_it_is_put_and_lifted_without_a_trace(own: Any) -> None:
    client, records = FakeDynamoDB(own), list[tuple[str, bool]]()
    one = fence(client, records)
    one.put()
    assert has_fence(client.document)
    assert client.document["Statement"][:-1] == (own["Statement"] if own else [])
    statement = client.document["Statement"][-1]
    assert (statement["Sid"], statement["Effect"], statement["Principal"]) == (SID, "Deny", "*")
    assert statement["Resource"] == ARN
    one.lift()
    assert client.document == own
    assert records == [(ARN, True), (ARN, False)]


def test_every_way_to_write_is_denied() -> None:
    """Also PartiQL. Transactions need the permissions of their parts."""
    operations = {each.partition(":")[2] for each in ACTIONS}
    assert operations == {
        "BatchWriteItem",
        "DeleteItem",
        "PartiQLDelete",
        "PartiQLInsert",
        "PartiQLUpdate",
        "PutItem",
        "UpdateItem",
    }


def test_no_one_loses_the_right_to_change_the_policy() -> None:
    """Nothing but items: DynamoDB would ask for a confirmation otherwise, and no one could lift the fence."""
    assert not [each for each in ACTIONS if "Policy" in each or "Table" in each or "*" in each]


def test_the_copys_role_may_write() -> None:
    client = FakeDynamoDB()
    fence(client, [], ROLE).put()
    assert client.document["Statement"][0]["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": ROLE}}


def test_the_intent_is_recorded_before_the_policy_changes() -> None:
    client, records = FakeDynamoDB(), list[tuple[str, bool]]()
    client.before_write = lambda: records.append(("written", True))
    fence(client, records).put()
    assert records == [(ARN, True), ("written", True)]


def test_a_change_at_the_same_time_is_not_lost() -> None:
    client = FakeDynamoDB()
    client.before_write = lambda: client.change(OWN)
    fence(client, []).put()
    assert client.document == denied(OWN, ARN, None)


def test_a_change_while_it_is_there_stays() -> None:
    client = FakeDynamoDB()
    one = fence(client, [])
    one.put()
    client.change(denied(OWN, ARN, None))
    one.lift()
    assert client.document == OWN


@pytest.mark.parametrize("code", ["ResourceInUseException", "LimitExceededException"])
def test_it_waits_until_dynamodb_takes_another_change(code: str) -> None:
    """It takes none for 15 s after a change, and no page names the error."""
    client = FakeDynamoDB(OWN)
    one = fence(client, [])
    one.put()
    refused = 0

    def refuse() -> None:
        nonlocal refused
        refused += 1
        if refused < 8:
            client.before_write = refuse
            raise _error(code)

    client.before_write = refuse
    one.lift()
    assert (client.document, refused) == (OWN, 8)


def test_a_policy_without_room_for_it_is_left_alone() -> None:
    statements = [{**OWN["Statement"][0], "Sid": f"Read{number}"} for number in range(141)]  # type: ignore[dict-item]
    own = {**OWN, "Statement": statements}
    size = len(json.dumps(own, separators=(",", ":")))
    assert LARGEST_POLICY - 400 < size < LARGEST_POLICY, "that the fence alone is too much"
    client = FakeDynamoDB(own)
    with pytest.raises(UserError, match=r"has no room for the fence.*without --fence"):
        fence(client, []).put()
    assert client.writes == 0


def test_white_space_is_left_out() -> None:
    """DynamoDB counts it."""
    client, sent = FakeDynamoDB(OWN), list[str]()
    put = client.put_resource_policy
    client.put_resource_policy = lambda **request: (sent.append(request["Policy"]), put(**request))  # type: ignore[method-assign]
    fence(client, []).put()
    assert sent == [json.dumps(client.document, separators=(",", ":"))]


def test_twice_is_once() -> None:
    client = FakeDynamoDB(OWN)
    fence(client, []).put()
    fence(client, []).put()
    assert client.writes == 1
    fence(client, []).lift()
    fence(client, []).lift()
    assert (client.document, client.writes) == (OWN, 2)


def test_it_waits_until_dynamodb_shows_the_policy() -> None:
    client = FakeDynamoDB(OWN)
    client.behind = 0
    one = fence(client, [])
    client.before_write = lambda: setattr(client, "behind", 3)
    one.put()
    assert client.behind == 0
    assert has_fence(client.document)


def test_a_policy_that_does_not_take_it_is_an_error_and_stays_recorded() -> None:
    client, records = FakeDynamoDB(), list[tuple[str, bool]]()

    def refuse(**request: Any) -> Any:
        raise _error("PolicyNotFoundException")

    client.put_resource_policy = refuse  # type: ignore[method-assign]
    with pytest.raises(UserError, match="does not take the change"):
        fence(client, records).put()
    assert records == [(ARN, True)]


def test_a_lift_that_fails_stays_recorded() -> None:
    client, records = FakeDynamoDB(), list[tuple[str, bool]]()
    one = fence(client, records)
    one.put()

    def deny(**request: Any) -> Any:
        raise _error("AccessDeniedException")

    client.delete_resource_policy = deny  # type: ignore[method-assign]
    with pytest.raises(UserError):
        one.lift()
    assert records == [(ARN, True)]


def test_a_single_statement_needs_no_list() -> None:
    document = {**OWN, "Statement": OWN["Statement"][0]}
    assert not has_fence(document)
    assert restored(denied(document, ARN, None)) == OWN


def test_a_lift_right_after_the_fence_does_not_trust_an_old_policy() -> None:
    """Otherwise the fence would stay, and nothing would show it."""
    client, records = FakeDynamoDB(), list[tuple[str, bool]]()
    client.change(denied(None, ARN, None))
    client.behind = 3
    fence(client, records).lift()
    assert client.document is None
    assert records == [(ARN, False)]
