"""What the reconciler's steps have in common: how they look, wait, stop a run and move it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from tablecopy.clock import Clock
from tablecopy.control.proof import Proof
from tablecopy.control.services import Executions, FailureQueue, SourceMapping
from tablecopy.control.stream.backlog import Backlog
from tablecopy.control.stream.progress import CLOCK_MARGIN_SECONDS, Stream
from tablecopy.control.tables import TableChecks
from tablecopy.journal.dead_letters import DeadLetters
from tablecopy.journal.leases import REPLICATOR, Leases
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.metrics import log
from tablecopy.text import count_text

LOOK_SECONDS = 8.0
"""A look at all shards ends after so long. The next one continues with the shards that are left."""

BEFORE_COPY_SECONDS = CLOCK_MARGIN_SECONDS + 5.0
"""A change that is older than this is from before the copy, whenever that begins.

Another environment, with another clock, may begin the first slice, and changes have their times in whole
seconds. The copy begins when all changes that control has not seen are older than that.
"""

# So long before the end of an invocation, each look may be the last one.
_LAST_SECONDS = LOOK_SECONDS + 2.0

# What a run waits for is noted when it has lasted for so long.
_LASTING_SECONDS = 10.0

LOOKING = "the reconciler checks that DynamoDB lists no further shard"


class Outcome(Enum):
    """The result of one step."""

    MOVED = "moved"
    """The run is in another phase, or another reconciler has moved it. Take the next step immediately."""
    WAITING = "waiting"
    """Something is in progress. Take the next step in a second."""
    IDLE = "idle"
    """Nothing changes by itself soon. Take the next step in a minute."""


@dataclass(frozen=True)
class Dependencies:
    """What the reconciler reads and moves.

    Attributes
    ----------
    preflight
        Returns the problems that prevent the run from beginning, one text each.
    inspect_tables
        Returns the fields of the run that follow from the tables.
    publish_age
        Publishes the age in seconds of the oldest unapplied change.
    proof
        Reads what shows that both tables are equal, for a cutover.
    """

    run: RunRecord
    segments: Segments
    leases: Leases
    dead_letters: DeadLetters
    mapping: SourceMapping
    executions: Executions
    stream: Stream
    queue: FailureQueue
    tables: TableChecks
    preflight: Callable[[Run], list[str]]
    inspect_tables: Callable[[], Mapping[str, Any]]
    publish_age: Callable[[float], None]
    proof: Proof


class Steps:
    """Looks at the shards for a step, and moves the run, or notes what it waits for."""

    def __init__(self, dependencies: Dependencies, clock: Clock) -> None:
        self._deps = dependencies
        self._clock = clock
        # When the run was about to be read, and when the look ends at the latest.
        self._read_at = 0.0
        self._look_ends = math.inf
        # Since when nothing is written by a run that is being sealed, and since when the run waits for what.
        self._sealing_since: float | None = None
        self._waiting: tuple[str, float] | None = None

    def _observe(self, run: Run) -> Backlog:
        now = self._clock.now()
        # Before its first slice a run has read nothing that could lack a change.
        before_copy = not run.scan_began
        backlog = self._deps.stream.observe(
            # Another reconciler may have begun the first slice since the run was read.
            self._read_at - BEFORE_COPY_SECONDS if before_copy else run.covered_to,
            min(now + LOOK_SECONDS, self._look_ends),
            noting=before_copy,
            counting=run.phase is Phase.SLICE,
            drained_after=run.quiet_seconds if run.is_cutting_over else None,
            is_last=self._look_ends < now + _LAST_SECONDS,
        )
        if backlog.error:
            log.event("look_failed", error=str(backlog.error))
        self._deps.publish_age(0.0 if before_copy else backlog.oldest_age)
        return backlog

    def rest(self, seconds: float) -> None:
        """Wait until the next step. Shards are listed while it waits."""
        self._deps.stream.list_until(self._clock.now() + seconds)

    def _replicator_may_write(self) -> str:
        """Switch the mapping off, and return why the replicator may still write; empty if it cannot."""
        if not self._deps.mapping.switch(on=False):
            return self._switching(on=False)
        # These are in many partitions, so they are read last.
        replicators = len(self._deps.leases.alive(REPLICATOR))
        if replicators:
            return still_writing(replicators)
        return ""

    def _switching(self, *, on: bool) -> str:
        state = self._deps.mapping.state
        reported = f" Its state is {state}" if state else ""
        return f"Lambda has not {'enabled' if on else 'disabled'} the event source mapping yet.{reported}"

    def _obstacle(self) -> str:
        """Return what else prevents the run from becoming ready for cutover; empty if nothing does."""
        letters = self._deps.dead_letters.count()
        if letters:
            return (
                f"{count_text(letters, 'dead letter')} must be settled. List the rejected items with "
                "tablecopy dead-letters, and retry them with tablecopy redrive"
            )
        depth = self._deps.queue.depth()
        if depth:
            return f"the failure queue holds {count_text(depth, 'message')}: Lambda has given up records"
        return ""

    def _finish(self, run: Run, phase: Phase) -> Outcome:
        """Enter a phase that states that the copy is complete.

        Nothing moves if a table is not the same any more, or if a dead letter came since the run was read.
        """
        stop = self._deps.tables.check_now(run)
        if stop:
            return self._stop(run, stop.reason, resumable=stop.resumable)
        return self._enter(run, phase, without_new_letter=True)

    def _wait(self, run: Run, reason: str) -> Outcome:
        """Wait, and note what for, once that has lasted for a while."""
        now = self._clock.now()
        if self._waiting is None or self._waiting[0] != reason:
            self._waiting = reason, now
        lasting = 0.0 if run.is_cutting_over else _LASTING_SECONDS
        if reason != run.reason and now - self._waiting[1] >= lasting:
            self._deps.run.save(replace(run, reason=reason))
        return Outcome.WAITING

    def _stop(self, run: Run, reason: str, *, resumable: bool = True) -> Outcome:
        if run.is_cutting_over:
            run = run.without_cutover("stopped", reason)
        return self._enter(run, Phase.STOPPED, reason=reason, resumable=resumable, seal_requested_at=0.0)

    def _enter(
        self, run: Run, phase: Phase, *, without_new_letter: bool = False, **changes: object
    ) -> Outcome:
        self._sealing_since = self._waiting = None
        entered = run.enter(phase, self._clock.now(), **changes)
        if self._deps.run.save(entered, without_new_letter=without_new_letter):
            log.event("phase", phase=phase, **{"slice": run.slice, **changes})
        return Outcome.MOVED


def still_writing(replicators: int) -> str:
    """Return that so many invocations of the replicator are waited for."""
    return f"{count_text(replicators, 'invocation')} of the replicator may still be writing"


def failure(backlog: Backlog) -> str:
    """Return why a look is not complete; empty if no call has failed."""
    return f"the reconciler cannot look at all shards: {backlog.error}" if backlog.error else ""
