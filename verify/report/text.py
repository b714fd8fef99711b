"""The report and the progress line for people on a terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from tablecopy.text import count_text, duration_text
from tablecopy_cli.advice import Step, step_lines
from tablecopy_cli.common.items import key_text
from tablecopy_cli.common.terminal import Style
from tablecopy_cli.common.text import Verbatim, escaped
from verify.comparison.results import Comparison, DeadLetter, Difference, Kind, Progress, SideResult
from verify.report.wording import (
    EXPIRED_NOTE,
    SEVERITIES,
    STILL_CHANGING,
    TITLES,
    change_text,
    dead_letter_text,
    expiry_text,
    headline,
    how_read,
    location,
    path_text,
    restrictions,
    seen_text,
    unlisted_rows,
    unlisted_text,
)
from verify.settings.findings import Finding, in_order

# With a limit up to this one, the differences to show are held in memory and read only once.
_HELD = 1_000

# Connections are opened during the first seconds, so the speed says little.
_WARM_UP_SECONDS = 3.0

_BAR_CELLS = 20


def text_report(
    comparison: Comparison, style: Style, limit: int, steps: Sequence[Step] = ()
) -> Iterator[str]:
    """Yield the lines of the text report.

    Reads the differences once if ``limit`` is at most 1,000, otherwise once for each kind that occurs, and
    holds at most 1,000 of each kind.

    Parameters
    ----------
    comparison
        The result to report.
    style
        Colours of the stream.
    limit
        Number of entries to list in each group; 0 lists all of them.
    steps
        The next steps, as `advice.next_steps` returns them.
    """
    yield _headline(comparison, style)
    yield ""
    yield from _tables(comparison, style)
    for kind, group in _groups(comparison, limit):
        yield ""
        yield _title(comparison, kind, style)
        for difference in group:
            yield from _difference(difference, style)
        yield from _more(comparison.count(kind), limit, style)
    yield from _unlisted(comparison, style, limit)
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
    verdict = headline(comparison)
    paint = {"equal": style.green, "different": style.red}.get(comparison.verdict, style.yellow)
    return f"{paint(f'{verdict.word}:')} {verdict.text}"


def _tables(comparison: Comparison, style: Style) -> Iterator[str]:
    rows = [_side("source", comparison.source), _side("destination", comparison.destination)]
    label_width, name_width, where_width = (max(len(row[column]) for row in rows) for column in range(3))
    for label, name, where, read in rows:
        yield (
            f"  {label.ljust(label_width)}  {name.ljust(name_width)}  "
            f"{style.dim(where.ljust(where_width))}  {read}"
        )
    for label, text in restrictions(comparison):
        yield f"  {style.yellow(label.ljust(label_width))}  {text}"
    yield style.dim(f"  {how_read(comparison)}")


def _side(label: str, side: SideResult) -> tuple[str, str, str, str]:
    name, account, region = location(side.arn)
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


def _unlisted(comparison: Comparison, style: Style, limit: int) -> Iterator[str]:
    if not comparison.in_account or not comparison.unlisted:
        return
    rows = unlisted_rows(comparison.in_account)
    yield ""
    yield style.bold(f"Counted and not listed ({comparison.unlisted:,})")
    yield f"  {style.yellow(unlisted_text(comparison))}"
    for segment, count in rows[: limit or None]:
        yield f"  --segment {segment}  {count_text(count, 'difference')}"
    yield from _more(len(rows), limit, style)


def _findings(findings: Sequence[Finding], style: Style, limit: int) -> Iterator[str]:
    if not findings:
        return
    paints = {"data": style.red, "cost": style.yellow, "cosmetic": style.dim}
    width = max(len(SEVERITIES[finding.severity]) for finding in findings)
    yield ""
    yield style.bold(f"Findings in the table settings ({len(findings):,})")
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
        yield style.dim(f"  ... and {count - limit:,} more (to list all, use --limit 0 or --format jsonl)")


def progress_text(progress: Progress, encoding: str | None = None) -> str:
    """Write the progress of a comparison as one line, the most important part first for narrow terminals.

    Parameters
    ----------
    progress
        The progress to show.
    encoding
        Encoding of the stream that shows the line (default: that of stderr). The bar is ASCII unless it is a
        UTF encoding.
    """
    return ", ".join(_stage(progress, encoding or sys.stderr.encoding))


def _stage(progress: Progress, encoding: str) -> Iterator[str]:
    if progress.stage == "scan":
        yield from _scan(progress, encoding)
    elif progress.stage == "match":
        yield "matching items"
        yield _read(progress)
        yield f"{count_text(progress.candidates, 'candidate')} so far"
    elif progress.stage == "recheck":
        done, total = min(progress.rechecked, progress.candidates), progress.candidates
        yield f"recheck {progress.generation} {_bar(done, total, encoding)}" if total else "rechecking"
        yield f"{done:,} of {count_text(total, 'candidate')}"
    else:
        yield f"recheck {progress.generation} in {duration_text(progress.wait_seconds)}"
        yield f"{count_text(progress.candidates, 'candidate')} may be changes in progress"
    units = progress.source_units + progress.destination_units
    if units:
        yield f"{units:,.0f} read units"


def _scan(progress: Progress, encoding: str) -> Iterator[str]:
    # DynamoDB estimates 0 items for a table that was filled recently, and an estimate may be too low. If one
    # side's estimate is unusable, the other side, which is scanned at the same time, represents both.
    sides = (
        (progress.source_items, progress.source_total),
        (progress.destination_items, progress.destination_total),
    )
    known = [(items, total) for items, total in sides if 0 < total >= items]
    done, total = sum(items for items, _ in known), sum(total for _, total in known)
    yield f"scanning {_bar(done, total, encoding)}" if known else "scanning"
    left = _seconds_left(progress, done, total)
    if left is not None:
        yield f"{duration_text(left)} left"
    yield _read(progress)
    estimate = progress.source_total + progress.destination_total
    if not known and estimate:
        yield f"more than the estimated {estimate:,}"
    rate = _items_per_second(progress)
    if rate:
        yield f"{rate:,.0f} items/s"


def _read(progress: Progress) -> str:
    text = count_text(progress.source_items + progress.destination_items, "item")
    return f"{text} ({progress.resumed_items:,} from an earlier run)" if progress.resumed_items else text


def _items_per_second(progress: Progress) -> float:
    fresh = progress.source_items + progress.destination_items - progress.resumed_items
    return fresh / max(progress.seconds, 0.001)


def _seconds_left(progress: Progress, done: int, total: int) -> float | None:
    rate, items = _items_per_second(progress), progress.source_items + progress.destination_items
    if progress.seconds < _WARM_UP_SECONDS or not done or rate <= 0:
        return None
    # If only one side is known, its share of the speed is its share of the items.
    return (total - done) / (rate * done / items)


def _bar(done: int, total: int, encoding: str) -> str:
    # Imported only where progress is shown.
    from rich.console import Console
    from rich.progress_bar import ProgressBar

    console = Console(file=io.TextIOWrapper(io.BytesIO(), encoding), color_system=None, force_terminal=True)
    with console.capture() as drawn:
        console.print(ProgressBar(total, done, width=_BAR_CELLS), end="")
    return f"[{drawn.get():<{_BAR_CELLS}}] {100 * done // total}%"
