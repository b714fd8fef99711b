"""The directory of a comparison and its files of rows, from which a killed comparison is resumed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from tablecopy_cli.common.errors import UserError

_RUN = "run.json"
_LOCK = "lock"
_HELPERS_LOCK = "lock.helpers"
WAIT_SECONDS = 10.0

# A file of rows consists of blocks. A block is rows and, as its last line, a trailer: ``#``, the writer's
# checkpoint as JSON, an empty field, and the CRC-32 of everything before it. One ``write`` appends a block.
# Opening the file again cuts off what follows the last whole block.

TRAILER = "#"
"""First field of a trailer. No row begins with it."""

_MARK = b"#\t"


def join(directory: Path) -> None:
    """Make this process, until it ends, a part of the comparison that works in ``directory``."""
    fcntl.flock(os.open(directory / _HELPERS_LOCK, os.O_RDWR | os.O_CREAT, 0o600), fcntl.LOCK_SH)


def default_directory() -> Path:
    """Return the default directory of comparisons: ``verify`` in the user's cache (XDG base directories).

    Raises
    ------
    UserError
        There is no home directory, as in a container that runs as a user without a name.
    """
    cache = os.environ.get("XDG_CACHE_HOME")
    try:
        root = Path(cache) if cache else Path.home() / ".cache"
    except RuntimeError as error:
        raise UserError("This user has no home directory. Choose a directory with --work-dir.") from error
    return root / "dynamodb-account-copy" / "verify"


class WorkDirectory:
    """The directory of one comparison: these tables, compared with these options.

    It holds the keys of the tables, digests of their items and the differences, with values if these were
    requested. Only its owner may read it. It belongs to one process at a time and to the processes that this
    one starts.

    Parameters
    ----------
    base
        Directory of all comparisons, which is created if needed.
    what
        What is compared and how, as JSON. Only the same comparison can be resumed.

    Attributes
    ----------
    path
        The directory.
    started
        When the comparison began (seconds since the epoch).
    seed
        Seed of the comparison's digests: 64 random bits.
    resumed
        Whether it contains work of an earlier process.

    Raises
    ------
    UserError
        Another process uses it, or there is nothing to resume.
    OSError
        It cannot be written.
    """

    def __init__(self, base: Path, what: Mapping[str, Any], *, resume: bool) -> None:
        text = json.dumps(what, sort_keys=True)
        self.path = base / hashlib.sha256(text.encode()).hexdigest()[:16]
        nothing = UserError(
            f"There is no interrupted comparison of these tables with these options in {base}. Run without "
            "--resume, or name its directory with --work-dir."
        )
        if resume and not self.file(_RUN).exists():
            raise nothing
        self._lock = self._locked()
        try:
            self._await_helpers()
            known = self._known()
            if resume and known is None:
                raise nothing
            if not resume:
                # Also remove the rest of a removal that was killed. Its marks would count as ours.
                self._clear()
                known = None
            self.resumed = known is not None
            self.started, self.seed = known or self._begin(text)
        except BaseException:
            os.close(self._lock)
            raise

    def file(self, name: str) -> Path:
        """Path of a file in it."""
        return self.path / name

    def mark(self, name: str) -> None:
        """Record that a step has been done."""
        self.file(f"{name}.done").touch()

    def marked(self, name: str) -> bool:
        """Return whether a step was recorded as done."""
        return self.file(f"{name}.done").exists()

    def release(self) -> None:
        """Keep the directory, so that a later process can resume."""
        os.close(self._lock)

    def remove(self) -> None:
        """Delete the directory, because the comparison has finished."""
        with suppress(OSError):
            # Remove everything except the locks before another process can lock it.
            self._clear()
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    def _locked(self) -> int:
        while True:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Another process may remove the directory at any moment, when it finishes.
            with suppress(FileNotFoundError):
                lock = os.open(self.file(_LOCK), os.O_RDWR | os.O_CREAT, 0o600)
                try:
                    self._own(lock)
                    if os.path.samestat(os.fstat(lock), os.stat(self.file(_LOCK))):
                        return lock
                except BaseException:
                    os.close(lock)
                    raise
                os.close(lock)

    def _await_helpers(self) -> None:
        """Wait for the processes of a killed comparison, which end as soon as they notice."""
        helpers = os.open(self.path / _HELPERS_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._own(helpers)
        finally:
            os.close(helpers)

    def _own(self, lock: int) -> None:
        give_up = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise UserError(
                        f"Another verify compares these tables in {self.path}. Wait for it, or use another "
                        "--work-dir."
                    ) from None
                time.sleep(0.05)

    def _known(self) -> tuple[float, int] | None:
        """Return when the comparison began, and its seed."""
        try:
            run = json.loads(self.file(_RUN).read_text())
            return float(run["started"]), int(run["seed"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _begin(self, what: str) -> tuple[float, int]:
        started, seed = time.time(), secrets.randbits(64)
        fresh = self.file(f"{_RUN}.new")
        fresh.write_text(json.dumps({"started": started, "seed": seed, "what": json.loads(what)}))
        fresh.replace(self.file(_RUN))
        return started, seed

    def _clear(self) -> None:
        # The run first. Without it, the other files are ignored.
        self.file(_RUN).unlink(missing_ok=True)
        for entry in self.path.iterdir():
            if entry.name in (_LOCK, _HELPERS_LOCK):
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()


class BlockFile:
    """A file of blocks, open for appending. Opening it waits until no other process has it open.

    Parameters
    ----------
    path
        Created when it does not exist.

    Attributes
    ----------
    checkpoints
        Checkpoints of the whole blocks that were in the file when it was opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = open(path, "a+b", buffering=0)  # noqa: SIM115
        self.checkpoints: list[dict[str, Any]] = []
        # A thread of a process that is ending may still write its last block.
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._file.truncate(self._recover())

    def append(self, rows: bytes, checkpoint: dict[str, Any]) -> None:
        """Add a block.

        Parameters
        ----------
        rows
            Whole lines, none of which begins with `TRAILER`.
        checkpoint
            The progress that these rows complete.

        Raises
        ------
        OSError
            The disk is full, for example.
        """
        head = rows + _MARK + json.dumps(checkpoint).encode("ascii") + b"\t\t"
        block = memoryview(head + b"%08x\n" % zlib.crc32(head))
        while block:
            block = block[self._file.write(block) :]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _recover(self) -> int:
        """Read the checkpoints; returns where the last whole block ends."""
        whole = 0
        crc = 0
        self._file.seek(0)
        with open(self._file.fileno(), "rb", closefd=False) as file:
            for line in file:
                if not line.startswith(_MARK):
                    crc = zlib.crc32(line, crc)
                    continue
                head, _, tail = line.rpartition(b"\t")
                if tail != b"%08x\n" % zlib.crc32(head + b"\t", crc):
                    break
                self.checkpoints.append(json.loads(head[len(_MARK) : -1]))
                whole = file.tell()
                crc = 0
        return whole


def rows(path: Path) -> Iterator[bytes]:
    """The rows of a file, without its trailers and line ends."""
    with open(path, "rb") as file:
        for line in file:
            if not line.startswith(_MARK):
                yield line[:-1]
