"""Generated rows are paired, and exactly those that differ are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.benchmarks import pairing


def test_what_was_generated_is_found(tmp_path: Path) -> None:
    found = pairing.measure(1_000, tmp_path / "rows")
    assert found["rows"] == 1_000
    assert found["peak_disk_gb"] >= found["rows_gb"] > 0


def test_a_pairing_that_finds_less_has_no_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "count_lines", lambda directory: 0)
    with pytest.raises(SystemExit, match="0 rows differ"):
        pairing.measure(1_000, tmp_path / "rows")
