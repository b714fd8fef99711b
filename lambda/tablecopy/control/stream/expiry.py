"""When the copy lacks a change because it left the stream before it was applied."""

from __future__ import annotations

RETENTION_SECONDS = 86_400
"""A stream keeps a record for 24 hours (Developer Guide, DynamoDB Streams)."""

LOST_AFTER_SECONDS = RETENTION_SECONDS - 3_600
"""Age at which an unapplied change counts as lost.

It is an hour less than the retention, because clocks differ, and because nothing shows when exactly a
record leaves the stream. The replicator writes no record older than this.
"""


class RecordsExpired(Exception):
    """Changes were not applied in time. The copy permanently lacks them, or is about to."""


def check_not_lost(shard_id: str, made: float, now: float) -> None:
    """Raise RecordsExpired if an unapplied change that was made at ``made`` must count as lost at ``now``.

    Both are seconds since the epoch. The change must not be from before the copy: the scan has read what
    such a change led to.
    """
    age = now - made
    if age > LOST_AFTER_SECONDS:
        raise RecordsExpired(
            f"changes made {age / 3600:.0f} hours ago have not been applied, from shard {shard_id}. A stream "
            "keeps changes for 24 hours, so the copy may lack them. Empty the destination and start a new "
            "copy"
        )
