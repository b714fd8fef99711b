"""When a change that has left the stream unapplied is a change that the copy lacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tablecopy.journal.shards import Shard

RETENTION_SECONDS = 86_400
"""A stream keeps a record for 24 hours (Streams developer guide)."""

# The mapping may have read a record before it left the stream. It has applied it within the longest time a
# function may run (Lambda quotas), or it will not.
_OVERDUE_SECONDS = 900


class RecordsExpired(Exception):
    """Records left the stream before they were applied: the copy lacks changes and cannot get them back."""


def check_not_expired(
    shard: Shard,
    oldest: float,
    now: float,
    covered_to: float,
    *,
    touched: bool,
    gone: Callable[[], bool],
) -> None:
    """Raise RecordsExpired when a change made at ``oldest``, which is not applied, is lost to the copy.

    What was changed before ``covered_to``, when the first slice began, shows in what the backfill has read
    since. It is lost all the same once the replicator has ``touched`` the shard or one before it: a put that
    was applied, of an item whose deletion was not, leaves the item at the destination for good. A stream
    that was on for long begins with records that expire just now, so there the record must be ``gone``, and
    long enough for the mapping not to hold it any more.
    """
    age = now - oldest
    if age <= RETENTION_SECONDS:
        return
    covered = oldest < covered_to
    if covered and not (touched and age > RETENTION_SECONDS + _OVERDUE_SECONDS and gone()):
        return
    raise RecordsExpired(
        f"shard {shard.shard_id}: changes made {age / 3600:.0f} hours ago were not applied within the 24 "
        "hours that a stream keeps them. The copy lacks them: empty the destination and start a new copy"
    )


def is_touched(shard: Shard, shards: Mapping[str, Shard]) -> bool:
    """Whether anything of ``shard`` or of those that it followed is known to be applied."""
    each: Shard | None = shard
    # The time a stream keeps its shards bounds the ancestors; that they go round in circles does not happen.
    for _ in range(len(shards) + 1):
        if each is None:
            return False
        if each.position:
            return True
        each = shards.get(each.parent)
    return False
