"""A terminal's screen that is drawn again and again."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any, TextIO

# The alternate screen has no lines from before and none that scroll, and terminals do not wrap its lines
# anew when they are resized; what was there before comes back with it (xterm, Control Sequences, DECSET 1049,
# 25, 7). 2026 shows a drawing at once, where a terminal knows it; others ignore it.
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_BEGIN = "\x1b[?2026h\x1b[H"
_END = "\x1b[J\x1b[?2026l"
_CLEAR_REST = "\x1b[K"

_UNKNOWN_SIZE = os.terminal_size((80, 24))


class Screen:
    """Takes the terminal over within a ``with`` block, and leaves it as it was, however the block ends.

    Parameters
    ----------
    stream
        A terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._on_terminate: Any = None

    def __enter__(self) -> Screen:
        # Python does not clean up when it is terminated by a signal.
        self._on_terminate = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        self._write(_ENTER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write(_LEAVE)
        signal.signal(signal.SIGTERM, self._on_terminate)

    @property
    def size(self) -> os.terminal_size:
        """Columns and lines that there is room for at the moment."""
        try:
            columns, lines = os.get_terminal_size(self._stream.fileno())
        except OSError:
            return _UNKNOWN_SIZE
        # A terminal that does not know its size says 0. What is written to the last column would be cleared
        # with the rest of its line.
        return os.terminal_size((columns - 1, lines)) if columns > 1 and lines else _UNKNOWN_SIZE

    def draw(self, lines: Sequence[str]) -> None:
        """Draw ``lines``, which fit, over what there is: nothing is cleared before it is drawn over."""
        self._write(_BEGIN + "\r\n".join(f"{line}{_CLEAR_REST}" for line in lines) + _END)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
