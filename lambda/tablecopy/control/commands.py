"""What an operator can ask of control: start, status, seal."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime

from tablecopy.clock import Clock
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.journal.shards import Shards
from tablecopy.wire import Json


class NotPossible(Exception):
    """The run is in a phase in which what was asked for makes no sense. The message says what would."""


class Commands:
    """Answers an operator. Whatever is asked for is written to the journal and done by the reconciler."""

    def __init__(
        self,
        run: RunRecord,
        segments: Segments,
        shards: Shards,
        clock: Clock,
        stream_arn: str,
        total_segments: int,
    ) -> None:
        self._run = run
        self._segments = segments
        self._shards = shards
        self._clock = clock
        self._stream_arn = stream_arn
        self._total_segments = total_segments

    def start(self) -> Json:
        """Begin the run, or carry on with one that stopped. One that is under way is left as it is.

        Raises
        ------
        NotPossible
            The run is sealed, or stopped for good.
        """
        run = self._run.read()
        if run is None:
            self.begin()
        elif run.phase is Phase.STOPPED and run.resumable:
            self._run.save(run.enter(Phase.RESUMING, self._clock.now(), reason="", barren_slices=0))
        elif run.phase is Phase.STOPPED:
            raise NotPossible(f"the run has stopped for good: {run.reason}")
        elif run.phase in {Phase.SEALING, Phase.SEALED}:
            raise NotPossible(
                "the run is sealed: the destination is in use, and copying over it would undo its writes"
            )
        return self.status()

    def begin(self) -> None:
        """Create the run unless there is one."""
        now = self._clock.now()
        self._run.create(
            Run(
                run_id=f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}",
                stream_arn=self._stream_arn,
                total_segments=self._total_segments,
                started=now,
                phase=Phase.PREFLIGHT,
                phase_since=now,
            )
        )

    def seal(self) -> Json:
        """End the copy for good: from now on nothing that happens at the source reaches the destination.

        Raises
        ------
        NotPossible
            The run is not ready for cutover.
        """
        run = self._run.read()
        if run is None:
            raise NotPossible("there is no run to seal; start one first")
        if run.phase not in {Phase.READY, Phase.SEALING, Phase.SEALED}:
            raise NotPossible(
                f"the run is {run.phase}, not ready for cutover"
                + (f": {run.reason}" if run.reason else "; tablecopy status tells when it is")
            )
        if run.phase is Phase.READY and not self._run.save(replace(run, seal_requested=True)):
            return self.seal()
        return self.status()

    def status(self) -> Json:
        """The run as the journal has it.

        Returns
        -------
        dict
            ``phase`` ("none" before the first start), ``run``, ``slice``, ``slice_ends``, ``phase_since``
            and ``started`` (seconds since the epoch), ``segments`` and ``segments_done``, ``items`` and
            ``bytes`` copied by the backfill, ``changes``, ``puts`` and ``deletes`` applied by the replicator,
            ``oldest_unapplied_age`` (seconds, as control saw it last), ``seal_requested``, ``problems``,
            ``reason`` and ``now``.
        """
        run = self._run.read()
        now = self._clock.now()
        if run is None:
            return {"phase": "none", "now": now}
        segments = self._segments.read_all(run.total_segments)
        shards = list(self._shards.read_all().values())
        behind = [
            now - shard.applied_to for shard in shards if not shard.finished and shard.empty_since is None
        ]
        return {
            "phase": run.phase.value,
            "run": run.run_id,
            "started": run.started,
            "phase_since": run.phase_since,
            "slice": run.slice,
            "slice_ends": run.slice_ends,
            "segments": run.total_segments,
            "segments_done": sum(segment.done for segment in segments),
            "items": sum(segment.items for segment in segments),
            "bytes": sum(segment.wire_bytes for segment in segments),
            "changes": sum(shard.records for shard in shards),
            "puts": sum(shard.puts for shard in shards),
            "deletes": sum(shard.deletes for shard in shards),
            "oldest_unapplied_age": max([0.0, *behind]),
            "seal_requested": run.seal_requested,
            "problems": list(run.problems),
            "reason": run.reason,
            "now": now,
        }
