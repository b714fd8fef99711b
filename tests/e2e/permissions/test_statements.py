"""Every action of every statement is taken away from a running copy: the step that needs it fails."""

from __future__ import annotations

import pytest

from tests.e2e.permissions.roles import KINDS, Role, as_list
from tests.e2e.permissions.stage import Stage
from tests.e2e.permissions.steps import NEEDS, UNSEEN

pytestmark = pytest.mark.terraform


def test_every_statement_has_a_step_and_every_step_a_statement(roles: dict[str, Role]) -> None:
    assert set(roles) == set(KINDS)
    found = {(role.kind, statement["Sid"]) for role in roles.values() for statement in role.statements()}
    unknown = sorted(found - set(NEEDS))
    assert not unknown, f"no step known for {unknown}: say in steps.py what needs it"
    gone = sorted(set(NEEDS) - found)
    assert not gone, f"steps.py has a step for {gone}, which no role has"


def test_a_role_may_do_nothing_by_other_policies(roles: dict[str, Role]) -> None:
    for role in roles.values():
        attached = role.iam.list_attached_role_policies(RoleName=role.name)["AttachedPolicies"]
        assert not attached, f"{role.kind}: the policies attached to it are not walked through: {attached}"
        for statement in role.statements():
            assert statement["Effect"] == "Allow"
            assert {"NotAction", "NotResource"}.isdisjoint(statement)
            wild = [action for action in as_list(statement["Action"]) if "*" in action]
            assert not wild, f"{role.kind}, {statement['Sid']}: {wild} is no exact action"


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_fails_without_each_action(stage: Stage, roles: dict[str, Role], kind: str) -> None:
    role = roles[kind]
    superfluous = []
    for statement in role.statements():
        sid = statement["Sid"]
        need = NEEDS[kind, sid]
        for action in as_list(statement["Action"]):
            if (kind, sid, action) in UNSEEN:
                continue
            with role.without(sid, action):
                seen = need.step(stage, role)
            if action not in seen:
                superfluous.append(f"{sid}: nothing fails for {action} (seen: {seen or 'nothing'})")
            else:
                print(f"{kind}, {sid}, without {action}: {seen}")
        assert not need.step(stage, role), f"{sid}: the step does not work again"
    assert not superfluous, f"the role of {kind} may do what nothing needs: {superfluous}"
