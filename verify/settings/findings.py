"""What differs between two tables besides their items."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Severity: TypeAlias = Literal["data", "cost", "cosmetic"]

_RANK: dict[Severity, int] = {"data": 0, "cost": 1, "cosmetic": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One setting on which the two tables do not agree, or that could not be compared.

    Nothing in `aspect`, `text` and `mend` can steer a terminal; `source` and `destination` are as AWS
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
    mend
        A command of the AWS CLI to paste, or what to do where no single call mends it.
    """

    aspect: str
    severity: Severity
    source: Any
    destination: Any
    text: str
    mend: str | None

    def record(self) -> dict[str, Any]:
        """Return the JSON Lines record; see docs/verify.md for its schema."""
        return {
            "type": "finding",
            "aspect": self.aspect,
            "severity": self.severity,
            "source": self.source,
            "destination": self.destination,
            "text": self.text,
            "mend": self.mend,
        }


UNKNOWN = "unknown"
"""What a finding shows in place of a value that could not be read."""


def unknown(finding: Finding) -> bool:
    """Whether the finding is that a setting could not be read, so that it was not compared."""
    return UNKNOWN in (finding.source, finding.destination)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings: what endangers data first, then what costs money, then the rest; by aspect in each."""
    return sorted(findings, key=lambda finding: (_RANK[finding.severity], finding.aspect))
