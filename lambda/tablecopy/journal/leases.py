"""Leases: which invocation may write to the destination, and which invocation reconciles.

A function writes its lease before it reads the phase, and control writes the phase before it reads the
leases. So either the function sees the new phase or control sees the lease. A lease ends when its holder
releases it, or with the holder's Lambda deadline, at which Lambda ends the function whatever it is doing.

Each shard of the stream can need a lease every second, and a partition takes 1,000 writes a second (DynamoDB
developer guide, "Partitions and data distribution"). The replicator's leases are therefore in 32 partitions:
of 4,000 batches a second, each gets a third of what it takes. With more of them, ``alive`` would take longer.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tablecopy.clock import Clock, Machine
from tablecopy.dynamodb.client import Json
from tablecopy.journal.codec import decode, encode, number, stored_as, text
from tablecopy.journal.store import Conflict, Store, map_with

GRACE_SECONDS = 5.0
"""How long after its deadline a lease still counts.

A last request may still be on its way, and clocks differ a little. Writers also stop sending well before
their deadline (see writer.WRITE_MARGIN).
"""

# The journal's TTL removes leases that their holders could not clear.
_SWEEP_AFTER_SECONDS = 86_400

REPLICATOR = "replicator"
BACKFILL = "backfill"

RECONCILER = "reconciler"
TRACKER = "tracker"

# Partitions that ``alive`` reads at the same time.
_READERS = 16

_REPLICATOR_PARTITIONS = [f"lease#{number:02x}" for number in range(32)]


class LeaseTaken(Exception):
    """Another invocation holds the lease and may still be writing."""


class UnsettledWrite(Exception):
    """A write to the destination may yet take effect, so its lease must not be released early.

    Raised from the error that left the write open.
    """


@dataclass(frozen=True)
class Lease:
    """The lease of the invocation ``owner``. Times are seconds since the epoch."""

    deadline: float
    expires_at: int
    owner: str = stored_as("lease_owner", "")


class Leases:
    """The lease items of the journal."""

    def __init__(self, store: Store, machine: Machine) -> None:
        self._store = store
        self._machine = machine

    @contextmanager
    def hold(self, kind: str, what: str, owner: str, deadline: float) -> Iterator[None]:
        """Hold the lease ``kind#what`` while the body runs.

        Parameters
        ----------
        kind
            REPLICATOR or BACKFILL.
        what
            What is written: the batch by its name (applied_batches.batch_name), or the segment. Another
            holder of the same lease is rejected while the first one may be running, so that an invocation
            that was given up cannot write after its successor.
        owner
            The invocation's request id.
        deadline
            The function's Lambda deadline, seconds since the epoch.

        Raises
        ------
        LeaseTaken
            Another owner's lease has not ended.
        """
        name = f"{kind}#{what}"
        lease = Lease(deadline, int(deadline) + _SWEEP_AFTER_SECONDS, owner)
        try:
            self._store.put(
                _partition(kind, what),
                name,
                encode(lease),
                condition="attribute_not_exists(pk) OR deadline < :ended OR lease_owner = :me",
                values={":ended": number(self._machine.now() - GRACE_SECONDS), ":me": text(owner)},
            )
        except Conflict as conflict:
            raise LeaseTaken(f"an invocation that may still be writing holds lease {name}") from conflict
        try:
            yield
        except UnsettledWrite:
            raise
        except BaseException:
            self._clear(kind, what, owner)
            raise
        self._clear(kind, what, owner)

    def alive(self, kind: str) -> list[str]:
        """Return the names of the leases of ``kind`` whose holders may still write."""
        with self._machine.pool(_READERS) as pool:
            pages = map_with(pool, self._alive, _partitions(kind))
        return [name for page in pages for name in page]

    def _alive(self, partition: str) -> list[str]:
        ended = self._machine.now() - GRACE_SECONDS
        return [
            item["sk"]["S"] for item in self._store.query(partition) if decode(Lease, item).deadline >= ended
        ]

    def _clear(self, kind: str, what: str, owner: str) -> None:
        with suppress(Conflict):
            self._store.delete(
                _partition(kind, what),
                f"{kind}#{what}",
                condition="lease_owner = :me",
                values={":me": text(owner)},
            )


def _partition(kind: str, what: str) -> str:
    partitions = _partitions(kind)
    return partitions[zlib.crc32(what.encode()) % len(partitions)]


def _partitions(kind: str) -> Sequence[str]:
    return _REPLICATOR_PARTITIONS if kind == REPLICATOR else ["lease"]


# Shorter than an invocation may last, so that the next one can follow one that was killed. The holder renews
# it before it ends.
_TURN_SECONDS = 15.0
_RENEW_AFTER_SECONDS = 5.0
_TRY_AGAIN_SECONDS = 1.0


class Turn:
    """One invocation's claim to be the only running reconciler, or tracker.

    Two of them do no harm, because the journal lets only one of them change the run. They would double the
    calls to Lambda, Step Functions and the stream, which all copies of an account share.

    Parameters
    ----------
    owner
        The invocation's request id.
    function
        RECONCILER or TRACKER.
    """

    def __init__(self, store: Store, clock: Clock, owner: str, function: str = RECONCILER) -> None:
        self._store = store
        self._clock = clock
        self._key = ("turn", function)
        # Lambda may run an asynchronous invocation twice, with the same request ID.
        self._owner = f"{owner} {clock.now()}"
        self._taken: float | None = None

    def wait(self, until: float) -> bool:
        """Take the turn as soon as it is free. Returns False if it was not until then.

        A command invokes a function between two calls of its schedule. Without waiting, the next scheduled
        call would leave it to that invocation, and most of a minute would pass after its end.
        """
        while not self.take():
            if self._clock.now() + _TRY_AGAIN_SECONDS >= until:
                return False
            self._clock.sleep(_TRY_AGAIN_SECONDS)
        return True

    def take(self) -> bool:
        """Take the turn or keep it. Returns False while another invocation has it."""
        now = self._clock.now()
        if self._taken is not None and now - self._taken < _RENEW_AFTER_SECONDS:
            return True
        self._taken = None
        with suppress(Conflict):
            self._put(
                now + _TURN_SECONDS,
                "attribute_not_exists(pk) OR turn_ends < :now OR turn_owner = :me",
                {":now": number(now)},
            )
            self._taken = now
        return self._taken is not None

    def give_back(self) -> None:
        """Let the next invocation take the turn immediately."""
        with suppress(Conflict):
            self._put(0, "turn_owner = :me", {})

    def _put(self, ends: float, condition: str, values: Json) -> None:
        self._store.put(
            *self._key,
            {"turn_owner": text(self._owner), "turn_ends": number(ends)},
            condition=condition,
            values={":me": text(self._owner), **values},
        )
