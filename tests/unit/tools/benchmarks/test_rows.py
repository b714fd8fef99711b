"""Files of rows."""

from pathlib import Path

import pytest

from tools.benchmarks.rows import differing, write_rows


def read(path: Path) -> dict[tuple[str, str], str]:
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    return {(partition, sort): digest for partition, sort, digest in lines}


@pytest.mark.parametrize("rows", [1, 5_000, 5_001, 15_001])
def test_as_many_keys_differ_as_is_said(tmp_path: Path, rows: int) -> None:
    tables = []
    for copy in (False, True):
        write_rows(tmp_path / "rows", rows, 7, copy=copy)
        tables.append(read(tmp_path / "rows"))
    source, destination = tables
    assert len(source) == len(destination) == rows
    apart = [key for key in source.keys() | destination.keys() if source.get(key) != destination.get(key)]
    assert len(apart) == differing(rows)


def test_both_are_in_orders_of_their_own(tmp_path: Path) -> None:
    orders = []
    for copy in (False, True):
        write_rows(tmp_path / "rows", 1_000, 7, copy=copy)
        orders.append([partition for partition, _ in read(tmp_path / "rows")])
    assert all(order != sorted(order) for order in orders)
    assert sum(one == other for one, other in zip(*orders, strict=True)) < 20
