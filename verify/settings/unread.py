"""Settings that could not be read, and what is said about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from tablecopy.dynamodb import errors as retry
from tablecopy_cli.common import Side, UserError
from tablecopy_cli.common.errors import explained
from verify.settings.findings import Finding

_NOT_KNOWN = {"UnknownOperation", "UnknownOperationException", "NotImplemented", "InvalidAction"}

Reason: TypeAlias = Literal["denied", "not known", "failed", "by name only"]

_WHY: dict[Reason, str] = {
    "denied": "{permission} is not allowed at the {side}",
    "not known": "the {side}'s endpoint does not know {permission}",
    "failed": "{permission} failed at the {side}",
    "by name only": "{permission} knows tables by name only, and the {side}'s was given by its ARN",
}


@dataclass(frozen=True, slots=True)
class Unread:
    """What stands for a setting that could not be read.

    Parameters
    ----------
    permission
        The IAM action that reads it: ``"dynamodb:ListTagsOfResource"``.
    reason
        ``"denied"``, ``"not known"`` where the endpoint lacks the operation, ``"failed"``, or
        ``"by name only"`` where it cannot be asked of a table in another account.
    """

    permission: str
    reason: Reason


def optional(side: Side, permission: str, call: Callable[[], Any]) -> Any:
    """Read what may be denied, or unknown to the endpoint; an `Unread` stands for it then.

    Parameters
    ----------
    side
        Where it is read; errors name it.
    permission
        The IAM action that reads it.
    call
        Reads it.

    Raises
    ------
    sides.UserError
        The call failed for another reason.
    """
    with explained(side):
        try:
            return call()
        except ClientError as error:
            if retry.is_denied(error):
                return Unread(permission, "denied")
            if retry.code(error) in _NOT_KNOWN:
                return Unread(permission, "not known")
            raise


def detail(side: Side, permission: str, call: Callable[[], Any]) -> Any:
    """Read what is worth a finding and not the end of the comparison: like `optional`, but it may fail."""
    try:
        return optional(side, permission, call)
    except UserError as error:
        if not isinstance(error.__cause__, (BotoCoreError, ClientError)):
            raise
        return Unread(permission, "failed")


def unread_findings(
    aspect: str, source: Unread | None, destination: Unread | None, values: tuple[Any, Any]
) -> Iterator[Finding]:
    """Say that `aspect` was not compared, and which permission is missing.

    Parameters
    ----------
    aspect
        The setting.
    source, destination
        Why it could not be read on that side; ``None`` where it could.
    values
        What is known of it on both sides, as JSON has it.
    """
    unread = {"source": source, "destination": destination}
    missing = [(side, each) for side, each in unread.items() if each]
    reasons = [_WHY[each.reason].format(permission=each.permission, side=side) for side, each in missing]
    grants = [f"{each.permission} at the {side}" for side, each in missing if each.reason == "denied"]
    yield Finding(
        aspect,
        "cosmetic",
        *values,
        text=f"Not compared: {', and '.join(reasons)}.",
        mend=f"allow {' and '.join(grants)}, then verify again" if grants else None,
    )
