"""Conventions of the output: exit codes, one line per error, progress, colours."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from tablecopy_cli.common.errors import UserError, run
from tablecopy_cli.common.terminal import Progress, Style, print_json, question
from tablecopy_cli.common.text import escaped

ROOT = Path(__file__).parents[4]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def raising(error: BaseException) -> Any:
    def command(arguments: Any) -> int:
        raise error

    return command


@pytest.mark.parametrize("code", [0, 1, 3])
def test_the_command_decides_the_exit_code(code: int) -> None:
    assert run("tool", lambda arguments: code, []) == code


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("this\nhelps"), 2, "tool: error: this helps"),
        (UserError("evil \x1b[2J"), 2, "tool: error: evil \\x1b[2J"),
        (NoCredentialsError(), 2, "tool: error: no AWS credentials found. Pass --source-profile or"),
        (FileNotFoundError(errno.ENOENT, "No such file", "x.json"), 2, "tool: error: x.json: No such file"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "No space left on device"),
        (
            KeyError("x"),
            2,
            "tool: error: KeyError: 'x' (unexpected; run again with --debug for the traceback)",
        ),
        (RecursionError("deep"), 2, "tool: error: RecursionError: deep (unexpected"),
        (KeyboardInterrupt(), 130, "tool: interrupted"),
    ],
)
def test_every_error_is_one_line(
    error: BaseException, code: int, line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("tool", raising(error), []) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert line in err
    assert err.count("\n") == 1


def test_debug_shows_the_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    assert run("tool", raising(KeyError("x")), ["--debug"]) == 2
    err = capfd.readouterr().err
    assert err.startswith("Traceback (most recent call last)")
    assert err.endswith("tool: error: KeyError: 'x'\n")


SCRIPT = """
import sys
from tablecopy_cli.common.errors import run
from tablecopy_cli.common.terminal import print_json

def command(arguments):
    for number in range(100_000):
        print_json({"number": number})
    return 0

sys.exit(run("tool", command))
"""


def test_a_closed_pipe_is_no_success_and_says_nothing() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline()) == {"number": 0}
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 2
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_trouble() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "tool: error: [Errno 28] No space left on device\n"


CLOSING = """
import os, sys
from tablecopy_cli.common.errors import run
from tablecopy_cli.common.terminal import Progress

def command(arguments):
    open(sys.argv[1], "w").close()
    number = os.open(sys.argv[1], os.O_RDWR)
    assert number > 2, number
    assert all(os.get_inheritable(each) for each in range(3))
    assert sys.stdin.readline() == "" and not sys.stdin.isatty()
    print("a note", file=sys.stderr)
    Progress(quiet_seconds=-1).update("progress")
    print("the result")
    return 3

sys.exit(run("tool", command, []))
"""


def closing(redirections: str, trace: Path) -> subprocess.CompletedProcess[str]:
    """Run `CLOSING` in a shell with these redirections."""
    command = f'exec "$0" -c "$1" "$2" {redirections}'
    return subprocess.run(
        ["sh", "-c", command, sys.executable, CLOSING, str(trace)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


LOST = (
    "tool: error: standard output is closed, so the result would be lost. Nothing was done. "
    "Redirect standard output to a file or to /dev/null.\n"
)


@pytest.mark.parametrize(
    ("redirections", "code", "out", "err"),
    [
        ("", 3, "the result\n", "a note\nprogress\n"),
        ("2>&-", 3, "the result\n", ""),
        ("2</dev/null", 3, "the result\n", ""),
        ("<&-", 3, "the result\n", "a note\nprogress\n"),
        ("<&- 2>&-", 3, "the result\n", ""),
        (">&-", 2, "", LOST),
        ("1</dev/null", 2, "", LOST),
        (">&- <&-", 2, "", LOST),
        (">&- 2>&-", 2, "", ""),
        ("<&- >&- 2>&-", 2, "", ""),
        (">/dev/null 2>&-", 3, "", ""),
        pytest.param(
            "2>/dev/full",
            3,
            "the result\n",
            "",
            marks=pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full"),
        ),
    ],
)
def test_a_closed_stream_is_none_to_fall_over(
    redirections: str, code: int, out: str, err: str, tmp_path: Path
) -> None:
    done = closing(redirections, tmp_path / "opened")
    assert (done.returncode, done.stdout, done.stderr) == (code, out, err)
    # Nothing is done whose result would be lost.
    assert (tmp_path / "opened").exists() is (code == 3)


def test_a_reader_of_stderr_that_has_gone_is_no_reader_of_the_result(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", CLOSING, str(tmp_path / "opened")],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=writing,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stdout) == (3, "the result\n")


def test_progress_keeps_quiet_while_a_question_is_shown() -> None:
    stream = io.StringIO()
    progress = Progress(stream, Clock(), quiet_seconds=0)
    with question():
        progress.update("over it")
    progress.update("after it")
    assert stream.getvalue() == "after it\n"


def test_a_stream_that_cannot_show_a_character() -> None:
    script = (
        "import sys\nfrom tablecopy_cli.common.errors import run\n"
        "sys.exit(run('t', lambda a: print('Zürich') or 0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii"},
        check=True,
    )
    assert done.stdout == b"Z\\xfcrich\n"


def test_json_lines_are_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": "é\x1b\u202e", "b": [1]})
    assert capsys.readouterr().out == '{"a":"\\u00e9\\u001b\\u202e","b":[1]}\n'


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Zürich 東京", "Zürich 東京"), ("\x1b[31m", "\\x1b[31m"), ("a\nb", "a\\nb"), ("\u202e", "\\u202e")],
)
def test_printable(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_colours_only_on_a_terminal_that_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert Style(Terminal()).red("x") == "\x1b[1;31mx\x1b[0m"
    assert Style(io.StringIO()).red("x") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Style(Terminal()).red("x") == "x"
    monkeypatch.setenv("NO_COLOR", "")
    assert Style(Terminal()).green("x") != "x"
    monkeypatch.setenv("TERM", "dumb")
    assert Style(Terminal()).yellow("x") == Style(Terminal()).bold("x") == Style(Terminal()).dim("x") == "x"


def test_progress_without_a_terminal_is_a_line_now_and_then() -> None:
    clock, stream = Clock(), io.StringIO()
    progress = Progress(stream, clock, quiet_seconds=10)
    for now in (0, 5, 9.9, 10, 12, 19, 20.5):
        clock.now = now
        progress.update(f"at {now}")
    progress.clear()
    assert stream.getvalue() == "at 10\nat 20.5\n"


def test_progress_on_a_terminal_renews_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    clock, stream = Clock(), Terminal()
    progress = Progress(stream, clock)
    for now in (0, 0.05, 1):
        clock.now = now
        progress.update(f"at {now}\n")
    progress.clear()
    progress.clear()
    assert stream.getvalue() == "\r\x1b[Kat 0\\n\r\x1b[Kat 1\\n\r\x1b[K"


def test_a_live_line_never_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    Progress(stream, Clock()).update("x" * 500)
    assert len(stream.getvalue()) == len("\r\x1b[K") + 79
