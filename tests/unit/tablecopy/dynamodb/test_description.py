"""Every member of DescribeTable is compared, named or mere state, and what is new is named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.model import Shape

from tablecopy.dynamodb.description import MEMBERS, Members, Uncopied, uncopied_members

PLAIN: dict[str, Any] = {
    "TableName": "orders",
    "TableArn": "arn:aws:dynamodb:eu-west-1:111111111111:table/orders",
    "TableId": "1",
    "TableStatus": "ACTIVE",
    "CreationDateTime": 1.5,
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "ProvisionedThroughput": {
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": 0,
        "WriteCapacityUnits": 0,
    },
    "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": 1.5},
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-day",
            "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
            "IndexStatus": "ACTIVE",
            "WarmThroughput": {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"},
        }
    ],
    "SSEDescription": {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": "arn:aws:kms:x"},
    "DeletionProtectionEnabled": False,
    "DisassociationProtectionEnabled": False,
    "Replicas": [],
    "VectorIndexes": [],
    "GlobalTableSettingsReplicationMode": "DISABLED",
}


def modelled(shape: Shape, members: Members, at: str = "") -> Iterator[tuple[str, bool]]:
    """Each member of a structure of the model, and whether it is listed. Named ones are not entered."""
    structure: Any = shape
    for name, member in structure.members.items():
        treatment = members.get(name)
        yield f"{at}{name}", treatment is not None
        inner = member.member if member.type_name == "list" else member
        if isinstance(treatment, str) or treatment is None:
            # Neither may hide members that are worth a comparison of their own.
            assert treatment != "compared" or inner.type_name != "structure", f"{at}{name}"
            continue
        assert inner.type_name == "structure", f"{at}{name}"
        assert not set(treatment) - set(inner.members), f"{at}{name}: members that DynamoDB does not have"
        yield from modelled(inner, treatment, f"{at}{name}.")


def test_every_member_of_the_model_is_listed() -> None:
    model = botocore.session.get_session().get_service_model("dynamodb")
    output: Any = model.operation_model("DescribeTable").output_shape
    found = dict(modelled(output.members["Table"], MEMBERS))
    assert len(found) > 60
    assert [member for member, listed in found.items() if not listed] == []


def test_a_plain_table_has_nothing_beyond_the_copy() -> None:
    assert uncopied_members(PLAIN) == []


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        (
            {"VectorIndexes": [{"IndexName": "by-meaning", "Dimensions": 8}, {"IndexName": "by-image"}]},
            ['vector index "by-meaning"', 'vector index "by-image"'],
        ),
        (
            {
                "Replicas": [{"RegionName": "eu-west-2"}, {"RegionName": "us-east-1"}],
                "GlobalTableVersion": "2019.11.21",
                "MultiRegionConsistency": "EVENTUAL",
                "GlobalTableSettingsReplicationMode": "ENABLED",
            },
            ["global table with replicas in eu-west-2, us-east-1"],
        ),
        ({"GlobalTableWitnesses": [{"RegionName": "eu-west-2"}]}, ["global table"]),
        ({"DisassociationProtectionEnabled": True}, ["setting DisassociationProtectionEnabled"]),
        ({"Triggers": {"On": ["put"]}}, ['unknown setting "Triggers"']),
        ({"Triggers": False, "Mode": "", "Parts": [], "Rules": {}, "Other": None}, []),
        ({"Triggers": "DISABLED"}, ['unknown setting "Triggers"']),
        ({"Triggers": 0}, ['unknown setting "Triggers"']),
        (
            {"GlobalSecondaryIndexes": [{**PLAIN["GlobalSecondaryIndexes"][0], "Shape": "SPARSE"}]},
            ['unknown setting "GlobalSecondaryIndexes.by-day.Shape"'],
        ),
        (
            {"SSEDescription": {**PLAIN["SSEDescription"], "Rotation": 90}},
            ['unknown setting "SSEDescription.Rotation"'],
        ),
        (
            {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH", "Order": "DESC"}]},
            ['unknown setting "KeySchema.Order"'],
        ),
    ],
)
def test_what_is_not_copied_is_named(changes: dict[str, Any], labels: list[str]) -> None:
    assert [each.label for each in uncopied_members({**PLAIN, **changes})] == labels


def test_what_is_new_says_where_it_is_and_that_it_is_not_known() -> None:
    found = uncopied_members({**PLAIN, "Triggers": [1], "VectorIndexes": [{"IndexName": "v"}]})
    assert found == [
        Uncopied("VectorIndexes", 'vector index "v"', {"IndexName": "v"}, known=True),
        Uncopied("Triggers", 'unknown setting "Triggers"', [1], known=False),
    ]
