"""How a command ends: exit codes, errors in one line, and the standard streams that it needs."""

from __future__ import annotations

import fcntl
import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from tablecopy_cli.common.text import escaped

EXIT_OK = 0
EXIT_DIFFERENT = 1
EXIT_ERROR = 2
EXIT_UNSETTLED = 3
EXIT_INTERRUPTED = 130


class UserError(Exception):
    """An error the user can fix; its text is one line that says what to do.

    Parameters
    ----------
    message
        What happened, to which thing, and what to do next.
    side
        ``"source"`` or ``"destination"`` where the error belongs to one side.
    transient
        Whether the same command may succeed later with the same flags: see `aws_errors.is_transient`.
    resumable
        Whether what was read so far is of use once the error is fixed. It is not where the flag to correct
        decides what is read.
    """

    def __init__(
        self, message: str, side: str | None = None, *, transient: bool = False, resumable: bool = True
    ) -> None:
        super().__init__(message)
        self.side = side
        self.transient = transient
        self.resumable = resumable


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
        return EXIT_ERROR
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
        return EXIT_ERROR
    except UserError as error:
        return _error(program, str(error), arguments)
    except Exception as error:
        return _error(program, _describe(error, arguments), arguments)


def _describe(error: Exception, arguments: Sequence[str]) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    # Importing botocore takes longer than the commands that do without it.
    if "botocore" in sys.modules:
        from botocore.exceptions import BotoCoreError, ClientError

        from tablecopy_cli.common.aws_errors import explain

        if isinstance(error, (BotoCoreError, ClientError)):
            return explain(error)
    hint = "" if _debug(arguments) else " (unexpected; run again with --debug for the traceback)"
    return f"{type(error).__name__}: {error}{hint}"


def _error(program: str, message: str, arguments: Sequence[str]) -> int:
    _finish_stdout()
    if _debug(arguments):
        _complain(traceback.format_exc().rstrip())
    _complain(f"{program}: error: {escaped(' '.join(message.split()))}")
    return EXIT_ERROR


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
