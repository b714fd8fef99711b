"""Which items DynamoDB may delete because their time to live is over."""

from __future__ import annotations

# DynamoDB does not delete items that have been expired for longer (developer guide, Time to Live).
_LONGEST_SECONDS = 5 * 365.25 * 86_400


def expired_at(spelled: str, now: float) -> int | None:
    """Return when an item expired, if it has and if DynamoDB may still delete it.

    Parameters
    ----------
    spelled
        The number in the item's time to live attribute, as DynamoDB spells it; empty if it has none.
    now
        Seconds since the epoch, as the result.
    """
    try:
        moment = float(spelled)
    except ValueError:
        return None
    return int(moment) if 0 <= now - moment < _LONGEST_SECONDS else None
