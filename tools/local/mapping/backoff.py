"""How long to wait before trying again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

FIRST_SECONDS = 0.1
DEFAULT_CAP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential, with jitter, up to a cap.

    Attributes
    ----------
    cap : float
        Longest wait in seconds.
    random : random.Random
        Source of the jitter.
    """

    cap: float = DEFAULT_CAP_SECONDS
    random: random.Random = field(default_factory=random.Random)

    def seconds(self, failures: int) -> float:
        """The wait after that many failures in a row, at least half of what the exponent gives."""
        # The exponent is bounded too: a blocked lane may fail for a day.
        longest = min(self.cap, FIRST_SECONDS * 2.0 ** min(failures - 1, 32))
        return longest * self.random.uniform(0.5, 1)
