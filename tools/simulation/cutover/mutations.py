"""The ways in which `mutants` breaks the proof of a cutover, the seal, and the copy back."""

from __future__ import annotations

from tools.simulation.mutations import Mutation, one

_PROOF = "control/proof.py"
_RECONCILER = "control/reconciler.py"
_SEALING = "control/sealing.py"
_CUTOVER = "control/cutover.py"
_NOTES = "control/stream/notes.py"
_PROGRESS = "control/stream/progress.py"
_ROUNDS = "tracker/rounds.py"
_DESTINATION = "tracker/destination.py"
_READER = "tracker/reader.py"
_TRACKER = "tracker/tracker.py"

NOTING = (
    one(
        "a place in the source is saved before its keys are noted",
        _PROGRESS,
        "        if not self._notes.cover(row):\n",
        "        if False:\n",
    ),
    one(
        "a place in the destination is ahead of its notes",
        _READER,
        "        self._notes.flush()\n        self.place = self._following\n",
        "        self.place = self._following\n        self._notes.flush()\n",
    ),
    one(
        "an environment that did not note goes on",
        _NOTES,
        "        if unmarked := self._unmarked(rows):\n",
        "        if unmarked := '':\n",
    ),
    one(
        "what the baseline left open is forgotten",
        _TRACKER,
        "            if not segment.open:\n",
        "            if segment.open:\n",
    ),
)

RECHECKING = (
    one(
        "a key that differs leaves the list",
        _ROUNDS,
        "[[key for token, key in keys if found.get(token, _UNREAD) is not None] for keys in held]\n",
        "[list[Json]() for _ in held]\n",
    ),
    one(
        "a key that was not read leaves the list",
        _ROUNDS,
        "found.get(token, _UNREAD) is not None",
        "found.get(token) is not None",
    ),
    one(
        "a difference stands although a change is on its way",
        _ROUNDS,
        "        and applied_to >= difference.first_seen + _CLOCK_MARGIN_SECONDS\n",
        "",
    ),
)

PROVING = (
    one(
        "the tracking is not checked",
        _PROOF,
        "        if tracking.state is TrackingState.OFF:\n",
        "        if False:\n",
    ),
    one(
        "the baseline's differences do not count",
        _PROOF,
        "        if self.verification is not None and self.baseline.differing:\n",
        "        if False:\n",
    ),
    one(
        "standing differences do not count",
        _PROOF,
        "        if self.checked.standing:\n",
        "        if False:\n",
    ),
    one(
        "the source's quiet time is ignored",
        _PROOF,
        "        if read_to < quiet_at:\n",
        "        if False:\n",
    ),
    one(
        "the source's changes need not be noted",
        _PROOF,
        "        if self.noted_to < quiet_at:\n",
        "        if False:\n",
    ),
    one(
        "the destination's stream is not read to its end",
        _PROOF,
        "        if checked.destination_noted_to < quiet_at:\n",
        "        if False:\n",
    ),
    one(
        "the verdict comes before the fence",
        _PROOF,
        "        if not run.fence or checked.fence != run.fence or not checked.fence_seen_at:\n",
        "        if False:\n",
    ),
    one(
        "the list was read before the streams were",
        _PROOF,
        "        if checked.list_read_at < quiet_at or checked.proved_records != run.proved_records:\n",
        "        if False:\n",
    ),
    one(
        "a shard counts as the last one when it is not listed",
        "control/stream/listing.py",
        "        if parent is None or not self.children(shard_id):\n            return False\n        wanted",
        "        if parent is None:\n            return False\n        wanted",
    ),
    one(
        "keys that are left do not count",
        _PROOF,
        "        if checked.left:\n",
        "        if False:\n",
    ),
)

SEALING = (
    one(
        "a replicator that may still write is not waited for",
        _SEALING,
        "        if replicators:\n            return self._wait(run, still_writing(replicators))\n"
        "        if not run.fence:\n",
        "        if not run.fence:\n",
    ),
    one(
        "a change after the proof is not looked for",
        _SEALING,
        "        if is_quiet and _is_late(run, backlog):\n",
        "        if False:\n",
    ),
    one(
        "a change after the seal is not named",
        _SEALING,
        "            self._deps.run.save(replace(run, reason=_AFTER_SEAL))\n",
        "            pass\n",
    ),
    one(
        "a sealed run is looked at once a minute",
        _RECONCILER,
        "            return Outcome.WAITING if self._watch_sealed(run) else Outcome.IDLE\n",
        "            self._watch_sealed(run)\n            return Outcome.IDLE\n",
    ),
    one(
        "a cutover lists siblings once",
        _DESTINATION,
        "        listing.list_again()\n",
        "        if not listing.has_siblings(since, self._quiet):\n            listing.list_again()\n",
    ),
    one(
        "a request never lapses",
        _RECONCILER,
        "            if self._clock.now() >= run.seal_by:\n",
        "            if False:\n",
    ),
    one(
        "a fence that was left behind is not recorded",
        _CUTOVER,
        "        tables = set(run.denied) - {table_arn} | ({table_arn} if denied else set())\n",
        "        tables = set(run.denied) - {table_arn}\n",
    ),
)

BACK = (
    one(
        "the copy back acknowledges what was written after the seal",
        _RECONCILER,
        "            covered_to=self._begin_at - CLOCK_MARGIN_SECONDS,\n",
        "            covered_to=now + CLOCK_MARGIN_SECONDS,\n",
    ),
    one(
        "the copy back begins however late",
        _RECONCILER,
        "        if age > latest:\n",
        "        if False:\n",
    ),
)

CUTOVER: tuple[Mutation, ...] = NOTING + RECHECKING + PROVING + SEALING + BACK
"""What `mutants` breaks and the seeds of cutovers find."""

_UNIT = "tests/unit/tablecopy"
_TEST_PROOF = f"{_UNIT}/control/test_proof.py"

ANSWERED = {
    "the baseline's differences do not count": _TEST_PROOF,
    "standing differences do not count": _TEST_PROOF,
    "a place in the source is saved before its keys are noted": f"{_UNIT}/control/stream/test_notes.py",
    "a place in the destination is ahead of its notes": f"{_UNIT}/tracker/test_destination.py",
    "an environment that did not note goes on": f"{_UNIT}/control/stream/test_notes.py",
    "what the baseline left open is forgotten": f"{_UNIT}/tracker/test_tracker.py",
    "a key that was not read leaves the list": f"{_UNIT}/tracker/test_rounds.py",
    "a difference stands although a change is on its way": f"{_UNIT}/tracker/test_rounds.py",
    "the tracking is not checked": _TEST_PROOF,
    "the source's quiet time is ignored": _TEST_PROOF,
    "the source's changes need not be noted": _TEST_PROOF,
    "the destination's stream is not read to its end": _TEST_PROOF,
    "the verdict comes before the fence": _TEST_PROOF,
    "the list was read before the streams were": _TEST_PROOF,
    "keys that are left do not count": _TEST_PROOF,
    "a shard counts as the last one when it is not listed": f"{_UNIT}/control/stream/test_listing.py",
    "a replicator that may still write is not waited for": _TEST_PROOF,
    "a change after the proof is not looked for": _TEST_PROOF,
    "a sealed run is looked at once a minute": _TEST_PROOF,
    "a cutover lists siblings once": f"{_UNIT}/tracker/test_destination.py",
    "a request never lapses": _TEST_PROOF,
    "a fence that was left behind is not recorded": _TEST_PROOF,
    "the copy back begins however late": f"{_UNIT}/control/test_begin_at_seal.py",
}
"""Mutants that no seed finds for sure, each with the tests that do."""
