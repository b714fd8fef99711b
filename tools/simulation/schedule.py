"""EventBridge Scheduler: calls the reconciler once a minute.

Sources: EventBridge Scheduler user guide, "What is EventBridge Scheduler?" (at least once), "Schedule types"
(precision of 60 seconds).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tools.simulation.errors import ServiceError
from tools.simulation.scheduler import World

_EVERY_SECONDS = 60.0


@dataclass(frozen=True)
class ScheduleFaults:
    """Probabilities for each call.

    Attributes
    ----------
    late
        It comes up to ``latest`` seconds late.
    duplicated
        It comes twice.
    missed
        It does not come, because the target's answer was an error and the schedule does not retry.
    """

    late: float = 0.0
    duplicated: float = 0.0
    missed: float = 0.0
    latest: float = 59.0


class Schedule:
    """The schedule, from its creation on."""

    def __init__(
        self, world: World, call: Callable[[], None], faults: ScheduleFaults = ScheduleFaults()
    ) -> None:
        self.enabled = True
        self._world = world
        self._call = call
        self.faults = faults
        world.call_later(world.random.uniform(0.0, _EVERY_SECONDS), self._minute)

    def _minute(self) -> None:
        world, faults = self._world, self.faults
        world.call_later(_EVERY_SECONDS, self._minute)
        if not self.enabled or world.chance(faults.missed):
            return
        for _ in range(1 + world.chance(faults.duplicated)):
            late = faults.latest * world.random.random() if world.chance(faults.late) else 0.0
            world.call_later(world.random.uniform(0.0, 1.0) + late, self._invoke)

    def _invoke(self) -> None:
        try:
            self._call()
        except ServiceError as error:
            self._world.trace("schedule", error.code)
