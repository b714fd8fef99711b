"""Every policy of an applied configuration, statement by statement, as Terraform's state has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Statement:
    """One statement and where it stands: the resource's address and its attribute."""

    place: str
    content: dict[str, Any]

    @property
    def sid(self) -> str:
        return str(self.content.get("Sid", ""))

    def faults(self, explained: dict[str, str]) -> Iterator[str]:
        """What a statement must not be. ``explained`` says by sid why resources have a ``*``."""
        name = f"{self.place} {self.sid or json.dumps(self.content)}"
        if not self.sid:
            yield f"{name}: has no sid"
        if unexpected := {"NotAction", "NotResource", "NotPrincipal"} & set(self.content):
            yield f"{name}: names what is left out: {sorted(unexpected)}"
        if any("*" in action for action in as_list(self.content.get("Action"))):
            yield f"{name}: allows actions by a pattern"
        if (
            any("*" in resource for resource in as_list(self.content.get("Resource")))
            and self.sid not in explained
        ):
            yield f"{name}: resources with a * that nobody has explained: {self.content['Resource']}"
        everybody = self.content.get("Principal") in ("*", {"AWS": "*"})
        if everybody and self.content["Effect"] == "Allow":
            yield f"{name}: allows everybody"


def resources(state: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Managed resources of what ``terraform show -json`` writes, those of modules among them."""

    def of(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield from (each for each in module.get("resources", []) if each["mode"] == "managed")
        for child in module.get("child_modules", []):
            yield from of(child)

    yield from of(state["values"]["root_module"])


def statements(state: dict[str, Any]) -> Iterator[Statement]:
    """The statements of every policy that is an attribute of a resource."""
    for resource in resources(state):
        # As it was made, the topic shows AWS's own policy, which its aws_sns_topic_policy has replaced since.
        if resource["type"] == "aws_sns_topic":
            continue
        for attribute, value in resource["values"].items():
            if not attribute.endswith("policy") or not isinstance(value, str) or not value:
                continue
            for content in as_list(json.loads(value).get("Statement")):
                yield Statement(f"{resource['address']}.{attribute}", content)


def as_list(value: Any) -> list[Any]:
    """What a policy has one or several of."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
