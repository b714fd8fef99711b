"""Files that a command writes at its end: checked at its start, and replaced as a whole."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from tablecopy_cli.common.errors import UserError

_STANDARD = (1, 2)


def check_outputs(outputs: Mapping[str, Path | None]) -> None:
    """Check that each file can be written, before anything is read.

    Parameters
    ----------
    outputs
        Flag (``"--html"``) to the file it names; ``None`` where it was not given.

    Raises
    ------
    UserError
        A file cannot be written, or two flags name one. The text names the flag.
    """
    named: dict[Path, str] = {}
    for flag, path in outputs.items():
        if path is None:
            continue
        try:
            target = Path(os.path.realpath(path))
            special = _is_special(path) or _standard(path) is not None
            if special:
                _check_access(path)
            else:
                _check_file(flag, path, target)
        except OSError as error:
            raise UserError(
                f"{flag}: cannot write {path}: {error.strerror}. Name another file, or make this one writable"
            ) from error
        if not special and target in named:
            raise UserError(f"{named[target]} and {flag} name one file, {path}. Give each a file of its own")
        named[target] = flag


@contextmanager
def replacing(path: Path, *, encoding: str = "utf-8", private: bool = False) -> Iterator[IO[str]]:
    """Open a file to write it as a whole.

    A regular file, or the one that a link leads to, is replaced once everything is written, and stays as it
    was if that fails. A device, a pipe and the standard streams are written to.

    Parameters
    ----------
    path
        The file.
    encoding
        Of its text.
    private
        Whether a file created here is readable by its owner alone. One that was there keeps its mode unless
        this is set.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    standard = _standard(path)
    target = Path(os.path.realpath(path))
    if standard is not None:
        # Opened anew it would be written from its beginning, over what was printed there.
        (sys.stdout if standard == 1 else sys.stderr).flush()
        with os.fdopen(os.dup(standard), "w", encoding=encoding, newline="\n") as stream:
            yield stream
    elif _is_special(path) or _only_in_place(target):
        with open(path, "w", encoding=encoding, newline="\n") as stream:
            yield stream
    else:
        handle, temporary = tempfile.mkstemp(prefix=".verify-", dir=target.parent)
        try:
            with os.fdopen(handle, "w", encoding=encoding, newline="\n") as stream:
                # mkstemp makes files with mode 0600.
                if not private:
                    os.fchmod(stream.fileno(), _mode(target))
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, target)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise


def _check_file(flag: str, path: Path, target: Path) -> None:
    if target.is_dir():
        raise UserError(f"{flag}: {path} is a directory. Name a file in it")
    if not target.parent.is_dir():
        raise UserError(f"{flag}: there is no directory {target.parent}. Create it, or name another file")
    # Also raises for a name that is too long.
    if os.path.lexists(target):
        _check_access(target)
    if not _only_in_place(target):
        # Permissions are not all that can forbid a new file: the file system may be read-only.
        with tempfile.TemporaryFile(prefix=".verify-", dir=target.parent):
            pass


def _check_access(path: Path) -> None:
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _is_special(path: Path) -> bool:
    """Whether a path leads to a device, a pipe or a socket; some of these have no other path."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _standard(path: Path) -> int | None:
    """The standard stream a path leads to (``/dev/stdout``), by its number."""
    for number in _STANDARD:
        with suppress(OSError):
            if os.path.samestat(path.stat(), os.fstat(number)):
                return number
    return None


def _only_in_place(target: Path) -> bool:
    """Whether the file may be written, and its directory not."""
    return target.is_file() and os.access(target, os.W_OK) and not os.access(target.parent, os.W_OK)


def _mode(target: Path) -> int:
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask
