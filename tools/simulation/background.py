"""Tasks of the simulated services, whose errors are faults of the simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tools.simulation.scheduler import Host, Task, World


def start(world: World, host: Host, function: Callable[..., Any], *args: Any, name: str = "") -> Task:
    """Start a task of a service. An error in it ends the whole run with that error."""

    def run() -> None:
        try:
            function(*args)
        except Exception as error:
            world.call_at(world.now, _raise, error)

    return world.spawn(host, run, name=name or getattr(function, "__name__", "service"))


def _raise(error: Exception) -> None:
    raise error
