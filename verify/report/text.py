"""The report for people on a terminal: a headline, groups, the next step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from tablecopy.text import count_text
from tablecopy_cli.advice import Step, step_lines
from tablecopy_cli.common.items import key_text
from tablecopy_cli.common.terminal import Style
from tablecopy_cli.common.text import Verbatim, escaped
from verify.comparison.results import Comparison, DeadLetter, Difference, Kind, SideResult
from verify.report.paths import change_text, path_text
from verify.report.wording import (
    EXPIRED_NOTE,
    SEVERITIES,
    STILL_CHANGING,
    TITLES,
    dead_letter_text,
    expiry_text,
    headline,
    how_read,
    place,
    restrictions,
    seen_text,
)
from verify.settings.findings import Finding, in_order

# Up to so many differences of each kind are held in memory, to go through all of them only once.
_HELD = 1_000


def text_report(
    comparison: Comparison, style: Style, limit: int, steps: Sequence[Step] = ()
) -> Iterator[str]:
    """Yield the lines of the text report.

    Goes through the differences once if ``limit`` is small, else once for each kind of which there are
    any, and never holds more than a thousand of a kind.

    Parameters
    ----------
    comparison
        What was found.
    style
        Colours of the stream.
    limit
        How many things of each group to list; 0 lists them all.
    steps
        What to do next: see `advice.next_steps`.
    """
    yield _headline(comparison, style)
    yield ""
    yield from _restricted_to(comparison, style)
    for kind, group in _groups(comparison, limit):
        yield ""
        yield _title(comparison, kind, style)
        for difference in group:
            yield from _difference(difference, style)
        yield from _more(comparison.count(kind), limit, style)
    yield from _findings(comparison.findings, style, limit)
    yield from _letters(comparison.dead_letters, style, limit)
    yield ""
    yield from step_lines(steps, style)


def _groups(comparison: Comparison, limit: int) -> Iterator[tuple[Kind, Iterable[Difference]]]:
    kinds = [kind for kind in TITLES if comparison.count(kind)]
    if 0 < limit <= _HELD:
        held: dict[Kind, list[Difference]] = {kind: [] for kind in kinds}
        for difference in comparison.differences:
            if len(held[difference.kind]) < limit:
                held[difference.kind].append(difference)
        yield from held.items()
        return
    for kind in kinds:
        group = (difference for difference in comparison.differences if difference.kind == kind)
        yield kind, islice(group, limit or None)


def _headline(comparison: Comparison, style: Style) -> str:
    said = headline(comparison)
    paint = {"equal": style.green, "different": style.red}.get(comparison.verdict, style.yellow)
    return f"{paint(f'{said.word}:')} {said.text}"


def _restricted_to(comparison: Comparison, style: Style) -> Iterator[str]:
    rows = [_side("source", comparison.source), _side("destination", comparison.destination)]
    label_width, name_width, place_width = (max(len(row[column]) for row in rows) for column in range(3))
    for label, name, where, read in rows:
        yield (
            f"  {label.ljust(label_width)}  {name.ljust(name_width)}  "
            f"{style.dim(where.ljust(place_width))}  {read}"
        )
    for label, text in restrictions(comparison):
        yield f"  {style.yellow(label.ljust(label_width))}  {text}"
    yield style.dim(f"  {how_read(comparison)}")


def _side(label: str, side: SideResult) -> tuple[str, str, str, str]:
    name, account, region = place(side.arn)
    spent = f", {side.units:,.0f} read units" if side.units else ""
    return label, name, f"{account} {region}", f"{count_text(side.items, 'item')}{spent}"


def _title(comparison: Comparison, kind: Kind, style: Style) -> str:
    title = style.bold(f"{TITLES[kind]} ({comparison.count(kind):,})")
    return f"{title}  {style.dim(EXPIRED_NOTE)}" if kind == "expired" else title


def _difference(difference: Difference, style: Style) -> Iterator[str]:
    line = f"  {key_text(difference.key)}"
    if not difference.standing and difference.kind != "expired":
        line += f"  {style.yellow(STILL_CHANGING)}"
    notes = [note for note in (expiry_text(difference), seen_text(difference)) if note]
    if notes:
        line += style.dim(f"  ({'; '.join(notes)})")
    yield line
    rows = [(path_text(path.path), change_text(path)) for path in difference.paths]
    width = min(40, max((len(name) for name, _ in rows), default=0))
    for name, change in rows:
        yield f"      {name:<{width}}  {change}"
    if difference.dead_letter is not None:
        yield f"      {style.red('dead letter')}  {dead_letter_text(difference.dead_letter)}"


def _findings(findings: Sequence[Finding], style: Style, limit: int) -> Iterator[str]:
    if not findings:
        return
    paints = {"data": style.red, "cost": style.yellow, "cosmetic": style.dim}
    width = max(len(SEVERITIES[finding.severity]) for finding in findings)
    yield ""
    yield style.bold(f"Definitions of the tables ({len(findings):,})")
    for finding in in_order(findings)[: limit or None]:
        severity = paints[finding.severity](SEVERITIES[finding.severity].ljust(width))
        yield f"  {severity}  {escaped(finding.aspect)}: {escaped(finding.text)}"
        if finding.fix is not None:
            yield Verbatim(f"  {' ' * width}  {style.dim('fix:')} {escaped(finding.fix)}")
    yield from _more(len(findings), limit, style)


def _letters(letters: Sequence[DeadLetter], style: Style, limit: int) -> Iterator[str]:
    if not letters:
        return
    yield ""
    yield style.bold(f"Dead letters of other items ({len(letters):,})")
    for letter in letters[: limit or None]:
        yield f"  {key_text(letter['key'])}"
        yield f"      {dead_letter_text(letter)}"
    yield from _more(len(letters), limit, style)


def _more(count: int, limit: int, style: Style) -> Iterator[str]:
    if limit and count > limit:
        yield style.dim(f"  ... and {count - limit:,} more (--limit 0 or --format jsonl lists them all)")
