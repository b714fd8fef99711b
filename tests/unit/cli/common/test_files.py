"""Files that are written at the end: checked before, replaced as a whole, and devices written through."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.files import check_outputs, replacing

ROOT = Path(__file__).parents[4]


def write(path: Path, text: str = "new\n", **options: bool) -> None:
    with replacing(path, **options) as stream:  # type: ignore[arg-type]
        stream.write(text)


def refusal(**outputs: Path) -> str:
    with pytest.raises(UserError) as raised:
        check_outputs({f"--{flag}": path for flag, path in outputs.items()})
    return str(raised.value)


def test_what_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text("old")
    check_outputs({"--html": old, "--junit": tmp_path / "new", "--repair-plan": None})
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("old", "old")]


def test_a_refusal_names_the_flag_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refusal(html=tmp_path) == f"--html: {tmp_path} is a directory. Name a file in it"
    assert refusal(junit=tmp_path / "no" / "x") == (
        f"--junit: there is no directory {tmp_path}/no. Create it, or name another file"
    )
    assert refusal(html=tmp_path / "file" / "x").startswith("--html: ")
    assert re.match(
        r"--html: cannot write .*: File name too long\. Name another", refusal(html=tmp_path / ("x" * 300))
    )
    # Not even root makes files there.
    assert refusal(html=Path("/proc/x.html")).startswith("--html: cannot write /proc/x.html: ")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert refusal(html=tmp_path / "loop").startswith("--html: cannot write ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_without_permission(tmp_path: Path) -> None:
    (tmp_path / "file").touch(mode=0o400)
    assert "Permission denied" in refusal(html=tmp_path / "file")


def test_two_flags_do_not_write_one_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert refusal(html=tmp_path / "file", junit=tmp_path / "link") == (
        f"--html and --junit name one file, {tmp_path}/link. Give each a file of its own"
    )
    check_outputs({"--html": Path(os.devnull), "--junit": Path(os.devnull)})


def test_a_file_is_replaced_as_a_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    with pytest.raises(KeyboardInterrupt):
        with_interrupt(path)
    assert path.read_text() == "old"
    write(path)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new\n", 0o640)
    write(path, private=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def with_interrupt(path: Path) -> None:
    with replacing(path) as stream:
        stream.write("half")
        raise KeyboardInterrupt


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path, exists: bool) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if exists:
        (elsewhere / "file").write_text("old")
    (tmp_path / "link").symlink_to(elsewhere / "file")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (elsewhere / "file").read_text() == "new\n"
    assert [each.name for each in elsewhere.iterdir()] == ["file"]


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    # Neither waits for a reader, who may come at the end.
    check_outputs({"--repair-plan": path})
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(path.read_text()))
    reader.start()
    write(path, private=True)
    reader.join(timeout=10)
    assert found == ["new\n"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_pipe_without_a_name_is_written_to() -> None:
    """As `>(command)` of a shell makes it."""
    reading, writing = os.pipe()
    path = Path(f"/dev/fd/{writing}")
    check_outputs({"--html": path})
    write(path)
    os.close(writing)
    with os.fdopen(reading) as stream:
        assert stream.read() == "new\n"


def test_a_device_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "null").symlink_to(os.devnull)
    check_outputs({"--repair-plan": tmp_path / "null"})
    write(tmp_path / "null", private=True)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.parametrize("redirected", [True, False])
def test_the_standard_output_goes_on_behind_it(tmp_path: Path, redirected: bool) -> None:
    """Also where it is a file, which must neither be replaced nor written from its beginning."""
    code = (
        "from pathlib import Path; from tablecopy_cli.common.files import *\n"
        "out = Path('/dev/stdout'); print('before')\n"
        "check_outputs({'--html': out})\n"
        "with replacing(out) as stream: stream.write('page\\n')\n"
        "print('after')"
    )
    command = [sys.executable, "-c", code]
    if redirected:
        with open(tmp_path / "out", "w") as stream:
            subprocess.run(command, stdout=stream, cwd=ROOT, check=True)
        said = (tmp_path / "out").read_text()
    else:
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True).stdout
    assert said == "before\npage\nafter\n"
