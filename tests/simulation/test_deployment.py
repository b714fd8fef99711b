"""What a later apply changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tools.simulation import names
from tools.simulation.deployment import Deployment, Faults, Settings
from tools.simulation.errors import ServiceError
from tools.simulation.functions import LambdaFaults
from tools.simulation.scheduler import START, World


def environ(copy: Deployment, function: str) -> dict[str, str]:
    return dict(copy.lambda_.functions[function].settings.environ)


def test_the_settings_reach_the_functions() -> None:
    copy = Deployment(World(1), Settings(segments=7, concurrency=3, environ={"read_capacity": 50}))
    assert environ(copy, names.RECONCILER)["TOTAL_SEGMENTS"] == "7"
    assert environ(copy, names.RECONCILER)["UNRESERVED_CONCURRENCY"] == "6"
    assert environ(copy, names.BACKFILL)["READ_CAPACITY"] == "50"


def test_another_apply() -> None:
    copy = Deployment(World(1), Settings())
    copy.redeploy(replace(copy.settings, slice_seconds=600, batch_size=10))
    assert environ(copy, names.RECONCILER)["SLICE_SECONDS"] == "600"
    assert copy.mapping.describe()["BatchSize"] == 10


def test_a_replaced_mapping_begins_at_the_horizon() -> None:
    copy = Deployment(World(1), Settings())
    old = copy.mapping
    copy.replace_mapping()
    assert environ(copy, names.RECONCILER)["MAPPING_UUID"] == copy.mapping.uuid != old.uuid
    assert copy.mapping.state == "Disabled"
    assert copy.mapping.checkpoints == {}
    with pytest.raises(ServiceError, match="ResourceNotFoundException"):
        copy.account.mapping(old.uuid)


def test_a_new_journal_is_empty_and_has_a_new_mapping() -> None:
    copy = Deployment(World(1), Settings())
    copy.world.run(START + 120)
    assert len(copy.journal)
    old = copy.mapping
    copy.replace_journal()
    assert not len(copy.journal)
    assert copy.mapping.uuid != old.uuid
    # Only the first journal's run starts by itself.
    copy.world.run(START + 360)
    assert copy.journal.get(("run", "state")) is None


def test_other_faults() -> None:
    copy = Deployment(World(1), Settings())
    copy.set_faults(Faults(lambda_=LambdaFaults(refused=1.0)))
    with pytest.raises(ServiceError, match="ServiceException"):
        copy.lambda_.start(names.CONTROL, {"action": "status"})


def test_a_seed_repeats_a_run() -> None:
    def digest(seed: int) -> str:
        copy = Deployment(World(seed), Settings())
        copy.world.run(START + 300)
        return copy.world.digest

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)
