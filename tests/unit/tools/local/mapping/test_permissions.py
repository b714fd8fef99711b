from __future__ import annotations

from tests.unit.tools.local.mapping.fakes import QUEUE, ROLE, FakeIam, HandClock
from tools.local.mapping.permissions import CACHED_SECONDS, Permissions


def test_answers_are_remembered_for_a_while() -> None:
    iam, clock = FakeIam(), HandClock()
    permissions = Permissions(iam, clock)
    iam.denied = {"sqs:SendMessage"}
    assert permissions.missing(ROLE, ["sqs:SendMessage"], QUEUE) == ("sqs:SendMessage",)
    iam.denied = set()
    assert permissions.missing(ROLE, ["sqs:SendMessage"], QUEUE) == ("sqs:SendMessage",)
    clock.advance(CACHED_SECONDS)
    assert permissions.missing(ROLE, ["sqs:SendMessage"], QUEUE) == ()
    assert iam.questions == 2


def test_each_role_and_resource_is_asked_for_itself() -> None:
    iam = FakeIam()
    permissions = Permissions(iam, HandClock())
    permissions.missing(ROLE, ["sqs:SendMessage"], QUEUE)
    permissions.missing(ROLE, ["sqs:SendMessage"], QUEUE + "-2")
    permissions.missing(ROLE + "-2", ["sqs:SendMessage"], QUEUE)
    assert iam.questions == 3
