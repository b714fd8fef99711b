"""What DescribeTable says about a table: which table it is, and what a copy does with each of its members.

A member is *compared* (by `verify`; this includes everything that the module copies), *named* (it is neither
copied nor compared, and users are told if a table has it) or *state* (counts, dates, identifiers and
progress, which cannot be copied). A member that is not listed here was added by AWS later, and is named as
well. botocore drops such members, so use the description as the endpoint sent it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Description = Mapping[str, Any]
"""``Table`` of DescribeTable as the endpoint sent it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a table: its ARN and ID decide, and never the text of an endpoint.

    Parameters
    ----------
    arn
        Table ARN. Two local AWS endpoints can have different tables with one ARN. A table that is deleted and
        created again keeps its ARN.
    table_id
        ``TableId``; None for a local AWS endpoint without table IDs.
    created
        ``CreationDateTime`` as text; None if unknown.
    """

    arn: str
    table_id: str | None
    created: str | None

    @classmethod
    def of(cls, description: Description) -> Identity:
        """Return the identity of the described table."""
        created = description.get("CreationDateTime")
        return cls(
            description["TableArn"],
            description.get("TableId") or None,
            None if created is None else str(created),
        )

    def is_same_as(self, other: Identity) -> bool:
        """Whether both are the same table.

        Tables with one ARN are the same unless their IDs differ or, if an ID is missing, their creation times
        differ. In doubt they are the same, because a table that is compared with itself is always equal.
        """
        if self.arn != other.arn:
            return False
        if self.table_id and other.table_id:
            return self.table_id == other.table_id
        return self.created is None or other.created is None or self.created == other.created


def are_replicas(source: Description, destination: Description) -> bool:
    """Whether both are replicas of one global table, so that a write to one table also reaches the other."""
    return _replicates(source, destination["TableArn"]) or _replicates(destination, source["TableArn"])


def _replicates(description: Description, arn: str) -> bool:
    mine = str(description["TableArn"]).split(":", 5)
    for replica in description.get("Replicas") or []:
        # A replica without an ARN is in the same account, so the table's name and the Region give the ARN.
        there = replica.get("ReplicaArn") or ":".join(
            [*mine[:3], str(replica.get("RegionName")), mine[4], mine[5]]
        )
        if there == arn != description["TableArn"]:
            return True
    return False


Treatment = Literal["compared", "named", "state"]
Members = Mapping[str, "Treatment | Members"]

_PROVISIONED: Members = {
    "LastDecreaseDateTime": "state",
    "LastIncreaseDateTime": "state",
    "NumberOfDecreasesToday": "state",
    "ReadCapacityUnits": "compared",
    "WriteCapacityUnits": "compared",
}
_ON_DEMAND: Members = {"MaxReadRequestUnits": "compared", "MaxWriteRequestUnits": "compared"}
_WARM: Members = {"ReadUnitsPerSecond": "compared", "Status": "state", "WriteUnitsPerSecond": "compared"}
_LOCAL_INDEX: Members = {
    "IndexArn": "state",
    "IndexName": "compared",
    "IndexSizeBytes": "state",
    "ItemCount": "state",
    "KeySchema": {"AttributeName": "compared", "KeyType": "compared"},
    "Projection": {"NonKeyAttributes": "compared", "ProjectionType": "compared"},
}
_GLOBAL_INDEX: Members = {
    **_LOCAL_INDEX,
    "Backfilling": "state",
    "IndexStatus": "state",
    "OnDemandThroughput": _ON_DEMAND,
    "ProvisionedThroughput": _PROVISIONED,
    "WarmThroughput": _WARM,
}

MEMBERS: Members = {
    "ArchivalSummary": "state",
    "AttributeDefinitions": {"AttributeName": "compared", "AttributeType": "compared"},
    "BillingModeSummary": {"BillingMode": "compared", "LastUpdateToPayPerRequestDateTime": "state"},
    "CreationDateTime": "state",
    "DeletionProtectionEnabled": "compared",
    "DisassociationProtectionEnabled": "named",
    "GlobalSecondaryIndexes": _GLOBAL_INDEX,
    "GlobalTableSettingsReplicationMode": "named",
    "GlobalTableVersion": "named",
    "GlobalTableWitnesses": "named",
    "ItemCount": "state",
    "KeySchema": {"AttributeName": "compared", "KeyType": "compared"},
    "LatestStreamArn": "state",
    "LatestStreamLabel": "state",
    "LocalSecondaryIndexes": _LOCAL_INDEX,
    "MultiRegionConsistency": "named",
    "OnDemandThroughput": _ON_DEMAND,
    "ProvisionedThroughput": _PROVISIONED,
    "Replicas": "named",
    "RestoreSummary": "state",
    "SSEDescription": {
        "InaccessibleEncryptionDateTime": "state",
        "KMSMasterKeyArn": "compared",
        "SSEType": "compared",
        "Status": "compared",
    },
    "StreamSpecification": {"StreamEnabled": "compared", "StreamViewType": "compared"},
    "TableArn": "state",
    "TableClassSummary": {"LastUpdateDateTime": "state", "TableClass": "compared"},
    "TableId": "state",
    "TableName": "state",
    "TableSizeBytes": "state",
    "TableStatus": "state",
    "VectorIndexes": "named",
    "WarmThroughput": _WARM,
}
"""Members of ``Table`` in the answer of DescribeTable (API reference, TableDescription) by name.

A structure, or a list of structures, has its own members in place of a treatment."""

# A table that is replicated has several of these.
_GLOBAL_TABLE = (
    "Replicas",
    "GlobalTableVersion",
    "GlobalTableWitnesses",
    "GlobalTableSettingsReplicationMode",
    "MultiRegionConsistency",
)


@dataclass(frozen=True, slots=True)
class Uncopied:
    """A setting of a table that is neither copied nor compared.

    Parameters
    ----------
    member
        Path in the description: ``"VectorIndexes"``, ``"GlobalSecondaryIndexes.by-day.Shape"``.
    label
        Noun phrase for people: ``'vector index "by-meaning"'``.
    value
        Value in the description.
    known
        Whether this release knows the member. If not, its effect on the data is unknown.
    """

    member: str
    label: str
    value: Any
    known: bool


def uncopied_members(description: Description) -> list[Uncopied]:
    """Return the settings of a table that are neither copied nor compared."""
    return [*_global_table(description), *_unlisted(description, MEMBERS, "")]


def _global_table(description: Mapping[str, Any]) -> Iterator[Uncopied]:
    found = {member: description[member] for member in _GLOBAL_TABLE if _is_on(description.get(member))}
    if found:
        regions = [_name(replica, "RegionName") for replica in _entries(found.get("Replicas"))]
        replicas = f" with replicas in {', '.join(regions)}" if regions else ""
        yield Uncopied("Replicas", f"global table{replicas}", found, known=True)


def _unlisted(described: Mapping[str, Any], members: Members, at: str) -> Iterator[Uncopied]:
    for member, value in described.items():
        treatment = members.get(member)
        if not _is_set(value) or (not at and member in _GLOBAL_TABLE):
            continue
        if treatment is None:
            yield Uncopied(f"{at}{member}", f'unknown setting "{at}{member}"', value, known=False)
        elif treatment == "named":
            yield from _named(member, value)
        elif not isinstance(treatment, str):
            for entry in _entries(value):
                name = f"{entry['IndexName']}." if "IndexName" in entry else ""
                yield from _unlisted(entry, treatment, f"{at}{member}.{name}")


def _named(member: str, value: Any) -> Iterator[Uncopied]:
    if member == "VectorIndexes":
        for index in _entries(value):
            yield Uncopied(member, f'vector index "{_name(index, "IndexName")}"', index, known=True)
    elif _is_on(value):
        yield Uncopied(member, f"setting {member}", value, known=True)


def _entries(value: Any) -> list[Mapping[str, Any]]:
    found = value if isinstance(value, list) else [value]
    return [entry for entry in found if isinstance(entry, Mapping)]


def _name(entry: Mapping[str, Any], member: str) -> str:
    return str(entry.get(member, "?"))


def _is_set(value: Any) -> bool:
    """Whether a member has a value. An empty list and a switch that is off do not count."""
    return value is not None and value is not False and value not in ("", [], {})


def _is_on(value: Any) -> bool:
    return _is_set(value) and value != "DISABLED"
