"""How a run is sealed: after a cutover with a proof (`control.proof`), or when an operator has ended it."""

from __future__ import annotations

from dataclasses import replace

from tablecopy.clock import Clock
from tablecopy.control.pace import begin_window
from tablecopy.control.steps import (
    LOOK_SECONDS,
    LOOKING,
    Dependencies,
    Outcome,
    Steps,
    failure,
    still_writing,
)
from tablecopy.control.stream.backlog import Backlog
from tablecopy.control.stream.expiry import RecordsExpired
from tablecopy.control.stream.listing import StreamGone
from tablecopy.control.stream.reader import UNREADABLE_SECONDS
from tablecopy.journal.leases import REPLICATOR
from tablecopy.journal.run import Phase, Run
from tablecopy.metrics import log

# After a seal with a proof, the source's stream is looked at for so long. The children of every shard that
# had ended are listed by then, with a call to DynamoDB a second, and a writer that was forgotten has probably
# written.
_WATCHED_SECONDS = 600.0

# Later changes of a sealed source are those of a rollback, as a rule. It cannot be applied sooner.
_STRAGGLING_SECONDS = 60.0

# Most records of a stream can be read within so long. A fence that comes sooner is often too early.
_SHOWN_SECONDS = 1.0

_LATE = (
    "something wrote to the source table after its writers were said to be stopped. Find the writer, stop it "
    "and cut over again"
)
_SHOWN_LATE = "the source's stream has shown another change, which is being applied"
_AFTER_SEAL = (
    "the source table was written to after the seal, or DynamoDB has shown a change only then. These changes "
    "were not copied. Find the writer and stop it"
)
_CONTINUING = "another environment of the reconciler continues, and finds again what was applied"


class Sealing(Steps):
    """The steps of a cutover and of a seal."""

    def __init__(self, dependencies: Dependencies, clock: Clock) -> None:
        super().__init__(dependencies, clock)
        # The request for a cutover whose first fence was too early.
        self._unfenced = ""

    def _may_fence(self, run: Run, backlog: Backlog) -> bool:
        """Return whether a look of this step has found no change that is not applied, for a cutover.

        That may be too early, because a stream shows a change a little after it was made. Then the next fence
        waits until the source is quiet.
        """
        if not run.is_cutting_over or backlog.error or backlog.unapplied or backlog.changed:
            return False
        if self._unfenced == run.cutover:
            return backlog.drained and not self._source_missing(run, backlog)
        # The last changes are shown by then, as a rule.
        is_shown = self._read_at >= self._deps.proof.stopped_at(run) + _SHOWN_SECONDS
        return is_shown and backlog.looked_since >= self._read_at

    def _begin_to_seal(self, run: Run, backlog: Backlog) -> Outcome:
        """Fence the replicator for a proof; see `control.proof`."""
        evidence = self._deps.proof.evidence()
        if different := evidence.different():
            return self._end_cutover(run, "different", different)
        if missing := evidence.impossible(run) or evidence.unfinished():
            return self._wait(run, backlog.waits_for or missing)
        return self._finish(replace(run, proved_records=-1, fence=""), Phase.SEALING)

    def _source_missing(self, run: Run, backlog: Backlog) -> str:
        # The quiet time of the request replaces the one that ``shown_to`` allows for.
        if backlog.error:
            return failure(backlog)
        read_to = backlog.shown_to + UNREADABLE_SECONDS
        proof = self._deps.proof
        return proof.evidence().source_missing(run, proof.stopped_at(run), read_to)

    def _seal_with_proof(self, run: Run) -> Outcome:
        """Seal if the tables are proved equal. Otherwise, the copy continues."""
        began = self._clock.now()
        is_quiet = run.proved_records >= 0
        if is_quiet:
            # No function writes in this phase. Lambda may take a minute to stop invoking the replicator, and
            # the writers do not have to wait for that.
            self._deps.mapping.switch(on=False)
        replicators = len(self._deps.leases.alive(REPLICATOR))
        backlog = self._observe(run)
        # A change that the replicator has applied before the fence is late as well: if it was not applied as
        # it should have been, the list of touched keys may have been read before its key was noted.
        if is_quiet and _is_late(run, backlog):
            return self._end_cutover(run, "late", _LATE)
        if is_quiet and backlog.records < run.proved_records:
            return self._wait(run, failure(backlog) or _CONTINUING)
        if backlog.unapplied:
            self._unfenced = run.cutover
            window = begin_window(backlog, began, backlog.oldest_age)
            return self._enter(run, Phase.DRAINING, fence="", reason=_SHOWN_LATE, **window)
        if replicators:
            return self._wait(run, still_writing(replicators))
        if not run.fence:
            fence = f"{run.cutover}-{run.version}"
            self._deps.run.save(replace(run, fence=fence, fenced_at=self._clock.now()))
            return Outcome.WAITING
        evidence = self._deps.proof.evidence()
        if different := evidence.different():
            return self._end_cutover(run, "different", different)
        if not is_quiet:
            missing = self._source_missing(run, backlog)
            if missing:
                return self._wait(run, backlog.waits_for or failure(backlog) or missing)
            self._deps.run.save(replace(run, proved_records=backlog.records))
            return Outcome.MOVED
        missing = evidence.destination_missing(run)
        if missing:
            self._sealing_since = None
            return self._wait(run, missing)
        if not self._has_looked(backlog, began):
            return self._wait(run, backlog.waits_for or failure(backlog) or LOOKING)
        return self._enter(run, Phase.SEALED, seal_by=0.0)

    def _watch_sealed(self, run: Run) -> bool:
        """Note in the run if a change appears after a seal with a proof, which then rests on too little.

        Returns whether to look again.
        """
        now = self._clock.now()
        if not run.seal_grade or run.reason or now - run.phase_since >= _WATCHED_SECONDS:
            return False
        try:
            backlog = self._deps.stream.observe(run.covered_to, min(now + LOOK_SECONDS, self._look_ends))
        except (RecordsExpired, StreamGone):
            return False
        created = self._clock.now() - backlog.unapplied_age
        is_old = not backlog.unapplied or created < run.phase_since + _STRAGGLING_SECONDS
        if is_old and _is_late(run, backlog):
            log.event("written_after_seal", changes=backlog.waiting)
            self._deps.run.save(replace(run, reason=_AFTER_SEAL))
        return True

    def _has_looked(self, backlog: Backlog, began: float) -> bool:
        """Return whether each shard was looked at since the first of these steps, and shards were listed."""
        if self._sealing_since is None:
            self._sealing_since = began
        since = self._sealing_since
        return backlog.looked_since >= since and self._deps.stream.is_listed_since(since)

    def _lapse(self, run: Run) -> Outcome:
        """End a request whose time is up, or that an operator has cancelled."""
        if run.cutover_outcome:
            return self._end_cutover(run, run.cutover_outcome, run.cutover_reason)
        waits_for = self._waiting[0] if self._waiting else run.reason
        return self._end_cutover(run, "timeout", waits_for or "the reconciler did not look in time")

    def _end_cutover(self, run: Run, outcome: str, reason: str) -> Outcome:
        log.event("cutover_ended", outcome=outcome, reason=reason)
        ended = run.without_cutover(outcome, reason)
        if run.phase is Phase.SEALING:
            # The replicator has applied everything up to the fence, so no drain is measured.
            return self._enter(ended, Phase.RESUMING, slice_began=0.0)
        self._deps.run.save(ended)
        self._waiting = None
        return Outcome.MOVED

    def _sealing(self, run: Run) -> Outcome:
        if run.is_cutting_over:
            return self._seal_with_proof(run)
        began = self._clock.now()
        waits_for = self._replicator_may_write()
        backlog = self._observe(run)
        if waits_for:
            return self._wait(run, waits_for)
        # A run that is being sealed applies nothing that it may still find, so it only has to look.
        if not self._has_looked(backlog, began):
            return self._wait(run, backlog.waits_for or failure(backlog) or LOOKING)
        late = "the source table was written to after the run was ready. These changes were not copied"
        return self._enter(run, Phase.SEALED, reason=late if backlog.unapplied else "")


def _is_late(run: Run, backlog: Backlog) -> bool:
    """Return whether there are changes other than those that were applied when the source was quiet.

    A new environment may not have found all of those yet, and counts fewer.
    """
    records = backlog.records - run.proved_records
    return records > 0 or (records == 0 and backlog.unapplied)
