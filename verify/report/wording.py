"""What every report says in the same words: the headline, what was compared, the next step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sides.output import printable
from verify.findings import Severity
from verify.results import Comparison, Difference, Kind, Letter, Sample

TITLES: dict[Kind, str] = {
    "missing": "Missing at the destination",
    "different": "Different",
    "extra": "Extra at the destination",
    "expired": "Expired",
}
"""Titles of the groups, in the order of the report."""

EXPIRED_NOTE = "TTL has passed, DynamoDB may delete these at any moment: not a difference"

SEVERITIES: dict[Severity, str] = {
    "data": "can lose data",
    "cost": "can cost money",
    "cosmetic": "cosmetic",
}
"""Severities of findings in words."""

STILL_CHANGING = "still changing"


@dataclass(frozen=True, slots=True)
class Headline:
    """A verdict for people.

    Parameters
    ----------
    word
        ``"Equal"``, ``"Different"``, ``"Unsettled"`` or ``"Sample"``.
    text
        The sentence after the colon. Names the sample, if it was one.
    """

    word: str
    text: str


def headline(comparison: Comparison) -> Headline:
    """Say the verdict in one sentence."""
    verdict = comparison.verdict
    if verdict == "sampled" and comparison.sample is not None:
        return Headline(
            "Sample",
            f"{sample_text(comparison.sample)}: {_compared(comparison)}, no difference found; "
            "the rest was not read.",
        )
    if verdict == "equal":
        return Headline("Equal", f"{_compared(comparison)}, none differs{_expired(comparison)}.")
    text = f"{_differing(comparison)}."
    if comparison.sample is not None:
        text = f"in a sample of {sample_text(comparison.sample)}, {text}"
    return Headline(verdict.capitalize(), text)


def restrictions(comparison: Comparison) -> list[tuple[str, str]]:
    """Name what the comparison was restricted to, as pairs of a label and a text; empty if nothing."""
    rows = []
    if comparison.sample is not None:
        rows.append(("sample", f"{sample_text(comparison.sample)}, seed {comparison.sample.seed}"))
    if comparison.filter_expression is not None:
        rows.append(("filter", printable(comparison.filter_expression)))
    if comparison.ignored:
        rows.append(("ignored", ", ".join(printable(name) for name in comparison.ignored)))
    return rows


def next_steps(comparison: Comparison, refused: int) -> list[str]:
    """Say what to do next, in the order of doing it.

    Parameters
    ----------
    comparison
        What was found.
    refused
        How many open dead letters there are, of listed differences and others.
    """
    steps = []
    if refused:
        steps.append(
            f"the destination refuses {count_text(refused, 'item')} (dead letters): change the item at the "
            "source or the table at the destination, then tablecopy redrive."
        )
    severe = sum(finding.severity == "data" for finding in comparison.findings)
    if severe:
        steps.append(
            f"before the cutover, mend what {'differs' if severe == 1 else 'differ'} between the "
            f"definitions and can lose data ({count_text(severe, 'finding')})."
        )
    return [*steps, *_after_verdict(comparison)]


def sample_text(sample: Sample) -> str:
    """Say which part of the tables was read: ``10% (51 of 512 segments)``."""
    return f"{100 * sample.fraction:g}% ({sample.segments:,} of {sample.of:,} segments)"


def place(arn: str) -> tuple[str, str, str]:
    """Take a table's ARN apart: name, account, region."""
    _, _, _, region, account, table = arn.split(":", 5)
    return printable(table.removeprefix("table/")), printable(account), printable(region)


def how_read(comparison: Comparison) -> str:
    """Say when the tables were read, how long that took, and how often candidates were read again."""
    text = f"{moment_text(comparison.started)}, {duration_text(comparison.seconds)}"
    if comparison.generations:
        text += f", rechecked {_times(comparison.generations)}"
        if comparison.generations > 1:
            text += f" at least {comparison.lag_seconds:g} s apart"
    if comparison.settled:
        text += (
            f"; {count_text(comparison.settled, 'item')} differed in the scan and no longer did when read "
            "again (changes underway)"
        )
    return text


def seen_text(difference: Difference) -> str:
    """Say when a difference was seen, and how often it was read again; empty if it never was."""
    if not difference.checks:
        return ""
    first, last = moment_text(difference.first_seen), moment_text(difference.last_seen)
    if first == last:
        seen = first
    elif first[:10] == last[:10]:
        seen = f"{first.removesuffix(' UTC')} to {last[11:]}"
    else:
        seen = f"{first.removesuffix(' UTC')} to {last}"
    return f"seen {seen}, read again {_times(difference.checks)}"


def expiry_text(difference: Difference) -> str:
    """Say since when an item is expired, and where it still is; empty for other kinds."""
    if difference.expires is None:
        return ""
    where = "destination" if difference.source_digest is None else "source"
    return f"expired {moment_text(difference.expires)}, only at the {where}"


def letter_text(letter: Letter) -> str:
    """Say what the destination refuses, and why: its code, its message, how often."""
    refused = "once" if letter["attempts"] == 1 else f"{letter['attempts']:,} times"
    return (
        f"{printable(letter['code'])}: {printable(letter['message'])} "
        f"({printable(letter['action'])} refused {refused} since {moment_text(letter['first_seen'])})"
    )


def count_text(count: int, thing: str) -> str:
    """``1 thing``, ``2,000 things``."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def moment_text(seconds: float) -> str:
    """Write seconds since the epoch for people, in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def duration_text(seconds: float) -> str:
    """Write a duration for people: ``3.5 s``, ``2 min 10 s``, ``1 h 5 min``, ``2 d 3 h``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return _two(whole, 60, "min", 1, "s")
    return _two(whole, 3_600, "h", 60, "min") if whole < 86_400 else _two(whole, 86_400, "d", 3_600, "h")


def _two(seconds: int, large: int, name: str, small: int, rest: str) -> str:
    left = seconds % large // small
    return f"{seconds // large} {name} {left} {rest}" if left else f"{seconds // large} {name}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _compared(comparison: Comparison) -> str:
    limits = []
    if comparison.filter_expression is not None:
        limits.append("filtered")
    if comparison.ignored:
        limits.append(f"without {count_text(len(comparison.ignored), 'ignored attribute')}")
    note = f" ({', '.join(limits)})" if limits else ""
    return f"{count_text(comparison.source.items, 'item')} compared{note}"


def _expired(comparison: Comparison) -> str:
    expired = comparison.count("expired")
    if not expired:
        return ""
    return f" ({count_text(expired, 'expired item')} on one side only, which is no difference)"


def _differing(comparison: Comparison) -> str:
    kinds = [kind for kind in TITLES if kind != "expired" and comparison.count(kind)]
    if not kinds:
        return (
            f"no difference is left, but {count_text(comparison.settled, 'item')} changed during the "
            "comparison, although writes should have stopped"
        )
    text = ", ".join(f"{comparison.count(kind):,} {kind}" for kind in kinds)
    if comparison.unsettled == sum(comparison.count(kind) for kind in kinds):
        return f"{text}, {STILL_CHANGING}"
    return f"{text} ({comparison.unsettled:,} {STILL_CHANGING})" if comparison.unsettled else text


def _after_verdict(comparison: Comparison) -> Iterator[str]:
    verdict = comparison.verdict
    if verdict == "different" and comparison.writes_stopped:
        yield "do not move the writers; find out why these differ, then verify again."
        yield "or verify with --repair-plan FILE, read the plan, and have verify repair FILE carry it out."
    elif verdict == "different":
        yield "if the copy was still catching up, let it drain and verify again; what stands then is real."
    elif verdict == "unsettled" and comparison.writes_stopped:
        yield "find what still writes to the tables, stop it and verify again."
    elif verdict == "unsettled":
        yield (
            "verify again in a moment; if changes take longer than "
            f"{comparison.lag_seconds:g} s to arrive, raise --lag."
        )
    elif verdict == "sampled":
        yield "verify without --sample before the cutover."
    elif comparison.filter_expression is not None:
        yield "verify without --filter-expression before the cutover; what it leaves out was not compared."
    elif comparison.writes_stopped:
        yield "the destination holds what the source holds: seal the copy, then move the writers."
    else:
        yield "before the cutover, stop the writers, let the copy drain, verify with --writes-stopped."
