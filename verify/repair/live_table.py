"""A table as a repair uses it: items are read one by one, consistently, and written under a condition."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tablecopy.comparison.canonical import digest
from tablecopy.dynamodb import errors
from tablecopy.dynamodb.description import Identity, are_replicas
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.aws_errors import user_errors
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.items import Item, to_json
from verify.scan.identity import KeySchema, check_identity, check_two_tables, describe

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

# A wrong region or endpoint shows in the first call; retrying that for a minute helps nobody.
_PROBE_ATTEMPTS = 3

# An expression has at most 4 KB and 300 operators and functions
# (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-expression-parameters).
# The page names the 300 for update expressions only, but DynamoDB applies the limit to every expression
# (https://github.com/scylladb/scylladb/issues/14473). Each ``AND`` counts here, so that a condition that
# passes here also passes in DynamoDB. That leaves room for 149 attributes in addition to the key.
MAX_EXPRESSION_BYTES = 4096
MAX_OPERATORS = 300

_ABSENT = "attribute_not_exists(#k)"


class Overtaken(Exception):
    """The condition of a write does not hold, or no longer holds."""


class Rejected(Exception):
    """DynamoDB permanently rejects this item. The message is DynamoDB's, in one line."""


@dataclass(frozen=True)
class LiveTable:
    """A table that can be read and written.

    Every method raises `UserError` where the table cannot be used at all.

    Parameters
    ----------
    side
        Where the table is; errors name it.
    client
        Low-level DynamoDB client on that side.
    description
        ``Table`` of DescribeTable, as it was on the wire.
    """

    side: Side
    client: DynamoDBClient
    description: Mapping[str, Any]

    @classmethod
    def connect(cls, side: Side, *, connections: int) -> LiveTable:
        """Sign in on a side and look the table up; ``connections`` threads will use it."""
        probe = side.client("dynamodb", attempts=_PROBE_ATTEMPTS)
        return cls(side, side.client("dynamodb", connections=connections), describe(probe, side))

    @property
    def identity(self) -> Identity:
        """Which table it is."""
        return Identity.of(self.description)

    @property
    def key_names(self) -> tuple[str, ...]:
        """The key attributes, the partition key first."""
        return tuple(name for name, _ in KeySchema.of(self.description).attributes)

    def check_identity(self) -> None:
        """Check that the table is still the one that was described.

        Raises
        ------
        UserError
            It was deleted, or deleted and created again.
        """
        check_identity(self.identity, describe(self.client, self.side), self.side)

    def read(self, key: Item) -> dict[str, Any] | None:
        """Read an item, consistently.

        Parameters
        ----------
        key
            In DynamoDB JSON; binary values are base64 text.

        Returns
        -------
        dict or None
            As boto3 gives it, with binary values as bytes.

        Raises
        ------
        Rejected
            The table has no such keys.
        """
        response = self._call("get_item", Key=_decoded(key), ConsistentRead=True)
        item: dict[str, Any] | None = response.get("Item")
        return item

    def put(self, item: Item, condition: Mapping[str, Any]) -> dict[str, Any] | None:
        """Write an item under a condition; returns what it replaced.

        Raises
        ------
        Overtaken, Rejected
        """
        response = self._call("put_item", Item=item, ReturnValues="ALL_OLD", **condition)
        return response.get("Attributes")

    def delete(self, key: Item, condition: Mapping[str, Any]) -> dict[str, Any] | None:
        """Delete an item under a condition; returns what it was.

        Raises
        ------
        Overtaken, Rejected
        """
        response = self._call("delete_item", Key=_decoded(key), ReturnValues="ALL_OLD", **condition)
        return response.get("Attributes")

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        with user_errors(self.side):
            try:
                response: dict[str, Any] = getattr(self.client, operation)(
                    TableName=self.side.table_name, **parameters
                )
            except ClientError as error:
                code = errors.code(error)
                if code == errors.CONDITION_FAILED or errors.kind(error) is errors.Kind.BUSY:
                    raise Overtaken from error
                if errors.is_rejected(error):
                    message = " ".join(error.response["Error"].get("Message", "").split())
                    raise Rejected(f"{self.side.name}: {code}: {message}") from error
                raise
        return response


def check_repairable(source: LiveTable, destination: LiveTable) -> None:
    """Check that writing to the destination leaves the source alone.

    Raises
    ------
    UserError
        Both are one table, or replicas of one global table.
    """
    check_two_tables(source.description, destination.description)
    if are_replicas(source.description, destination.description):
        raise UserError(
            f"{source.identity.arn} and {destination.identity.arn} are replicas of one global table. "
            "DynamoDB would copy a repair's writes to the source. Write to the source instead and wait for "
            "replication."
        )


def digest_of(item: Item | None) -> str | None:
    """Return the digest that a plan holds, of an item that boto3 read; ``None`` for no item."""
    return None if item is None else digest(to_json(item)).hex()


def _decoded(key: Item) -> dict[str, Any]:
    return {
        name: {kind: base64.b64decode(content) if kind == "B" else content for kind, content in value.items()}
        for name, value in key.items()
    }


class TooWide(Exception):
    """An item has more attributes than a condition can name. The message is one line."""


def is_absent(key_name: str) -> dict[str, Any]:
    """Parameters of a write that holds only where there is no item; ``key_name``: any key attribute."""
    return {"ConditionExpression": _ABSENT, "ExpressionAttributeNames": {"#k": key_name}}


def is_unchanged(read: Item, key_names: Collection[str], new: Item | None = None) -> dict[str, Any]:
    """Parameters of a write that holds only where each attribute is what was read.

    Parameters
    ----------
    read
        The item that was read, as boto3 gave it.
    key_names
        Its key attributes.
    new
        The item to write. Attributes that it has and ``read`` lacks must still be absent.

    Raises
    ------
    TooWide
        The condition would exceed DynamoDB's limits.
    """
    names = {"#k": next(iter(key_names))}
    values: dict[str, Any] = {}
    clauses = ["attribute_exists(#k)"]
    for at, name in enumerate(name for name in read if name not in key_names):
        names[f"#{at}"] = name
        values[f":{at}"] = read[name]
        clauses.append(f"#{at}=:{at}")
    for at, name in enumerate((name for name in new or () if name not in read), len(values)):
        names[f"#{at}"] = name
        clauses.append(f"attribute_not_exists(#{at})")
    expression = " AND ".join(clauses)
    if 2 * len(clauses) - 1 > MAX_OPERATORS or len(expression) > MAX_EXPRESSION_BYTES:
        raise TooWide(f"One condition cannot protect {len(clauses) - 1} attributes. Copy this item by hand.")
    parameters: dict[str, Any] = {"ConditionExpression": expression, "ExpressionAttributeNames": names}
    if values:
        parameters["ExpressionAttributeValues"] = values
    return parameters
