"""The steps of the tracker. See steps.py."""

from __future__ import annotations

import threading

from tests.e2e.permissions.roles import Role
from tests.e2e.permissions.stage import Stage


def rechecks(stage: Stage, role: Role) -> str:
    """The tracker follows the destination's stream, and compares a key that was written until it is equal."""
    with stage.tracking() as keys:
        errors: list[str] = []
        tracking = threading.Thread(target=lambda: errors.append(stage.invoke("tracker", {})[1]), daemon=True)
        tracking.start()

        def is_done() -> bool:
            checked = keys.checked()
            unreadable = "cannot be read" in checked.waits_for
            return not tracking.is_alive() or unreadable or (checked.list_read_at > 0 and not checked.left)

        stage.wait_until("the tracker's round", is_done)
        checked = keys.checked()
        stage.end_tracking()
        tracking.join()
        problem = checked.waits_for if "cannot be read" in checked.waits_for else ""
        assert errors[0] or problem or not any(map(list, (keys.chunks(*each) for each in stage.partitions)))
        return errors[0] or problem


def rechecks_anew(stage: Stage, role: Role) -> str:
    """The same by a function that has not assumed the reading role yet."""
    stage.renew_environment("tracker")
    return rechecks(stage, role)
