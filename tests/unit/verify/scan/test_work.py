"""The directory that a comparison works in: whose it is, how long it is kept, who may look in."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tablecopy_cli.common.errors import UserError
from verify.scan.segment import Reached, forget_rows, reached_by
from verify.scan.work import BlockFile, WorkDirectory, default_directory, rows

WHAT = {"tables": ["a", "b"]}


def work(base: Path, *, resume: bool = False, what: object = None) -> WorkDirectory:
    return WorkDirectory(base, {"what": what or WHAT}, resume=resume)


def test_only_its_owner_may_look_in(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = work(tmp_path / "deep" / "base")
    finally:
        os.umask(before)
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o700
    made.remove()


def test_what_was_left_is_resumed(tmp_path: Path) -> None:
    first = work(tmp_path)
    assert not first.resumed
    first.file("rows").write_text("rows")
    first.mark("scan")
    first.release()
    second = work(tmp_path, resume=True)
    assert second.resumed
    assert (second.path, second.started, second.seed) == (first.path, first.started, first.seed)
    assert second.file("rows").read_text() == "rows"
    assert second.marked("scan")
    second.remove()
    assert list(tmp_path.iterdir()) == []


def test_without_resume_nothing_is_left_of_it(tmp_path: Path) -> None:
    first = work(tmp_path)
    first.file("rows").write_text("rows")
    (first.path / "spill").mkdir()
    (first.path / "spill" / "part").write_text("part")
    first.mark("scan")
    first.release()
    second = work(tmp_path)
    assert not second.resumed
    assert second.seed != first.seed
    assert not second.marked("scan")
    assert {entry.name for entry in second.path.iterdir()} == {"lock", "lock.helpers", "run.json"}
    second.remove()


def test_nothing_is_taken_over_from_one_that_was_killed_while_it_cleared_up(tmp_path: Path) -> None:
    first = work(tmp_path)
    first.mark("scan")
    first.file("rows").write_text("rows")
    first.file("run.json").unlink()
    first.release()
    second = work(tmp_path)
    assert not second.resumed
    assert not second.marked("scan")
    assert not second.file("rows").exists()
    second.remove()


def test_where_there_is_nothing_to_resume_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no interrupted comparison of these tables"):
        work(tmp_path, resume=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spoilt", ["", "{", "[]", "null", '{"started": "x"}', "{}"])
def test_one_that_was_killed_before_it_began_is_nothing_to_resume(tmp_path: Path, spoilt: str) -> None:
    first = work(tmp_path)
    first.release()
    first.file("run.json").write_text(spoilt)
    with pytest.raises(UserError, match="no interrupted comparison"):
        work(tmp_path, resume=True)
    work(tmp_path).remove()


def test_others_are_left_alone(tmp_path: Path) -> None:
    first, other = work(tmp_path), work(tmp_path, what="other")
    assert first.path != other.path
    first.remove()
    assert other.file("run.json").exists()
    other.remove()


def test_it_belongs_to_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verify.scan.work.WAIT_SECONDS", 0.0)
    first = work(tmp_path)
    for resume in (False, True):
        with pytest.raises(UserError, match=r"Another verify compares these tables in .*--work-dir"):
            work(tmp_path, resume=resume)
    first.release()
    work(tmp_path, resume=True).remove()


@pytest.mark.parametrize("anew", [False, True])
def test_one_that_waits_for_it_does_not_get_the_one_that_was_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anew: bool
) -> None:
    first = work(tmp_path)

    def wait(seconds: float) -> None:
        if not first.path.exists():
            return
        first.remove()
        if anew:
            first.path.mkdir()

    monkeypatch.setattr("verify.scan.work.time.sleep", wait)
    second = work(tmp_path)
    assert not second.resumed
    assert second.file("run.json").exists()
    second.file("rows").touch()
    second.remove()


def test_the_default_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert default_directory() == Path("/cache/dynamodb-account-copy/verify")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_directory() == Path("/home/me/.cache/dynamodb-account-copy/verify")


Written = list[tuple[list[bytes], dict[str, Any]]]

# As rows are: JSON first, tabs between the parts.
_ROW = st.builds(
    lambda key, rest: b'"%b"\t%b' % (key, rest),
    st.binary(max_size=6).map(lambda raw: raw.hex().encode()),
    st.sampled_from([b"", b"#", b"#\t{}\t\t00000000", b"-\tabc\t", "ü\t".encode()]),
)
_BLOCKS = st.lists(
    st.tuples(
        st.lists(_ROW, max_size=3),
        st.dictionaries(st.sampled_from(["items", "last_key"]), st.integers() | st.text() | st.none()),
    ),
    max_size=4,
)

quickly = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None, database=None
)


def write(path: Path, blocks: Written) -> list[int]:
    """Write blocks; returns where each ends, from 0 on."""
    path.unlink(missing_ok=True)
    file = BlockFile(path)
    ends = [0]
    for lines, checkpoint in blocks:
        file.append(b"".join(line + b"\n" for line in lines), checkpoint)
        ends.append(path.stat().st_size)
    file.close()
    return ends


def opened(path: Path) -> list[dict[str, Any]]:
    file = BlockFile(path)
    file.close()
    return file.checkpoints


@quickly
@given(_BLOCKS)
def test_what_is_written_is_read(tmp_path: Path, blocks: Written) -> None:
    path = tmp_path / "rows"
    write(path, blocks)
    whole = path.read_bytes()
    assert opened(path) == [checkpoint for _, checkpoint in blocks]
    assert list(rows(path)) == [line for lines, _ in blocks for line in lines]
    assert path.read_bytes() == whole


@settings(quickly, max_examples=10)
@given(_BLOCKS)
def test_a_torn_tail_of_any_length_is_cut_off(tmp_path: Path, blocks: Written) -> None:
    path = tmp_path / "rows"
    ends = write(path, blocks)
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        last = max(number for number, end in enumerate(ends) if end <= length)
        assert opened(path) == [checkpoint for _, checkpoint in blocks[:last]]
        assert path.read_bytes() == whole[: ends[last]]


@quickly
@given(_BLOCKS.filter(bool), st.data())
def test_from_a_spoilt_byte_on_it_is_cut_off(tmp_path: Path, blocks: Written, data: st.DataObject) -> None:
    path = tmp_path / "rows"
    ends = write(path, blocks)
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    spoilt = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]) | st.just(whole[at] ^ 1))
    path.write_bytes(whole[:at] + bytes([spoilt]) + whole[at + 1 :])
    last = max(number for number, end in enumerate(ends) if end <= at)
    assert opened(path) == [checkpoint for _, checkpoint in blocks[:last]]
    assert path.read_bytes() == whole[: ends[last]]


@quickly
@given(_BLOCKS, st.binary(max_size=40), _BLOCKS)
def test_behind_what_was_cut_off_it_goes_on(
    tmp_path: Path, before: Written, torn: bytes, after: Written
) -> None:
    path = tmp_path / "rows"
    write(path, before)
    with open(path, "ab") as file:
        file.write(torn)
    resumed = BlockFile(path)
    for lines, checkpoint in after:
        resumed.append(b"".join(line + b"\n" for line in lines), checkpoint)
    resumed.close()
    # The random tail is no block: its CRC-32 would have to be right.
    assert opened(path) == [checkpoint for _, checkpoint in before + after]
    assert list(rows(path)) == [line for lines, _ in before + after for line in lines]


def test_a_block_that_the_disk_took_only_a_part_of_is_none(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    file = BlockFile(path)
    file.append(b'"a"\n', {"items": 1})

    class Full:
        """A file that takes five bytes more."""

        left = 5

        def write(self, block: memoryview) -> int:
            if not self.left:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            taken, self.left = min(len(block), self.left), 0
            with open(path, "ab") as disk:
                return disk.write(block[:taken])

    plain, file._file = file._file, Full()  # type: ignore[assignment]
    with pytest.raises(OSError, match="No space left"):
        file.append(b'"b"\n', {"items": 2})
    plain.close()
    assert path.read_bytes().endswith(b'\n"b"\n#')
    assert opened(path) == [{"items": 1}]
    assert list(rows(path)) == [b'"a"']


def test_nobody_opens_what_somebody_writes(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    first = BlockFile(path)
    found: list[dict[str, Any]] = []
    second = threading.Thread(target=lambda: found.extend(opened(path)))
    second.start()
    second.join(0.1)
    assert second.is_alive()
    first.append(b'"a"\n', {"items": 1})
    first.close()
    second.join(10)
    assert found == [{"items": 1}]


def test_a_segment_whose_rows_were_forgotten_keeps_its_progress(tmp_path: Path) -> None:
    path = tmp_path / "source-000000.rows"
    blocks = BlockFile(path)
    blocks.append(b'"a"\t-\tx\t\n', {"items": 1, "units": 0.5, "last_key": "1"})
    blocks.append(b'"b"\t-\tx\t\n', {"items": 1, "units": 1.0, "last_key": None})
    blocks.close()
    forget_rows(path, reached_by(blocks_of(path)))
    # Once more, as after an interruption.
    forget_rows(path, reached_by(blocks_of(path)))
    assert list(rows(path)) == []
    assert reached_by(blocks_of(path)) == Reached(2, 1.5)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def blocks_of(path: Path) -> BlockFile:
    blocks = BlockFile(path)
    blocks.close()
    return blocks
