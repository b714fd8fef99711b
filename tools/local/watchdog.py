"""Ties the life of a child process to its parent's."""

from __future__ import annotations

import os
import signal
import threading

FLAG = "--die-with-parent"


def die_with_parent(descriptor: int = 0) -> None:
    """End this process, and everything it started, as soon as its parent is gone.

    The parent holds the write end of a pipe and never writes to it. The operating system closes that end
    however the parent dies, ``kill -9`` included, which ends the read here.

    Parameters
    ----------
    descriptor : int
        Read end of the parent's pipe, standard input by default.
    """
    threading.Thread(target=_wait_for_the_end, args=(descriptor,), daemon=True, name="watchdog").start()


def _wait_for_the_end(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    if os.getpgrp() == os.getpid():
        # The group is this process's own, so it holds the children and nobody else.
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)
