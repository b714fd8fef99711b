"""Paths: each names one change, and together they are the whole change."""

from __future__ import annotations

import copy
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablecopy.comparison.canonical import digest
from tests.unit.verify.pairs import EVERY_CHANGE, NAMES, SHAPES, binaries, numbers
from verify.comparison.differences import PathChange, changed_paths

names = st.sampled_from(NAMES)
leaves = st.one_of(
    st.sampled_from(["1", "2", "line\nbreak"]).map(lambda v: {"S": v}),
    st.sampled_from(["1", "2", "1.0"]).map(lambda v: {"N": v}),
    st.sampled_from(["MQ==", "/w=="]).map(lambda v: {"B": v}),
    st.booleans().map(lambda v: {"BOOL": v}),
    st.just({"NULL": True}),
    st.sets(st.sampled_from("xyz"), min_size=1).map(lambda v: {"SS": sorted(v)}),
)
trees: st.SearchStrategy[dict[str, Any]] = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda v: {"L": v})
        | st.dictionaries(names, inner, max_size=3).map(lambda v: {"M": v})
    ),
    max_leaves=10,
)
nested_items = st.dictionaries(names, trees, max_size=4)


def applied(item: dict[str, Any], changes: tuple[PathChange, ...]) -> dict[str, Any]:
    """Do to an item what the paths say happened to it."""
    root = {"M": copy.deepcopy(item)}
    # Backwards, so that positions of a list stay valid while its tail is taken away.
    for change in reversed([c for c in changes if c.change == "removed"]):
        del parent_of(root, change.path)[change.path[-1]]
    for change in [c for c in changes if c.change != "removed"]:
        content = parent_of(root, change.path)
        step = change.path[-1]
        if change.change == "added" and isinstance(content, list):
            assert step == len(content)
            content.append(change.destination)
        else:
            content[step] = change.destination
    return root["M"]


def parent_of(root: dict[str, Any], path: tuple[str | int, ...]) -> Any:
    (content,) = root.values()
    for step in path[:-1]:
        (content,) = content[step].values()
    return content


@given(nested_items, nested_items)
def test_the_paths_are_the_whole_change(source: dict[str, Any], destination: dict[str, Any]) -> None:
    changes = changed_paths(source, destination, values=True)
    assert digest(applied(source, changes)) == digest(destination)


def test_every_kind_of_change_has_its_word() -> None:
    assert [path.record() for path in changed_paths(*EVERY_CHANGE)] == [
        {"path": ["deep", "list", 1, "x"], "change": "value_changed"},
        {"path": ["deep", "list", 2], "change": "added"},
        {"path": ["gone"], "change": "removed"},
        {"path": ["new"], "change": "added"},
        {"path": ["null"], "change": "type_changed", "source_type": "NULL", "destination_type": "S"},
        {"path": ["tags"], "change": "value_changed", "elements_added": 1, "elements_removed": 1},
        {"path": ["type"], "change": "type_changed", "source_type": "N", "destination_type": "S"},
        {"path": ["value"], "change": "value_changed"},
    ]


def test_values_only_on_request() -> None:
    source, destination = {"b": {"B": "MQ=="}, "x": {"S": "s"}}, {"b": {"B": "Mg=="}}
    assert changed_paths(source, destination)[0].source is None
    assert [path.record() for path in changed_paths(source, destination, values=True)] == [
        {"path": ["b"], "change": "value_changed", "source": {"B": "MQ=="}, "destination": {"B": "Mg=="}},
        {"path": ["x"], "change": "removed", "source": {"S": "s"}},
    ]


def test_list_positions_sort_as_numbers() -> None:
    source = {"l": {"L": [{"N": str(n)} for n in range(12)]}}
    destination = {"l": {"L": [{"N": str(n + 1)} for n in range(12)]}}
    assert [path.path[1] for path in changed_paths(source, destination)] == list(range(12))


def _steps(source: dict[str, Any], destination: dict[str, Any]) -> int:
    """How many functions are called to compare two values, those of C included."""
    steps = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal steps
        steps += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        assert changed_paths({"x": source}, {"x": destination})
    finally:
        sys.setprofile(before)
    return steps


@pytest.mark.parametrize("shape", SHAPES)
def test_twice_as_many_elements_take_twice_as_many_steps(shape: str) -> None:
    """An item of 400 KB has tens of thousands of elements: four times the steps would not end."""
    make = SHAPES[shape]
    for other in (lambda count: make(count, count), lambda count: make(0, count // 2)):
        small, large = (_steps(make(0, count), other(count)) for count in (400, 800))
        assert large < 2.5 * small


@pytest.mark.parametrize("kind", ["SS", "NS", "BS"])
def test_a_set_of_a_hundred_thousand_elements_that_were_all_replaced(kind: str) -> None:
    make = binaries if kind == "BS" else numbers
    (found,) = changed_paths({"x": {kind: make(0, 100_000)}}, {"x": {kind: make(100_000, 100_000)}})
    assert (found.path, found.elements_added, found.elements_removed) == (("x",), 100_000, 100_000)


def test_sets_of_two_types_differ_in_type() -> None:
    (found,) = changed_paths({"x": {"SS": ["1"]}}, {"x": {"NS": ["1"]}})
    assert (found.change, found.source_type, found.destination_type) == ("type_changed", "SS", "NS")
