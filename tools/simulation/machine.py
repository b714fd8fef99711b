"""The product's machine in virtual time: clock, pools of tasks, chance."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import CancelledError, Executor, Future
from functools import partial
from typing import Any, TypeVar

from tablecopy.clock import Machine
from tools.simulation.scheduler import Event, Host, World, WorldEnded

T = TypeVar("T")


class SimMachine(Machine):
    """A machine on ``host``. What it starts is frozen and killed with the host."""

    def __init__(self, world: World, host: Host) -> None:
        self.world = world
        self.host = host

    def now(self) -> float:
        """Return the time of the host's clock."""
        return self.world.now + self.host.skew

    def sleep(self, seconds: float) -> None:
        """Let the current task wait."""
        self.world.sleep(seconds)

    def pool(self, size: int) -> Executor:
        """Return a pool of tasks."""
        return _Pool(self.world, self.host, size)

    def wait(self, futures: Collection[Future[Any]], timeout: float) -> bool:
        """Wait for futures of a pool."""
        until = self.world.now + timeout
        for future in futures:
            assert isinstance(future, _Future)
            if not future.done() and not future.event.wait(max(0.0, until - self.world.now)):
                return False
        return True

    def random(self) -> random.Random:
        """Return a source that is seeded by the run."""
        return random.Random(self.world.random.getrandbits(64))

    def token(self) -> str:
        """Return six hexadecimal digits of the run's choices."""
        return f"{self.world.random.getrandbits(24):06x}"


class _Future(Future[T]):
    """A future of virtual time. It needs none of the locks of its base class, which cost more than a call.

    Attributes
    ----------
    event
        Happens when the future is done.
    """

    def __init__(self, event: Event[None]) -> None:
        self.event = event
        self._cancelled = False
        self._error: BaseException | None = None
        self._value: T | None = None

    def done(self) -> bool:
        return self.event.is_set

    def cancelled(self) -> bool:
        return self._cancelled

    def result(self, timeout: float | None = None) -> T:
        if not self.event.is_set and not self.event.wait(timeout):
            raise TimeoutError
        if self._cancelled:
            raise CancelledError
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]

    def exception(self, timeout: float | None = None) -> BaseException | None:
        if not self.event.is_set and not self.event.wait(timeout):
            raise TimeoutError
        if self._cancelled:
            raise CancelledError
        return self._error

    def cancel(self) -> bool:
        """Cancel a call that has not begun."""
        self._cancelled = True
        self.event.set()
        return True

    def set_result(self, result: T) -> None:
        self._value = result
        self.event.set()

    def set_exception(self, exception: BaseException | None) -> None:
        self._error = exception
        self.event.set()


class _Pool(Executor):
    """Runs at most ``size`` calls at a time, in the order in which they were submitted."""

    def __init__(self, world: World, host: Host, size: int) -> None:
        self._world = world
        self._host = host
        self._size = size
        self._waiting: deque[tuple[_Future[Any], Callable[..., Any], tuple[Any, ...]]] = deque()
        self._active = 0
        self._idle: Event[None] = Event(world)
        self._shut = False

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        if self._shut:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: _Future[T] = _Future(Event(self._world))
        called = partial(function, **kwargs) if kwargs else function
        self._waiting.append((future, called, args))
        if self._active < self._size:
            self._active += 1
            self._world.spawn(self._host, self._work, name=getattr(function, "__name__", "call"))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._shut = True
        if cancel_futures:
            while self._waiting:
                future, _, _ = self._waiting.popleft()
                future.cancel()
        if wait and self._active and not self._world.over:
            self._idle.wait()

    def _work(self) -> None:
        while self._waiting:
            future, function, args = self._waiting.popleft()
            try:
                result = function(*args)
            except WorldEnded:
                raise
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
        self._active -= 1
        if not self._active:
            self._idle.set()
            self._idle = Event(self._world)
