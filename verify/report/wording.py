"""What every report says in the same words: the headline, what was compared, the next step."""

from __future__ import annotations

from dataclasses import dataclass

from tablecopy.text import count_text, duration_text, times_text, timestamp
from tablecopy_cli.common.text import escaped
from verify.comparison.results import Comparison, DeadLetter, Difference, Kind, Sample
from verify.settings.findings import Severity

TITLES: dict[Kind, str] = {
    "missing": "Missing at the destination",
    "changed": "Changed",
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

# Ignored attributes that the headline names.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Headline:
    """A verdict for people.

    Parameters
    ----------
    word
        ``"Equal"``, ``"Different"``, ``"Unsettled"`` or ``"Sample"``. What was left out is part of it:
        ``'Equal except "name"'``.
    text
        The sentence after the colon. Names the sample, if it was one.
    """

    word: str
    text: str


def headline(comparison: Comparison) -> Headline:
    """Say the verdict in one sentence."""
    verdict = comparison.verdict
    except_ = _except(comparison)
    if verdict == "sampled" and comparison.sample is not None:
        return Headline(
            f"Sample{except_}",
            f"{sample_text(comparison.sample)}: {_matching(comparison)}. The rest was not read.",
        )
    if verdict == "equal":
        return Headline(f"Equal{except_}", f"{_matching(comparison)}{_expired(comparison)}.")
    text = f"{_differing(comparison)}."
    if comparison.sample is not None:
        text = f"in a sample of {sample_text(comparison.sample)}, {text}"
    return Headline(f"{verdict.capitalize()}{except_}", text)


def restrictions(comparison: Comparison) -> list[tuple[str, str]]:
    """Name what the comparison was restricted to, as pairs of a label and a text; empty if nothing."""
    rows = []
    if comparison.sample is not None:
        rows.append(("sample", f"{sample_text(comparison.sample)}, seed {comparison.sample.seed}"))
    if comparison.filter_expression is not None:
        rows.append(("filter", escaped(comparison.filter_expression)))
    if comparison.ignored:
        rows.append(("ignored", ", ".join(escaped(name) for name in comparison.ignored)))
    return rows


def sample_text(sample: Sample) -> str:
    """Say which part of the tables was read: ``10% (51 of 512 segments)``."""
    return f"{100 * sample.fraction:g}% ({sample.segments:,} of {sample.of:,} segments)"


def place(arn: str) -> tuple[str, str, str]:
    """Take a table's ARN apart: name, account, region."""
    _, _, _, region, account, table = arn.split(":", 5)
    return escaped(table.removeprefix("table/")), escaped(account), escaped(region)


def how_read(comparison: Comparison) -> str:
    """Say when the tables were read, how long that took, and how often candidates were read again."""
    text = f"{timestamp(comparison.started)}, {duration_text(comparison.seconds)}"
    if comparison.generations:
        text += f", rechecked {times_text(comparison.generations)}"
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
    first, last = timestamp(difference.first_seen), timestamp(difference.last_seen)
    seen = first if first == last else f"{first} to {last}"
    return f"seen {seen}, read again {times_text(difference.checks)}"


def expiry_text(difference: Difference) -> str:
    """Say since when an item is expired, and where it still is; empty for other kinds."""
    if difference.expires is None:
        return ""
    where = "destination" if difference.source_digest is None else "source"
    return f"expired {timestamp(difference.expires)}, only at the {where}"


def dead_letter_text(letter: DeadLetter) -> str:
    """Say what the destination refuses, and why: its code, its message, how often."""
    refused = times_text(letter["attempts"])
    return (
        f"{escaped(letter['code'])}: {escaped(letter['message'])} "
        f"({escaped(letter['action'])} refused {refused} since {timestamp(letter['first_seen'])})"
    )


def _except(comparison: Comparison) -> str:
    """What the verdict leaves out: `` except "name", within the filter``; empty if it leaves out nothing."""
    text = ""
    if comparison.ignored:
        names = [f'"{escaped(name)}"' for name in comparison.ignored[:_NAMED]]
        more = len(comparison.ignored) - _NAMED
        text = f" except {', '.join(names)}{f' and {more:,} more' if more > 0 else ''}"
    if comparison.filter_expression is not None:
        text += ", within the filter" if text else " within the filter"
    return text


def _matching(comparison: Comparison) -> str:
    items = comparison.source.items
    if comparison.filter_expression is not None:
        return f"{count_text(items, 'filtered item')} compared, all match"
    return "1 item compared, it matches" if items == 1 else f"all {items:,} items match"


def _expired(comparison: Comparison) -> str:
    expired = comparison.count("expired")
    if not expired:
        return ""
    return f", {count_text(expired, 'expired item')} on one side only not counted"


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
