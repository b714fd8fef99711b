"""Operators: they send commands to control, and do what the status tells them to do."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tablecopy.journal.run import Phase
from tools.simulation.deployment import Deployment
from tools.simulation.errors import ServiceError
from tools.simulation.judge import Judge
from tools.simulation.plans import Operators
from tools.simulation.scheduler import Host, World

Json = dict[str, Any]

_COMMANDS = ("start", "seal", "redrive", "dead-letters", "status")
_LOOK_SECONDS = 10.0
_AWAY_SECONDS = 60.0


class Operator:
    """Sends commands. Its tasks are on a host of its own.

    Attributes
    ----------
    status
        The latest answer to status; empty before it.
    is_away
        Whether no one looks at the status.
    """

    def __init__(self, world: World, copy: Deployment, judge: Judge, plan: Operators, seed: int) -> None:
        self.status: Json = {}
        self._world = world
        self._copy = copy
        self._judge = judge
        self._plan = plan
        self._random = random.Random(f"operators {seed}")
        self._host = Host("operator")
        self.is_away = False
        self._calm = False

    def spawn(self, function: Callable[..., None], *args: Any) -> None:
        """Start a task of the operator."""
        self._world.spawn(self._host, function, *args)

    def command(self, action: str, **more: Any) -> Json:
        """Send a command once, and return the answer; empty if there is none."""
        try:
            answer = self._copy.operate(action, **more)
        except ServiceError:
            return {}
        if answer is None or answer.error:
            return {}
        payload: Json = answer.payload
        if "status" in payload:
            self.status = payload["status"]
            self._judge.answered(self.status)
        self._world.trace("command", action, payload.get("error", self.status.get("phase", "")))
        return payload

    def busy(self, seconds: float) -> None:
        """Send commands at random moments of the next ``seconds``, whatever the phase is."""
        draw = self._random
        for _ in range(self._plan.commands):
            action = draw.choice(_COMMANDS)
            request = {"request": draw.choice(["a", "b", ""])} if action == "start" else {}
            self._world.call_later(draw.uniform(0, seconds), self.spawn, self._send, action, request)
        for _ in range(self._plan.applies):
            self._world.call_later(draw.uniform(0, seconds), self._apply)

    def _apply(self) -> None:
        draw, settings = self._random, self._copy.settings
        self._copy.redeploy(
            replace(
                settings,
                slice_seconds=draw.choice([8, 20, 600]),
                batch_size=draw.choice([5, 20, 100]),
                concurrency=draw.choice([1, 2, 4]),
            )
        )

    def _send(self, action: str, request: Json) -> None:
        self.command(action, **request)

    def calm(self) -> None:
        """From now on, do what the status tells to do."""
        self._calm = True

    def watch(self) -> None:
        """Look at the status all the time. In the calm, start, redrive and seal as it says."""
        if not self._copy.settings.start_on_apply:
            self._world.sleep(self._random.uniform(0, 10.0))
            self.command("start", request="first")
        while True:
            if self.is_away:
                self._world.sleep(_AWAY_SECONDS)
                continue
            self.command("status")
            self._world.sleep(_LOOK_SECONDS * self._random.uniform(0.7, 1.3))
            if self._calm:
                self._act()

    def _act(self) -> None:
        status = self.status
        phase, reason = status.get("phase"), str(status.get("reason", ""))
        if phase == "none":
            self.command("start")
        elif phase == Phase.STOPPED:
            if status["resumable"]:
                self.command("start")
        elif status.get("blocked") and "dead letter" in reason and not status["redrive"]:
            self.command("redrive")
        elif phase == Phase.READY and self._plan.seal and not status["seal_requested"]:
            self.command("seal")
