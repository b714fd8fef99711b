"""Output conventions: JSON Lines, colours, progress, and questions on the terminal."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from tablecopy_cli.common.text import escaped

# Held while the terminal shows a question.
_TERMINAL = threading.Lock()


def print_json(record: dict[str, Any], stream: TextIO | None = None) -> None:
    """Write one object as a line of JSON. ASCII only, so that no key can steer a terminal."""
    print(json.dumps(record, separators=(",", ":")), file=stream or sys.stdout)


@contextmanager
def question() -> Iterator[None]:
    """Keep the terminal for a question asked in the block: one at a time, and without progress over it."""
    with _TERMINAL:
        yield


class Style:
    """Colours for a stream; plain text unless it is a terminal with colors.

    Follows https://no-color.org and https://force-color.org: any non-empty ``NO_COLOR`` switches colours off,
    any non-empty ``FORCE_COLOR`` on.
    """

    def __init__(self, stream: TextIO) -> None:
        forced = bool(os.environ.get("FORCE_COLOR"))
        self._on = not os.environ.get("NO_COLOR") and (forced or is_live(stream))

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
                self._stream.write(f"\r\x1b[K{escaped(text)[: self._width()]}")
                self._shown = True
            else:
                self._stream.write(f"{escaped(text)}\n")
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
