"""The words that every report shares: headlines, restrictions, times, attribute paths and changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tablecopy.text import count_text, duration_text, list_text, times_text, timestamp
from tablecopy_cli.common.items import is_plain, quoted, value_text
from tablecopy_cli.common.text import escaped
from verify.comparison.differences import PathChange
from verify.comparison.results import Comparison, DeadLetter, Difference, InAccount, Kind, Sample
from verify.settings.findings import Severity

TITLES: dict[Kind, str] = {
    "missing": "Missing from the destination",
    "changed": "Changed",
    "extra": "Extra in the destination",
    "expired": "Expired",
}
"""Titles of the groups, in the order in which the reports show them."""

EXPIRED_NOTE = "TTL has passed, so DynamoDB may delete these items at any time. They do not count."

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
    """The verdict in words.

    Parameters
    ----------
    word
        ``"Equal"``, ``"Different"``, ``"Still changing"``, ``"Sample"`` or ``"Part"``, with the restrictions
        of the comparison: ``'Equal except "name"'``.
    text
        The sentence after the colon.
    """

    word: str
    text: str

    def __str__(self) -> str:
        return f"{self.word}: {self.text}"


def headline(comparison: Comparison) -> Headline:
    """Write the verdict as one sentence."""
    except_ = _except(comparison)
    if comparison.verdict == "sampled" and comparison.sample is not None:
        verb = "were" if len(comparison.sample.chosen) > 1 else "was"
        read = f"{sample_text(comparison.sample)} {verb} read and {_matching(comparison)}"
        word = "Part" if comparison.sample.chosen else "Sample"
        return Headline(f"{word}{except_}", f"{read}. The rest was not read.")
    if comparison.verdict == "equal":
        return Headline(f"Equal{except_}", f"{_matching(comparison)}.{_expired(comparison)}")
    text = f"{_differing(comparison)}."
    if comparison.sample is not None:
        part = sample_text(comparison.sample)
        text = f"in {part if comparison.sample.chosen else f'a sample of {part}'}, {text}"
    word = "Still changing" if comparison.verdict == "unsettled" else "Different"
    return Headline(f"{word}{except_}", text)


def share_text(comparison: Comparison) -> str:
    """Write how many of the items differ: ``15 of 33,055 items differ (0.045%)``.

    The whole is every key that at least one of the tables has, as the scan counted them.
    """
    differing = comparison.differing
    # Under writes, the tables may grow between the scan and a recheck.
    total = max(comparison.source.items + comparison.count("extra"), comparison.destination.items, differing)
    share = 100 * differing / total if total else 0.0
    if 0 < share < 0.001:
        percent = "less than 0.001%"
    elif differing < total and share > 99.9:
        percent = "more than 99.9%"
    else:
        percent = f"{share:.2g}%" if share < 10 else f"{share:.3g}%"
    verb = "differs" if differing == 1 else "differ"
    return f"{differing:,} of {count_text(total, 'item')} {verb} ({percent})"


def restrictions(comparison: Comparison) -> list[tuple[str, str]]:
    """List what restricted the comparison as pairs of a label and a text; empty if nothing did."""
    rows = []
    if comparison.sample is not None and comparison.sample.chosen:
        rows.append(("segments", sample_text(comparison.sample)))
    elif comparison.sample is not None:
        rows.append(("sample", f"{sample_text(comparison.sample)}, seed {comparison.sample.seed}"))
    if comparison.filter_expression is not None:
        rows.append(("filter", escaped(comparison.filter_expression)))
    if comparison.ignored:
        rows.append(("ignored", ", ".join(escaped(name) for name in comparison.ignored)))
    return rows


def sample_text(sample: Sample) -> str:
    """Write which part of the tables was read: ``10% (51 of 512 segments)``, ``segments 3 and 7 of 16``."""
    if sample.chosen:
        word = "segment" if len(sample.chosen) == 1 else "segments"
        return f"{word} {list_text([f'{segment:,}' for segment in sample.chosen])} of {sample.of:,}"
    return f"{100 * sample.fraction:g}% ({sample.segments:,} of {sample.of:,} segments)"


def location(arn: str) -> tuple[str, str, str]:
    """Split a table ARN into the table's name, account and Region."""
    _, _, _, region, account, table = arn.split(":", 5)
    return escaped(table.removeprefix("table/")), escaped(account), escaped(region)


def how_read(comparison: Comparison) -> str:
    """Write when the tables were read, how long it took, and how often candidates were read again."""
    where = " in the account" if comparison.in_account else ""
    text = f"Started{where} {timestamp(comparison.started)}, took {duration_text(comparison.seconds)}."
    if comparison.in_account:
        text += f" {pairing_text(comparison.in_account)}"
    if comparison.generations:
        text += f" Rechecked {rechecks_text(comparison)}."
    settled = settled_text(comparison)
    return f"{text} {settled}" if settled else text


def pairing_text(found: InAccount) -> str:
    """Write how the items of both tables were paired in the account."""
    segments = count_text(found.segments, "segment")
    if not found.segments_by_key:
        return f"Merged the scans of {segments}."
    if found.segments_by_key == found.segments:
        return f"Read {segments} by key, because the scans are not in the same order."
    return (
        f"Merged the scans of {found.segments - found.segments_by_key:,} of {segments}, and read the others "
        "by key, because their scans are not in the same order."
    )


def unlisted_text(comparison: Comparison) -> str:
    """Write how many differences are only counted, and how to list them."""
    verb = "is" if comparison.unlisted == 1 else "are"
    return (
        f"{count_text(comparison.unlisted, 'difference')} {verb} counted and not listed. verify --segment "
        "lists those of a segment."
    )


def unlisted_rows(found: InAccount) -> list[tuple[str, int]]:
    """List the segments with such differences as ``--segment`` names them, those with most first."""
    ranked = sorted(found.unlisted.items(), key=lambda each: (-each[1], each[0]))
    return [(f"{segment}/{found.segments}", count) for segment, count in ranked]


def rechecks_text(comparison: Comparison) -> str:
    """Write how often candidates were read again: ``once``, ``3 times, at least 5 s apart``."""
    text = times_text(comparison.generations)
    return f"{text}, at least {comparison.lag_seconds:g} s apart" if comparison.generations > 1 else text


def settled_text(comparison: Comparison) -> str:
    """Write how many items differed only in the scan; empty if none did."""
    if not comparison.settled:
        return ""
    return f"{count_text(comparison.settled, 'item')} differed in the scan but matched when read again."


def seen_text(difference: Difference) -> str:
    """Write when a difference was seen and how often it was read again; empty if it never was."""
    if not difference.checks:
        return ""
    first, last = timestamp(difference.first_seen), timestamp(difference.last_seen)
    seen = first if first == last else f"{first} to {last}"
    return f"seen {seen}, read again {times_text(difference.checks)}"


def expiry_text(difference: Difference) -> str:
    """Write when an item expired and which table still has it; empty for other kinds."""
    if difference.expires is None:
        return ""
    return f"expired {timestamp(difference.expires)}, {where_text(difference)}"


def where_text(difference: Difference) -> str:
    """Write which table has the item of a difference; empty if both have it."""
    if difference.kind == "changed":
        return ""
    extra = difference.source_digest is None if difference.kind == "expired" else difference.kind == "extra"
    return "only in the destination" if extra else "only in the source"


def dead_letter_text(letter: DeadLetter) -> str:
    """Write what the destination rejected, and its error: the code, the message, how often."""
    return (
        f"{escaped(letter['code'])}: {escaped(letter['message'])} "
        f"({escaped(letter['action'])} rejected {times_text(letter['attempts'])} "
        f"since {timestamp(letter['first_seen'])})"
    )


def path_text(path: Sequence[str | int]) -> str:
    """Write an attribute path: ``address.lines[2]``, ``["odd name"].x``."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif is_plain(step):
            parts.append(f".{step}" if parts else step)
        else:
            parts.append(f"[{quoted(step)}]")
    return "".join(parts)


def change_text(path: PathChange) -> str:
    """Write what changed at a path, with the values where `path` has them."""
    text = what_changed(path)
    if path.source is not None and path.destination is not None:
        return f"{text}: {value_text(path.source)} -> {value_text(path.destination)}"
    value = path.source if path.source is not None else path.destination
    return text if value is None else f"{text}: {value_text(value)}"


def what_changed(path: PathChange) -> str:
    """Write what changed at a path, without any value."""
    if path.change == "type_changed":
        return f"type changed ({path.source_type} in the source, {path.destination_type} in the destination)"
    if path.change == "removed":
        return "only in the source"
    if path.change == "added":
        return "only in the destination"
    if path.elements_added or path.elements_removed:
        parts = []
        if path.elements_removed:
            parts.append(f"{path.elements_removed:,} only in the source")
        if path.elements_added:
            parts.append(f"{path.elements_added:,} only in the destination")
        return f"set changed ({', '.join(parts)})"
    return "value changed"


def _except(comparison: Comparison) -> str:
    """What the verdict leaves out: `` except "name", within the filter``; empty if it leaves out nothing."""
    text = ""
    if comparison.ignored:
        names = [f'"{escaped(name)}"' for name in comparison.ignored[:_NAMED]]
        more = len(comparison.ignored) - _NAMED
        text = f" except {', '.join(names)} and {more:,} more" if more > 0 else f" except {list_text(names)}"
    if comparison.filter_expression is not None:
        text += ", within the filter" if text else " within the filter"
    return text


def _matching(comparison: Comparison) -> str:
    items = comparison.source.items
    filtered = "filtered " if comparison.filter_expression is not None else ""
    return f"the only {filtered}item matches" if items == 1 else f"all {items:,} {filtered}items match"


def _expired(comparison: Comparison) -> str:
    expired = comparison.count("expired")
    if not expired:
        return ""
    return f" Not counted: {count_text(expired, 'expired item')} on one side only."


def _differing(comparison: Comparison) -> str:
    kinds = [kind for kind in TITLES if kind != "expired" and comparison.count(kind)]
    if not kinds:
        changed = count_text(comparison.settled, "item")
        return f"no difference is left, but {changed} changed after you declared that writes had stopped"
    text = ", ".join(f"{comparison.count(kind):,} {kind}" for kind in kinds)
    if comparison.verdict != "unsettled" and comparison.unsettled:
        text += f" ({comparison.unsettled:,} {STILL_CHANGING})"
    return text
