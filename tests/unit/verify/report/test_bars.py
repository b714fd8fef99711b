"""The chart of segments: its heights, its marks, and the same figures as a table."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from verify.report.bars import bar_figures, bars


def columns(source: list[int], destination: list[int]) -> list[Element]:
    return list(ElementTree.fromstring(bars(source, destination)))


def heights(column: Element) -> tuple[float, float]:
    up, down = (float(str(rect.get("height"))) for rect in column.findall("rect")[:2])
    return up, down


def marked(column: Element) -> bool:
    return any(rect.get("class") == "uneven" for rect in column)


def test_a_column_a_segment() -> None:
    first, second, third = columns([10, 5, 0], [10, 2, 1])
    assert heights(first) == (45.0, 45.0)
    assert heights(second) == (22.5, 9.0)
    assert [marked(column) for column in (first, second, third)] == [False, True, True]
    assert first.findtext("title") == "Segment 1: 10 at the source, 10 at the destination"


def test_a_label_for_those_who_cannot_see_it() -> None:
    label = ElementTree.fromstring(bars([10, 5, 0], [10, 2, 1])).get("aria-label")
    assert label == "Items of 3 segments; 2 of them have another count at the destination."


def test_neighbours_share_a_column_where_there_are_many() -> None:
    source, destination = [2] * 300, [2] * 300
    destination[4] += 1
    destination[5] -= 1
    drawn = columns(source, destination)
    assert len(drawn) == 100
    # Two uneven segments do not make an even column, and the average is what is drawn.
    assert [marked(column) for column in drawn[:3]] == [False, True, False]
    assert drawn[1].findtext("title") == "Segment 4 to 6: 6 at the source, 6 at the destination"
    assert len({heights(column) for column in drawn}) == 1


def test_the_last_column_of_fewer_segments_is_as_high() -> None:
    drawn = columns([7] * 257, [7] * 257)
    assert drawn[-1].findtext("title") == "Segment 256 to 257: 14 at the source, 14 at the destination"
    assert heights(drawn[-1]) == heights(drawn[0])


def test_empty_tables() -> None:
    assert [heights(column) for column in columns([0, 0], [0, 0])] == [(0.0, 0.0), (0.0, 0.0)]


def test_no_style_attribute_which_the_policy_forbids() -> None:
    assert "style" not in bars([1, 2], [1, 3])


def test_the_figures() -> None:
    assert list(bar_figures([1_000, 5], [1_000, 2, 1])) == [
        "<tr><td>1</td><td>1,000</td><td>1,000</td><td></td></tr>",
        "<tr><td>2</td><td>5</td><td>2</td><td>-3</td></tr>",
        "<tr><td>3</td><td>0</td><td>1</td><td>+1</td></tr>",
    ]


def test_a_million_segments_have_figures_of_their_columns() -> None:
    rows = list(bar_figures([1] * 1_000_000, [1] * 999_999))
    assert len(rows) == 128
    assert rows[0] == "<tr><td>1 to 7,813</td><td>7,813</td><td>7,813</td><td></td></tr>"
    assert rows[-1] == "<tr><td>992,252 to 1,000,000</td><td>7,749</td><td>7,748</td><td>-1</td></tr>"
