"""Sorting what memory does not hold, and never by half."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verify.comparison.sorting import sort_lines

lines = st.lists(st.tuples(st.binary(max_size=3).map(bytes.hex), st.text("ab\t", max_size=5)), max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(lines, st.sampled_from([1, 20, 10_000]))
def test_lines_come_in_the_order_of_their_positions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: list[tuple[str, str]], run_bytes: int
) -> None:
    monkeypatch.setattr("verify.comparison.sorting.RUN_BYTES", run_bytes)
    to = tmp_path / "sorted"
    sort_lines((f"{position}\t{rest}".encode() for position, rest in found), to)
    expected = [rest for _, rest in sorted(found, key=lambda line: line[0])]
    assert to.read_bytes() == b"".join(f"{rest}\n".encode() for rest in expected)
    assert [path.name for path in tmp_path.iterdir()] == ["sorted"]


def test_what_fails_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> object:
        yield b"1\ta"
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        sort_lines(failing(), tmp_path / "sorted")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
