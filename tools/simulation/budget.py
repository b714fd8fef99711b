"""How often the copy may call the APIs whose rates it shares with the rest of the account."""

from __future__ import annotations

from collections import deque

from tools.simulation.findings import Findings

BUDGETS = {
    "DescribeStream": (15, 10.0),
    "GetRecords": (25, 10.0),
    "control plane": (33, 60.0),
    "DescribeExecution": (15, 60.0),
}
"""Most calls of the copy within so many seconds.

Its shares are 1 and 2 (of a shard) a second, 10 and 6 a minute in one phase. A new environment may begin with
a few more calls, and a simulated run passes through several phases in a minute.
"""


class Budget:
    """Counts calls."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._calls: dict[str, deque[float]] = {}

    def called(self, what: str, name: str = "") -> None:
        """The copy has made a call whose rate is limited. ``name`` is the shard, if it has one."""
        most, seconds = BUDGETS[what]
        calls = self._calls.get(what + name)
        if calls is None:
            calls = self._calls[what + name] = deque(maxlen=most + 1)
        calls.append(self._findings.now())
        if len(calls) > most and calls[-1] - calls[0] < seconds:
            self._findings.violate(
                "budget", f"{most + 1} calls of {what} {name} in {calls[-1] - calls[0]:.1f} s"
            )
            calls.clear()
