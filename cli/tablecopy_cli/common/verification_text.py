"""A comparison in the account in words: how far it is, and what it has found."""

from __future__ import annotations

from collections.abc import Iterator

from tablecopy.control.status import VerificationStatus
from tablecopy.text import count_text, duration_text, timestamp
from tablecopy_cli.common.text import escaped

# Workers record their progress every few seconds, so the first ones say little about the rate.
_MEASURED_SECONDS = 10.0


def is_active(status: VerificationStatus) -> bool:
    """Whether the comparison has begun and not ended; false if there is none."""
    return bool(status) and status["state"] not in {"done", "failed"}


def items_read(status: VerificationStatus) -> int:
    """Return the number of items that were read, of both tables."""
    return status["source_items"] + status["destination_items"]


def items_per_second(status: VerificationStatus) -> float | None:
    """Return the average rate since the comparison began; None while it is not known."""
    seconds = status["now"] - status["began"]
    return items_read(status) / seconds if seconds >= _MEASURED_SECONDS and items_read(status) else None


def progress_parts(status: VerificationStatus, rate: float | None) -> Iterator[str]:
    """Yield how far an active comparison is, the most important part first for narrow terminals.

    ``rate`` is in items of both tables per second, or None if it is not known.
    """
    if status["state"] == "requested":
        yield "starting"
        return
    audit = status.get("audit")
    if audit and status["state"] == "rechecking":
        yield "judging what was written since the seal"
        yield f"{count_text(_standing(status), 'difference')} so far"
        return
    if audit and audit["scanned"]:
        through = timestamp(audit["noted_to"]) if audit["noted_to"] else "an unknown time"
        yield f"reading the destination's stream, through {through}"
        if audit["waits_for"]:
            yield escaped(audit["waits_for"])
        return
    if status["state"] == "rechecking":
        yield f"recheck {status['generation']}"
        yield f"{count_text(status['undecided'], 'key')} may be changes in progress"
        yield f"{count_text(_standing(status), 'difference')} so far"
        return
    items, estimated = items_read(status), status["estimated_items"]
    yield f"{status['segments_done']} of {count_text(status['segments'], 'segment')}"
    if rate and estimated > items:
        yield f"{duration_text((estimated - items) / rate)} left"
    yield f"{count_text(_standing(status) + status['undecided'], 'difference')} so far"
    if rate:
        yield f"{rate:,.0f} items/s"
    yield f"{count_text(items, 'item')} read"
    yield f"{status['source_units'] + status['destination_units']:,.0f} read units"


def state_text(status: VerificationStatus) -> str:
    """Return how far the comparison is or what it has found, in one line without control characters."""
    if is_active(status):
        doing = "auditing" if status.get("audit") else "comparing"
        word = f"{doing} in the account" if status["running"] else "interrupted in the account"
        return f"{word}: {', '.join(progress_parts(status, items_per_second(status)))}"
    ended = f"in the account, ended {timestamp(status['ended'])}"
    if status["state"] == "failed":
        return f"failed {ended}: {escaped(status['reason'])}"
    counts = {"missing": status["missing"], "changed": status["changed"], "extra": status["extra"]}
    found = [f"{count:,} {kind}" for kind, count in counts.items() if count]
    if status["undecided"]:
        found.append(f"{status['undecided']:,} still changing")
    what = ", ".join(found) or f"{count_text(status['equal'], 'item')} match"
    stopped = ", writes stopped" if status["writes_stopped"] else ""
    if status.get("audit"):
        stopped = ", audited"
    return f"{_VERDICTS[status['verdict']]}: {what}{stopped}, {ended}"


def tracking_text(status: VerificationStatus) -> str:
    """Return up to when everything written is verified, in one line; empty if that is not tracked.

    It shows what keeps this moment from moving on, and how long writers would stop for a cutover.
    """
    tracking = status.get("tracking")
    # Without writers, or of an earlier version.
    if not tracking or status["writes_stopped"]:
        return ""
    if tracking["state"] == "off":
        return f"not verified any more: {escaped(tracking['reason'])}" if tracking["reason"] else ""
    through = tracking["verified_through"]
    parts = [f"verified through {timestamp(through)}" if through else "not verified yet"]
    parts.append(f"{count_text(tracking['left'], 'key')} left")
    if tracking["standing"]:
        parts.append(count_text(tracking["standing"], "difference"))
    if tracking["predicted_stop_s"] is not None:
        parts.append(f"writers would stop for {duration_text(tracking['predicted_stop_s'])}")
    if tracking["waits_for"]:
        parts.append(escaped(tracking["waits_for"]))
    return ", ".join(parts)


_VERDICTS = {"": "", "equal": "equal", "different": "different", "unsettled": "still changing"}


def _standing(status: VerificationStatus) -> int:
    # Expired items do not count.
    return status["missing"] + status["changed"] + status["extra"]
