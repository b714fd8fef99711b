"""Leases: who may still be writing to the destination.

A function puts its lease before it reads the phase, and control writes the phase before it reads the
leases; so either the function sees the new phase or control sees the lease. A lease ends when its holder
says so, or with the holder's Lambda deadline, at which Lambda ends the function whatever it is doing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tablecopy.clock import Clock
from tablecopy.journal.store import Conflict, Store, number, text

# Past the deadline a last request may be on its way still, and clocks differ a little. Writers stop
# issuing requests well before their deadline as well (see writer.WRITE_MARGIN).
GRACE_SECONDS = 5.0

# Leases that their holders could not clear are swept by the journal's time to live after this.
_SWEEP_AFTER_SECONDS = 86_400

REPLICATOR = "replicator"
BACKFILL = "backfill"


class LeaseTaken(Exception):
    """Another invocation holds the lease and may still be writing."""


class UnsettledWrite(Exception):
    """A write to the destination may yet take effect, so its lease must not be given back early.

    Raised with the error that left the write open as its cause.
    """


class Leases:
    """The lease items of the journal."""

    _PK = "lease"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @contextmanager
    def hold(self, kind: str, what: str, owner: str, deadline: float) -> Iterator[None]:
        """Hold the lease ``kind#what`` while the body runs.

        Parameters
        ----------
        kind
            REPLICATOR or BACKFILL.
        what
            What is being written: the batch's first sequence number, or the segment. A second holder of
            the same is refused while the first may live, so that an invocation that was given up on
            cannot write after its successor.
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
        try:
            self._store.put(
                self._PK,
                name,
                {
                    "lease_owner": text(owner),
                    "deadline": number(deadline),
                    "expires_at": number(int(deadline) + _SWEEP_AFTER_SECONDS),
                },
                condition="attribute_not_exists(pk) OR deadline < :ended OR lease_owner = :me",
                values={":ended": number(self._clock.now() - GRACE_SECONDS), ":me": text(owner)},
            )
        except Conflict as conflict:
            raise LeaseTaken(f"{name} is held by an invocation that may still be writing") from conflict
        try:
            yield
        except UnsettledWrite:
            raise
        except BaseException:
            self._clear(name, owner)
            raise
        self._clear(name, owner)

    def alive(self, kind: str) -> list[str]:
        """Names of the leases of ``kind`` whose holders may still write."""
        ended = self._clock.now() - GRACE_SECONDS
        return [
            item["sk"]["S"]
            for item in self._store.query(self._PK, first=f"{kind}#", last=f"{kind}#~")
            if float(item["deadline"]["N"]) >= ended
        ]

    def _clear(self, name: str, owner: str) -> None:
        with suppress(Conflict):
            self._store.delete(self._PK, name, condition="lease_owner = :me", values={":me": text(owner)})
