"""One lane of a shard: one batch after the other."""

from __future__ import annotations

from collections import deque

from tools.local.mapping.backoff import Backoff
from tools.local.mapping.batch import ENVELOPE, PAYLOAD_LIMIT, Batch
from tools.local.mapping.discard import RETRIES_EXHAUSTED, TOO_OLD, Discard
from tools.local.mapping.outcome import Answer, Outcome
from tools.local.mapping.record import Record
from tools.local.mapping.settings import Settings

ENVELOPE_SIZE = sum(map(len, ENVELOPE))


class Lane:
    """Keeps the records of some keys in order, and decides what happens to them next.

    It decides and remembers; invoking and sending is done by whoever drives it. At most one step is
    under way at any time: after `next_step` gave one, `finished_batch` or `finished_discard` ends it.

    Parameters
    ----------
    backoff : Backoff
        Waits between attempts.
    """

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        # Read, but in no batch yet.
        self._queue: deque[Record] = deque()
        self._queued_bytes = 0
        # Batches that were begun, the oldest first; more than one after a split.
        self._begun: deque[Batch] = deque()
        self._discards: deque[Discard] = deque()
        self._busy = False
        self._failures = 0
        self._not_before = 0.0
        self._window_opened = 0.0
        self._last_answer: Answer | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a step is under way."""
        return self._busy

    @property
    def is_done(self) -> bool:
        """Whether every record it was given is processed or discarded."""
        return not (self._queue or self._begun or self._discards)

    def wants_records(self, settings: Settings) -> bool:
        """Whether it holds less than what a full batch takes."""
        return len(self._queue) < settings.batch_size and self._queued_bytes < PAYLOAD_LIMIT

    def unfinished(self) -> list[Record]:
        """Records neither processed nor discarded, in order."""
        return [record for batch in self._begun for record in batch.records] + list(self._queue)

    def add(self, record: Record, now: float) -> None:
        """Take a record that was read from the shard."""
        if not self._queue:
            self._window_opened = max(self._window_opened, now)
        self._queue.append(record)
        self._queued_bytes += record.size

    def next_step(self, settings: Settings, now: float) -> Batch | Discard | None:
        """What is to be done now: invoke with a batch, report a discard, or nothing yet."""
        if self._busy:
            return None
        self._begin_batch(settings, now)
        self._give_up_what_is_too_old(settings, now)
        if now < self._not_before:
            return None
        if self._discards:
            self._busy = True
            return self._discards[0]
        if self._begun:
            self._busy = True
            return self._begun[0]
        return None

    def due(self, settings: Settings, now: float) -> float | None:
        """When to look again, if nothing else happens before."""
        if self._busy:
            return None
        if self._discards or self._begun:
            return self._not_before
        return self._window_opened + settings.window if self._queue else None

    def finished_batch(self, outcome: Outcome, settings: Settings, now: float) -> None:
        """Record how the attempt with the last batch went."""
        self._busy = False
        self._window_opened = now
        batch = self._begun.popleft()
        if outcome.answer:
            batch = batch.invoked()
            self._last_answer = outcome.answer
        if outcome.failed_from is None:
            self._failures = 0
            return
        if outcome.failed_from > 0:
            # Something was achieved, so the function is not simply down.
            self._failures = 0
        self._wait(now)
        if outcome.answer is None:
            self._begun.appendleft(batch)
            return
        self._begun.extendleft(reversed(self._retries(batch, outcome, settings)))

    def finished_discard(self, delivered: bool, now: float) -> None:
        """Record whether the failure destination took the last discard."""
        self._busy = False
        if delivered:
            self._failures = 0
            self._discards.popleft()
        else:
            self._wait(now)

    def _begin_batch(self, settings: Settings, now: float) -> None:
        if self._begun or not self._queue:
            return
        count, is_full = self._fitting(settings)
        if is_full or now >= self._window_opened + settings.window:
            records = tuple(self._queue.popleft() for _ in range(count))
            self._queued_bytes -= sum(record.size for record in records)
            self._begun.append(Batch(records))
            self._last_answer = None

    def _fitting(self, settings: Settings) -> tuple[int, bool]:
        """How many queued records make one batch, and whether another would not fit."""
        size = ENVELOPE_SIZE
        for count, record in enumerate(self._queue):
            size += record.size + 1
            if count == settings.batch_size or (size > PAYLOAD_LIMIT and count > 0):
                return count, True
        return len(self._queue), len(self._queue) == settings.batch_size

    def _give_up_what_is_too_old(self, settings: Settings, now: float) -> None:
        if settings.maximum_age is None:
            return
        while self._begun:
            batch = self._begun[0]
            count = 0
            for record in batch.records:
                if now - record.created <= settings.maximum_age:
                    break
                count += 1
            if count:
                self._discards.append(Discard(batch.until(count), TOO_OLD, self._last_answer))
                self._begun.popleft()
                # The wait was for records that are gone now.
                self._not_before = now
            if count < len(batch.records):
                if count:
                    self._begun.appendleft(batch.starting_at(count))
                return

    def _retries(self, batch: Batch, outcome: Outcome, settings: Settings) -> list[Batch]:
        """The batches to try next in place of one that failed."""
        place = outcome.failed_from or 0
        left = batch.starting_at(place)
        if settings.bisect and outcome.reported and place > 0:
            # A partial response splits at the record it names; splits do not use up retries.
            return [left]
        if settings.bisect and not outcome.reported and len(left.records) > 1:
            return left.halves()
        left = left.retried()
        if settings.maximum_retries is not None and left.retries > settings.maximum_retries:
            self._discards.append(Discard(left, RETRIES_EXHAUSTED, outcome.answer))
            # Nothing is tried again, so nothing waits.
            self._failures = 0
            self._not_before = 0.0
            return []
        return [left]

    def _wait(self, now: float) -> None:
        self._failures += 1
        self._not_before = now + self._backoff.seconds(self._failures)
