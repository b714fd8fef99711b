"""Conventions of the output: exit codes, one-line errors, progress, colours, JSON Lines."""

from __future__ import annotations

import fcntl
import io
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from botocore.exceptions import BotoCoreError, ClientError

from tablecopy_cli.common.errors import UserError, explain

EXIT_OK = 0
EXIT_DIFFERENT = 1
EXIT_TROUBLE = 2
EXIT_UNSETTLED = 3
EXIT_INTERRUPTED = 130

# Held while the terminal shows a question.
_TERMINAL = threading.Lock()


def run(program: str, command: Callable[[Sequence[str]], int], argv: Sequence[str] | None = None) -> int:
    """Run a command line and turn whatever happens into an exit code.

    Known errors become one line on stderr. Nothing ends as 1 by accident: that code means a difference.
    A command does not start without a stdout that takes its result; a stderr that takes nothing is ignored.

    Parameters
    ----------
    program
        Name of the command, as errors spell it.
    command
        The command; gets the arguments, returns its exit code.
    argv
        Arguments without the program's name; those of the process if ``None``.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    _fill_closed_descriptors()
    sys.stdin = sys.stdin or io.StringIO()
    _ignore_errors_of_stderr()
    if not _is_stdout_writable():
        _complain(
            f"{program}: error: standard output is closed, so the result would be lost. Nothing was done. "
            "Redirect standard output to a file or to /dev/null."
        )
        return EXIT_TROUBLE
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character must not end the program.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = command(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        _finish_stdout()
        _complain(f"{program}: interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has gone, as with `| head`: nothing to say, but the result was not delivered.
        _finish_stdout()
        return EXIT_TROUBLE
    except UserError as error:
        return _trouble(program, str(error), arguments)
    except (BotoCoreError, ClientError) as error:
        return _trouble(program, explain(error), arguments)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return _trouble(program, what, arguments)
    except Exception as error:
        hint = "" if _debug(arguments) else " (unexpected; run again with --debug for the traceback)"
        return _trouble(program, f"{type(error).__name__}: {error}{hint}", arguments)


def emit(record: dict[str, Any], stream: TextIO | None = None) -> None:
    """Write one object as a line of JSON. ASCII only, so that no key can steer a terminal."""
    print(json.dumps(record, separators=(",", ":")), file=stream or sys.stdout)


def printable(text: str) -> str:
    """Escape whatever is not plainly visible: control characters, bidirectional overrides, line breaks."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


@contextmanager
def question() -> Iterator[None]:
    """Keep the terminal for a question asked in the block: one at a time, and without progress over it."""
    with _TERMINAL:
        yield


class Style:
    """Colours for a stream; plain text unless it is a terminal that wants them.

    Follows https://no-color.org: any non-empty ``NO_COLOR`` switches colours off.
    """

    def __init__(self, stream: TextIO) -> None:
        self._on = is_live(stream) and not os.environ.get("NO_COLOR")

    def bold(self, text: str) -> str:
        return self._paint("1", text)

    def dim(self, text: str) -> str:
        return self._paint("2", text)

    def red(self, text: str) -> str:
        return self._paint("1;31", text)

    def green(self, text: str) -> str:
        return self._paint("1;32", text)

    def yellow(self, text: str) -> str:
        return self._paint("1;33", text)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._on else text


def is_live(stream: TextIO) -> bool:
    """Whether what is on a stream can be drawn over: it is a terminal that knows how."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class Progress:
    """Progress on stderr: a line that renews itself on a terminal, else a line now and then.

    Parameters
    ----------
    stream
        Where to; stderr unless given.
    clock
        Monotonic seconds.
    quiet_seconds
        Without a terminal, at most one line in that many seconds; none in the first of them, so that a
        short run says nothing.
    """

    _LIVE_SECONDS = 0.1

    def __init__(
        self,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        quiet_seconds: float = 10.0,
    ) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._live = is_live(self._stream)
        self._pause = self._LIVE_SECONDS if self._live else quiet_seconds
        self._next = clock() + (0 if self._live else quiet_seconds)
        self._shown = False
        self._lock = threading.Lock()

    def update(self, text: str) -> None:
        """Show `text`, unless something was shown a moment ago or the terminal shows a question."""
        with self._lock:
            now = self._clock()
            if now < self._next or _TERMINAL.locked():
                return
            self._next = now + self._pause
            if self._live:
                self._stream.write(f"\r\x1b[K{printable(text)[: self._width()]}")
                self._shown = True
            else:
                self._stream.write(f"{printable(text)}\n")
            self._stream.flush()

    def clear(self) -> None:
        """Take the live line away, before something else is printed."""
        with self._lock:
            if self._shown:
                self._stream.write("\r\x1b[K")
                self._stream.flush()
                self._shown = False

    def _width(self) -> int:
        try:
            return max(20, os.get_terminal_size(self._stream.fileno()).columns - 1)
        except OSError:
            return 79


def _trouble(program: str, message: str, arguments: Sequence[str]) -> int:
    _finish_stdout()
    if _debug(arguments):
        _complain(traceback.format_exc().rstrip())
    _complain(f"{program}: error: {printable(' '.join(message.split()))}")
    return EXIT_TROUBLE


def _debug(arguments: Sequence[str]) -> bool:
    return "--debug" in arguments


def _complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _fill_closed_descriptors() -> None:
    """Open /dev/null in place of a closed standard stream.

    Otherwise the next file or connection would get its number, and what is printed would go there.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is this one.
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(descriptor, True)


def _ignore_errors_of_stderr() -> None:
    """Lose silently what stderr does not take: it is closed, its disk is full, or its reader has gone."""
    if sys.stderr is sys.__stderr__:
        lossy = io.BufferedWriter(_Lossy(2, "wb", closefd=False))
        sys.stderr = io.TextIOWrapper(lossy, getattr(sys.stderr, "encoding", None), line_buffering=True)


class _Lossy(io.FileIO):
    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _is_stdout_writable() -> bool:
    if sys.stdout is None or sys.stdout is not sys.__stdout__:
        # Python itself found it closed; or someone has put another stream in its place.
        return sys.stdout is not None
    return fcntl.fcntl(1, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def _finish_stdout() -> None:
    # What cannot be written now would fail again, and change the exit code, when the interpreter ends.
    try:
        sys.stdout.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
