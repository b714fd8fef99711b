"""Paths: each names one change, and together they are the whole change."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.canonical import digest
from verify.differences import PathChange, changed_paths

names = st.sampled_from(["a", "b", "__c", "d.e", "f'g", 'h"i', "root['x']", "*"])
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
    source = {
        "same": {"N": "1"},
        "gone": {"S": "x"},
        "value": {"S": "x"},
        "type": {"N": "1"},
        "null": {"NULL": True},
        "tags": {"SS": ["a", "b", "c"]},
        "deep": {"M": {"list": {"L": [{"N": "1"}, {"M": {"x": {"B": "MQ=="}}}]}}},
    }
    destination = {
        "same": {"N": "1.0"},
        "new": {"S": "x"},
        "value": {"S": "y"},
        "type": {"S": "1"},
        "null": {"S": ""},
        "tags": {"SS": ["c", "d", "a"]},
        "deep": {"M": {"list": {"L": [{"N": "1"}, {"M": {"x": {"B": "Mg=="}}}, {"BOOL": True}]}}},
    }
    assert [path.record() for path in changed_paths(source, destination)] == [
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


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        ({"S": "x\n" * 100_000}, {"S": "y\n" * 100_000}),
        ({"L": [{"N": "1"}] * 20_000}, {"L": [{"N": "2"}] + [{"N": "1"}] * 20_000}),
    ],
    ids=["lines", "list"],
)
def test_the_largest_items_take_no_quadratic_time(
    source: dict[str, Any], destination: dict[str, Any]
) -> None:
    started = time.process_time()
    assert changed_paths({"x": source}, {"x": destination})
    # Matching lines or elements up would take minutes.
    assert time.process_time() - started < 20
