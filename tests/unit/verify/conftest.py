"""Tables to compare: in memory, with a scan order of the test's choosing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.unit.verify.service import KEYS, FakeTable, serving
from tests.unit.verify.world import World
from verify import measure


@pytest.fixture(autouse=True)
def brief_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decode a sample once, and pair few rows of it: an estimate measures this machine for a second."""
    monkeypatch.setattr(measure, "DECODING_SECONDS", 0.0)
    monkeypatch.setattr(measure, "PAIRED_ROWS", 500)


class MakeTable:
    """Makes tables in memory: `make(items)` the source, `make(items, "destination")` the other."""

    def __call__(
        self, items: Sequence[dict[str, Any]] = (), name: str = "source", **settings: Any
    ) -> FakeTable:
        account = "111111111111" if name == "source" else "222222222222"
        return FakeTable(items, account=account, **{"keys": KEYS, **settings})


@pytest.fixture
def make_table() -> MakeTable:
    return MakeTable()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two empty tables, served, and the command line that compares them."""
    source = FakeTable(account="111111111111", page_size=50)
    destination = FakeTable(name="cities-copy", account="222222222222", page_size=50)
    with serving(source, destination) as served:
        yield World(source, destination, served, tmp_path / "work")
