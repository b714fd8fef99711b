"""Which shards the stream has: the whole list now and then, and the children of shards that have ended.

A shard arises only as the child of a shard that has ended, so the known shards lead to all others. DynamoDB
may list a child later than its parent's end, and the second child of a split later than the first.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tablecopy.clock import Clock
from tablecopy.dynamodb.streams import ListedShard, StreamClient, StreamNotFound

# All copies of an account share ten DescribeStream calls a second (API reference, DescribeStream).
_BETWEEN_CALLS_SECONDS = 1.0

# The whole list has 100 shards a call, most of them ended hours ago. A long one is requested less often: of
# thousands of shards one ends every few seconds, and its children need the calls.
_LIST_EVERY_SECONDS = 600.0
_LIST_EVERY_SECONDS_A_PAGE = 20.0

# A child is asked for until it is listed, at growing intervals up to this one.
_LONGEST_INTERVAL_SECONDS = 30.0

# DynamoDB lists the first child of a shard within a minute of the shard's end, and the second one of a split
# within a minute of the first. Other consumers of streams wait as long.
_CHILD_SECONDS = 61.0
FINAL_SECONDS = 120.0

# By how much the clock of another environment, which has seen a child first, may be behind: each differs from
# the time by a second at most (docs/assumptions.md, L5).
_CLOCKS_SECONDS = 2.0

# What is requested: a child that may hold changes that no one has seen, the second child of a split, and
# whether there is really no further one.
_FIRST, _SECOND, _FURTHER = range(3)


class StreamGone(Exception):
    """The stream no longer exists."""


@dataclass
class _Parent:
    """A shard that has ended: when, how often its children were requested, and when they are due again.

    ``followed_at`` is when this environment knew of the end, ``is_urgent`` whether another child may well be
    listed, and ``is_whole`` whether another environment has listed all of them.
    """

    ended_at: float
    followed_at: float
    due: float
    is_urgent: bool = True
    asked: int = 0
    asked_at: float = 0.0
    is_whole: bool = False


class Listing:
    """The list of shards. One call to DynamoDB is made at a time, and at most one a second.

    Attributes
    ----------
    shards
        Every shard that was listed, by ID, in the order of the stream.
    listed_at
        When the latest whole list was requested, in seconds since the epoch; ``None`` before the first one.
    enabled
        Whether the stream was on at the latest call.
    """

    def __init__(self, client: StreamClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._parents: dict[str, _Parent] = {}
        self._parts: dict[str, ListedShard] = {}
        self._began = 0.0
        self._pages = 0
        self._after = ""
        # Dictionaries as sets that keep the order of the list: the order of calls must not depend on hashes.
        self._children: dict[str, dict[str, None]] = {}
        # When the first child of a shard was listed at the latest.
        self._first_child_at: dict[str, float] = {}
        self._whole_due = clock.now()
        self._lacks_siblings = False
        self._next_call = clock.now()
        self.shards: dict[str, ListedShard] = {}
        self.listed_at: float | None = None
        self.enabled = True

    def is_due(self) -> bool:
        """Return whether to call ``step`` now."""
        return self._clock.now() >= self.due_at()

    def due_at(self) -> float:
        """Return when ``step`` is due next, in seconds since the epoch."""
        due = min((parent.due for parent in self._parents.values()), default=math.inf)
        return max(self._next_call, min(due, self._whole_due))

    def step(self) -> None:
        """Make one call to DynamoDB.

        Raises
        ------
        StreamGone
            The stream does not exist.
        tablecopy.dynamodb.streams.Unavailable, botocore.exceptions.ClientError
            As of `StreamClient.describe`. The call is due again after a second.
        """
        now = self._clock.now()
        self._next_call = now + _BETWEEN_CALLS_SECONDS
        due = [
            (self._rank(shard_id, parent), parent.due, shard_id)
            for shard_id, parent in self._parents.items()
            if now >= parent.due
        ]
        if not due:
            self._list_page()
            return
        rank, _, shard_id = min(due)
        # The rest of a long list can wait for children. Second children can wait for the list if siblings of
        # other shards may be missing as well: nothing is proved without them.
        is_next = rank > (_FIRST if self._lacks_siblings else _SECOND)
        if now >= self._whole_due and (is_next or not (self._after or self.listed_at is not None)):
            self._list_page()
        else:
            self._list_children(shard_id)

    def list_again(self) -> None:
        """Request the whole list as soon as possible."""
        self._whole_due = self._clock.now()

    def children(self, shard_id: str) -> Collection[str]:
        """Return the children of a shard that were listed."""
        return self._children.get(shard_id, ())

    def follow(self, shard_id: str, ended_at: float) -> None:
        """Ask for the children of a shard that has ended, until no further one can be listed."""
        if shard_id not in self._parents:
            now = self._clock.now()
            self._parents[shard_id] = _Parent(ended_at, now, due=now)

    def recall(self, shard_id: str, children: Collection[str], child_at: float, *, is_whole: bool) -> None:
        """Take over what another environment has listed of a shard that is followed.

        Parameters
        ----------
        children
            Children that have rows.
        child_at
            When the first of them was listed, by the other's clock; 0 if it is not known.
        is_whole
            Whether there are no other children.
        """
        parent = self._parents[shard_id]
        if is_whole and not parent.is_whole:
            parent.is_whole, parent.is_urgent = True, False
            parent.due = max(self._clock.now(), parent.ended_at + FINAL_SECONDS)
        if not children or is_whole:
            return
        self._children.setdefault(shard_id, {}).update(dict.fromkeys(children))
        seen_at = child_at + _CLOCKS_SECONDS if child_at else self._clock.now()
        self._first_child_at[shard_id] = min(seen_at, self._first_child_at.get(shard_id, math.inf))
        if not self.is_whole(shard_id):
            whole_at = self._whole_at(shard_id, parent)
            parent.due = min(parent.due, whole_at) if parent.asked else whole_at

    def first_child_at(self, shard_id: str) -> float:
        """Return when a child of a shard was listed first, at the latest; 0 if none was."""
        return self._first_child_at.get(shard_id, 0.0)

    def forget(self, shard_id: str) -> None:
        """Ask no more for the children of a shard."""
        self._parents.pop(shard_id, None)

    def is_final(self, shard_id: str) -> bool:
        """Return whether no further child of a shard that has ended can be listed."""
        parent = self._parents.get(shard_id)
        return parent is not None and self._asked_at(parent) >= parent.ended_at + FINAL_SECONDS

    def is_whole(self, shard_id: str) -> bool:
        """Return whether all children of a shard that has ended are listed, as far as DynamoDB is known.

        It lists the other one within a minute of the first. See also `is_final`.
        """
        parent = self._parents.get(shard_id)
        return parent is not None and (
            parent.is_whole or self._asked_at(parent) >= self._whole_at(shard_id, parent)
        )

    def is_shown(self, shard_id: str, seconds: float) -> bool:
        """Return whether DynamoDB has listed children of a shard, and all that it lists within ``seconds``.

        Every shard that ends has a child, so it is not enough that none is listed. Another child may be
        listed later: see `is_whole`. If it is too early to say, the children are requested again then.
        """
        parent = self._parents.get(shard_id)
        if parent is not None and parent.is_whole:
            return True
        if parent is None or not self.children(shard_id):
            return False
        wanted = parent.followed_at + seconds
        if self._asked_at(parent) >= wanted:
            return True
        parent.due = min(parent.due, max(self._clock.now(), wanted))
        parent.is_urgent = True
        return False

    def has_left(self, shard_id: str) -> bool:
        """Return whether a shard that has ended has left the stream. Its children are known then."""
        parent = self._parents.get(shard_id)
        ended_at = parent.ended_at if parent else 0.0
        return self.listed_at is not None and self.listed_at > ended_at and shard_id not in self.shards

    def has_siblings(self, noted_at: float, seconds: float = _CHILD_SECONDS) -> bool:
        """Return whether the whole list has every sibling of a shard that was noted at ``noted_at``.

        Its parent is not followed, and another child of it may be listed within ``seconds``. 0 is for a shard
        whose parent is followed.
        """
        return not noted_at or (self.listed_at is not None and self.listed_at >= noted_at + seconds)

    def list_siblings(self, noted_at: float) -> None:
        """Request the whole list for the time from which it has all siblings; see `has_siblings`."""
        self._whole_due = min(self._whole_due, max(self._clock.now(), noted_at + _CHILD_SECONDS))
        self._lacks_siblings = True

    def is_fresh(self, since: float) -> bool:
        """Return whether the children of all shards were requested after ``since``, and request the others.

        Shards whose children are all listed do not count.
        """
        now = self._clock.now()
        is_fresh = True
        for shard_id, parent in self._parents.items():
            wanted = min(since, self._whole_at(shard_id, parent))
            if not parent.is_whole and self._asked_at(parent) < wanted:
                is_fresh = False
                parent.due = min(parent.due, max(now, wanted))
                parent.is_urgent = True
        return is_fresh

    def _rank(self, shard_id: str, parent: _Parent) -> int:
        """Return how long the children of a shard can wait."""
        if not parent.is_urgent:
            return _FURTHER
        return _SECOND if self.children(shard_id) else _FIRST

    def _asked_at(self, parent: _Parent) -> float:
        """Return when the children of a shard were requested last. The whole list has them as well."""
        return max(parent.asked_at, self.listed_at or 0.0)

    def _whole_at(self, shard_id: str, parent: _Parent) -> float:
        """Return from when on a list has all children of a shard, in seconds since the epoch."""
        first_at = self._first_child_at.get(shard_id, math.inf)
        return min(parent.ended_at + FINAL_SECONDS, first_at + _CHILD_SECONDS)

    def _list_children(self, shard_id: str) -> None:
        parent = self._parents[shard_id]
        now = self._clock.now()
        try:
            page = self._client.describe(children_of=shard_id)
        except StreamNotFound:
            # The same error is for a parent that has left the stream. Then the whole list has its children.
            self.list_again()
            page = None
        parent.asked += 1
        parent.asked_at = now
        if page is not None:
            self.enabled = page.enabled
            for shard in page.shards:
                self._add(shard)
        if self.children(shard_id):
            times = self._whole_at(shard_id, parent), parent.ended_at + FINAL_SECONDS
            parent.due = min((moment for moment in times if now < moment), default=math.inf)
            parent.is_urgent = parent.due < times[1]
        else:
            parent.due = now + min(_LONGEST_INTERVAL_SECONDS, 2.0 ** (parent.asked - 1))

    def _list_page(self) -> None:
        now = self._clock.now()
        if not self._after:
            self._parts, self._began, self._pages = {}, now, 0
        self._pages += 1
        try:
            page = self._client.describe(after=self._after)
        except StreamNotFound as gone:
            if self._after:
                # The shard after which the page begins has left the stream meanwhile.
                self._after = ""
                return
            raise StreamGone(f"stream {self._client.stream_arn} no longer exists. Start a new copy") from gone
        self.enabled = page.enabled
        for shard in page.shards:
            self._add(shard)
        self._after = page.last
        if not page.last:
            self.listed_at = self._began
            self._lacks_siblings = False
            self._whole_due = now + max(_LIST_EVERY_SECONDS, _LIST_EVERY_SECONDS_A_PAGE * self._pages)
            self._replace()
            for shard_id, parent in self._parents.items():
                if self.children(shard_id) and self.is_final(shard_id):
                    parent.due = math.inf

    def _replace(self) -> None:
        """Forget the shards that the whole list no longer has."""
        for shard_id in [id_ for id_ in self.shards if id_ not in self._parts]:
            shard = self.shards.pop(shard_id)
            self._children.get(shard.parent, {}).pop(shard_id, None)
            self._first_child_at.pop(shard_id, None)
        self._parts = {}

    def _add(self, shard: ListedShard) -> None:
        self.shards[shard.shard_id] = self._parts[shard.shard_id] = shard
        if shard.parent:
            self._children.setdefault(shard.parent, {})[shard.shard_id] = None
            self._first_child_at.setdefault(shard.parent, self._clock.now())


def leaves(listed: Mapping[str, ListedShard]) -> list[ListedShard]:
    """Return the shards of a whole list that have no listed child."""
    parents = {shard.parent for shard in listed.values()}
    return [shard for shard_id, shard in listed.items() if shard_id not in parents]


def unknown(listed: Mapping[str, ListedShard], known: Collection[str]) -> list[ListedShard]:
    """Return the shards of a whole list that must be followed and are not ``known``.

    A shard is known if one of its descendants is: it ended before the copy, or it was followed to its end,
    and so were its other descendants.
    """
    covered: set[str] = set()
    for shard_id in known:
        shard = listed.get(shard_id)
        while shard is not None and shard.parent and shard.parent not in covered:
            covered.add(shard.parent)
            shard = listed.get(shard.parent)
    return [shard for id_, shard in listed.items() if id_ not in known and id_ not in covered]
