"""Findings: settings on which two tables differ, or that could not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from tablecopy.dynamodb import errors
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.aws_errors import user_errors
from tablecopy_cli.common.errors import UserError

Severity: TypeAlias = Literal["data", "cost", "cosmetic"]

_RANK: dict[Severity, int] = {"data": 0, "cost": 1, "cosmetic": 2}

Reason: TypeAlias = Literal["denied", "not known", "failed", "by name only"]

_WHY: dict[Reason, str] = {
    "denied": "{permission} is not allowed on the {side}",
    "not known": "the {side}'s endpoint does not support {permission}",
    "failed": "{permission} failed on the {side}",
    "by name only": "{permission} accepts table names only, and the {side} is given by its ARN",
}

UNKNOWN = "unknown"
"""What a finding shows in place of a value that could not be read."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One setting on which the two tables differ, or that could not be compared.

    Nothing in `aspect`, `text` and `fix` can steer a terminal; `source` and `destination` are as AWS
    returned them.

    Parameters
    ----------
    aspect
        The setting: ``"point_in_time_recovery"``, ``"global_index orders-by-day: projection"``.
    severity
        ``"data"`` can lose or expose data, ``"cost"`` can cost money, ``"cosmetic"`` neither.
    source, destination
        The setting on each side in JSON; ``None`` if there is none, ``"unknown"`` if it could not be read.
    text
        What differs, and the consequence.
    fix
        An AWS CLI command to paste, or what to do if no single call fixes it.
    """

    aspect: str
    severity: Severity
    source: Any
    destination: Any
    text: str
    fix: str | None

    def record(self) -> dict[str, Any]:
        """Return the JSON Lines record; see docs/reference.md."""
        return {
            "type": "finding",
            "aspect": self.aspect,
            "severity": self.severity,
            "source": self.source,
            "destination": self.destination,
            "text": self.text,
            "fix": self.fix,
        }


def unknown(finding: Finding) -> bool:
    """Return whether the setting was not compared because it could not be read."""
    return UNKNOWN in (finding.source, finding.destination)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings: those that can lose data first, then those that cost money; by aspect within each."""
    return sorted(findings, key=lambda finding: (_RANK[finding.severity], finding.aspect))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Takes the place of a setting that could not be read.

    Parameters
    ----------
    permission
        The IAM action that reads it: ``"dynamodb:ListTagsOfResource"``.
    reason
        ``"denied"``, ``"not known"`` if the endpoint lacks the operation, ``"failed"``, or ``"by name only"``
        if the operation cannot be called for a table in another account.
    """

    permission: str
    reason: Reason


def optional(side: Side, permission: str, call: Callable[[], Any]) -> Any:
    """Read what may be denied, or not supported by the endpoint; return an `Unreadable` then.

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
    UserError
        The call failed for another reason.
    """
    with user_errors(side):
        try:
            return call()
        except ClientError as error:
            if errors.is_denied(error):
                return Unreadable(permission, "denied")
            if errors.kind(error) is errors.Kind.UNSUPPORTED:
                return Unreadable(permission, "not known")
            raise


def detail(side: Side, permission: str, call: Callable[[], Any]) -> Any:
    """Read what deserves a finding but must not end the comparison: like `optional`, but it may also fail."""
    try:
        return optional(side, permission, call)
    except UserError as error:
        if not isinstance(error.__cause__, (BotoCoreError, ClientError)):
            raise
        return Unreadable(permission, "failed")


def unreadable_findings(
    aspect: str, source: Unreadable | None, destination: Unreadable | None, values: tuple[Any, Any]
) -> Iterator[Finding]:
    """Report that `aspect` was not compared, and which permission is missing.

    Parameters
    ----------
    aspect
        The setting.
    source, destination
        The reason why it could not be read on that side; ``None`` if it was read.
    values
        What is known of it on both sides, in JSON.
    """
    unread = {"source": source, "destination": destination}
    missing = [(side, each) for side, each in unread.items() if each]
    reasons = [_WHY[each.reason].format(permission=each.permission, side=side) for side, each in missing]
    grants = [f"{each.permission} on the {side}" for side, each in missing if each.reason == "denied"]
    yield Finding(
        aspect,
        "cosmetic",
        *values,
        text=f"Not compared: {', and '.join(reasons)}.",
        fix=f"Allow {' and '.join(grants)}, then run verify again." if grants else None,
    )
