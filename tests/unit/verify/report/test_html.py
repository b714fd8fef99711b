"""The page: complete without a script, loads nothing, and no key becomes markup."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import TypeAlias

import pytest

from tablecopy_cli.advice import Step
from tests.unit.verify.report.comparisons import (
    EQUAL,
    EVIL,
    NO_RECOVERY,
    NOON,
    PATHS,
    SAMPLE,
    UNTAGGED,
    VALUES,
    Streamed,
    expired,
    hostile,
    in_account,
    key,
    letter,
    with_differences,
)
from verify.comparison.differences import PathChange
from verify.comparison.results import Comparison, Difference, InAccount, Kind
from verify.report.html import columns, row_shares, write_html

VOID = {"meta", "input", "br", "rect"}
STEPS = [Step("Stop the writers.", "verify --writes-stopped")]
COMMAND = ["verify", "--source", "cities", "--html", "my report.html"]


class Page(HTMLParser):
    """What a browser makes of a page: its elements, its texts, its style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source = text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.inline: dict[str, list[str]] = {"style": [], "script": []}
        self.open: list[tuple[str, str]] = []
        # The words of each element with an id.
        self.within: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, str(dict(attrs).get("id", ""))))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1][0] in self.inline:
            self.inline[self.open[-1][0]].append(data)
        elif words := data.split():
            self.words += words
            for _, name in self.open:
                self.within.setdefault(name, []).extend(words)

    @property
    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def text_of(self, name: str) -> str:
        """The text of the element with this id; empty if the page does not have it."""
        return " ".join(self.within.get(name, []))

    def having(self, attribute: str) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.elements if attribute in attributes]

    def of_class(self, name: str) -> list[dict[str, str | None]]:
        return [one for one in self.having("class") if name in str(one["class"]).split()]

    @property
    def kinds(self) -> list[str | None]:
        """The kinds of the rows, in their order."""
        return [row["data-kind"] for row in self.of_class("row")]

    @property
    def policy(self) -> str:
        (policy,) = [
            one for one in self.having("http-equiv") if one["http-equiv"] == "Content-Security-Policy"
        ]
        return str(policy["content"])


Written: TypeAlias = Callable[..., Page]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(comparison: Comparison, command: Sequence[str] = COMMAND) -> Page:
        write_html(tmp_path / "verify.html", comparison, STEPS, command)
        return Page((tmp_path / "verify.html").read_text(encoding="utf-8"))

    return write


def test_it_is_complete_without_a_script(written: Written) -> None:
    page = written(
        with_differences(
            Difference("missing", key(1), standing=False, dead_letter=letter()),
            Difference("changed", key(2), PATHS[:1]),
            findings=(UNTAGGED, NO_RECOVERY),
            dead_letters=(letter(), letter(key=key(78))),
            open_dead_letters=3,
        )
    )
    for part in (
        "Different 1 missing, 1 changed (1 still changing). 2 of 33,421 items differ",
        "Stop the writers. verify --writes-stopped",
        "Missing 1 Changed 1 Extra 0 Expired 0 Still changing 1 Dead letters 3 Findings 2",
    ):
        assert part in page.text
    findings = page.text_of("findings")
    assert findings.index("can lose data point_in_time_recovery") < findings.index("cosmetic tags")
    assert str(NO_RECOVERY.fix) in findings
    assert 'Source {"team": "geo"} Destination {}' in findings
    assert page.text_of("letters").count('country="DE" id=') == 2
    assert page.text_of("key-0") == 'country="DE" id=1'
    assert "Type mismatch for Index Key" in page.text_of("differences")
    assert "address.zip value changed" in page.text_of("differences")


def test_the_banner_has_both_tables(written: Written) -> None:
    text = written(EQUAL).text
    banner = text[: text.index("Next")]
    assert "cities Account 111111111111 Region eu-west-1 Items 33,421 ARN " + EQUAL.source.arn in banner
    assert "cities-new Account 222222222222 Region eu-central-1 Items 33,421" in banner
    assert EQUAL.destination.arn in banner


def test_differences_come_before_charts(written: Written) -> None:
    page = written(
        with_differences(
            Difference("changed", key(2), PATHS),
            findings=(UNTAGGED,),
            dead_letters=(letter(),),
            source=dataclasses.replace(EQUAL.source, segments=(3, 4)),
        )
    )
    sections = [attributes["id"] for tag, attributes in page.elements if tag == "section"]
    assert sections == ["attributes", "differences", "letters", "findings", "segments", "statement"]
    equal = written(EQUAL)
    assert [attributes["id"] for tag, attributes in equal.elements if tag == "section"] == ["statement"]


@pytest.mark.parametrize(
    ("comparison", "verdict", "word"),
    [
        (EQUAL, "equal", "Equal"),
        (with_differences(Difference("missing", key(1))), "different", "Different"),
        (with_differences(Difference("missing", key(1), standing=False)), "unsettled", "Still changing"),
        (dataclasses.replace(EQUAL, sample=SAMPLE), "sampled", "Sample"),
    ],
)
def test_every_verdict_has_its_word_and_colour(
    written: Written, comparison: Comparison, verdict: str, word: str
) -> None:
    page = written(comparison)
    assert page.elements[0] == ("html", {"lang": "en", "data-verdict": verdict})
    assert f"<h1>{word}</h1>" in page.source
    assert f"[data-verdict={verdict}] .verdict {{" in page.inline["style"][0]
    assert f"<title>{word}: cities</title>" in page.source


def test_a_sample_is_never_called_equal(written: Written) -> None:
    text = written(dataclasses.replace(EQUAL, sample=SAMPLE)).text
    assert "10% (51 of 512 segments)" in text
    assert "equal" not in text.lower()


def test_the_statement_can_be_signed(written: Written) -> None:
    page = written(
        with_differences(
            Difference("missing", key(1), checks=2),
            filter_expression="a = :a",
            ignored=("b", "c"),
            generations=2,
            settled=4,
            source=dataclasses.replace(EQUAL.source, segments=(3, 4)),
            open_dead_letters=None,
        )
    )
    statement = page.text_of("statement")
    for part in (
        "1 missing.",
        f"Source {EQUAL.source.arn} 33,421 items, 1,024 read units",
        f"Destination {EQUAL.destination.arn} 33,421 items, 1,024 read units",
        "eventually consistent",
        "Left out Filter: a = :a Ignored: b, c",
        "Time 2026-11-23T12:00:00Z to 2026-11-23T12:00:12Z (12 s)",
        "Scan 2 segments of each table",
        "2 times, at least 5 s apart. 4 items",
        "Dead letters Unknown",
        "Findings 0",
        "dynamodb-account-copy",
        "Command verify --source cities --html 'my report.html'",
    ):
        assert part in statement
    assert statement.endswith("Name Date Signature")
    stopped = written(dataclasses.replace(EQUAL, writes_stopped=True, sample=SAMPLE)).text_of("statement")
    for part in ("Strongly consistent", "--writes-stopped", "51 of 512 segments", "Dead letters None known"):
        assert part in stopped


def test_what_is_only_counted_has_a_section(written: Written) -> None:
    page = written(in_account())
    section = page.text_of("unlisted")
    assert section.startswith("Counted and not listed 4,000")
    assert "--segment 7/16 3,000 --segment 3/16 1,000" in section
    assert not written(in_account(in_account=InAccount("v", 16))).text_of("unlisted")


def test_the_statement_of_a_comparison_in_the_account(written: Written) -> None:
    statement = written(in_account(writes_stopped=False)).text_of("statement")
    for part in (
        "Strongly consistent, while writes may continue.",
        "Scan 16 segments of each table, by verification 20261123T120000Z-1 in the source account.",
        "Merged the scans of 13 of 16 segments, and read the others by key",
    ):
        assert part in statement
    assert "eventually consistent" not in statement


def test_the_statement_counts_differences_that_were_not_read_again(written: Written) -> None:
    read, unread = Difference("missing", key(1), checks=1), Difference("missing", key(2))
    assert "1 difference not read again" in written(with_differences(read, unread, generations=1)).text
    assert "not read again" not in written(with_differences(read, generations=1)).text


@pytest.mark.parametrize("form", [["--expression-attribute-values"], []])
def test_the_command_has_no_values_unless_they_are_shown(written: Written, form: list[str]) -> None:
    given = [*form, '{":a": {"S": "secret"}}'] if form else ['--expression-attribute-values={":a": "secret"}']
    command = ["verify", *given, "--lag", "5"]
    shown = written(EQUAL, command)
    assert "secret" not in shown.source
    assert "--lag 5" in shown.text_of("statement")
    assert "secret" in written(EQUAL, [*command, "--show-values"]).text_of("statement")


def test_changed_items_are_grouped_by_attribute(written: Written) -> None:
    zone, name, typed, nested, removed = (
        PathChange(("timezone",), "value_changed", "S", "S"),
        PathChange(("name",), "value_changed", "S", "S"),
        PathChange(("name",), "type_changed", "S", "N"),
        PathChange(("name", "short", 3), "removed", "S", None),
        PathChange(("name",), "removed", "S", None),
    )
    page = written(
        with_differences(
            *(Difference("changed", key(number), (zone,)) for number in range(15)),
            Difference("changed", key(15), (name,)),
            Difference("changed", key(16), (typed,)),
            Difference("changed", key(17), (nested, dataclasses.replace(nested, path=("name", "long")))),
            Difference("changed", key(18), (removed, zone)),
            Difference("missing", key(19)),
        )
    )
    assert page.text_of("attributes") == (
        "Changed items by attribute Attribute Items Share of the changed items Change "
        "timezone differs in 16 items value changed "
        "name differs in 4 items value changed: 2, type changed (S to N): 1, only in the source: 1"
    )
    timezone, names = (str(button["data-attribute"]) for button in page.of_class("attribute"))
    rows = [str(row["data-attributes"]) for row in page.of_class("row")]
    assert sum(f" {timezone} " in numbers for numbers in rows) == 16
    assert sum(f" {names} " in numbers for numbers in rows) == 4


def test_only_the_most_frequent_attributes_are_listed(written: Written) -> None:
    gone = tuple(PathChange((f"b{number:02}",), "removed", "S", None) for number in range(60))
    page = written(
        with_differences(Difference("changed", key(1), gone), Difference("changed", key(2), gone[-1:]))
    )
    assert len(page.of_class("attribute")) == 50
    text = page.text_of("attributes")
    assert "Change b59 differs in 2 items" in text
    assert text.endswith("10 more attributes.")


def test_a_row(written: Written) -> None:
    difference = Difference(
        "changed",
        key(1),
        PATHS[:2],
        standing=False,
        first_seen=NOON,
        last_seen=NOON + 12,
        checks=2,
        source_digest="aa",
        destination_digest="bb",
        dead_letter=letter(),
    )
    page = written(with_differences(difference))
    assert page.kinds == ["changed"]
    text = page.text_of("differences")
    row = text[text.index("Last seen") :].removeprefix("Last seen ")
    for part in (
        'Changed country="DE" id=1 address.zip, lines[3] still changing dead letter 2026-11-23T12:00:12Z',
        "address.zip value changed lines[3] only in the destination",
        "put rejected 3 times",
        "2026-11-23T12:00:00Z to 2026-11-23T12:00:12Z, read again 2 times",
        '{"country": {"S": "DE"}, "id": {"N": "1"}}',
        "aa in the source, bb in the destination",
    ):
        assert part in row


def test_what_differs_in_short(written: Written) -> None:
    page = written(
        with_differences(
            Difference("missing", key(1)),
            Difference("extra", key(2)),
            Difference("changed", key(3), PATHS[:4]),
            Difference("changed", key(4), PATHS),
            expired(5, standing=False),
        )
    )
    for part in (
        "id=1 only in the source ",
        "id=2 only in the destination ",
        "id=3 address.zip, lines[3], n, old ",
        "id=4 address.zip, lines[3], n and 2 more ",
        "id=5 expired 2026-11-23T11:00:00Z, only in the source ",
    ):
        assert part in page.text_of("differences")
    assert "still changing" not in page.text_of("differences")


def test_values_only_where_the_paths_have_them(written: Written) -> None:
    page = written(with_differences(Difference("changed", key(1), VALUES)))
    text = page.text_of("differences")
    assert 'a value changed "x\\u001b" "y"' in text
    assert 'b only in the destination absent {"L": [{"N": "1"}, {"B": "MQ=="}]}' in text
    assert "c only in the source 1 absent" in text
    without = written(with_differences(Difference("changed", key(1), PATHS))).text_of("differences")
    assert "absent" not in without


def test_long_values_and_many_paths_are_cut(written: Written) -> None:
    long = PathChange(("a",), "value_changed", "S", "S", {"S": "x" * 5_000}, {"S": "y"})
    gone = (PathChange((f"b{number}",), "removed", "S", None) for number in range(500))
    page = written(with_differences(Difference("changed", key(1), (long, *gone))))
    text = page.text_of("differences")
    assert '"' + "x" * 1_999 + "... 3,002 more characters" in text
    assert text.count("only in the source") == 199
    assert "and 301 more attributes" in text


def test_keys_and_commands_can_be_copied(written: Written) -> None:
    odd = {"a\x9b": {"S": "\u202e\U000e0001 Köln"}}
    page = written(with_differences(Difference("missing", odd), findings=(NO_RECOVERY,)))
    copied = [str(button["data-copy"]) for button in page.having("data-copy")]
    (written_key,) = [text for text in copied if text.startswith("{")]
    # Valid JSON for the AWS CLI, with nothing invisible in it.
    assert json.loads(written_key) == odd
    assert written_key.isprintable()
    for text in (
        EQUAL.source.arn,
        EQUAL.destination.arn,
        STEPS[0].command,
        NO_RECOVERY.fix,
        "verify --source cities --html 'my report.html'",
    ):
        assert text in copied


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ({"missing": 10}, {"missing": 10}),
        ({"missing": 20_000}, {"missing": 5_000}),
        ({"missing": 20_000, "changed": 3}, {"missing": 4_997, "changed": 3}),
        (
            {"missing": 9_000, "changed": 3_000, "extra": 3_000, "expired": 100},
            {"missing": 1_634, "changed": 1_633, "extra": 1_633, "expired": 100},
        ),
    ],
)
def test_every_kind_gets_its_share(counts: dict[Kind, int], shown: dict[Kind, int]) -> None:
    assert {kind: share for kind, share in row_shares(counts).items() if share} == shown


def test_a_page_that_does_not_have_all_states_it(written: Written) -> None:
    # The rare kinds last, where a page that took the first 5,000 would not get to.
    made = Streamed(
        6_003,
        lambda number: Difference(
            "missing" if number < 6_000 else "changed", key(number), dead_letter=letter()
        ),
    )
    page = written(dataclasses.replace(EQUAL, differences=made, counts={"missing": 6_000, "changed": 3}))
    assert Counter(page.kinds) == {"missing": 4_997, "changed": 3}
    assert "This page has 5,000 of 6,003 differences." in page.text
    assert "Dead letters 6,003" in page.text
    assert made.passes == 1
    assert "This page has" not in written(with_differences(Difference("missing", key(1)))).text


def test_a_page_has_an_end(written: Written) -> None:
    path = PathChange(("a",), "value_changed", "S", "S", {"S": "x" * 2_000}, {"S": "y" * 2_000})
    paths = tuple(dataclasses.replace(path, path=(f"a{number}",)) for number in range(200))
    made = Streamed(100, lambda number: Difference("changed", key(number), paths))
    page = written(dataclasses.replace(EQUAL, differences=made, counts={"changed": 100}))
    assert 20_000_000 < len(page.source) < 21_500_000
    assert f"This page has {len(page.kinds)} of 100 differences." in page.text


def test_nothing_is_loaded_and_nothing_else_can_run(written: Written) -> None:
    page = written(with_differences(Difference("missing", key(1)), findings=(NO_RECOVERY,)))

    def fingerprint(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    (style,), (script,) = page.inline["style"], page.inline["script"]
    assert page.policy == (
        f"default-src 'none'; style-src {fingerprint(style)}; script-src {fingerprint(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    for _, attributes in page.elements:
        assert not {"src", "style"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        # Links lead to other parts of the page only.
        assert str(attributes.get("href", "#")).startswith("#")
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function\(|fetch", script)


def test_links_lead_to_parts_of_the_page(written: Written) -> None:
    for comparison in (EQUAL, with_differences(Difference("missing", key(1)), findings=(NO_RECOVERY,))):
        page = written(comparison)
        names = {one["id"] for one in page.having("id")}
        assert {str(one["href"])[1:] for one in page.having("href")} <= names


@pytest.mark.parametrize("evil", EVIL)
def test_no_key_becomes_markup(written: Written, evil: str) -> None:
    harmless, page = written(hostile("harmless")), written(hostile(evil), ["verify", "--source", evil])
    assert page.tags == harmless.tags
    assert [sorted(attributes) for _, attributes in page.elements] == [
        sorted(attributes) for _, attributes in harmless.elements
    ]
    assert page.inline == harmless.inline
    assert len(page.kinds) == 1
    assert all(line.isprintable() for line in page.source.split("\n"))
    values = [str(value) for _, attributes in page.elements for value in attributes.values() if value]
    assert all(value.isprintable() for value in values)


def test_segments_are_drawn(written: Written) -> None:
    def with_segments(*mine: int) -> Comparison:
        source = dataclasses.replace(EQUAL.source, segments=mine)
        return dataclasses.replace(
            EQUAL, source=source, destination=dataclasses.replace(source, segments=(3, 4))
        )

    even, uneven = written(with_segments(3, 4)), written(with_segments(3, 1_005))
    assert even.tags.count("svg") == uneven.tags.count("svg") == 1
    assert "different counts" not in even.text
    assert "different counts" in uneven.text
    assert len(even.of_class("uneven")) == 0
    # In the chart and in its legend.
    assert [tag for tag, one in uneven.elements if "uneven" in str(one.get("class"))] == ["rect", "i"]
    assert "1 3 3 2 1,005 4 -1,001" in uneven.text_of("segments")
    assert "svg" not in written(EQUAL).tags


def test_a_column_for_each_segment() -> None:
    first, second, third = columns([10, 5, 0], [10, 2, 1])
    assert (first.up, first.down, first.uneven) == (45.0, 45.0, False)
    assert (second.up, second.down, second.uneven) == (22.5, 9.0, True)
    assert (third.name, third.source, third.destination, third.uneven) == ("3", 0, 1, True)


def test_neighbours_share_a_column_where_there_are_many() -> None:
    source, destination = [2] * 300, [2] * 300
    destination[4] += 1
    destination[5] -= 1
    drawn = list(columns(source, destination))
    assert len(drawn) == 100
    # Two uneven segments do not make an even column, and the average is drawn.
    assert [column.uneven for column in drawn[:3]] == [False, True, False]
    assert (drawn[1].name, drawn[1].source, drawn[1].destination) == ("4 to 6", 6, 6)
    assert len({(column.up, column.down) for column in drawn}) == 1


def test_the_last_column_of_fewer_segments_is_as_high() -> None:
    drawn = list(columns([7] * 257, [7] * 257))
    assert (drawn[-1].name, drawn[-1].source) == ("256 to 257", 14)
    assert drawn[-1].up == drawn[0].up


def test_empty_tables_have_flat_columns() -> None:
    assert [(column.up, column.down) for column in columns([0, 0], [0, 0])] == [(0.0, 0.0), (0.0, 0.0)]


def test_a_million_segments_have_128_columns() -> None:
    drawn = list(columns([1] * 1_000_000, [1] * 999_999))
    assert len(drawn) == 128
    assert (drawn[0].name, drawn[0].source, drawn[0].destination) == ("1 to 7,813", 7_813, 7_813)
    assert (drawn[-1].name, drawn[-1].source, drawn[-1].destination) == (
        "992,252 to 1,000,000",
        7_749,
        7_748,
    )
