"""Resource policies of tables, which take effect a while after they were put.

Source: API reference, PutResourcePolicy and GetResourcePolicy: the policy is eventually consistent, so a
request right after a change may see the one before; a change of another revision than the expected one is
refused. Of a policy, the explicit denies are simulated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tools.simulation.dynamodb import DynamoDBService
from tools.simulation.errors import ServiceError
from tools.simulation.network import Caller, Network, Service
from tools.simulation.scheduler import World
from tools.simulation.table import Table

Json = dict[str, Any]

WRITES = frozenset({"BatchWriteItem", "DeleteItem", "PutItem", "TransactWriteItems", "UpdateItem"})

# How long a change takes to be in force, and for how long it may not be shown.
_EFFECT_SECONDS = (0.0, 8.0)
_SHOWN_SECONDS = 3.0


@dataclass(frozen=True)
class _Revision:
    """A policy: None if there is none. It is in force ``from_`` then."""

    document: Json | None
    id: str
    from_: float
    shown: float


@dataclass
class Policies:
    """The resource policy of one table, with its revisions.

    Attributes
    ----------
    refused
        How many writes were denied.
    """

    world: World
    refused: int = 0
    _revisions: list[_Revision] = field(default_factory=list)
    _number: int = 0

    def __post_init__(self) -> None:
        self._revisions.append(_Revision(None, "NO_POLICY", 0.0, 0.0))

    @property
    def document(self) -> Json | None:
        """The newest policy."""
        return self._revisions[-1].document

    def shown(self) -> tuple[Json | None, str]:
        """Return the policy, and its revision, as GetResourcePolicy shows them."""
        now = self.world.now
        revision = next(each for each in reversed(self._revisions) if each.shown <= now)
        return revision.document, revision.id

    def put(self, document: Json | None, expected: str) -> None:
        """Replace the policy. Raises ServiceError (PolicyNotFoundException) if there is another revision."""
        if expected != self._revisions[-1].id:
            raise ServiceError("PolicyNotFoundException", "the resource policy has another revision")
        self._number += 1
        draw = self.world.random.uniform
        # What is put later is in force later.
        from_ = max(self._revisions[-1].from_, self.world.now + draw(*_EFFECT_SECONDS))
        shown = self.world.now + draw(0.0, _SHOWN_SECONDS)
        id_ = "NO_POLICY" if document is None else f"revision-{self._number}"
        self._revisions.append(_Revision(document, id_, from_, shown))
        self.world.trace("policy", document is not None)

    def denies(self, role: str = "") -> bool:
        """Return whether a write is denied now to a principal with this role; empty for another one."""
        now = self.world.now
        revision = next(each for each in reversed(self._revisions) if each.from_ <= now)
        denied = any(_denies(each, role) for each in (revision.document or {}).get("Statement", ()))
        self.refused += denied
        return denied


def _denies(statement: Json, role: str) -> bool:
    if statement["Effect"] != "Deny":
        return False
    except_role = statement.get("Condition", {}).get("ArnNotEquals", {}).get("aws:PrincipalArn")
    return not role or role != except_role


class Fenced:
    """DynamoDB of an account, whose table has a policy."""

    def __init__(self, service: Service, table: str, policies: Policies) -> None:
        self._service = service
        self._table = table.encode()
        self._policies = policies

    def handle(self, operation: str, body: bytes, caller: Caller) -> bytes:
        """Carry out ``operation``."""
        if operation in WRITES and b'"%b"' % self._table in body and self._policies.denies(caller.role):
            raise ServiceError("AccessDeniedException", "explicit deny in a resource-based policy", 400)
        return self._service.handle(operation, body, caller)


class PolicyClient:
    """The operator's client of DynamoDB, as boto3 makes it."""

    def __init__(self, network: Network, service: DynamoDBService, table: Table, policies: Policies) -> None:
        self._network = network
        self._service = service
        self._table = table
        self._policies = policies

    def describe_table(self, *, TableName: str) -> Json:  # noqa: N803
        """Return the table."""
        return self._call(
            "DescribeTable", lambda: {"Table": {"TableArn": self._service.table(TableName).arn}}
        )

    def get_resource_policy(self, *, ResourceArn: str) -> Json:  # noqa: N803
        """Return the policy and its revision."""

        def get() -> Json:
            document, revision = self._policies.shown()
            if document is None:
                raise ServiceError("PolicyNotFoundException", "Resource-based policy not found")
            return {"Policy": json.dumps(document), "RevisionId": revision}

        return self._call("GetResourcePolicy", get)

    def put_resource_policy(self, *, ResourceArn: str, Policy: str, ExpectedRevisionId: str) -> Json:  # noqa: N803
        """Replace the policy."""

        def put() -> Json:
            self._policies.put(json.loads(Policy), ExpectedRevisionId)
            return {}

        return self._call("PutResourcePolicy", put)

    def delete_resource_policy(self, *, ResourceArn: str, ExpectedRevisionId: str) -> Json:  # noqa: N803
        """Remove the policy."""

        def delete() -> Json:
            self._policies.put(None, ExpectedRevisionId)
            return {}

        return self._call("DeleteResourcePolicy", delete)

    def _call(self, operation: str, serve: Any) -> Json:
        try:
            found: Json = self._network.call(operation, serve)
        except ServiceError as error:
            raise error.as_client_error(operation) from None
        return found
