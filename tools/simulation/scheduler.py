"""Virtual time and cooperative tasks.

One task runs at a time, until it waits. Nothing takes time but waiting, so a day passes in as long as its
events take to compute. Every choice comes from one seeded source, and events at the same moment happen in
the order in which they were planned: a seed always gives the same run.
"""

from __future__ import annotations

import hashlib
import heapq
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

T = TypeVar("T")

START = 1_800_000_000.0
"""Seconds since the epoch at which every run begins."""

_REMEMBERED = 20_000


class WorldEnded(GreenletExit):
    """The run is over. Whatever still waits ends here; it is not an error of any task."""


class Host:
    """Where tasks run: an execution environment, or an operator's machine.

    Parameters
    ----------
    skew
        Seconds by which its clock is ahead.
    cpu_factor
        Seconds of this host's only core that a measured second of ours takes; 0 to count no CPU time.
    """

    def __init__(self, name: str, skew: float = 0.0, cpu_factor: float = 0.0) -> None:
        self.name = name
        self.skew = skew
        self.cpu_factor = cpu_factor
        self.cpu_seconds = 0.0
        self.busy_until = 0.0
        self.frozen = False
        self.tasks: dict[Task, None] = {}
        # Tasks that wait for the core, in their order, with what they wait in.
        self.queued: deque[tuple[Task, int]] = deque()

    def spend(self, now: float, seconds: float) -> None:
        """Keep the host's core busy for what took ``seconds`` of ours."""
        self.cpu_seconds += seconds
        self.busy_until = max(self.busy_until, now) + seconds * self.cpu_factor

    def freeze(self) -> None:
        """Let no task of this host run until it is thawed. Time goes on."""
        self.frozen = True

    def thaw(self) -> None:
        """Let the tasks go on, first those that should have gone on in the meantime."""
        self.frozen = False
        for task in list(self.tasks):
            task.go_on()

    def kill(self) -> None:
        """End all tasks where they are. They do not clean up, and their requests under way go on."""
        for task in list(self.tasks):
            task.kill()


class Task:
    """A function that runs in virtual time. Made by ``World.spawn``."""

    def __init__(self, world: World, host: Host, name: str, run: Callable[[], Any]) -> None:
        self.world = world
        self.host = host
        self.name = name
        self.run = run
        self.is_over = False
        self.done: Event[Any] = Event(world)
        self.error: BaseException | None = None
        self.killed = False
        # Raised by each wait: whoever wakes the task for an earlier one comes too late.
        self.turn = 0
        self._missed = False
        self._greenlet: greenlet | None = None

    def resume(self, turn: int) -> None:
        """Let the task go on if it still waits in ``turn``."""
        if self.killed or turn != self.turn or self.is_over:
            return
        host = self.host
        if host.frozen:
            self._missed = True
            return
        world = self.world
        if host.busy_until > world.now:
            if not host.queued:
                world.call_at(host.busy_until, world.give_core, host)
            host.queued.append((self, turn))
            return
        self.turn += 1
        before, world.current = world.current, self
        runner = self._greenlet
        if runner is None:
            runner = self._greenlet = world.runner()
        if host.cpu_factor:
            began = time.thread_time()
            runner.switch()
            took = time.thread_time() - began
            host.spend(world.now, took)
        else:
            runner.switch()
        world.current = before

    def go_on(self) -> None:
        """Resume if a wait ended while the host was frozen."""
        if self._missed:
            self._missed = False
            self.world.call_at(self.world.now, self.resume, self.turn)

    def kill(self) -> None:
        """Never resume the task."""
        if not self.is_over:
            self.killed = True
            self.host.tasks.pop(self, None)
            self.world.forgotten.append(self)

    def end(self) -> None:
        """Unwind a task of a run that is over."""
        if self._greenlet is not None and not self.is_over:
            self._greenlet.throw(WorldEnded)


class Event(Generic[T]):
    """Something that tasks wait for. It happens once, with a value."""

    __slots__ = ("_waiting", "_world", "is_set", "value")

    def __init__(self, world: World) -> None:
        self._world = world
        self.is_set = False
        self.value: T | None = None
        self._waiting: list[tuple[Task, int]] = []

    def set(self, value: T | None = None) -> None:
        """Let it happen. Later calls change nothing."""
        if self.is_set:
            return
        self.is_set = True
        self.value = value
        world = self._world
        for task, turn in self._waiting:
            world.call_at(world.now, task.resume, turn)
        self._waiting.clear()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has happened, for at most ``timeout`` seconds. Returns whether it has."""
        if not self.is_set:
            world = self._world
            task = world.current
            assert task is not None, "only a task can wait"
            self._waiting.append((task, task.turn))
            if timeout is not None:
                world.call_at(world.now + timeout, task.resume, task.turn)
            world.switch()
        return self.is_set


class World:
    """The virtual time, its events, and the run's seeded choices.

    Attributes
    ----------
    now
        Seconds since the epoch.
    random
        Source of every choice.
    current
        The task that runs now; None while an event is handled.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now = START
        self.random = random.Random(seed)
        self.current: Task | None = None
        self.forgotten: list[Task] = []
        self.hub = getcurrent()
        self.over = False
        self._events: list[tuple[float, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._planned = 0
        self._hash = hashlib.sha256()
        self.remembered: deque[tuple[float, str, tuple[Any, ...]]] = deque(maxlen=_REMEMBERED)
        self._hosts: dict[Host, None] = {}
        self._idle: list[greenlet] = []

    def runner(self) -> greenlet:
        """Return a greenlet that runs the current task when it is switched to.

        Greenlets of tasks that have ended are used again: a new one takes as long as forty switches.
        """
        return self._idle.pop() if self._idle else greenlet(self._run_tasks, self.hub)

    def _run_tasks(self) -> None:
        own = getcurrent()
        while True:
            task = self.current
            assert task is not None
            task.run()
            task.is_over = True
            self._idle.append(own)
            self.hub.switch()

    def call_at(self, moment: float, function: Callable[..., Any], *args: Any) -> None:
        """Call ``function``, which must not wait, at ``moment``."""
        self._planned += 1
        heapq.heappush(self._events, (moment, self._planned, function, args))

    def call_later(self, seconds: float, function: Callable[..., Any], *args: Any) -> None:
        """Call ``function``, which must not wait, in ``seconds``."""
        self._planned += 1
        heapq.heappush(self._events, (self.now + seconds, self._planned, function, args))

    def spawn(self, host: Host, function: Callable[..., Any], *args: Any, name: str = "") -> Task:
        """Start a task now. Its ``done`` happens with the function's result, or with None after an error."""

        def run() -> None:
            try:
                result = function(*args)
            except GreenletExit:
                return
            except BaseException as error:
                task.error = error
                result = None
            host.tasks.pop(task, None)
            task.done.set(result)

        task = Task(self, host, name or function.__name__, run)
        host.tasks[task] = None
        self._hosts[host] = None
        self.call_at(self.now, task.resume, 0)
        return task

    def sleep(self, seconds: float) -> None:
        """Let the current task wait."""
        task = self.current
        assert task is not None, "only a task can sleep"
        self.call_at(self.now + seconds, task.resume, task.turn)
        self.switch()

    def give_core(self, host: Host) -> None:
        """Let the next task that waits for the host's core have it."""
        if host.busy_until <= self.now:
            task, turn = host.queued.popleft()
            task.resume(turn)
        if host.queued:
            self.call_at(max(self.now, host.busy_until), self.give_core, host)

    def switch(self) -> None:
        """Leave the current task until something resumes it."""
        if self.over:
            raise WorldEnded
        self.hub.switch()
        if self.over:
            raise WorldEnded

    def run(self, until: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Let time pass until the moment ``until``, until nothing is left, or until ``stop`` says so."""
        events, next_event = self._events, heapq.heappop
        while events and events[0][0] <= until:
            moment, _, function, args = next_event(events)
            if moment > self.now:
                self.now = moment
            function(*args)
            if stop():
                return
        self.now = max(self.now, until)

    def end(self) -> None:
        """End the run: unwind every task that still waits."""
        self.over = True
        for host in self._hosts:
            for task in list(host.tasks):
                task.end()
        for task in self.forgotten:
            task.end()
        for runner in self._idle:
            runner.throw(WorldEnded)

    def chance(self, probability: float) -> bool:
        """Return True with this probability. A probability of 0 draws nothing."""
        return probability > 0 and self.random.random() < probability

    def trace(self, kind: str, *fields: Any) -> None:
        """Add an event to the run's trace: its hash, and the latest ones to read after a failure.

        Fields must print the same in every process: no sets, no addresses.
        """
        self._hash.update(f"{self.now:.6f} {kind} {fields}\n".encode())
        self.remembered.append((self.now, kind, fields))

    @property
    def digest(self) -> str:
        """The hash over the trace so far, in hexadecimal digits."""
        return self._hash.hexdigest()
