"""Settings that could not be read, and what is said about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from verify.findings import Finding

UNKNOWN = "unknown"
"""What a finding shows in place of a value that could not be read."""

Reason: TypeAlias = Literal["denied", "not known", "failed"]

_WHY: dict[Reason, str] = {
    "denied": "{permission} is not allowed at the {side}",
    "not known": "the {side}'s endpoint does not know {permission}",
    "failed": "{permission} failed at the {side}",
}


@dataclass(frozen=True, slots=True)
class Unread:
    """What stands for a setting that could not be read.

    Parameters
    ----------
    permission
        The IAM action that reads it: ``"dynamodb:ListTagsOfResource"``.
    reason
        ``"denied"``, ``"not known"`` where the endpoint lacks the operation, or ``"failed"``.
    """

    permission: str
    reason: Reason


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
