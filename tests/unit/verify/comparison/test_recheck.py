"""Judging candidates: by their digests, and item by item only where these differ."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.unit.verify.service import FakeTable
from verify.comparison.recheck import Candidate, Generation, Rechecked, Rules
from verify.scan.table import Found
from verify.scan.workers import SideName


def item(number: int | str, **attributes: Any) -> dict[str, Any]:
    return {"pk": {"S": "k"}, "sk": {"N": str(number)}, **attributes}


def judged(path: Path, source: FakeTable, destination: FakeTable, *spelled: str) -> Rechecked:
    tables: dict[SideName, Any] = {
        "source": source.table("source"),
        "destination": destination.table("destination"),
    }
    candidates = [Candidate('"k"', f'"{number}"', "0" * 32, "1" * 32) for number in spelled]
    return Generation(tables, Rules(), path).run(
        iter(candidates), stop=threading.Event(), tick=lambda keys: None
    )


def test_items_with_equal_digests_are_not_decoded(
    make_table: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(found: Found) -> None:
        raise AssertionError("decoded")

    source = make_table([item(n, tags={"SS": ["a", "b"]}) for n in range(250)])
    destination = make_table([item(n, tags={"SS": ["b", "a"]}) for n in range(250)], "destination")
    monkeypatch.setattr(Found, "item", property(fail))
    found = judged(tmp_path / "rows", source, destination, *map(str, range(250)))
    assert (found.settled, found.open) == (250, 0)


def test_items_with_other_digests_are_compared_exactly(make_table: Any, tmp_path: Path) -> None:
    source = make_table([item(1, n={"N": "1"}), item(2, n={"N": "1"}), item(3)])
    destination = make_table([item(1, n={"N": "1.0"}), item(2, n={"N": "2"})], "destination")
    found = judged(tmp_path / "rows", source, destination, "1", "2", "3")
    assert (found.settled, found.open) == (1, 2)


def test_another_spelling_of_a_key_is_the_same_key(make_table: Any, tmp_path: Path) -> None:
    source, destination = make_table([item(1)]), make_table([item("1.0")], "destination")
    found = judged(tmp_path / "rows", source, destination, "1", "1.0")
    assert (found.settled, found.open) == (2, 0)
