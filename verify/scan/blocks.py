"""Files of rows that only grow, block by block, and lose nothing but a block half written when killed.

A block is rows and, as its last line, a trailer: ``#``, the writer's checkpoint as JSON, nothing, and the
CRC-32 of all before it. One ``write`` puts it into the file. Whatever stands behind the last whole block is
cut off when the file is opened again.
"""

from __future__ import annotations

import fcntl
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

TRAILER = "#"
"""First field of a trailer. No row begins with it."""

_MARK = b"#\t"


class Blocks:
    """A file of blocks, open for appending; opening it waits for whoever has it open.

    Parameters
    ----------
    path
        Created when it does not exist.

    Attributes
    ----------
    checkpoints
        Those of the whole blocks that were in the file when it was opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = open(path, "a+b", buffering=0)  # noqa: SIM115
        self.checkpoints: list[dict[str, Any]] = []
        # A thread of a process that is just being ended may still be about to write its last block.
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._file.truncate(self._recover())

    def append(self, rows: bytes, checkpoint: dict[str, Any]) -> None:
        """Add a block.

        Parameters
        ----------
        rows
            Whole lines, none of which begins with `TRAILER`.
        checkpoint
            What has been reached with them.

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
