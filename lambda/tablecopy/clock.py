"""The clock, and the machine that runs a function, as objects that are passed in.

Whatever waits, runs at the same time as something else, or depends on chance goes through them, so that a
simulation can run the same code on a virtual clock.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Collection
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from typing import Any


class OutOfTime(Exception):
    """The time came after which nothing may be sent."""


class Clock:
    """The machine's clock. Tests pass one that they advance by hand."""

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        time.sleep(seconds)


class Machine(Clock):
    """The machine that runs a function: its clock, its threads and its random numbers."""

    def pool(self, size: int) -> Executor:
        """Return a pool of at most ``size`` threads. Leaving it waits for its calls."""
        return ThreadPoolExecutor(size)

    def wait(self, futures: Collection[Future[Any]], timeout: float) -> bool:
        """Wait for the futures of a pool for ``timeout`` seconds. Returns whether all of them are done."""
        return not wait(futures, timeout).not_done

    def random(self) -> random.Random:
        """Return a new source of random numbers, for the jitter of retries."""
        return random.Random()

    def token(self) -> str:
        """Return six random hexadecimal digits."""
        return secrets.token_hex(3)


class ShiftedMachine(Machine):
    """A machine whose clock follows that of another host, for which it works."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._shift = 0.0

    def follow(self, now: float) -> None:
        """Continue from ``now``, what the other clock has shown a moment ago, in seconds since the epoch.

        This clock is never ahead of the other one, and behind it by that moment.
        """
        self._shift = now - self._machine.now()

    def now(self) -> float:
        """Return the seconds since the epoch of the other host's clock."""
        return self._machine.now() + self._shift

    def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        self._machine.sleep(seconds)

    def pool(self, size: int) -> Executor:
        """Return a pool of at most ``size`` threads. Leaving it waits for its calls."""
        return self._machine.pool(size)

    def wait(self, futures: Collection[Future[Any]], timeout: float) -> bool:
        """Wait for the futures of a pool for ``timeout`` seconds. Returns whether all of them are done."""
        return self._machine.wait(futures, timeout)

    def random(self) -> random.Random:
        """Return a new source of random numbers."""
        return self._machine.random()

    def token(self) -> str:
        """Return six random hexadecimal digits."""
        return self._machine.token()
