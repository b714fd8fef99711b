"""What differs between two tables besides their items."""

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
    "denied": "{permission} is not allowed at the {side}",
    "not known": "the {side}'s endpoint does not know {permission}",
    "failed": "{permission} failed at the {side}",
    "by name only": "{permission} knows tables by name only, and the {side}'s was given by its ARN",
}

UNKNOWN = "unknown"
"""What a finding shows in place of a value that could not be read."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One setting on which the two tables do not agree, or that could not be compared.

    Nothing in `aspect`, `text` and `fix` can steer a terminal; `source` and `destination` are as AWS
    returned them.

    Parameters
    ----------
    aspect
        What it is about: ``"point_in_time_recovery"``, ``"global_index orders-by-day: projection"``.
    severity
        ``"data"`` can lose or expose data, ``"cost"`` can cost money, ``"cosmetic"`` neither.
    source, destination
        The setting on each side as JSON has it, ``None`` where there is none, ``"unknown"`` where it could
        not be read.
    text
        One sentence: what differs and what that can do.
    fix
        A command of the AWS CLI to paste, or what to do where no single call fixes it.
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
    """Whether the finding is that a setting could not be read, so that it was not compared."""
    return UNKNOWN in (finding.source, finding.destination)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings: what endangers data first, then what costs money, then the rest; by aspect in each."""
    return sorted(findings, key=lambda finding: (_RANK[finding.severity], finding.aspect))


@dataclass(frozen=True, slots=True)
class Unreadable:
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
    """Read what may be denied, or unknown to the endpoint; an `Unreadable` stands for it then.

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
    """Read what is worth a finding and not the end of the comparison: like `optional`, but it may fail."""
    try:
        return optional(side, permission, call)
    except UserError as error:
        if not isinstance(error.__cause__, (BotoCoreError, ClientError)):
            raise
        return Unreadable(permission, "failed")


def unreadable_findings(
    aspect: str, source: Unreadable | None, destination: Unreadable | None, values: tuple[Any, Any]
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
        fix=f"allow {' and '.join(grants)}, then verify again" if grants else None,
    )
