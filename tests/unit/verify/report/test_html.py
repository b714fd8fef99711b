"""The page: complete without a script, nothing from outside, and no key becomes markup."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tablecopy_cli.advice import Step
from tests.unit.verify.report.comparisons import (
    EQUAL,
    EVIL,
    NO_RECOVERY,
    SAMPLE,
    UNTAGGED,
    Streamed,
    hostile,
    key,
    letter,
    with_differences,
)
from verify.comparison.results import Comparison, Difference
from verify.report.html import write_html

VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """What a browser takes a page for: its elements, its text outside of scripts, its data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source = text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.inline: dict[str, list[str]] = {"style": [], "script": []}
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID and tag != "rect":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.inline:
            self.inline[self.open[-1]].append(data)
        elif data.strip():
            self.words.append(data.strip())

    @property
    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.inline["script"][0])
        return found

    @property
    def policy(self) -> str:
        ((_, attributes),) = [
            one for one in self.elements if one[1].get("http-equiv") == "Content-Security-Policy"
        ]
        return str(attributes["content"])


STEPS = [Step("Stop the writers.", "verify --writes-stopped")]


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(comparison: Comparison) -> Page:
        write_html(tmp_path / "verify.html", comparison, STEPS)
        return Page((tmp_path / "verify.html").read_text(encoding="utf-8"))

    return write


def test_it_can_be_read_without_a_script(written: Any) -> None:
    page = written(
        with_differences(
            Difference("missing", key(1), standing=False, dead_letter=letter()),
            Difference("changed", key(2)),
            findings=(UNTAGGED, NO_RECOVERY),
            dead_letters=(letter(), letter(key=key(78))),
            settled=4,
            generations=3,
        )
    )
    text = " ".join(page.words)
    for said in (
        "Different 1 missing, 1 changed (1 still changing).",
        "Source cities 111111111111 eu-west-1 33,421 1,024",
        "Destination cities-new 222222222222 eu-central-1 33,421 1,024",
        "Started 2026-11-23T12:00:00Z Took 12 s",
        "Rechecks 3, at least 5 s apart",
        "Settled 4 items differed in the scan and no longer did later",
        "Read units 2,049 of both tables together",
        "Missing 1 Changed 1 Extra 0 Expired 0 Still changing 1 Dead letters 3 Findings 2",
        "Stop the writers. verify --writes-stopped",
        "can lose data point_in_time_recovery The source can be restored to any second, "
        "the destination cannot. Source true Destination none "
        "To fix it aws dynamodb update-continuous-backups --table-name cities-new",
        'cosmetic tags The destination lacks the tag team. Source {"team": "geo"} Destination {}',
        'country="DE"  id=78 ValidationException: Type mismatch for Index Key',
    ):
        assert said in text
    assert page.tags.count("noscript") == 1
    assert text.index("point_in_time_recovery") < text.index("cosmetic")
    assert [row["key"] for row in page.data["rows"]] == ['country="DE"  id=1', 'country="DE"  id=2']


@pytest.mark.parametrize(
    ("comparison", "verdict", "word"),
    [
        (EQUAL, "equal", "Equal"),
        (with_differences(Difference("missing", key(1))), "different", "Different"),
        (with_differences(Difference("missing", key(1), standing=False)), "unsettled", "Unsettled"),
        (dataclasses.replace(EQUAL, sample=SAMPLE), "sampled", "Sample"),
    ],
)
def test_every_verdict_has_its_word_and_colour(
    written: Any, comparison: Comparison, verdict: str, word: str
) -> None:
    page = written(comparison)
    assert page.elements[0] == ("html", {"lang": "en", "data-verdict": verdict})
    assert f"<h1>{word}</h1>" in page.source
    assert f"[data-verdict={verdict}] .verdict {{" in page.inline["style"][0]
    assert f"<title>{word}: cities</title>" in page.source


def test_a_sample_is_never_called_equal(written: Any) -> None:
    page = written(dataclasses.replace(EQUAL, sample=SAMPLE))
    text = " ".join(page.words)
    assert "10% (51 of 512 segments): all 33,421 items match. The rest was not read." in text
    assert "equal" not in text.lower()


def test_restrictions_are_named(written: Any) -> None:
    page = written(dataclasses.replace(EQUAL, filter_expression="a = :a", ignored=("b", "c")))
    assert "Filter a = :a Ignored b, c" in " ".join(page.words)


def test_segments_are_drawn(written: Any) -> None:
    def with_segments(*mine: int) -> Comparison:
        source = dataclasses.replace(EQUAL.source, segments=mine)
        return dataclasses.replace(
            EQUAL, source=source, destination=dataclasses.replace(source, segments=(3, 4))
        )

    assert written(with_segments(3, 4)).tags.count("svg") == 1
    assert "not the same count" not in " ".join(written(with_segments(3, 4)).words)
    assert "not the same count" in " ".join(written(with_segments(3, 5)).words)
    assert "svg" not in written(EQUAL).tags


def test_a_page_that_does_not_hold_all_says_so(written: Any) -> None:
    made = Streamed(6_000, lambda number: Difference("missing", key(number)))
    page = written(dataclasses.replace(EQUAL, differences=made, counts={"missing": 6_000}))
    assert len(page.data["rows"]) == 5_000
    assert "This page holds 5,000 of 6,000. verify --format jsonl lists them all." in " ".join(page.words)
    assert made.passes == 1


def test_nothing_is_loaded_and_nothing_else_can_run(written: Any) -> None:
    page = written(with_differences(Difference("missing", key(1)), findings=(NO_RECOVERY,)))

    def fingerprint(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    (style,), (_, script) = page.inline["style"], page.inline["script"]
    assert page.policy == (
        f"default-src 'none'; style-src {fingerprint(style)}; script-src {fingerprint(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    for _, attributes in page.elements:
        assert not {"src", "href", "style"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function\(|fetch", script)


@pytest.mark.parametrize("evil", EVIL)
def test_no_key_becomes_markup(written: Any, evil: str) -> None:
    harmless, page = written(hostile("harmless")), written(hostile(evil))
    assert page.tags == harmless.tags
    assert [sorted(attributes) for _, attributes in page.elements] == [
        sorted(attributes) for _, attributes in harmless.elements
    ]
    assert page.inline["script"][1:] == harmless.inline["script"][1:]
    assert len(page.data["rows"]) == 1
    assert all(line.isprintable() for line in page.source.split("\n"))


def test_the_template_is_installed() -> None:
    project = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text(encoding="utf-8"))
    setuptools = project["tool"]["setuptools"]
    assert setuptools["package-data"]["verify.report"] == ["template.html"]
