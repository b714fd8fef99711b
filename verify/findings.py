"""What differs between the definitions of two tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Severity: TypeAlias = Literal["data", "cost", "cosmetic"]
"""What a finding can do: lose or expose data, cost money, or neither."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One aspect that the two tables do not have in common.

    Parameters
    ----------
    aspect
        For example ``"point_in_time_recovery"``.
    severity
        The worst that can come of it.
    source, destination
        The aspect's value on each side, fit for JSON; ``None`` where there is none.
    text
        One sentence: what differs, and what that can do.
    mend
        What to do about it, or a command to paste.
    """

    aspect: str
    severity: Severity
    source: Any
    destination: Any
    text: str
    mend: str | None = None

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
