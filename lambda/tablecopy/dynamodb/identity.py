"""Which table a table is: its ARN and its TableId decide, and never the text of an endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Description = Mapping[str, Any]
"""``Table`` of DescribeTable, as it was on the wire."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What distinguishes a table from every other one.

    Parameters
    ----------
    arn
        Its ARN. Two local AWS can have different tables of one ARN, and a table that was deleted and
        created again keeps it.
    table_id
        ``TableId``; ``None`` for a local AWS that has none.
    created
        ``CreationDateTime`` as text; ``None`` where it is not known.
    """

    arn: str
    table_id: str | None
    created: str | None

    @classmethod
    def of(cls, description: Description) -> Identity:
        """Take it from ``Table`` of DescribeTable, as it was on the wire."""
        created = description.get("CreationDateTime")
        return cls(
            description["TableArn"],
            description.get("TableId") or None,
            None if created is None else str(created),
        )

    def is_same_as(self, other: Identity) -> bool:
        """Whether both are one table.

        With one ARN they are, unless their ids show otherwise or, where an id is missing, their creation
        times: in doubt it is one table, since a table compared with itself is always equal.
        """
        if self.arn != other.arn:
            return False
        if self.table_id and other.table_id:
            return self.table_id == other.table_id
        return self.created is None or other.created is None or self.created == other.created


def are_replicas(source: Description, destination: Description) -> bool:
    """Whether both are replicas of one global table, so that what is written to one arrives in the other."""
    return _replicates(source, destination["TableArn"]) or _replicates(destination, source["TableArn"])


def _replicates(description: Description, arn: str) -> bool:
    mine = str(description["TableArn"]).split(":", 5)
    for replica in description.get("Replicas") or []:
        # Not every replica has its ARN: within an account the table's name and the Region make it.
        there = replica.get("ReplicaArn") or ":".join(
            [*mine[:3], str(replica.get("RegionName")), mine[4], mine[5]]
        )
        if there == arn != description["TableArn"]:
            return True
    return False
