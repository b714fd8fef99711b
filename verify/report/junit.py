"""The result as JUnit XML, for the test reports of Jenkins, GitLab and GitHub.

JUnit XML has no standard. This follows the strictest reader's schema, junit-10.xsd of Jenkins' xUnit plugin,
and puts everything into the texts of elements, because GitLab shows neither a failure's attributes nor a
suite's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from tablecopy.text import count_text, timestamp
from tablecopy_cli.advice import Step, is_go_ahead
from tablecopy_cli.common.files import replacing
from tablecopy_cli.common.items import key_text
from tablecopy_cli.common.text import escaped
from verify.comparison.results import Comparison, Difference, InAccount, Kind
from verify.report.wording import (
    SEVERITIES,
    STILL_CHANGING,
    change_text,
    dead_letter_text,
    headline,
    location,
    pairing_text,
    path_text,
    restrictions,
    sample_text,
    unlisted_rows,
    unlisted_text,
)

# Readers hold a report in memory, and GitLab rejects one above 30 MB.
_LISTED = 100
_PATHS_LISTED = 20

# Name of the case, and what its items are if it fails.
_KINDS: dict[Kind, tuple[str, str]] = {
    "missing": ("no item is missing", "missing from the destination"),
    "changed": ("no item is changed", "changed"),
    "extra": ("no item is extra", "extra in the destination"),
}
_CHANGING = "no item is still changing"
_ALL_LISTED = "every difference is listed"


@dataclass
class _Case:
    name: str
    failure: str | None = None
    skipped: str | None = None
    details: list[str] = field(default_factory=list)


@dataclass
class _Listed:
    # The items that fail one case: their number, and lines about the first of them.
    count: int = 0
    lines: list[str] = field(default_factory=list)

    def add(self, difference: Difference) -> None:
        self.count += 1
        if self.count <= _LISTED:
            self.lines.append(key_text(difference.key))
            shown = difference.paths[:_PATHS_LISTED]
            self.lines += [f"    {path_text(path.path)}: {change_text(path)}" for path in shown]
            if len(difference.paths) > len(shown):
                more = count_text(len(difference.paths) - len(shown), "more attribute")
                self.lines.append(f"    ... and {more}")
            if difference.dead_letter is not None:
                self.lines.append(f"    dead letter: {dead_letter_text(difference.dead_letter)}")

    def failure(self, words: str) -> str | None:
        return f"{count_text(self.count, 'item')} {words}" if self.count else None

    def details(self) -> list[str]:
        if self.count <= _LISTED:
            return self.lines
        return [*self.lines, f"... and {self.count - _LISTED:,} more (to list all, use --format jsonl)"]


def write_junit(path: str | Path, comparison: Comparison, steps: Sequence[Step] = ()) -> None:
    """Write `junit_report` to a file.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    with replacing(Path(path)) as file:
        file.write(junit_report(comparison, steps))


def junit_report(comparison: Comparison, steps: Sequence[Step] = ()) -> str:
    """Return the JUnit XML, with the next ``steps``.

    The one test suite is named after the source table. A case fails if its differences make the tables
    different or still changing, so that the suite passes exactly when the verdict is ``"equal"`` or
    ``"sampled"``. What does not affect the verdict but must not be overlooked is skipped, which every reader
    shows without failing the build: restrictions of the comparison, and findings in the table settings. Each
    failure lists at most a hundred keys.
    """
    cases = list(_cases(comparison, _gathered(comparison)))
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.failure is not None for case in cases)),
        "errors": "0",
        "time": f"{comparison.seconds:.3f}",
    }
    part = ""
    if comparison.sample is not None:
        part = ", " if comparison.sample.chosen else ", sample of "
        part += sample_text(comparison.sample)
    name = f"verify {location(comparison.source.arn)[0]}{part}"
    root = Element("testsuites", {"name": "verify", **counts})
    suite = SubElement(
        root,
        "testsuite",
        {
            "name": name,
            # The format has no time zone.
            "timestamp": timestamp(comparison.started).removesuffix("Z"),
            **counts,
            "skipped": str(sum(case.skipped is not None for case in cases)),
        },
    )
    properties = SubElement(suite, "properties")
    for label, value in _properties(comparison):
        SubElement(properties, "property", {"name": label, "value": value})
    for case in cases:
        _add_case(suite, case, name)
    SubElement(suite, "system-out").text = "\n".join(_output(comparison, steps))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True).decode("utf-8")
    return f"{text}\n"


def _gathered(comparison: Comparison) -> dict[str, _Listed]:
    listed = {name: _Listed() for name in (*_KINDS, _CHANGING)}
    for difference in comparison.differences:
        # The rules of `Comparison.verdict`.
        if difference.kind == "expired":
            continue
        counts = difference.standing or comparison.writes_stopped
        listed[difference.kind if counts else _CHANGING].add(difference)
    return listed


def _cases(comparison: Comparison, listed: dict[str, _Listed]) -> Iterator[_Case]:
    for kind, (name, words) in _KINDS.items():
        yield _Case(name, listed[kind].failure(words), details=listed[kind].details())
    changing = listed[_CHANGING].failure(STILL_CHANGING)
    if comparison.writes_stopped and comparison.settled:
        changed = count_text(comparison.settled, "item")
        changing = f"{changed} changed after you declared that writes had stopped"
    yield _Case(_CHANGING, changing, details=listed[_CHANGING].details())
    if comparison.in_account:
        yield _unlisted(comparison, comparison.in_account)
    left_out = dict(restrictions(comparison))
    ignored = left_out.pop("ignored", None)
    some = "; ".join(f"{label}: {text}" for label, text in left_out.items())
    yield _Case("every item is compared", skipped=some or None)
    yield _Case("every attribute is compared", skipped=f"ignored: {ignored}" if ignored else None)
    for finding in comparison.findings:
        yield _Case(
            f"setting: {escaped(finding.aspect)}",
            skipped=f"{SEVERITIES[finding.severity]}: {escaped(finding.text)}",
            details=[] if finding.fix is None else [f"fix: {escaped(finding.fix)}"],
        )


def _unlisted(comparison: Comparison, found: InAccount) -> _Case:
    if not comparison.unlisted:
        return _Case(_ALL_LISTED)
    rows = unlisted_rows(found)
    details = [f"--segment {segment}: {count_text(count, 'difference')}" for segment, count in rows[:_LISTED]]
    if len(rows) > _LISTED:
        details.append(f"... and {count_text(len(rows) - _LISTED, 'more segment')}")
    text = unlisted_text(comparison)
    # Expired items do not count.
    if not comparison.differing:
        return _Case(_ALL_LISTED, skipped=text, details=details)
    return _Case(_ALL_LISTED, text, details=details)


def _add_case(suite: Element, case: _Case, classname: str) -> None:
    # Only the suite has a duration.
    element = SubElement(suite, "testcase", {"classname": classname, "name": case.name, "time": "0.000"})
    if case.failure is not None:
        found = SubElement(element, "failure", {"message": case.failure, "type": "difference"})
    elif case.skipped is not None:
        found = SubElement(element, "skipped", {"message": case.skipped})
    else:
        return
    found.text = "\n".join([found.attrib["message"], *case.details])


def _output(comparison: Comparison, steps: Sequence[Step]) -> Iterator[str]:
    yield str(headline(comparison))
    if comparison.in_account:
        yield pairing_text(comparison.in_account)
    for step in steps:
        command = "" if step.command is None else f" {step.command}"
        yield escaped(f"Next: {step.text}{command}")
    for letter in comparison.dead_letters:
        yield f"Dead letter: {key_text(letter['key'])}  {dead_letter_text(letter)}"


def _properties(comparison: Comparison) -> Iterator[tuple[str, str]]:
    yield "verdict", comparison.verdict
    yield "go_ahead", "true" if is_go_ahead(comparison.compared()) else "false"
    yield "source", escaped(comparison.source.arn)
    yield "destination", escaped(comparison.destination.arn)
    yield "source_items", str(comparison.source.items)
    yield "destination_items", str(comparison.destination.items)
    yield "expired", str(comparison.count("expired"))
    yield "writes_stopped", "true" if comparison.writes_stopped else "false"
    if comparison.in_account:
        yield "verification", comparison.in_account.verification_id
        yield "segments", str(comparison.in_account.segments)
        yield "segments_by_key", str(comparison.in_account.segments_by_key)
        yield "unlisted", str(comparison.unlisted)
    yield from restrictions(comparison)
