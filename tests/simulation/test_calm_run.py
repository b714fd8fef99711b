"""The product's own handlers, from the first apply until the copy is ready, with nothing going wrong."""

from __future__ import annotations

import json

from tools.simulation.attributes import Key
from tools.simulation.deployment import Deployment, Settings
from tools.simulation.scheduler import World
from tools.simulation.table import Table


def item(key: int, value: str) -> bytes:
    return json.dumps({"pk": {"S": f"key {key}"}, "v": {"S": value}}).encode()


def items(table: Table) -> dict[Key, object]:
    return {key: json.loads(body) for key, body in table.items()}


def test_a_calm_run() -> None:
    world = World(1)
    copy = Deployment(world, Settings(segments=4, concurrency=4))
    for key in range(30):
        copy.source.put(item(key, "first"))

    def write() -> None:
        for key in range(5):
            copy.source.put(item(key, "changed"))
        copy.source.delete(copy.source.key_of(item(7, "")))

    world.call_later(100, write)

    def phase() -> str:
        run = copy.journal.get(("run", "state"))
        return json.loads(run)["phase"]["S"] if run else "none"

    world.run(world.now + 900, lambda: phase() == "ready")
    assert phase() == "ready"
    assert items(copy.destination) == items(copy.source)
