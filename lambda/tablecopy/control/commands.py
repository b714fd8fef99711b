"""What an operator can ask of control: start, status, seal, redrive, letters."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from datetime import UTC, datetime

from tablecopy.clock import Clock
from tablecopy.journal.letters import Letters
from tablecopy.journal.run import LETTERS_LIMIT, Phase, Run, RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.journal.shards import Shards
from tablecopy.wire import Json

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
    ) -> None:
        self._run = run
        self._segments = segments
        self._shards = shards
        self._letters = letters
        self._clock = clock
        self._stream_arn = stream_arn
        self._total_segments = total_segments

    def start(self) -> Json:
        """Begin the run, or carry on with one that stopped. Of two that are asked at once one does.

        Raises
        ------
        NotPossible
            The run is under way, sealed, or stopped for good.
        """
        run = self._run.read()
        if run is None:
            begun = self.begin()
        elif run.phase is Phase.STOPPED and run.resumable:
            begun = self._run.save(self._continued(run)) is not None
        elif run.phase is Phase.STOPPED:
            raise NotPossible(f"the run has stopped for good: {run.reason}")
        elif run.phase in {Phase.SEALING, Phase.SEALED}:
            raise NotPossible(
                "the run is sealed: the destination is in use, and copying over it would undo its writes"
            )
        else:
            since = datetime.fromtimestamp(run.phase_since, UTC)
            raise NotPossible(
                f"run {run.run_id} is under way, {run.phase} since {since:%Y-%m-%d %H:%M:%S} UTC; "
                "tablecopy status shows how it is doing"
            )
        return self.status() if begun else self.start()

    def _continued(self, run: Run) -> Run:
        """A stopped run, to be judged by what is measured from now on."""
        return run.enter(
            Phase.RESUMING,
            self._clock.now(),
            reason="",
            barren_slices=0,
            slice_began=0.0,
            arriving=0.0,
            applying=0.0,
            paced_since=0.0,
            letters_limit=self._letters.count() + LETTERS_LIMIT,
        )

    def begin(self) -> bool:
        """Create the run unless there is one; whether it was created."""
        now = self._clock.now()
        return self._run.create(
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
                if image and size <= room:
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
            letters), ``redrive``, ``workers``, ``estimate`` (see estimate.Estimate; None before preflight has
            made it), ``paced_since`` and ``paced_from`` (by which the copying's pace is reckoned: see
            journal.run.Run), ``seal_requested``, ``problems``, ``reason``, ``held`` (only a person can settle
            the reason), ``resumable`` (``start`` may continue the run, should it stop) and ``now``.
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
            "letters": self._letters.count(),
            "redrive": run.redrive,
            "workers": run.workers,
            "estimate": json.loads(run.estimate) if run.estimate else None,
            "paced_since": run.paced_since,
            "paced_from": run.paced_from,
            "seal_requested": run.seal_requested,
            "problems": list(run.problems),
            "reason": run.reason,
            "held": run.held,
            "resumable": run.resumable,
            "now": now,
        }
