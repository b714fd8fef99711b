"""The directory that a comparison works in: whose it is, how long it is kept, who may look in."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tablecopy_cli.common import UserError
from verify.scan.work import WorkDirectory, default_directory

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
    with pytest.raises(UserError, match="there is no interrupted comparison of these tables"):
        work(tmp_path, resume=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spoilt", ["", "{", "[]", "null", '{"started": "x"}', "{}"])
def test_one_that_was_killed_before_it_began_is_nothing_to_resume(tmp_path: Path, spoilt: str) -> None:
    first = work(tmp_path)
    first.release()
    first.file("run.json").write_text(spoilt)
    with pytest.raises(UserError, match="there is no interrupted comparison"):
        work(tmp_path, resume=True)
    work(tmp_path).remove()


def test_others_are_left_alone(tmp_path: Path) -> None:
    first, other = work(tmp_path), work(tmp_path, what="other")
    assert first.path != other.path
    first.remove()
    assert other.file("run.json").exists()
    other.remove()


def test_it_belongs_to_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verify.scan.work._WAIT_SECONDS", 0.0)
    first = work(tmp_path)
    for resume in (False, True):
        with pytest.raises(UserError, match=r"another verify compares these tables in .*--work-dir"):
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
