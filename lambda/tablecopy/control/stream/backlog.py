"""The backlog: what one look at the stream has shown of the unapplied changes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tablecopy.control.stream.reader import Reader
from tablecopy.journal.shards import LOOK_SECONDS, Shard


@dataclass(frozen=True)
class Backlog:
    """The unapplied changes of the stream, as far as they are known.

    Attributes
    ----------
    oldest_age
        Age in seconds of the oldest change that is not known to be applied; 0 when there is none.
    unapplied_age
        Age in seconds of the oldest change that was found not to be applied; 0 when none was. It is smaller
        than ``oldest_age`` while there are changes that were not read.
    drained
        Every shard is applied to its closed end, or it was empty for long enough when it was last looked at.
        A shard that was empty to its end stands for children that are not known to be empty yet.
    proved_to
        Every change made before this moment, in seconds since the epoch, is applied. Minus infinity unless
        ``drained``.
    shown_to
        As ``proved_to``, if every shard is listed within the time for which a shard must be empty. Only a
        look for a cutover finds more by it.
    quiet
        ``proved_to`` is recent, and later than the newest known change: the source has become quiet, and all
        changes are applied that were made until then.
    looked_since
        Every shard was looked at since this moment, in seconds since the epoch. A permanent decision needs a
        look at every shard.
    records, puts, deletes
        Records that are applied, and the writes that they led to.
    waiting
        Number of unapplied changes that were counted.
    changed
        A shard was found not to be empty. That is more than an unproved ``drained``.
    unapplied
        A change was found that is not applied.
    listed
        This environment has listed all shards.
    settled
        Control has noted its place in every shard that it knows, and the journal has it.
    noted_at
        Changes that control has not seen were made before this moment; 0 if there are none.
    open_shards
        Shards that are not finished.
    waits_for
        What keeps this look from being complete, as text; may be empty.
    error
        Why a call failed; ``None`` if none did.
    """

    oldest_age: float = 0.0
    unapplied_age: float = 0.0
    drained: bool = False
    proved_to: float = -math.inf
    shown_to: float = -math.inf
    quiet: bool = False
    looked_since: float = -math.inf
    records: int = 0
    puts: int = 0
    deletes: int = 0
    waiting: int = 0
    changed: bool = False
    unapplied: bool = False
    listed: bool = False
    settled: bool = False
    noted_at: float = 0.0
    open_shards: int = 0
    waits_for: str = ""
    error: Exception | None = None


def age_of(row: Shard, reader: Reader | None, parent: Shard | None, now: float, covered_to: float) -> float:
    """Return the age of the oldest change of a shard that may be unapplied; 0 if there is none.

    Where nothing unapplied was found when it was looked for, changes since are assumed after a minute.

    Parameters
    ----------
    reader, parent
        What reads the shard, and the row of its parent, if they are known.
    covered_to
        Changes made before this moment, in seconds since the epoch, are from before the copy.
    """
    applied_to = max(row.applied_to, covered_to)
    follows = parent is not None and parent.finished
    if reader is None or reader.read_at < 0:
        # Another environment has found changes, or no shard shows since when there may be some.
        is_known = row.empty_since is not None or (follows and not row.looked_at)
        behind, empty_at = not is_known and now - applied_to, row.looked_at
    elif reader.ahead_count:
        behind, empty_at = now - reader.oldest, 0.0
    else:
        # The first pages of a new iterator may be empty, even if there are records.
        is_known = row.empty_since is not None and (follows or reader.end_read_at > 0)
        is_behind = reader.beyond or not (reader.at_end or is_known)
        behind, empty_at = is_behind and row.looked_at - applied_to, reader.end_read_at
    # Longer than a look takes, a shard may hold changes that no look has seen.
    unseen = now - max(applied_to, empty_at)
    return behind or (unseen if unseen > LOOK_SECONDS else 0.0)
