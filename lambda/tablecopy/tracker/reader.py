"""Reads the records of one shard of the destination's stream, and notes what they show."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Protocol

from tablecopy.clock import Machine
from tablecopy.control.stream.expiry import LOST_AFTER_SECONDS
from tablecopy.dynamodb.streams import (
    EMPTY_PAGES,
    RECENT_SECONDS,
    IteratorExpired,
    RecordsPage,
    StreamClient,
    StreamNotFound,
)
from tablecopy.journal.places import Place


class TrackingLost(Exception):
    """Records may have left the stream, or its end, before their keys were noted. Nothing is proved then."""


class Notes(Protocol):
    """What is noted of one shard: see `control.stream.notes.KeyNotes` and `tracker.images.ImageNotes`."""

    def add(self, page: RecordsPage) -> None:
        """Take over the records of a page."""

    def flush(self) -> None:
        """Write what was taken over to the journal."""


class Noting(Protocol):
    """What is noted of a stream.

    Attributes
    ----------
    bodies
        Whether the notes need more of the records than their keys.
    """

    bodies: bool

    def of(self, place: Place) -> Notes:
        """Return the notes of a shard from a place on."""


class ShardReader:
    """Reads one shard, a page a call. One thread at a time uses a reader.

    Attributes
    ----------
    place
        Where reading continues. It never gets ahead of what is noted.
    newest
        When the newest record that was read was made, in seconds since the epoch; 0 before the first one.
    tried_at
        When the latest request ended.
    has_more
        Whether the latest page was full, so that more is likely to follow.
    """

    def __init__(self, client: StreamClient, place: Place, noting: Noting, machine: Machine) -> None:
        self._client = client
        self._machine = machine
        self._bodies = noting.bodies
        self._notes = noting.of(place)
        self._iterator = place.iterator
        self._patience = 1 if place.iterator else EMPTY_PAGES
        # Where reading continues once what was read is noted.
        self._following = place
        self._begun_at = place.begun_at
        self.place = place
        self.newest = 0.0
        self.tried_at = -math.inf
        self.has_more = False

    def read(self, until: float) -> None:
        """Read a page and note it. A throttled call is repeated ``until`` then.

        Raises
        ------
        TrackingLost
            Records that were not noted may have left the stream.
        tablecopy.dynamodb.streams.Unavailable, botocore.exceptions.ClientError and others
            The stream cannot be read, or the journal cannot be written. The next call continues.
        """
        self.has_more = False
        try:
            # What an earlier call has read, and could not note.
            self._note()
            if self.place.finished:
                return
            try:
                self._page(until)
            except IteratorExpired:
                self._iterator = ""
                self._page(until)
        except StreamNotFound:
            # The shard has left the stream, or there is no stream any more, which the list shows.
            self._check_kept()
            raise
        finally:
            self.tried_at = self._machine.now()

    def _page(self, until: float) -> None:
        if not self._iterator:
            self._iterator = self._open(until)
        requested = self._machine.now()
        page = self._client.records(self._iterator, until, keys=not self._bodies, body=self._bodies)
        self.has_more = page.is_full
        if page.records:
            self._notes.add(page)
            # After an old record, the next ones may be empty pages away.
            is_recent = page.records[-1].created >= requested - RECENT_SECONDS
            self._patience = 1 if is_recent else EMPTY_PAGES
            self.newest = max(self.newest, page.records[-1].created)
            noted_to = self.newest
        else:
            self._patience -= 1
            # A shard that has ended may have done so before this read, and its children go on.
            is_end = self._patience <= 0 and page.iterator is not None
            noted_to = requested if is_end else 0.0
        if page.iterator is None:
            # A shard that was read from its end, and has ended since, may have shown nothing.
            noted_to = max(noted_to, self._begun_at)
        self._following = replace(
            self.place,
            read_to=page.records[-1].sequence_number if page.records else self.place.read_to,
            # Another environment takes its first page for the end, so it continues only where that is right.
            iterator=(page.iterator or "") if self._patience <= 1 else "",
            begun_at=self._begun_at,
            noted_to=max(self.place.noted_to, noted_to),
            finished=page.iterator is None,
            ended_at=self._machine.now() if page.iterator is None else 0.0,
        )
        self._iterator = page.iterator or ""
        self._note()

    def saved(self, place: Place) -> None:
        """Take over the place as it was written to the journal."""
        self._following = replace(self._following, version=place.version, saved_at=place.saved_at)
        self.place = place

    def _note(self) -> None:
        self._notes.flush()
        self.place = self._following

    def _open(self, until: float) -> str:
        self._patience = EMPTY_PAGES
        place = self.place
        if place.read_to:
            try:
                return self._client.iterator(place.shard_id, "AFTER_SEQUENCE_NUMBER", until, place.read_to)
            except (IteratorExpired, StreamNotFound):
                # The record itself has left the stream. Time shows whether later ones may have as well.
                pass
        elif place.at_end and not place.noted_to:
            self._patience = 1
            iterator = self._client.iterator(place.shard_id, "LATEST", until)
            self._begun_at = self._machine.now()
            return iterator
        self._check_kept()
        return self._client.iterator(place.shard_id, "TRIM_HORIZON", until)

    def _check_kept(self) -> None:
        age = self._machine.now() - self.place.noted_to
        if age > LOST_AFTER_SECONDS:
            raise TrackingLost(
                f"shard {self.place.shard_id} of the destination's stream was not read for "
                f"{age / 3600:.0f} hours. A stream keeps changes for 24 hours"
            )
