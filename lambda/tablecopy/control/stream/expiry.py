"""When the copy lacks a change because it left the stream before it was applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tablecopy.journal.shards import Shard

RETENTION_SECONDS = 86_400
"""A stream keeps a record for 24 hours (Streams developer guide)."""

# The mapping may have read a record before the record left the stream. The replicator has applied it within
# the longest time a function may run (Lambda quotas), or it never will.
_OVERDUE_SECONDS = 900


class RecordsExpired(Exception):
    """Records left the stream before they were applied. The copy permanently lacks these changes."""


def check_not_expired(
    shard: Shard,
    oldest: float,
    now: float,
    covered_to: float,
    *,
    touched: bool,
    gone: Callable[[], bool],
) -> None:
    """Raise RecordsExpired if the copy lacks an unapplied change that was made at ``oldest``.

    The backfill has read the result of any change before ``covered_to``, when the first slice began. Such a
    change is still lost once the replicator has ``touched`` the shard or one of its ancestors: a put
    that was applied to an item whose deletion was not leaves the item in the destination permanently. A
    stream that was turned on long ago begins with records that expire now. There the record must be ``gone``
    for longer than the mapping may hold it.
    """
    age = now - oldest
    if age <= RETENTION_SECONDS:
        return
    covered = oldest < covered_to
    if covered and not (touched and age > RETENTION_SECONDS + _OVERDUE_SECONDS and gone()):
        return
    raise RecordsExpired(
        f"changes made {age / 3600:.0f} hours ago left the stream before they were applied, from shard "
        f"{shard.shard_id}. A stream keeps changes for 24 hours. The copy lacks them. Empty the destination "
        "and start a new copy"
    )


def is_touched(shard: Shard, shards: Mapping[str, Shard]) -> bool:
    """Return whether any record of ``shard`` or of its ancestors is known to be applied."""
    each: Shard | None = shard
    # The retention of the stream limits the number of ancestors, and ancestors do not form a circle.
    for _ in range(len(shards) + 1):
        if each is None:
            return False
        if each.position:
            return True
        each = shards.get(each.parent)
    return False
