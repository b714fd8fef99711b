"""Cutovers in the simulated AWS: many seeds, and what its parts do.

A failure names the seed and the command that repeats it; its output tells what happened to the keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tools.simulation import names
from tools.simulation.cutover.astray import Astray
from tools.simulation.cutover.judge import Judge
from tools.simulation.cutover.policy import Fenced, Policies
from tools.simulation.cutover.scenario import KINDS, MOMENTS, NAME, Kind, plan
from tools.simulation.cutover.writers import item
from tools.simulation.dynamodb import DynamoDBService
from tools.simulation.errors import ServiceError
from tools.simulation.network import Caller
from tools.simulation.runner import Options, run, run_many
from tools.simulation.scheduler import World
from tools.simulation.seeds import CUTOVER_OPEN, CUTOVER_SEEDS
from tools.simulation.table import Table, TableSettings

_CHUNK = 4


@pytest.mark.parametrize("first", range(CUTOVER_SEEDS.start, CUTOVER_SEEDS.stop, _CHUNK))
def test_no_seed_breaks_a_rule(first: int) -> None:
    seeds = [
        seed for seed in range(first, min(first + _CHUNK, CUTOVER_SEEDS.stop)) if seed not in CUTOVER_OPEN
    ]
    for result in run_many(seeds, Options(NAME), processes=1):
        found = f"make simulate RUNS=1 SEED={result.seed} SCENARIO={NAME}\n{result.report}"
        assert not result.violations, found


def test_a_seed_gives_the_same_run() -> None:
    assert run(12, Options(NAME)).digest == run(12, Options(NAME)).digest


def test_the_seeds_have_every_kind_of_run() -> None:
    plans = [plan(seed) for seed in range(1, 2_001)]
    planted = {(each.planted.kind, each.planted.moment) for each in plans if each.planted}
    assert planted == {(kind, moment) for kind in KINDS for moment in MOMENTS[kind]}
    assert max(each.source_stream.shards for each in plans) == 1_000
    for of in ("fence", "is_hindered", "is_lively"):
        assert {getattr(each, of) for each in plans} == {True, False}
    assert any(each.back and each.back.proved for each in plans)
    assert any(each.back and each.back.first for each in plans)
    assert any(each.kills.functions and each.kills.command and each.kills.interrupts for each in plans)


class Scene:
    """A source, a destination at which writes go astray, a journal, and their judge."""

    def __init__(self) -> None:
        self.world = World(1)
        self.service = DynamoDBService(self.world, names.DESTINATION_ACCOUNT, names.REGION)
        self.source, self.destination = (
            self.service.create_table(TableSettings(name, stream="NEW_IMAGE"))
            for name in (names.SOURCE_TABLE, names.DESTINATION_TABLE)
        )
        self.journal = self.service.create_table(
            TableSettings(names.JOURNAL_TABLE, key=(("pk", "S"), ("sk", "S")))
        )
        self.policies = Policies(self.world)
        self.astray = Astray(self.world, self.service, self.destination, self.policies)
        self.fenced = Fenced(self.astray, names.DESTINATION_TABLE, self.policies)
        self.judge = Judge(
            lambda: self.world.now,
            None,
            self.source,
            self.destination,
            self.journal,
            is_hindered=False,
            is_led_astray=lambda: bool(self.astray.happened),
        )
        self.astray.on_late = self.judge.landed

    def replicate(self, *requests: dict[str, object], role: str = names.DESTINATION_ROLE) -> None:
        caller = Caller(f"{names.REPLICATOR}/1", names.DESTINATION_ACCOUNT, role)
        body = json.dumps({"RequestItems": {names.DESTINATION_TABLE: list(requests)}}, separators=(",", ":"))
        self.fenced.handle("BatchWriteItem", body.encode(), caller)

    def put(self, number: int) -> None:
        self.replicate({"PutRequest": {"Item": json.loads(item(number, number))}})

    def delete(self, number: int) -> None:
        self.replicate({"DeleteRequest": {"Key": {"pk": {"S": f"k{number:04d}"}}}})

    def saves(self, phase: str, outcome: str = "", request: str = "one", reason: str = "why") -> None:
        """The run is written to the journal."""
        run = {
            "pk": {"S": "run"},
            "sk": {"S": "state"},
            "phase": {"S": phase},
            "cutover": {"S": request},
            "seal_by": {"N": "0" if outcome or phase == "sealed" else "1"},
            "seal_grade": {"S": "seen"},
            "cutover_outcome": {"S": outcome},
            "cutover_reason": {"S": reason},
            "reason": {"S": ""},
        }
        self.journal.put(json.dumps(run).encode())

    @property
    def rules(self) -> list[str]:
        return [violation.rule for violation in self.judge.violations]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def held(table: Table) -> set[str]:
    return {str(key[0]) for key, _ in table.items()}


@pytest.mark.parametrize(
    ("kind", "write", "left"),
    [
        ("skipped", lambda scene: scene.put(2), {"k0001"}),
        ("undeleted", lambda scene: scene.delete(1), {"k0001"}),
        ("late", lambda scene: scene.put(2), {"k0001"}),
    ],
)
def test_a_write_goes_astray_once(
    scene: Scene, kind: Kind, write: Callable[[Scene], None], left: set[str]
) -> None:
    scene.put(1)
    scene.astray.arm(kind, 1)
    write(scene)
    assert held(scene.destination) == left
    scene.world.run(scene.world.now + 30)
    assert held(scene.destination) == (left | {"k0002"} if kind == "late" else left)
    write(scene)
    assert held(scene.destination) == (set() if kind == "undeleted" else {"k0001", "k0002"})
    assert len(scene.astray.happened) == 1


def test_a_foreign_write_differs(scene: Scene) -> None:
    scene.astray.arm("foreign", 1)
    assert scene.judge.differing() == list(scene.astray.happened)


def test_a_policy_is_in_force_after_a_while_and_has_revisions(scene: Scene) -> None:
    condition = {"ArnNotEquals": {"aws:PrincipalArn": names.DESTINATION_ROLE}}
    scene.policies.put({"Statement": [{"Effect": "Deny", "Condition": condition}]}, "NO_POLICY")
    with pytest.raises(ServiceError, match="another revision"):
        scene.policies.put(None, "NO_POLICY")
    scene.world.run(scene.world.now + 10)
    assert scene.policies.denies()
    scene.put(1)
    with pytest.raises(ServiceError, match="explicit deny"):
        scene.replicate({"PutRequest": {"Item": json.loads(item(2, 2))}}, role="another")
    document, revision = scene.policies.shown()
    assert document is not None
    scene.policies.put(None, revision)
    scene.world.run(scene.world.now + 10)
    assert not scene.policies.denies()
    assert scene.policies.shown() == (None, "NO_POLICY")


class TestJudge:
    def test_a_seal_with_a_difference_that_could_be_seen(self, scene: Scene) -> None:
        scene.source.put(item(1, 1))
        scene.world.run(scene.world.now + 60)
        scene.saves("sealing")
        scene.saves("sealed")
        assert scene.rules == ["equal"]

    def test_a_change_that_could_not_be_seen_must_be_named(self, scene: Scene) -> None:
        scene.saves("sealing")
        scene.source.put(item(1, 1))
        scene.saves("sealed")
        assert scene.rules == []
        scene.judge.named("")
        assert scene.rules == ["named"]

    @pytest.mark.parametrize("is_last", [True, False])
    def test_a_write_at_the_destination_that_could_not_be_seen_need_not_be_named(
        self, scene: Scene, is_last: bool
    ) -> None:
        """The key has a change of the source that is as new."""
        tables = [scene.source, scene.destination]
        for version, table in enumerate(tables if is_last else reversed(tables)):
            table.put(item(1, version))
            scene.world.run(scene.world.now + 5)
        scene.saves("sealed")
        scene.judge.named("")
        assert scene.rules == ([] if is_last else ["named"])

    @pytest.mark.parametrize("is_sealed", [True, False])
    def test_a_write_that_lands_after_the_seal_need_not_be_named(self, scene: Scene, is_sealed: bool) -> None:
        scene.astray.arm("late", 1)
        scene.put(1)
        if is_sealed:
            scene.saves("sealed")
        scene.world.run(scene.world.now + 30)
        assert scene.destination.get(("k0001",)) == item(1, 1)
        assert list(scene.judge.strayed) == [("k0001",)] * is_sealed

    def test_a_change_that_is_named(self, scene: Scene) -> None:
        scene.saves("sealed")
        scene.source.put(item(1, 1))
        scene.judge.straggled_after(("k0001",))
        scene.judge.named("the source table was written to after the seal")
        assert scene.rules == []

    @pytest.mark.parametrize("outcome", ["different", "late"])
    def test_a_false_alarm(self, scene: Scene, outcome: str) -> None:
        scene.saves("draining")
        scene.saves("draining", outcome)
        assert scene.rules == ["alarm"]

    def test_a_true_alarm(self, scene: Scene) -> None:
        scene.astray.arm("foreign", 1)
        scene.saves("draining")
        scene.source.put(item(1, 1))
        scene.saves("draining", "different")
        scene.saves("draining", request="two")
        scene.world.run(scene.world.now + 1)
        scene.source.put(item(1, 2))
        scene.saves("draining", "late", request="two")
        assert scene.rules == []

    def test_a_refusal_for_a_difference_that_is_none(self, scene: Scene) -> None:
        scene.judge.refused("the verification found 2 differences")
        assert scene.rules == ["alarm"]

    def test_an_end_without_a_reason(self, scene: Scene) -> None:
        scene.saves("draining")
        scene.saves("draining", "timeout", reason="")
        assert scene.rules == ["reason"]

    def test_a_run_that_stops(self, scene: Scene) -> None:
        scene.saves("draining")
        scene.saves("stopped", "stopped")
        assert scene.rules == ["progress"]
