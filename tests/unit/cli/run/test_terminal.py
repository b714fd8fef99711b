"""``tablecopy watch`` in a process of its own, on a terminal: what it shows, and how it leaves it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tablecopy.control.status import Status
from tests.loopback import Answer, Request, serving
from tests.unit.cli.run.control import status

ROOT = Path(__file__).parents[4]
NOTE = "as of 0 s ago"
# How the cursor and the screen come back, and what takes them away.
BACK = (("\x1b[?25h", "l"), ("\x1b[?1049l", "h"))
HOME = "\x1b[H"

_PATIENCE_SECONDS = 30.0


class Endpoint:
    """Lambda's endpoint with one function, that says what ``status`` is."""

    def __init__(self) -> None:
        self.url = ""
        self.status: Status = status("slice")

    def answer(self, _: Request) -> Answer:
        return Answer(200, json.dumps({"status": self.status}).encode())


def _inherited() -> dict[str, str]:
    """The environment without a size, which would count more than the terminal's: pytest-xdist sets one."""
    return {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}


class Terminal:
    """A terminal, and a watch in its foreground whose stderr it shows; stdout goes into a pipe."""

    def __init__(self, endpoint: Endpoint, *flags: str, **environment: str) -> None:
        self._keyboard, self.screen = pty.openpty()
        self.resize(80, 24)
        self.shown = ""
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tablecopy_cli", "watch", "--control-function", "control", *flags),
                *("--source-region", "eu-west-1", "--source-endpoint-url", endpoint.url),
            ],
            cwd=ROOT,
            stdin=self.screen,
            stdout=subprocess.PIPE,
            stderr=self.screen,
            text=True,
            env={**_inherited(), "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **environment},
            start_new_session=True,
            preexec_fn=self._take_over,
        )
        # Ends with the process, too.
        os.close(self.screen)

    def _take_over(self) -> None:
        fcntl.ioctl(2, termios.TIOCSCTTY, 0)
        # A shell's background jobs ignore Ctrl-C, and so does what they start: these tests, perhaps.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._keyboard, text.encode())

    def until(self, is_shown: Callable[[str], bool]) -> str:
        """Read on until what was shown since the last time is this."""
        begin, give_up = len(self.shown), time.monotonic() + _PATIENCE_SECONDS
        while not is_shown(self.shown[begin:]):
            assert time.monotonic() < give_up, self.shown[begin:]
            if not self._read():
                raise AssertionError(f"ended with {self.process.wait()}: {self.shown[begin:]}")
        return self.shown[begin:]

    def ended(self) -> tuple[int, str, str]:
        """Wait for the end: exit code, stdout, and what was shown since the last time."""
        begin = len(self.shown)
        out, _ = self.process.communicate(timeout=_PATIENCE_SECONDS)
        while self._read():
            pass
        return self.process.returncode, out, self.shown[begin:]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        os.close(self._keyboard)

    def _read(self) -> bool:
        if not select.select([self._keyboard], [], [], 0.2)[0]:
            return self.process.poll() is None
        try:
            data = os.read(self._keyboard, 65_536)
        except OSError:
            # Linux: nobody has the other end open any more.
            return False
        self.shown += data.decode()
        return bool(data)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    with serving(made.answer) as made.url:
        yield made


@pytest.fixture
def terminal(endpoint: Endpoint) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_(*flags: str, **environment: str) -> Terminal:
        opened.append(Terminal(endpoint, "--interval", "1", *flags, **environment))
        return opened[-1]

    yield open_
    for each in opened:
        each.close()


def is_left_as_it_was(shown: str) -> bool:
    """Whether the cursor and the screen from before are back, and nothing hides them after that."""
    return all(shown.rfind(back) > shown.rfind(back[:-1] + there) for back, there in BACK) and all(
        back in shown for back, _ in BACK
    )


def test_it_draws_in_place_follows_the_size_and_ends_with_the_result(
    endpoint: Endpoint, terminal: Callable[..., Terminal]
) -> None:
    watched = terminal()
    first = watched.until(lambda text: NOTE in text)
    assert first.startswith("\x1b[?1049h")
    assert "\x1b[?25l" in first
    assert "\x1b[1m" in first
    watched.resize(40, 10)
    # Without bars, for which it is too narrow now; the last drawing may not be complete.
    drawn = watched.until(lambda text: text.count(HOME) > 2 and "━" not in text.split(HOME)[-2])
    assert drawn.split(HOME)[-2].count("\r\n") < 10
    endpoint.status = status("ready")
    code, out, shown = watched.ended()
    assert code == 0
    assert out.startswith("ready for cutover")
    assert "\x1b" not in out
    assert is_left_as_it_was(shown)


def test_ctrl_c_gives_the_terminal_back(terminal: Callable[..., Terminal]) -> None:
    watched = terminal(NO_COLOR="1")
    first = watched.until(lambda text: NOTE in text)
    assert "copying (4 of 16 segments)" in first
    assert "\x1b[1m" not in first
    watched.type("\x03")
    code, out, shown = watched.ended()
    assert (code, out) == (130, "")
    assert is_left_as_it_was(shown)
    assert shown.endswith("tablecopy: interrupted\r\n")


def test_so_does_being_terminated(terminal: Callable[..., Terminal]) -> None:
    watched = terminal()
    watched.until(lambda text: NOTE in text)
    watched.process.terminate()
    code, _, shown = watched.ended()
    assert code == 128 + signal.SIGTERM
    assert is_left_as_it_was(shown)


def test_an_error_is_shown_on_the_screen_as_it_was(
    endpoint: Endpoint, terminal: Callable[..., Terminal]
) -> None:
    watched = terminal()
    watched.until(lambda text: NOTE in text)
    endpoint.status = {}
    code, _, shown = watched.ended()
    assert code == 2
    before, _, after = shown.rpartition("tablecopy: error: ")
    assert is_left_as_it_was(before)
    assert "\x1b" not in after


def test_a_dumb_terminal_gets_lines(terminal: Callable[..., Terminal]) -> None:
    watched = terminal("--timeout", "0", TERM="dumb")
    code, _, shown = watched.ended()
    assert code == 3
    assert "4 of 16 segments" in shown
    assert "\x1b" not in shown
