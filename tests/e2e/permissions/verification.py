"""The steps of a comparison in the account. See steps.py."""

from __future__ import annotations

from tablecopy.journal.run import Phase
from tests.e2e.permissions.roles import Role
from tests.e2e.permissions.stage import Stage

MACHINE = "verification_state_machine_arn"


def comparison(stage: Stage, role: Role) -> str:
    """The verifier describes both tables, compares a segment, and sees which segments are left."""
    with stage.verification() as name:
        answer, error = stage.invoke("verifier", {"verification": name})
        if error:
            return error
        assert answer["next"] == "scan", answer
        answer, error = stage.invoke("verifier", {"verification": name, "segment": stage.segment})
        if error:
            return error
        # Nothing is in the destination, so each item was read again by its key.
        assert answer == {"next": "done"}, answer
        answer, error = stage.invoke("verifier", {"verification": name})
        assert error or answer["next"] == "scan", answer
        return error


def comparison_anew(stage: Stage, role: Role) -> str:
    """The same by a function that has not assumed the reading role yet."""
    stage.renew_environment("verifier")
    return comparison(stage, role)


def request(stage: Stage, role: Role) -> str:
    """``verify --in-account`` starts an execution, and a second one sees that it is in progress."""
    # What the execution would do is no part of this step. A run without segments is copied.
    stage.stand.let_run("verifier", allowed=False)
    try:
        with stage.run(Phase.READY, segments=0):
            for seen in ("verification", "error"):
                answer, error = stage.invoke("control", {"action": "verify"})
                if error:
                    return error
                assert seen in answer, answer
            return ""
    finally:
        stage.stand.stop_executions(MACHINE)
        stage.stand.let_run("verifier", allowed=True)
