"""Threads of one look, which work off a queue until its time is up."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TypeVar

from tablecopy.clock import Machine

T = TypeVar("T")


class Workers:
    """Threads that start when there is enough for them to do, and that have ended when the look ends.

    Attributes
    ----------
    executor
        The threads; ``None`` as long as there was too little to do.
    """

    def __init__(self, machine: Machine, size: int) -> None:
        self._machine = machine
        self._size = size
        self._stack = ExitStack()
        self.executor: Executor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def work_off(self, items: Iterable[T], function: Callable[[T], object], until: float) -> None:
        """Call ``function`` with each of ``items``, in their order. No call begins after ``until``."""
        queue = deque(items)

        def work() -> None:
            while self._machine.now() < until:
                try:
                    each = queue.popleft()
                except IndexError:
                    return
                function(each)

        workers = min(self._size, len(queue))
        if workers <= 1:
            work()
            return
        if self.executor is None:
            self.executor = self._stack.enter_context(self._machine.pool(self._size))
        for job in [self.executor.submit(work) for _ in range(workers)]:
            job.result()
