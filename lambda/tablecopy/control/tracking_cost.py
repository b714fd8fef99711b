"""What it costs to track the keys that are written, from a comparison in the account to the cutover.

Both streams have a record of each change. Their keys are noted in chunks, one for each shard and look, and
each key is read again from both tables, once after its change and once after its copy. The constants are
lines above the figures of ``make bench ONLY=cutover``.
"""

from __future__ import annotations

from tablecopy.control.bounds import READ_UNIT_BYTES, WRITE_UNIT_BYTES
from tablecopy.control.cost import SAVE_SECONDS, TURN_SECONDS, Circumstances, Cost, Use
from tablecopy.journal.touched import PARTITIONS
from tablecopy.settings import Prices

TRACKER_SECONDS = 55
"""Seconds of each minute for which the tracker works."""

STEP_SECONDS = 1.0
"""Seconds from one look at the destination's stream to the next."""

ROUND_SECONDS = 4.0
"""Seconds from one round over the list of touched keys to the next."""

RECHECKS_PER_CHANGE = 2
"""How often the key of a change is read again, from each table."""

_SIDES = 2

# The tracking and the run; then what was found last, the stream's summary and the verification.
_READS_PER_STEP, _READS_PER_ROUND = 2, 3

_CHUNK_BYTES, _KEY_BYTES = 200, 14

_DAY_SECONDS = 86_400


def tracker_use(given: Circumstances, memory_mb: int, seconds: float) -> Use:
    """Return what tracking uses in ``seconds``, without the rechecks. ``given.shards`` must be set.

    ``memory_mb`` is the tracker's memory.
    """
    assert given.shards is not None
    working = seconds * TRACKER_SECONDS / 60
    rounds = working / ROUND_SECONDS
    active = min(given.shards, given.changes_per_second)
    chunks = _SIDES * active * seconds
    keys = _SIDES * given.changes_per_second * seconds
    # Rounding up adds half a unit on average. A chunk is written and removed.
    chunk_units = 2 * max(chunks, (_CHUNK_BYTES * chunks + _KEY_BYTES * keys) / WRITE_UNIT_BYTES + chunks / 2)
    return Use(
        gb_seconds=working * memory_mb / 1024,
        requests=seconds / 60,
        journal_writes=chunk_units + working / TURN_SECONDS + rounds + working * active / SAVE_SECONDS,
        journal_reads=working / STEP_SECONDS * _READS_PER_STEP
        + rounds * (_SIDES * PARTITIONS + _READS_PER_ROUND),
        stream_reads=working / STEP_SECONDS * given.shards,
    )


def recheck_units(changes: float, item_bytes: float) -> float:
    """Return the read units of both tables for the rechecks of so many changes of items of this size."""
    return changes * RECHECKS_PER_CHANGE * _SIDES * max(1.0, item_bytes / READ_UNIT_BYTES + 0.5)


def tracking_costs(
    given: Circumstances, memory_mb: int, item_bytes: float, prices: Prices, days: float = 1.0
) -> list[Cost]:
    """Return the cost of tracking for ``days``. ``given.shards`` must be set."""
    seconds = days * _DAY_SECONDS
    use = tracker_use(given, memory_mb, seconds)
    rechecks = recheck_units(given.changes_per_second * seconds, item_bytes)

    def priced(what: str, units: float, unit: str, price: float) -> Cost:
        return Cost(what, round(units, 3), unit, round(units * price, 4))

    read, write = prices.read_per_million / 1e6, prices.write_per_million / 1e6
    return [
        priced("read written items again", rechecks, "read units", read),
        priced("journal writes", use.journal_writes, "write units", write),
        priced("journal reads", use.journal_reads, "read units", read),
        priced("tracker function", use.gb_seconds, "GB seconds", prices.lambda_per_gb_second),
        priced("Lambda requests", use.requests, "requests", prices.lambda_per_million_requests / 1e6),
        priced(
            "stream reads by the tracker", use.stream_reads, "requests", prices.stream_per_million_reads / 1e6
        ),
        priced("logs", use.log_gb, "GB", prices.logs_per_gb),
    ]
