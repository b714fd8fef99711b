"""The backlog: what one look at the stream has shown of the unapplied changes."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Backlog:
    """The unapplied changes of the stream, as far as they are known.

    Attributes
    ----------
    oldest_age
        Age in seconds of the oldest change that is not known to be applied; 0 when there is none.
    drained
        Every shard is applied to its closed end, or it was empty for long enough when it was last looked at.
        A shard that was empty to its end stands for children that are not known to be empty yet.
    proved_to
        Every change made before this moment, in seconds since the epoch, is applied. Minus infinity unless
        ``drained``.
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
    drained: bool = False
    proved_to: float = -math.inf
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
