"""The result as one page of HTML that needs nothing else: no network, no fonts, no other file."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from tablecopy.text import count_text, duration_text, timestamp
from tablecopy_cli.advice import Step
from tablecopy_cli.common.files import replacing
from tablecopy_cli.common.items import key_text, quoted
from tablecopy_cli.common.text import escaped
from verify.comparison.results import Comparison, DeadLetter
from verify.report.bars import bar_figures, bars
from verify.report.rows import embedded, rows_of
from verify.report.wording import (
    EXPIRED_NOTE,
    SEVERITIES,
    TITLES,
    dead_letter_text,
    headline,
    place,
    restrictions,
)
from verify.settings.findings import Finding, in_order

_PLACE = re.compile(r"\{\{([a-z_]+)\}\}")
_INLINE = re.compile(r"<(style|script)>(.*?)</\1>", re.DOTALL)


def write_html(path: str | Path, comparison: Comparison, steps: Sequence[Step] = ()) -> None:
    """Write the page, with the next ``steps``.

    Holds at most 5,000 differences and says how many there are. Its policy (CSP) lets nothing run or load
    but the style and the script that this package brings along, by their hashes; keys, names and messages are
    text and never markup.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    with replacing(Path(path)) as file:
        file.write(_page(comparison, steps))


def _page(comparison: Comparison, steps: Sequence[Step]) -> str:
    template = files(__package__).joinpath("template.html").read_text(encoding="utf-8")
    rows = rows_of(comparison)
    refused = rows.refused + len(comparison.dead_letters)
    said = headline(comparison)
    table = place(comparison.source.arn)[0]
    content = {
        "policy": _policy(template),
        "title": escape(f"{said.word}: {table}"),
        "verdict": comparison.verdict,
        "word": escape(said.word),
        "headline": escape(said.text[:1].upper() + said.text[1:]),
        "steps": "".join(f"<li>{_step(step)}</li>" for step in steps),
        "sides": "".join(_sides(comparison)),
        "tiles": "".join(_tiles(comparison, refused)),
        "facts": "".join(_facts(comparison)),
        "segments": _segments(comparison),
        "findings": "".join(_findings(comparison)),
        "differences_hidden": "" if len(comparison.differences) else " hidden",
        "shown": _shown(len(rows.texts), len(comparison.differences)),
        "letters": "".join(_letters(comparison)),
        "data": f'{{"titles":{embedded(TITLES)},"rows":[{",".join(rows.texts)}]}}',
    }
    # In one go, so that nothing that is put in is taken for a place.
    return _PLACE.sub(lambda match: content[match[1]], template)


def _policy(template: str) -> str:
    hashes = {
        tag: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for tag, text in _INLINE.findall(template)
    }
    return (
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; "
        f"script-src 'sha256-{hashes['script']}'; base-uri 'none'; form-action 'none'"
    )


def _step(step: Step) -> str:
    text = escape(escaped(step.text))
    return text if step.command is None else f"{text}<pre>{escape(escaped(step.command))}</pre>"


def _sides(comparison: Comparison) -> Iterator[str]:
    for label, side in (("Source", comparison.source), ("Destination", comparison.destination)):
        name, account, region = (escape(part) for part in place(side.arn))
        swatch = f'<i class="swatch {label.lower()}"></i>'
        yield (
            f'<tr><th scope="row">{swatch}{label}</th><td class="name">{name}</td>'
            f"<td>{account}</td><td>{region}</td><td>{side.items:,}</td><td>{side.units:,.0f}</td></tr>"
        )


def _tiles(comparison: Comparison, refused: int) -> Iterator[str]:
    tiles = [(comparison.count(kind), kind.capitalize(), str(kind)) for kind in TITLES]
    tiles += [
        (comparison.unsettled, "Still changing", "changing"),
        (refused, "Dead letters", "letters"),
        (len(comparison.findings), "Findings", "findings"),
    ]
    for count, title, name in tiles:
        note = f' title="{EXPIRED_NOTE}"' if name == "expired" else ""
        some = " some" if count else ""
        yield f'<div class="tile {name}{some}"{note}><dt>{title}</dt><dd>{count:,}</dd></div>'


def _facts(comparison: Comparison) -> Iterator[str]:
    facts = [
        ("Started", timestamp(comparison.started)),
        ("Took", duration_text(comparison.seconds)),
        (
            "Writes",
            "stopped, as the flag says: read consistently, every difference counts"
            if comparison.writes_stopped
            else "may go on: what is still changing may be a change underway",
        ),
    ]
    if comparison.generations:
        apart = f", at least {comparison.lag_seconds:g} s apart" if comparison.generations > 1 else ""
        facts.append(("Rechecks", f"{comparison.generations:,}{apart}"))
    if comparison.settled:
        settled = f"{count_text(comparison.settled, 'item')} differed in the scan and no longer did later"
        facts.append(("Settled", settled))
    total = comparison.source.units + comparison.destination.units
    facts.append(("Read units", f"{total:,.0f} of both tables together"))
    facts += [(label.capitalize(), text) for label, text in restrictions(comparison)]
    for label, text in facts:
        yield f"<div><dt>{label}</dt><dd>{escape(text)}</dd></div>"


def _segments(comparison: Comparison) -> str:
    source, destination = comparison.source.segments, comparison.destination.segments
    if max(len(source), len(destination)) < 2:
        return ""
    uneven = '<i class="swatch uneven"></i>not the same count' if source != destination else ""
    return (
        '<section><h2>Items by segment of the scan</h2><div class="chart">'
        f"{bars(source, destination)}"
        '<p class="legend"><i class="swatch source"></i>source <i class="swatch destination"></i>destination '
        f"{uneven}</p></div>"
        '<details><summary>Figures</summary><table class="figures"><thead><tr><th scope="col">Segment</th>'
        '<th scope="col">Source</th><th scope="col">Destination</th><th scope="col">More or less</th></tr>'
        f"</thead><tbody>{''.join(bar_figures(source, destination))}</tbody></table></details></section>"
    )


def _findings(comparison: Comparison) -> Iterator[str]:
    if not comparison.findings:
        return
    yield f"<section><h2>Definitions of the tables <b>{len(comparison.findings):,}</b></h2>"
    for finding in in_order(comparison.findings):
        yield _finding(finding)
    yield "</section>"


def _finding(finding: Finding) -> str:
    values = "".join(
        f"<div><dt>{label}</dt><dd>{'none' if value is None else escape(quoted(value))}</dd></div>"
        for label, value in (("Source", finding.source), ("Destination", finding.destination))
    )
    fix = ""
    if finding.fix is not None:
        fix = f'<p class="label">To fix it</p><pre>{escape(escaped(finding.fix))}</pre>'
    return (
        f'<article class="finding {finding.severity}"><h3><span class="severity">'
        f"{SEVERITIES[finding.severity]}</span> <code>{escape(escaped(finding.aspect))}</code></h3>"
        f'<p>{escape(escaped(finding.text))}</p><dl class="values">{values}</dl>{fix}</article>'
    )


def _shown(shown: int, total: int) -> str:
    if shown == total:
        return f"All {total:,} are on this page." if total > 1 else ""
    return (
        f"<strong>This page holds {shown:,} of {total:,}.</strong> "
        "<code>verify --format jsonl</code> lists them all."
    )


def _letters(comparison: Comparison) -> Iterator[str]:
    if not comparison.dead_letters:
        return
    yield f"<section><h2>Dead letters of other items <b>{len(comparison.dead_letters):,}</b></h2>"
    yield '<p class="quiet">The destination refused changes of items that are not among the differences.</p>'
    yield '<ul class="letters">'
    for letter in comparison.dead_letters:
        yield _letter(letter)
    yield "</ul></section>"


def _letter(letter: DeadLetter) -> str:
    key, why = escape(key_text(letter["key"])), escape(dead_letter_text(letter))
    return f'<li><bdi dir="ltr" class="key">{key}</bdi><br>{why}</li>'
