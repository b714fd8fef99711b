"""The watch: what may happen to the tables under a run, after which it must not go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from tablecopy.clock import Clock
from tablecopy.journal.dead_letters import DeadLetters
from tablecopy.journal.run import Run
from tablecopy.metrics import log

_EVERY_SECONDS = 60.0


@dataclass(frozen=True)
class Halt:
    """Why the run stops, and whether ``start`` may continue it."""

    reason: str
    resumable: bool


class Watch:
    """Looks at what changes seldom, once a minute.

    Parameters
    ----------
    checks
        What is wrong with the tables for good, one sentence each.
    """

    def __init__(
        self, clock: Clock, checks: Sequence[Callable[[Run], list[str]]], letters: DeadLetters
    ) -> None:
        self._clock = clock
        self._checks = checks
        self._letters = letters
        self._looked: float | None = None

    def look(self, run: Run) -> Halt | None:
        """Look unless that was done within the last minute."""
        now = self._clock.now()
        if self._looked is not None and now - self._looked < _EVERY_SECONDS:
            return None
        return self.look_now(run)

    def look_now(self, run: Run) -> Halt | None:
        """What the run has to stop for, or None."""
        self._looked = self._clock.now()
        lost = [problem for check in self._checks for problem in _asked(check, run)]
        if lost:
            return Halt("; ".join(lost), resumable=False)
        count = self._letters.count()
        if count <= run.dead_letter_limit:
            return None
        [(code, times)] = Counter(letter.code for letter in self._letters.read_all()).most_common(1)
        return Halt(
            f"{count} dead letters are open, {times} of them for {code}: that is no fault of single items. "
            "Mend the destination, start the run again, and try them again with tablecopy redrive",
            resumable=True,
        )


def _asked(check: Callable[[Run], list[str]], run: Run) -> list[str]:
    """What a check finds. One that gets no answer finds nothing: it is asked again in a minute."""
    try:
        return check(run)
    except ClientError as error:
        log.event("watch_failed", operation=error.operation_name, code=error.response["Error"]["Code"])
        return []
