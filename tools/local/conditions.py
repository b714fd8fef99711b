"""Condition keys of policies whose values ministack has otherwise than AWS.

* ``aws:SecureTransport``: the accounts are served without TLS, on this machine's loopback alone, in the place
  of endpoints that are asked over TLS.
* ``aws:PrincipalArn``: of a role's session it is the role's ARN, with its path, and not the session's.
* ``aws:SourceAccount``: the root of an account stands for the services of AWS that act for it; the trust of
  the roles that they assume asks for it.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any


def answer_conditions_as_aws(evaluator: ModuleType, iam: ModuleType) -> None:
    """Have ministack evaluate conditions on these keys as AWS does."""
    of_request = evaluator._resolve_condition_key

    def resolve_condition_key(key: str, ctx: Any) -> Any:
        match key.lower():
            case "aws:securetransport":
                return "true"
            case "aws:principalarn":
                return _role_arn(ctx.principal_arn, iam) or of_request(key, ctx)
            case "aws:sourceaccount" if ctx.principal_arn.endswith(":root"):
                return ctx.principal_arn.split(":")[4]
        return of_request(key, ctx)

    evaluator._resolve_condition_key = resolve_condition_key  # type: ignore[attr-defined]


def _role_arn(session_arn: str, iam: ModuleType) -> str | None:
    """``arn:aws:sts::111111111111:assumed-role/name/session``: the role's ARN; None of anything else."""
    *_, account, resource = session_arn.split(":")
    kind, *names = resource.split("/")
    role = iam._roles.get_scoped(account, None, names[0]) if kind == "assumed-role" else None
    return str(role["Arn"]) if role else None
