"""What an operator can ask of control: start, status, seal, redrive, letters."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import replace

from tablecopy.clock import Clock
from tablecopy.dynamodb.client import Json
from tablecopy.journal.dead_letters import Letters
from tablecopy.journal.run import LETTERS_LIMIT, Phase, Run, RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.journal.shards import Shard, Shards
from tablecopy.text import compact_timestamp, timestamp

# An answer of a Lambda function holds 6 MB (Lambda quotas); a key takes up to 3 KB of a letter.
_LETTERS_TOLD = 1_000
_IMAGES_TOLD_BYTES = 2_000_000


class NotPossible(Exception):
    """The run is in a phase in which what was asked for makes no sense. The message says what would."""


class Commands:
    """Answers an operator. Whatever is asked for is written to the journal and done by the reconciler."""

    def __init__(
        self,
        run: RunRecord,
        segments: Segments,
        shards: Shards,
        letters: Letters,
        clock: Clock,
        stream_arn: str,
        total_segments: int,
        drained_after: float,
    ) -> None:
        self._run = run
        self._segments = segments
        self._shards = shards
        self._letters = letters
        self._clock = clock
        self._stream_arn = stream_arn
        self._total_segments = total_segments
        self._drained_after = drained_after

    def start(self, request: str = "") -> Json:
        """Begin the run, or continue one that stopped. Of two that are asked at once one does.

        A run that an apply has begun, and that still waits in preflight, becomes the operator's.

        Parameters
        ----------
        request
            Id of this request. Given again, as when its answer was lost, it changes nothing.

        Raises
        ------
        NotPossible
            The run is under way, sealed, or stopped for good.
        """
        run = self._run.read()
        if run is None:
            begun = self._run.create(self._new(confirmed=True, request=request))
        elif request and run.request == request:
            begun = True
        elif run.phase is Phase.PREFLIGHT and not run.confirmed:
            begun = self._run.save(replace(run, confirmed=True, request=request, checked=0.0)) is not None
        elif run.phase is Phase.STOPPED and run.resumable:
            begun = self._run.save(replace(self._continued(run), confirmed=True, request=request)) is not None
        elif run.phase is Phase.STOPPED:
            raise NotPossible(f"the run has stopped for good: {run.reason}")
        elif run.phase in {Phase.SEALING, Phase.SEALED}:
            raise NotPossible(
                "the run is sealed: the destination is in use, and copying over it would undo its writes"
            )
        else:
            raise NotPossible(
                f"run {run.run_id} is under way, {run.phase} since {timestamp(run.phase_since)}; "
                "tablecopy status shows how it is doing"
            )
        return self.status() if begun else self.start(request)

    def _continued(self, run: Run) -> Run:
        """A stopped run, to be judged by what is measured from now on."""
        return run.enter(
            Phase.RESUMING,
            self._clock.now(),
            reason="",
            barren_slices=0,
            failed_workers=0,
            slice_began=0.0,
            arriving=0.0,
            applying=0.0,
            paced_since=0.0,
            letters_limit=self._letters.count() + LETTERS_LIMIT,
        )

    def begin(self) -> bool:
        """Create the run for an apply unless there is one; whether it was created."""
        return self._run.read() is None and self._run.create(self._new(confirmed=False))

    def _new(self, *, confirmed: bool, request: str = "") -> Run:
        now = self._clock.now()
        return Run(
            run_id=f"{compact_timestamp(now)}-{secrets.token_hex(3)}",
            stream_arn=self._stream_arn,
            total_segments=self._total_segments,
            started=now,
            phase=Phase.PREFLIGHT,
            phase_since=now,
            confirmed=confirmed,
            request=request,
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

    def redrive(self) -> Json:
        """Have the open dead letters tried again: a slice settles them as soon as one can be begun.

        Raises
        ------
        NotPossible
            There is no run, none that writes, or no dead letter.
        """
        run = self._run.read()
        if run is None:
            raise NotPossible("there is no run; start one first")
        if run.phase in {Phase.STOPPED, Phase.SEALING, Phase.SEALED}:
            raise NotPossible(
                f"the run is {run.phase}"
                + (": start it again first" if run.phase is Phase.STOPPED and run.resumable else "")
                + (f" ({run.reason})" if run.reason else "")
            )
        if not self._letters.count():
            raise NotPossible("there is no open dead letter")
        if not run.redrive and self._run.save(replace(run, redrive=True)) is None:
            return self.redrive()
        return self.status()

    def letters(self, *, values: bool = False) -> Json:
        """The open dead letters.

        Parameters
        ----------
        values
            Whether to tell the refused items, too.

        Returns
        -------
        dict
            ``count``, and ``letters``, at most 1,000 of them: ``key`` in DynamoDB JSON, ``code`` and
            ``message`` of the destination's answer, ``origin`` ("stream" or "backfill"), ``action`` ("put" or
            "delete"), ``sequence_number`` (empty for an item of the backfill), ``first_seen`` (seconds since
            the epoch) and ``attempts``. With ``values`` also
            ``image``, the item in DynamoDB JSON, where the journal holds it and the answer has room for it.
        """
        found = self._letters.read_all()
        told = [
            {
                "key": letter.key,
                "code": letter.code,
                "message": letter.message,
                "origin": letter.origin,
                "action": letter.action,
                "sequence_number": letter.sequence_number,
                "first_seen": letter.first_seen,
                "attempts": letter.attempts,
            }
            for letter in found[:_LETTERS_TOLD]
        ]
        if values:
            room = _IMAGES_TOLD_BYTES
            for letter, answer in zip(found, told, strict=False):
                image = self._image(letter.token)
                # As the answer spells it: in ASCII.
                size = len(json.dumps(image))
                if size > room:
                    break
                if image:
                    answer["image"] = image
                    room -= size
        return {"count": len(found), "letters": told}

    def _image(self, token: str) -> Json:
        text = self._letters.image(token)
        image: Json = json.loads(text) if text else {}
        return image

    def status(self) -> Json:
        """The run as the journal has it.

        Returns
        -------
        dict
            ``phase`` ("none" before the first start), ``run``, ``slice``, ``slice_ends``, ``phase_since``
            and ``started`` (seconds since the epoch), ``segments`` and ``segments_done``, ``items`` and
            ``bytes`` copied by the backfill, ``changes``, ``puts`` and ``deletes`` applied by the replicator,
            ``oldest_unapplied_age`` (seconds, as control saw it last), ``arriving`` and ``applying`` (changes
            per second, as measured in the latest drain; ``applying`` is 0 before it), ``letters`` (open dead
            letters), ``empty_slices`` (slices in a row, up to the latest one, that copied nothing),
            ``failed_workers`` (workers of the latest slice that gave up), ``redrive``, ``workers``,
            ``estimate`` (see estimate.Estimate; None before preflight has
            made it), ``quiet_for`` (seconds since every shard was seen empty without a change; None while one
            is not), ``quiet_needed`` (how many of them ready takes), ``checked`` (when preflight has found
            problems first, in seconds since the epoch; 0 before it has spoken), ``paced_since`` and
            ``paced_from`` (by which the copying's pace is reckoned: see journal.run.Run),
            ``seal_requested``, ``problems``, ``reason``, ``held`` (only a person can settle the reason),
            ``resumable`` (``start`` may continue the run, should it stop) and ``now``.
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
            "arriving": run.arriving,
            "applying": run.applying,
            "quiet_for": _quiet_for(shards, now),
            "quiet_needed": self._drained_after,
            "letters": self._letters.count(),
            "empty_slices": run.barren_slices,
            "failed_workers": run.failed_workers,
            "redrive": run.redrive,
            "workers": run.workers,
            "estimate": json.loads(run.estimate) if run.estimate else None,
            "paced_since": run.paced_since,
            "paced_from": run.paced_from,
            "seal_requested": run.seal_requested,
            "checked": run.checked,
            "problems": list(run.problems),
            "reason": run.reason,
            "held": run.held,
            "resumable": run.resumable,
            "now": now,
        }


def _quiet_for(shards: Sequence[Shard], now: float) -> float | None:
    """Seconds for which no shard has held a change that is not applied; None while one does."""
    since = [shard.empty_since for shard in shards if not shard.finished]
    known = [moment for moment in since if moment is not None]
    return max(0.0, now - max(known)) if known and len(known) == len(since) else None
