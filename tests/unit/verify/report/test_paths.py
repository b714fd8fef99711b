"""Paths and changes for people: unambiguous, and without values unless there are any."""

from __future__ import annotations

from tests.unit.verify.report.comparisons import PATHS, VALUES
from verify.report.paths import change_text, path_text, what_changed


def test_paths_are_unambiguous() -> None:
    assert path_text(("a", "b", 0, "c.d", 'e"f')) == 'a.b[0]["c.d"]["e\\"f"]'
    assert path_text(("a.b",)) != path_text(("a", "b"))


def test_every_change_has_its_words() -> None:
    words = [
        "value changed",
        "only at the destination",
        "type changed (N at the source, S at the destination)",
        "only at the source",
        "set changed (2 only at the source, 1 only at the destination)",
    ]
    assert [what_changed(path) for path in PATHS] == words
    assert [change_text(path) for path in PATHS] == words


def test_values_where_there_are_any() -> None:
    assert [change_text(path) for path in VALUES] == [
        'value changed: "x\\u001b" -> "y"',
        'only at the destination: {"L": [{"N": "1"}, {"B": "MQ=="}]}',
        "only at the source: 1",
    ]
    assert [what_changed(path) for path in VALUES] == [
        "value changed",
        "only at the destination",
        "only at the source",
    ]
