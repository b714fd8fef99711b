"""Places: how far the tracker has read each shard of the destination's stream."""

from __future__ import annotations

from dataclasses import dataclass

from tablecopy.journal.codec import decode, number
from tablecopy.journal.store import Store, Versioned

KEEP_SECONDS = 2 * 86_400
"""A shard that has ended is listed for at least the 24 hours for which its records are kept."""


@dataclass(frozen=True)
class Place(Versioned):
    """A place in a shard: the keys of all records before it are noted. Times are seconds since the epoch.

    Attributes
    ----------
    read_to
        Sequence number of the last record that is noted; empty before the first one.
    iterator
        Iterator at which to continue; empty if ``read_to``, or the shard's beginning, leads there.
    at_end
        The shard is read from its end, because all that it held was made before the tracking began.
    begun_at
        When the place at its end was looked up; 0 for another place, and before that.
    noted_to
        Every change made before this moment is noted, of those made since the tracking began.
    finished
        The shard is closed and read to its end.
    found_closed
        It had ended when the tracking began.
    ended_at
        When it was found to be finished; 0 before that.
    saved_at
        When it was written; 0 before that.
    rank
        Grows from a shard to its children, so that records of one key can be put into their order.
    """

    shard_id: str
    read_to: str = ""
    iterator: str = ""
    at_end: bool = False
    begun_at: float = 0.0
    noted_to: float = 0.0
    finished: bool = False
    found_closed: bool = False
    ended_at: float = 0.0
    saved_at: float = 0.0
    rank: int = 0


class Places:
    """The places of one tracking in the journal. Only the tracker writes them."""

    def __init__(self, store: Store, tracking_id: str) -> None:
        self._store = store
        self._pk = f"touched#{tracking_id}#places"

    def read_all(self) -> dict[str, Place]:
        """Return the places by shard ID."""
        places = (decode(Place, item, shard_id=item["sk"]["S"]) for item in self._store.query(self._pk))
        return {place.shard_id: place for place in places}

    def save(self, place: Place) -> Place | None:
        """Replace the state that ``place`` was derived from. Returns None if another writer was first."""
        return self._store.save_with(
            (self._pk, place.shard_id),
            place,
            [],
            without={"shard_id"},
            extra={"expires_at": number(int(place.saved_at) + KEEP_SECONDS)},
        )
