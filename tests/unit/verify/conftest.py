"""Tables to compare: in memory, with a scan order of the test's choosing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.verify.service import KEYS, FakeTable


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
