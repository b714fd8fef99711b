"""Pairing rows: whatever their order, in little memory, and never by half."""

from __future__ import annotations

import errno
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tablecopy_cli.common.errors import UserError
from verify.comparison.match import count_lines, pair, sort_lines
from verify.scan.work import BlockFile


def written(path: Path, rows: list[tuple[str, ...]]) -> Path:
    blocks = BlockFile(path)
    for start in range(0, len(rows), 100):
        blocks.append(
            "".join("\t".join(row) + "\n" for row in rows[start : start + 100]).encode(), {"rows": len(rows)}
        )
    blocks.append(b"", {"rows": 0})
    blocks.close()
    return path


def paired(tmp_path: Path, source: list[Any], destination: list[Any]) -> list[tuple[str, ...]]:
    place = Path(tempfile.mkdtemp(dir=tmp_path))
    to = place / "to"
    pair([written(place / "s", source)], [written(place / "d", destination)], to)
    found = [tuple(line.split("\t")) for line in to.read_text().splitlines()]
    assert count_lines(to) == len(found)
    return sorted(found)


def test_only_what_does_not_pair_is_written(tmp_path: Path) -> None:
    source = [('"a"', '"1"', "x1", ""), ('"b"', '"1"', "x2", ""), ('"c"', "-", "x3", "99")]
    destination = [('"b"', '"1"', "y2", ""), ('"a"', '"1"', "x1", ""), ('"a"', '"2"', "x1", "7")]
    assert paired(tmp_path, source, destination) == [
        ('"a"', '"2"', "", "x1", "7"),
        ('"b"', '"1"', "x2", "y2", ""),
        ('"c"', "-", "x3", "", "99"),
    ]


def test_keys_that_look_like_the_files_own_marks(tmp_path: Path) -> None:
    keys = ['"#"', '"\'"', '"\\""', '"a,b"', '"\\\\"', '"NULL"', '"\\t"', '"\\n"', '"é"', '""']
    source = [(key, "-", "x", "") for key in keys]
    assert paired(tmp_path, source, list(reversed(source))) == []
    assert len(paired(tmp_path, source, [])) == len(keys)


def test_several_files_and_empty_ones(tmp_path: Path) -> None:
    files = [written(tmp_path / str(n), [(f'"{n}"', "-", "x", "")] if n else []) for n in range(4)]
    to = tmp_path / "it's here"
    pair(files[:2], files[2:], to)
    assert count_lines(to) == 3


def test_diverging_orders_and_disjoint_keys_in_little_memory(tmp_path: Path) -> None:
    rows = [(f'"k{n:06d}"', f'"{n % 7}"', f"{n:032x}", "") for n in range(20_000)]
    shuffled = rows.copy()
    random.Random(1).shuffle(shuffled)
    assert paired(tmp_path, rows, shuffled) == []
    others = [(f'"z{n}"', *rest) for n, (_, *rest) in enumerate(rows)]
    assert len(paired(tmp_path, rows, others)) == 40_000


def test_keys_of_kilobytes(tmp_path: Path) -> None:
    # The longest keys that DynamoDB takes, each character six in JSON.
    row = ('"' + "\\u0001" * 2048 + '"', '"' + "\\u0002" * 1024 + '"', "x", "")
    assert paired(tmp_path, [row], [row]) == []
    assert len(paired(tmp_path, [row], [(*row[:2], "y", "")])) == 1


def test_more_memory_is_taken_only_when_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f'"k{n:06d}"', "-", f"{n:032x}", "") for n in range(2_000)]
    monkeypatch.setattr("verify.comparison.match.MEMORY_MB", (1, 160))
    assert paired(tmp_path, rows, rows[::-1]) == []
    monkeypatch.setattr("verify.comparison.match.MEMORY_MB", (1,))
    with pytest.raises(UserError, match="Not enough memory or disk"):
        paired(tmp_path, rows, [])


def test_a_full_disk_is_told_from_other_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="No files found") as caught:
        pair([tmp_path / "none"], [tmp_path / "none"], tmp_path / "to")
    assert caught.value.errno == errno.EIO
    monkeypatch.setattr("verify.comparison.match.NO_SPACE", "No files found")
    with pytest.raises(OSError, match="No files found") as caught:
        pair([tmp_path / "none"], [tmp_path / "none"], tmp_path / "to")
    assert caught.value.errno == errno.ENOSPC


lines = st.lists(st.tuples(st.binary(max_size=3).map(bytes.hex), st.text("ab\t", max_size=5)), max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(lines, st.sampled_from([1, 20, 10_000]))
def test_lines_come_in_the_order_of_their_positions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: list[tuple[str, str]], run_bytes: int
) -> None:
    monkeypatch.setattr("verify.comparison.match.RUN_BYTES", run_bytes)
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
