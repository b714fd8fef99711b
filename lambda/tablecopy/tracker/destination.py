"""Follows every shard of the destination's stream and notes what its records show.

The shards are read side by side, from their ends when the tracking begins, and from their beginnings if they
are listed later. Their order does not matter for a set of keys. An audit continues at the places of the
tracking, and puts its notes into their order by the ranks of the shards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from botocore.exceptions import ClientError

from tablecopy.clock import Machine
from tablecopy.control.stream.listing import Listing, StreamGone, leaves, unknown
from tablecopy.control.stream.work import Workers
from tablecopy.dynamodb.errors import NO_ANSWER
from tablecopy.dynamodb.streams import (
    BETWEEN_READS_SECONDS,
    READERS,
    ListedShard,
    StreamClient,
    StreamNotFound,
    Unavailable,
)
from tablecopy.journal.places import Place, Places
from tablecopy.journal.touched import Tracking
from tablecopy.tracker.reader import Noting, ShardReader, TrackingLost

# The tracking is on so long after the shards' ends were looked up. Half of it is for clocks that differ.
_BEGUN_SECONDS = 10.0

# Places are written this often, and when their shard ends. What is read again after a loss is as long.
_SAVE_EVERY_SECONDS = 30.0


class DestinationStream:
    """The destination's stream in one tracking. It lives as long as the execution environment.

    Parameters
    ----------
    places
        Of the journal: where this tracking has read to.
    noting
        Notes what it reads.
    begin
        Places at which it begins to read, of an earlier tracking.

    Attributes
    ----------
    noted_to
        Every change made before this moment, in seconds since the epoch, is noted; 0 as long as that is not
        known.
    newest
        When the newest change that was read was made; 0 without one.
    waits_for
        What keeps it from noting every change; may be empty.
    """

    def __init__(
        self,
        client: StreamClient,
        places: Places,
        noting: Noting,
        machine: Machine,
        begin: Mapping[str, Place] | None = None,
    ) -> None:
        self._client = client
        self._journal = places
        self._noting = noting
        self._begin = {id_: replace(place, version=0) for id_, place in (begin or {}).items()}
        self._machine = machine
        self._listing = Listing(client, machine)
        self._places: dict[str, Place] = {}
        self._readers: dict[str, ShardReader] = {}
        self._is_loaded = False
        self._quiet: float | None = None
        self._evaluated: float | None = None
        self._lost: TrackingLost | None = None
        self.noted_to = 0.0
        self.newest = 0.0
        self.waits_for = ""

    @property
    def stream_arn(self) -> str:
        """The stream's ARN."""
        return self._client.stream_arn

    @property
    def is_noting(self) -> bool:
        """Whether every shard that is listed has a place in the journal, so that its records are noted."""
        return (
            self._listing.listed_at is not None
            and bool(self._places)
            and all(place.version for place in self._places.values())
            and self._machine.now() - max(each.begun_at for each in self._places.values()) >= _BEGUN_SECONDS
        )

    def look(self, tracking: Tracking, until: float, quiet: float | None = None) -> None:
        """Read the shards once, and note what they hold, as far as the time allows.

        ``quiet`` is for a cutover: every shard counts as listed within so many seconds of its parent's end.

        Raises
        ------
        TrackingLost
            Records may have been lost before they were noted.
        botocore.exceptions.ClientError
            The journal cannot be read.
        """
        self.waits_for = ""
        self._quiet = quiet
        if not self._is_loaded:
            self._load()
        self._take_back(tracking)
        self._list(tracking)
        with Workers(self._machine, READERS) as workers:
            self._read_all(workers, until)
            if self._lost is not None:
                raise self._lost
            self._take_over()
            workers.work_off(self._unsaved(), self._save, until)
        self._add_new(tracking)
        self._prove(tracking)

    def _load(self) -> None:
        for shard_id, place in {**self._begin, **self._journal.read_all()}.items():
            known = self._places.get(shard_id)
            if known is None or known.version != place.version:
                self._places[shard_id] = place
                self._readers.pop(shard_id, None)
            if place.finished:
                self._listing.follow(shard_id, place.ended_at)
        self._is_loaded = True

    def _take_back(self, tracking: Tracking) -> None:
        """Read shards from their beginning that were read from their end too late.

        An environment that was frozen may look up the end of a new shard although the tracking is on.
        """
        latest = tracking.destination_since - _BEGUN_SECONDS / 2
        for place in list(self._places.values()) if tracking.destination_since else ():
            if place.begun_at > latest:
                self._readers.pop(place.shard_id, None)
                self._places[place.shard_id] = Place(
                    place.shard_id,
                    noted_to=tracking.destination_since,
                    rank=place.rank,
                    version=place.version,
                )

    # Listing

    def _list(self, tracking: Tracking) -> None:
        if not self._listing.is_due():
            return
        try:
            self._listing.step()
        except StreamGone as gone:
            raise TrackingLost("the destination's stream no longer exists") from gone
        except (Unavailable, ClientError) as error:
            self._note_failure(error)
            return
        if not self._listing.enabled:
            raise TrackingLost("the destination's stream is off")
        self._add_new(tracking)

    def _add_new(self, tracking: Tracking) -> None:
        """Begin to follow the shards that were listed and are not known."""
        listing, now = self._listing, self._machine.now()
        for place in [place for place in self._places.values() if place.finished]:
            for child in listing.children(place.shard_id):
                if child not in self._places:
                    self._places[child] = Place(child, noted_to=place.noted_to, rank=place.rank + 1)
        if listing.listed_at == self._evaluated:
            return
        self._evaluated = listing.listed_at
        if tracking.destination_since:
            # Parents first, because a rank is that of an ancestor, or 0 without one that is followed.
            for shard in sorted(unknown(listing.shards, self._places), key=self._depth):
                noted_to = self._noted_before(shard, tracking.destination_since)
                rank = self._rank_of(shard)
                self._places[shard.shard_id] = Place(shard.shard_id, noted_to=noted_to, rank=rank)
            return
        for shard in leaves(listing.shards):
            if shard.shard_id in self._places:
                continue
            place = Place(shard.shard_id, at_end=True)
            if shard.closed:
                place = replace(place, finished=True, found_closed=True, ended_at=now, noted_to=now)
                listing.follow(shard.shard_id, now)
            self._places[shard.shard_id] = place

    def _noted_before(self, shard: ListedShard, since: float) -> float:
        """Return up to when everything is noted that was made before a shard began."""
        parent: ListedShard | None = shard
        while parent is not None:
            if parent.parent in self._places:
                return self._places[parent.parent].noted_to
            parent = self._listing.shards.get(parent.parent)
        # A sibling of a shard that is read from its end.
        return since

    def _depth(self, shard: ListedShard) -> int:
        """Return how many ancestors of a shard are listed."""
        depth = 0
        parent = self._listing.shards.get(shard.parent)
        while parent is not None:
            depth += 1
            parent = self._listing.shards.get(parent.parent)
        return depth

    def _rank_of(self, shard: ListedShard) -> int:
        """Return a rank that is higher than that of each ancestor that is followed; 0 without one."""
        above = 0
        parent: ListedShard | None = shard
        while parent is not None:
            above += 1
            if parent.parent in self._places:
                return self._places[parent.parent].rank + above
            parent = self._listing.shards.get(parent.parent)
        return 0

    # Reading

    def _read_all(self, workers: Workers, until: float) -> None:
        seen: set[str] = set()
        while self._lost is None:
            if due := self._due(seen):
                workers.work_off(due, partial(self._read, until), until)
                continue
            more = {shard_id for shard_id, reader in self._readers.items() if reader.has_more}
            if not more or self._machine.now() + BETWEEN_READS_SECONDS >= until:
                return
            self._machine.sleep(BETWEEN_READS_SECONDS)
            seen -= more

    def _due(self, seen: set[str]) -> list[ShardReader]:
        """Return the readers of shards that were not read in this look, or that have more."""
        latest = self._machine.now() - BETWEEN_READS_SECONDS
        due = []
        for shard_id, place in self._places.items():
            if place.finished:
                continue
            reader = self._readers.get(shard_id)
            if reader is None:
                reader = ShardReader(self._client, place, self._noting, self._machine)
                self._readers[shard_id] = reader
            if reader.tried_at <= latest and not reader.place.finished and shard_id not in seen:
                due.append(reader)
                seen.add(shard_id)
        return sorted(due, key=lambda reader: reader.tried_at)

    def _read(self, until: float, reader: ShardReader) -> None:
        try:
            reader.read(until)
        except TrackingLost as lost:
            self._lost = lost
        except StreamNotFound as error:
            self._listing.list_again()
            self._note_failure(error)
        except (Unavailable, ClientError, *NO_ANSWER) as error:
            self._note_failure(error)

    def _take_over(self) -> None:
        """Take over the places that the readers have reached."""
        for shard_id, reader in list(self._readers.items()):
            self._places[shard_id] = reader.place
            self.newest = max(self.newest, reader.newest)
            if reader.place.finished:
                self._listing.follow(shard_id, reader.place.ended_at)

    # What is kept

    def _unsaved(self) -> list[Place]:
        """Return the places to write to the journal now. A place is kept when its shard was read once."""
        now = self._machine.now()
        found = []
        for shard_id, place in self._places.items():
            reader = self._readers.get(shard_id)
            if place.finished:
                is_due = not place.version or reader is not None
            else:
                is_due = bool(place.noted_to) and now - place.saved_at >= _SAVE_EVERY_SECONDS
            if is_due and (reader is None or reader.tried_at > -math.inf):
                found.append(place)
        return found

    def _save(self, place: Place) -> None:
        try:
            saved = self._journal.save(replace(place, saved_at=self._machine.now()))
        except (ClientError, *NO_ANSWER) as error:
            self._note_failure(error)
            return
        if saved is None:
            # Another environment continues from a later place, or an earlier attempt was written.
            self._is_loaded = False
            return
        self._places[place.shard_id] = saved
        if saved.finished:
            self._readers.pop(place.shard_id, None)
        elif place.shard_id in self._readers:
            self._readers[place.shard_id].saved(saved)

    # What follows

    def _prove(self, tracking: Tracking) -> None:
        """Find out up to when everything is noted."""
        if not tracking.destination_since or not self._places:
            return
        listing = self._listing
        siblings_to = self._siblings_to(tracking.destination_since)
        if not siblings_to:
            self._wait_for("DynamoDB may list further shards of the destination's stream")
            return
        to = min([self._machine.now(), siblings_to, *map(self._noted_to, self._places.values())])
        self.noted_to = max(self.noted_to, to)
        # This requests the children that are not known yet.
        listing.is_fresh(to)
        for place in self._places.values():
            if place.finished and self._noted_to(place) < math.inf:
                listed = "further successors" if listing.children(place.shard_id) else "its successor"
                self._wait_for(f"shard {place.shard_id} has ended, and DynamoDB has not listed {listed}")
                return

    def _siblings_to(self, since: float) -> float:
        """Return up to when no change is in an unlisted sibling of a shard that was read from its end.

        0 if that is not known.
        """
        listing = self._listing
        if listing.has_siblings(since):
            return math.inf
        if self._quiet is None:
            listing.list_siblings(since)
            return 0.0
        # A list counts for a cutover as a read does, so it is requested again until the verdict.
        listing.list_again()
        return (listing.listed_at or 0.0) if listing.has_siblings(since, self._quiet) else 0.0

    def _wait_for(self, what: str) -> None:
        self.waits_for = self.waits_for or what

    def _noted_to(self, place: Place) -> float:
        if not place.finished:
            return place.noted_to
        listing, shard_id = self._listing, place.shard_id
        if listing.has_left(shard_id) or (listing.children(shard_id) and listing.is_whole(shard_id)):
            return math.inf
        if self._quiet is not None and listing.is_shown(shard_id, self._quiet):
            return math.inf
        # A shard that had ended when the tracking began may have ended a day ago, and its children earlier.
        if place.found_closed and listing.is_final(shard_id):
            return math.inf
        # Another child may be listed later. It has no change from before the shard's end.
        return place.noted_to

    def _note_failure(self, error: Exception) -> None:
        self.waits_for = f"the destination's stream cannot be read: {error}"
