"""What a copy does with each member of DescribeTable, so that nothing a table has is passed over in silence.

Each member is compared (`verify` compares it; whatever the module copies is among these), named (it is
neither copied nor compared, and people are told where a table has it), or state (counts, dates, identifiers
and progress, of which there is nothing to copy). A member that is not listed here is one that AWS has added
since, and is named as well. botocore drops such members, so pass the description as it was on the wire.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

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

A structure, or a list of structures, has the members of its own in place of a treatment."""

# These come and go together: a table that is replicated has several of them.
_GLOBAL_TABLE = (
    "Replicas",
    "GlobalTableVersion",
    "GlobalTableWitnesses",
    "GlobalTableSettingsReplicationMode",
    "MultiRegionConsistency",
)


@dataclass(frozen=True, slots=True)
class Uncopied:
    """Something a table has that is neither copied nor compared.

    Parameters
    ----------
    member
        Where it is in the description: ``"VectorIndexes"``, ``"GlobalSecondaryIndexes.by-day.Shape"``.
    label
        A noun phrase for people: ``'vector index "by-meaning"'``.
    value
        What DescribeTable returned there.
    known
        Whether this release knows the member. If not, no one can say what it does to the data.
    """

    member: str
    label: str
    value: Any
    known: bool


def uncopied(description: Mapping[str, Any]) -> list[str]:
    """Name what a table has that is neither copied nor compared, as noun phrases for people.

    Parameters
    ----------
    description
        ``Table`` of DescribeTable, as it was on the wire.

    Returns
    -------
    list of str
        Empty where everything is copied or compared.
    """
    return [each.label for each in uncopied_members(description)]


def uncopied_members(description: Mapping[str, Any]) -> list[Uncopied]:
    """Find what a table has that is neither copied nor compared; see `uncopied`."""
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
    """Whether a member says anything: an empty list or a switch that is off does not."""
    return value is not None and value is not False and value not in ("", [], {})


def _is_on(value: Any) -> bool:
    return _is_set(value) and value != "DISABLED"
