"""The fence: a statement in a table's resource policy that denies writes, for the time of a cutover.

The operator's own credentials put it there. It is merged with what the policy has, under the revision that
was read, so that another change at the same time is not lost. A policy takes effect gradually (Amazon
DynamoDB API reference, PutResourcePolicy), so a fence only makes writes rare: that there are none, the
streams show.

It denies writes of items and nothing else, so that no one loses the right to change the policy. It does not
stop Time to Live, what replicates from other Regions into a global table, or a bulk operation that has begun;
the streams show their writes also.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tablecopy.clock import Clock
from tablecopy.dynamodb.client import Json
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.aws_errors import user_errors
from tablecopy_cli.common.errors import UserError

SID = "TablecopyCutover"
"""Names the statement, so that it is found again."""

# Every action that changes items; transactions need the permissions of their parts (Amazon DynamoDB developer
# guide, "Using IAM with DynamoDB transactions").
ACTIONS = (
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem",
    "dynamodb:PartiQLDelete",
    "dynamodb:PartiQLInsert",
    "dynamodb:PartiQLUpdate",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
)

LARGEST_POLICY = 20 * 1024
"""Bytes of a policy, with its white space (developer guide, "Resource-based policy considerations")."""

_NO_POLICY = "NO_POLICY"
_VERSION = "2012-10-17"

# Others may change the policy at the same time, or DynamoDB may still show an earlier revision. For 15 s
# after a change it refuses another one (developer guide, as above), and no page names the error of that.
_ATTEMPTS = 20
_WAIT_SECONDS = 2.0
_NOT_NOW = {"PolicyNotFoundException", "ResourceInUseException", "LimitExceededException"}

# Right after a change, DynamoDB may show the policy before it (API reference, GetResourcePolicy: wait for a
# few seconds). A policy is as it should be if so many reads in a row show it, or once it was written.
_SURE_READS = 5


@dataclass(frozen=True)
class Policy:
    """A table's resource policy: ``document`` is ``None`` if there is none."""

    document: Json | None
    revision: str


def denied(document: Json | None, table_arn: str, except_role: str | None) -> Json:
    """Return a policy that also denies writes to a table.

    Parameters
    ----------
    document
        The policy so far.
    except_role
        ARN of a role that may write; ``None`` for no one.
    """
    statement: Json = {
        "Sid": SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": list(ACTIONS),
        "Resource": table_arn,
    }
    if except_role:
        # For a session of a role this key has the role's ARN (IAM user guide, "AWS global condition context
        # keys").
        statement["Condition"] = {"ArnNotEquals": {"aws:PrincipalArn": except_role}}
    return {**(document or {"Version": _VERSION}), "Statement": [*_others(document), statement]}


def restored(document: Json | None) -> Json | None:
    """Return a policy without the fence; ``None`` if nothing else is left."""
    others = _others(document)
    return {**(document or {}), "Statement": others} if others else None


def has_fence(document: Json | None) -> bool:
    """Return whether a policy has the fence."""
    return len(_others(document)) < len(_statements(document))


class Fence:
    """Denies writes to one table, and allows them again.

    Parameters
    ----------
    record
        Records in the journal whether the table's policy may have the fence.
    except_role
        ARN of the role that may still write; ``None`` for no one.
    """

    def __init__(
        self,
        side: Side,
        record: Callable[[str, bool], object],
        clock: Clock,
        except_role: str | None = None,
    ) -> None:
        self._side = side
        self._record = record
        self._clock = clock
        self._except_role = except_role
        self._client: Any = side.client("dynamodb")
        with user_errors(side):
            self.arn: str = self._client.describe_table(TableName=side.table_name)["Table"]["TableArn"]

    def put(self) -> None:
        """Deny writes. Nothing happens if the policy has the fence already.

        Raises
        ------
        UserError
            The policy cannot be read or changed.
        """
        self._record(self.arn, True)
        self._change(lambda policy: denied(policy.document, self.arn, self._except_role))

    def lift(self) -> None:
        """Allow writes again. Raises as `put` does; the journal shows the table then."""
        self._change(lambda policy: restored(policy.document) if has_fence(policy.document) else False)
        self._record(self.arn, False)

    def _change(self, change: Callable[[Policy], Json | bool | None]) -> None:
        """Write the changed policy, and wait until DynamoDB shows it.

        ``change`` returns the document, ``None`` to remove the policy, or False if it is as it should be.
        """
        unchanged, written = 0, False
        for _ in range(_ATTEMPTS):
            policy = self._policy()
            document = change(policy)
            if document is False or document == policy.document:
                unchanged += 1
                if written or unchanged >= _SURE_READS:
                    return
            else:
                unchanged = 0
                # If it was changed since it was read, the next attempt reads it again.
                written = self._write(policy, document) or written
            self._clock.sleep(_WAIT_SECONDS)
        raise UserError(
            f"the resource policy of {self._side.name} table {self._side.table_name} does not take the "
            f"change in {_ATTEMPTS * _WAIT_SECONDS:.0f} s. Check that no one else changes it. The statement "
            f"{SID} denies writes",
            self._side.name,
        )

    def _policy(self) -> Policy:
        with user_errors(self._side):
            try:
                found = self._client.get_resource_policy(ResourceArn=self.arn)
            except ClientError as error:
                if error.response["Error"]["Code"] != "PolicyNotFoundException":
                    raise
                return Policy(None, _NO_POLICY)
        return Policy(json.loads(found["Policy"]), found["RevisionId"])

    def _write(self, policy: Policy, document: Any) -> bool:
        """Write a policy under the revision that was read.

        Returns False if there is another one by now, or if DynamoDB does not take a change yet.
        """
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        size = len(text.encode())
        if size > LARGEST_POLICY:
            raise UserError(
                f"the resource policy of {self._side.name} table {self._side.table_name} has no room for the "
                f"fence: it would have {size:,} bytes of at most {LARGEST_POLICY:,}. Stop the writers "
                "yourself, and cut over without --fence",
                self._side.name,
            )
        with user_errors(self._side):
            try:
                if document is None:
                    self._client.delete_resource_policy(
                        ResourceArn=self.arn, ExpectedRevisionId=policy.revision
                    )
                else:
                    self._client.put_resource_policy(
                        ResourceArn=self.arn, Policy=text, ExpectedRevisionId=policy.revision
                    )
            except ClientError as error:
                if error.response["Error"]["Code"] not in _NOT_NOW:
                    raise
                return False
        return True


def _statements(document: Json | None) -> list[Json]:
    found = (document or {}).get("Statement", [])
    return [found] if isinstance(found, dict) else list(found)


def _others(document: Json | None) -> list[Json]:
    return [each for each in _statements(document) if each.get("Sid") != SID]
