"""The commands of an operator: start, status, seal, redrive and dead-letters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from tablecopy.clock import Machine
from tablecopy.control.status import DeadLetterList, DeadLetterStatus, Status
from tablecopy.dynamodb.client import Json
from tablecopy.journal.dead_letters import DeadLetter, DeadLetters
from tablecopy.journal.run import DEAD_LETTER_LIMIT, Phase, Run, RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.journal.shards import Shards
from tablecopy.text import compact_timestamp, count_text, timestamp

# An answer of a Lambda function holds 6 MB (Lambda quotas). A key takes up to 3 KB of a dead letter.
_LISTED = 1_000
_IMAGES_BYTES = 2_000_000


class NotPossible(Exception):
    """The run is in a phase that does not allow the command. The message says what to do."""


class Commands:
    """Answers an operator. Commands are written to the journal, and the reconciler carries them out."""

    def __init__(
        self,
        run: RunRecord,
        segments: Segments,
        shards: Shards,
        letters: DeadLetters,
        clock: Machine,
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

    def start(self, request: str = "") -> Status:
        """Begin the run, or continue a stopped one. Of two simultaneous starts only one takes effect.

        An operator's start also confirms a run that an apply has begun and that still waits in preflight.

        Parameters
        ----------
        request
            Id of this request. Sending it again, for example after a lost answer, changes nothing.

        Raises
        ------
        NotPossible
            The run is in progress, sealed, or permanently stopped.
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
            raise NotPossible(f"the run cannot continue: {run.reason}")
        elif run.phase in {Phase.SEALING, Phase.SEALED}:
            raise NotPossible(
                "the run is sealed. The destination is in use, and another copy would overwrite its writes"
            )
        else:
            raise NotPossible(
                f"run {run.run_id} is already in progress ({run.phase} since {timestamp(run.phase_since)}). "
                "Run tablecopy status"
            )
        return self.status() if begun else self.start(request)

    def _continued(self, run: Run) -> Run:
        """Return a stopped run that continues with new measurements."""
        return run.enter(
            # Before the first slice, nothing may be applied: the scan has not read anything yet.
            Phase.RESUMING if run.scan_began else Phase.PREFLIGHT,
            self._clock.now(),
            reason="",
            empty_slices=0,
            failed_workers=0,
            slice_began=0.0,
            checked=0.0,
            seal_requested_at=0.0,
            arriving=0.0,
            applying=0.0,
            rate_measured_since=0.0,
            dead_letter_limit=self._letters.count() + DEAD_LETTER_LIMIT,
        )

    def begin(self) -> bool:
        """Create the run for an apply unless there is one. Returns whether it was created."""
        return self._run.read() is None and self._run.create(self._new(confirmed=False))

    def _new(self, *, confirmed: bool, request: str = "") -> Run:
        now = self._clock.now()
        run_id = f"{compact_timestamp(now)}-{self._clock.token()}"
        return Run(
            run_id=run_id,
            segments_id=run_id,
            stream_arn=self._stream_arn,
            total_segments=self._total_segments,
            started=now,
            phase=Phase.PREFLIGHT,
            phase_since=now,
            confirmed=confirmed,
            request=request,
        )

    def seal(self) -> Status:
        """End the copy permanently. Later changes in the source table do not reach the destination.

        Raises
        ------
        NotPossible
            The run is not ready for cutover.
        """
        run = self._run.read()
        if run is None:
            raise NotPossible("cannot seal: no run has been started. Run tablecopy start")
        if run.phase not in {Phase.READY, Phase.SEALING, Phase.SEALED}:
            command = "status" if run.phase in {Phase.PREFLIGHT, Phase.STOPPED} else "watch"
            raise NotPossible(f"cannot seal yet: {self._waits_for(run)}. Run tablecopy {command}")
        if run.is_cutting_over:
            raise NotPossible(
                "cannot seal: a cutover is in progress, which seals the run. Run tablecopy cutover"
            )
        if run.phase is Phase.READY and not run.seal_requested_at:
            requested = replace(run, seal_requested_at=self._clock.now())
            if not self._run.save(requested):
                return self.seal()
        return self.status()

    def _waits_for(self, run: Run) -> str:
        """Return what a run that is not ready for cutover waits for."""
        if run.phase is Phase.PREFLIGHT:
            return f"the run is still in preflight{f' ({run.reason})' if run.reason else ''}"
        if run.reason:
            return f"the run is stopped: {run.reason}" if run.phase is Phase.STOPPED else run.reason
        segments = self._segments.read_all(run)
        done = sum(segment.done for segment in segments)
        if done < len(segments):
            return f"still copying ({done:,} of {count_text(len(segments), 'segment')})"
        return "the copy is in sync, but not quiet for long enough"

    def redrive(self) -> Status:
        """Retry the open dead letters in the next slice, which begins as soon as possible.

        Raises
        ------
        NotPossible
            There is no run, the run does not write, or no dead letter is open.
        """
        run = self._run.read()
        if run is None:
            raise NotPossible("no run has been started. Run tablecopy start")
        if run.phase in {Phase.STOPPED, Phase.SEALING, Phase.SEALED}:
            why = f" ({run.reason})" if run.reason else ""
            advice = ". Run tablecopy start first" if run.phase is Phase.STOPPED and run.resumable else ""
            raise NotPossible(f"cannot retry dead letters: the run is {run.phase}{why}{advice}")
        if not self._letters.count():
            raise NotPossible("no dead letter is open")
        if not run.redrive and self._run.save(replace(run, redrive=True)) is None:
            return self.redrive()
        return self.status()

    def dead_letters(self, *, values: bool = False) -> DeadLetterList:
        """Return the open dead letters, at most 1,000 of them.

        Parameters
        ----------
        values
            Whether to return the rejected items as well, where the journal has them and
            the answer has room.
        """
        found = self._letters.read_all()
        listed = [
            DeadLetterStatus(
                key=letter.key,
                code=letter.code,
                message=letter.message,
                origin=letter.origin,
                action=letter.action,
                sequence_number=letter.sequence_number,
                first_seen=letter.first_seen,
                attempts=letter.attempts,
            )
            for letter in found[:_LISTED]
        ]
        if values:
            self._add_images(found, listed)
        return DeadLetterList(count=len(found), dead_letters=listed)

    def _add_images(self, found: Sequence[DeadLetter], listed: Sequence[DeadLetterStatus]) -> None:
        room = _IMAGES_BYTES
        for letter, answer in zip(found, listed, strict=False):
            image = self._image(letter.token)
            # As the answer spells it: in ASCII.
            size = len(json.dumps(image))
            if size > room:
                break
            if image:
                answer["image"] = image
                room -= size

    def _image(self, token: str) -> Json:
        text = self._letters.image(token)
        image: Json = json.loads(text) if text else {}
        return image

    def status(self) -> Status:
        """Return the run as the journal has it."""
        run = self._run.read()
        now = self._clock.now()
        if run is None:
            return Status(phase="none", now=now)
        segments = self._segments.read_all(run)
        # One item, however many shards there are.
        stream = self._shards.summary()
        return Status(
            phase=run.phase,
            run=run.run_id,
            started=run.started,
            phase_since=run.phase_since,
            slice=run.slice,
            slice_ends=run.slice_ends,
            segments=run.total_segments,
            segments_done=sum(segment.done for segment in segments),
            items=sum(segment.items for segment in segments),
            bytes=sum(segment.wire_bytes for segment in segments),
            changes=stream.records,
            puts=stream.puts,
            deletes=stream.deletes,
            oldest_unapplied_age=max(0.0, now - stream.unapplied_since) if stream.unapplied_since else 0.0,
            arriving=run.arriving,
            applying=run.applying,
            quiet_for=None if stream.empty_since is None else max(0.0, now - stream.empty_since),
            quiet_needed=self._drained_after,
            dead_letters=self._letters.count(),
            empty_slices=run.empty_slices,
            failed_workers=run.failed_workers,
            redrive=run.redrive,
            workers=run.workers,
            estimate=json.loads(run.estimate) if run.estimate else None,
            rate_measured_since=run.rate_measured_since,
            rate_measured_from=run.rate_measured_from,
            seal_requested=run.seal_requested_at > 0,
            seal_grade=run.seal_grade if run.phase is Phase.SEALED else "",
            cutting_over=run.is_cutting_over,
            denied=list(run.denied),
            checked=run.checked,
            problems=list(run.problems),
            reason=run.reason,
            blocked=run.blocked,
            resumable=run.resumable,
            now=now,
        )
