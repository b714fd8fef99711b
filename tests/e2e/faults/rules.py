"""Which calls are spoiled, and how often."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.e2e.faults.call import Call
from tests.e2e.faults.exchange import Exchange
from tests.e2e.faults.faults import Fault


def _any(call: Call) -> bool:
    return True


@dataclass
class Rule:
    """A fault, and the calls it is for.

    Attributes
    ----------
    name
        The fault's name in the fault table.
    function, step
        Regular expressions that the whole of the caller's name and of the step (see `Call`) must match.
    where
        What else must hold for the call.
    chance
        Of each call that matches, once ``skip`` of them have been let through.
    times
        How many are spoiled at most; None is without limit.
    injected, completed
        How many were spoiled, those included that are being spoiled now; and how many that has ended for.
    """

    name: str
    fault: Fault
    function: str = ".*"
    step: str = ".*"
    where: Callable[[Call], bool] = _any
    chance: float = 1.0
    skip: int = 0
    times: int | None = None
    injected: int = 0
    completed: int = 0
    _seen: int = 0
    _draw: random.Random = field(default_factory=random.Random)

    @property
    def is_spent(self) -> bool:
        """Whether it has been injected as often as it is to be."""
        return self.times is not None and self.injected >= self.times

    def seed(self, seed: int) -> None:
        """Draw from here on as any rule of this name does with this seed."""
        self._draw.seed(f"{seed}/{self.name}")

    def wants(self, call: Call) -> bool:
        """Whether this call is to be spoiled; counts it in if it is."""
        if self.is_spent or not re.fullmatch(self.function, call.function):
            return False
        if not re.fullmatch(self.step, call.step) or not self.where(call):
            return False
        self._seen += 1
        if self._seen <= self.skip or self._draw.random() >= self.chance:
            return False
        self.injected += 1
        return True

    def inject(self, exchange: Exchange) -> bool:
        """Spoil the call; False if that was not possible."""
        return self.fault.inject(exchange, self._draw)


class Rules:
    """The rules in force. The first that wants a call gets it.

    Every rule draws from a generator of its own: its n-th matching call meets the same fate under the same
    seed, whatever the others do. Which call comes n-th is up to the processes.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.counts: Counter[str] = Counter()
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def set(self, rules: Sequence[Rule]) -> None:
        """Replace the rules."""
        with self._lock:
            for rule in rules:
                rule.seed(self.seed)
            self._rules = list(rules)

    def spoil(self, exchange: Exchange) -> None:
        """Apply the rule for this call, if there is one."""
        with self._lock:
            rule = next((rule for rule in self._rules if rule.wants(exchange.call)), None)
            if rule is None:
                return
            # Before the caller can know of it.
            self.counts[rule.name] += 1
        injected = rule.inject(exchange)
        with self._lock:
            if injected:
                rule.completed += 1
            else:
                # Another rule had ended the caller. The next call gets this fault.
                rule.injected -= 1
                self.counts[rule.name] -= 1
