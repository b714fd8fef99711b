"""The result as JUnit XML, for the test reports of Jenkins, GitLab and GitHub.

There is no standard. This keeps to the strictest reader's schema, junit-10.xsd of Jenkins' xUnit plugin, and
says everything in the texts of elements, since GitLab shows no attribute of a failure, and no suite's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from tablecopy.text import count_text, timestamp
from tablecopy_cli.advice import Step, is_go_ahead
from tablecopy_cli.common.files import replacing
from tablecopy_cli.common.items import key_text
from tablecopy_cli.common.text import escaped
from verify.comparison.results import Comparison, Difference
from verify.report.paths import change_text, path_text
from verify.report.wording import (
    SEVERITIES,
    STILL_CHANGING,
    dead_letter_text,
    headline,
    place,
    restrictions,
    sample_text,
)

# A report is held in memory by whatever reads it, and GitLab reads none above 30 MB.
_LISTED = 100
_PATHS_LISTED = 20

_NAMES = {
    "missing": "no item is missing",
    "changed": "no item differs",
    "extra": "no item is extra",
}
_UNSETTLED = "nothing is unsettled"


@dataclass
class _Case:
    name: str
    failure: str | None = None
    skipped: str | None = None
    details: list[str] = field(default_factory=list)


@dataclass
class _Listed:
    # What fails one case: how many items, and the first of them.
    count: int = 0
    lines: list[str] = field(default_factory=list)

    def add(self, difference: Difference) -> None:
        self.count += 1
        if self.count <= _LISTED:
            self.lines.append(key_text(difference.key))
            shown = difference.paths[:_PATHS_LISTED]
            self.lines += [f"    {path_text(path.path)}: {change_text(path)}" for path in shown]
            if len(difference.paths) > len(shown):
                self.lines.append(f"    ... and {len(difference.paths) - len(shown):,} more attributes")
            if difference.dead_letter is not None:
                self.lines.append(f"    dead letter: {dead_letter_text(difference.dead_letter)}")

    def details(self) -> list[str]:
        if self.count <= _LISTED:
            return self.lines
        return [*self.lines, f"... and {self.count - _LISTED:,} more (--format jsonl lists them all)"]


def write_junit(path: str | Path, comparison: Comparison, steps: Sequence[Step] = ()) -> None:
    """Write `junit_report` to a file.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    with replacing(Path(path)) as file:
        file.writelines(f"{line}\n" for line in junit_report(comparison, steps))


def junit_report(comparison: Comparison, steps: Sequence[Step] = ()) -> Iterator[str]:
    """Yield the lines of the JUnit XML, with the next ``steps``.

    One test suite named after the source table. A case fails exactly where its differences make the tables
    different or unsettled, so that the suite passes exactly when the verdict is ``"equal"`` or ``"sampled"``.
    What does not touch the verdict but must not be overlooked is skipped, the one outcome that every reader
    shows without failing the build: what was left out of the comparison, and findings of the definition.
    Each failure lists at most a hundred keys.
    """
    listed = _gathered(comparison)
    cases = list(_cases(comparison, listed))
    failures = sum(case.failure is not None for case in cases)
    skipped = sum(case.skipped is not None for case in cases)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="0" time="{comparison.seconds:.3f}"'
    table = place(comparison.source.arn)[0]
    sample = f", sample of {sample_text(comparison.sample)}" if comparison.sample is not None else ""
    suite = f"verify {table}{sample}"
    # The format knows no time zone.
    started = timestamp(comparison.started).removesuffix("Z")
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<testsuites name="verify" {counts}>'
    yield f'  <testsuite name={quoteattr(suite)} timestamp="{started}" {counts} skipped="{skipped}">'
    yield "    <properties>"
    for name, value in _properties(comparison):
        yield f"      <property name={quoteattr(name)} value={quoteattr(value)}/>"
    yield "    </properties>"
    for case in cases:
        yield from _case(case, suite)
    said = headline(comparison)
    yield f"    <system-out>{escape(f'{said.word}: {said.text}')}"
    for step in steps:
        command = "" if step.command is None else f" {step.command}"
        yield escape(escaped(f"Next: {step.text}{command}"))
    for letter in comparison.dead_letters:
        yield escape(f"Dead letter: {key_text(letter['key'])}  {dead_letter_text(letter)}")
    yield "    </system-out>"
    yield "  </testsuite>"
    yield "</testsuites>"


def _gathered(comparison: Comparison) -> dict[str, _Listed]:
    listed = {name: _Listed() for name in (*_NAMES.values(), _UNSETTLED)}
    for difference in comparison.differences:
        # The rules of `Comparison.verdict`.
        if difference.kind == "expired":
            continue
        counts = difference.standing or comparison.writes_stopped
        listed[_NAMES[difference.kind] if counts else _UNSETTLED].add(difference)
    return listed


def _cases(comparison: Comparison, listed: dict[str, _Listed]) -> Iterator[_Case]:
    for kind, words in (
        ("missing", "missing at the destination"),
        ("changed", "changed"),
        ("extra", "extra at the destination"),
    ):
        found = listed[_NAMES[kind]]
        failure = f"{count_text(found.count, 'item')} {words}" if found.count else None
        yield _Case(_NAMES[kind], failure, details=found.details())
    changing = listed[_UNSETTLED]
    unsettled = f"{count_text(changing.count, 'item')} {STILL_CHANGING}" if changing.count else None
    if comparison.writes_stopped and comparison.settled:
        unsettled = (
            f"{count_text(comparison.settled, 'item')} changed during the comparison, "
            "although writes should have stopped"
        )
    yield _Case(_UNSETTLED, unsettled, details=changing.details())
    left_out = dict(restrictions(comparison))
    ignored = left_out.pop("ignored", None)
    some = "; ".join(f"{label}: {text}" for label, text in left_out.items())
    yield _Case("every item is compared", skipped=some or None)
    yield _Case("every attribute is compared", skipped=f"ignored: {ignored}" if ignored else None)
    for finding in comparison.findings:
        yield _Case(
            f"definition: {escaped(finding.aspect)}",
            skipped=f"{SEVERITIES[finding.severity]}: {escaped(finding.text)}",
            details=[] if finding.fix is None else [f"fix: {escaped(finding.fix)}"],
        )


def _case(case: _Case, suite: str) -> Iterator[str]:
    # The time is the suite's: a case has none of its own.
    opening = f'    <testcase classname={quoteattr(suite)} name={quoteattr(case.name)} time="0.000"'
    if case.failure is not None:
        element, message, attributes = "failure", case.failure, ' type="difference"'
    elif case.skipped is not None:
        element, message, attributes = "skipped", case.skipped, ""
    else:
        yield f"{opening}/>"
        return
    yield f"{opening}>"
    yield f"      <{element} message={quoteattr(message)}{attributes}>{escape(message)}"
    for line in case.details:
        yield escape(line)
    yield f"</{element}>"
    yield "    </testcase>"


def _properties(comparison: Comparison) -> Iterator[tuple[str, str]]:
    yield "verdict", comparison.verdict
    yield "go_ahead", "true" if is_go_ahead(comparison.compared()) else "false"
    yield "source", escaped(comparison.source.arn)
    yield "destination", escaped(comparison.destination.arn)
    yield "source_items", str(comparison.source.items)
    yield "destination_items", str(comparison.destination.items)
    yield "expired", str(comparison.count("expired"))
    yield "writes_stopped", "true" if comparison.writes_stopped else "false"
    yield from restrictions(comparison)
