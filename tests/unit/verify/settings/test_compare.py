"""Definitions: what differs, which way, how bad that is, and the command that fixes it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.errors import UserError
from tests.unit.verify.definitions import (
    KEY_ARN,
    compare,
    described,
    encrypted,
    error,
    includes,
    index,
    maximum,
    one,
    parameters,
    provisioned,
    read,
    request_of,
    streaming,
    throughput,
    warm,
    with_index,
)
from verify.scan.identity import describe
from verify.settings.compare import compare_definitions, read_definition
from verify.settings.findings import Finding


def test_equal_tables_have_no_findings() -> None:
    assert compare() == []
    full = {
        "table": described(
            **maximum(5, -1),
            **warm(10, 10),
            GlobalSecondaryIndexes=[index()],
            LocalSecondaryIndexes=[index(IndexName="local")],
        ),
        "expires_by": "ttl",
        "recovery": {"PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": 7},
        "tags": [{"a": "1"}],
    }
    assert compare(full, full) == []


@pytest.mark.parametrize(
    ("poorer", "richer", "aspect", "poorer_destination", "richer_destination"),
    [
        (described(), with_index(index()), "global_index by-day", "data", "cost"),
        (described(), with_index(index(), "Local"), "local_index by-day", "data", "cost"),
        (
            with_index(includes("a")),
            with_index(index()),
            "global_index by-day: projection",
            "data",
            "cost",
        ),
        (
            with_index(includes(), "Local"),
            with_index(includes("a"), "Local"),
            "local_index by-day: projection",
            "data",
            "cost",
        ),
        (
            with_index(includes("a", "b")),
            with_index(includes("a", "c")),
            "global_index by-day: projection",
            "data",
            "data",
        ),
        (
            with_index(index()),
            with_index(index(KeySchema=[{"AttributeName": "hour", "KeyType": "HASH"}])),
            "global_index by-day: key",
            "data",
            "data",
        ),
        (provisioned(5, 5), provisioned(5, 6), "provisioned_throughput", "data", "cost"),
        (provisioned(5, 5), provisioned(6, 5), "provisioned_throughput", "data", "cost"),
        (provisioned(5, 6), provisioned(6, 5), "provisioned_throughput", "data", "data"),
        (
            provisioned(5, 5, GlobalSecondaryIndexes=[index(**throughput(1, 1))]),
            provisioned(5, 5, GlobalSecondaryIndexes=[index(**throughput(1, 2))]),
            "global_index by-day: provisioned_throughput",
            "data",
            "cost",
        ),
        (provisioned(5, 5), described(), "billing_mode", "data", "cost"),
        (described(**maximum(5, 5)), described(), "on_demand_maximum", "data", "cost"),
        (described(**maximum(5, 5)), described(**maximum(5, -1)), "on_demand_maximum", "data", "cost"),
        (
            with_index(index(**maximum(5, 5))),
            with_index(index(**maximum(6, 5))),
            "global_index by-day: on_demand_maximum",
            "data",
            "cost",
        ),
        (described(**warm(5, 5)), described(**warm(6, 5)), "warm_throughput", "data", "cosmetic"),
        (described(**warm(5, 6)), described(**warm(6, 5)), "warm_throughput", "data", "data"),
        (
            with_index(index(**warm(5, 5))),
            with_index(index(**warm(5, 6))),
            "global_index by-day: warm_throughput",
            "data",
            "cosmetic",
        ),
        (
            described(),
            described(TableClassSummary={"TableClass": "STANDARD_INFREQUENT_ACCESS"}),
            "table_class",
            "cost",
            "cost",
        ),
        (described(), encrypted(f"{KEY_ARN}-aws"), "encryption", "data", "cost"),
        (described(), encrypted(), "encryption", "data", "cost"),
        (described(), encrypted(f"{KEY_ARN}-denied"), "encryption", "data", "cost"),
        (encrypted(f"{KEY_ARN}-aws"), encrypted(), "encryption", "data", "cost"),
        (described(), streaming("KEYS_ONLY"), "stream", "data", "cosmetic"),
        (streaming("KEYS_ONLY"), streaming("NEW_IMAGE"), "stream", "data", "cosmetic"),
        (streaming("OLD_IMAGE"), streaming("NEW_IMAGE"), "stream", "data", "data"),
        (streaming("NEW_IMAGE"), streaming("NEW_AND_OLD_IMAGES"), "stream", "data", "cosmetic"),
        ({}, {"expires_by": "ttl"}, "time_to_live", "cost", "data"),
        ({"expires_by": "a"}, {"expires_by": "b"}, "time_to_live", "data", "data"),
        (
            {},
            {"recovery": {"PointInTimeRecoveryStatus": "ENABLED"}},
            "point_in_time_recovery",
            "data",
            "cost",
        ),
        ({"tags": [{"a": "1"}]}, {"tags": [{"a": "2"}]}, "tags", "cosmetic", "cosmetic"),
    ],
)
def test_each_rule_in_both_directions(
    poorer: Any, richer: Any, aspect: str, poorer_destination: str, richer_destination: str
) -> None:
    forth, back = one(richer, poorer), one(poorer, richer)
    assert (forth.aspect, forth.severity) == (aspect, poorer_destination)
    assert (back.aspect, back.severity) == (aspect, richer_destination)
    assert (forth.source, forth.destination) == (back.destination, back.source)
    assert forth.text.endswith(".")
    assert json.loads(json.dumps(forth.record())) == {
        "type": "finding",
        "aspect": aspect,
        "severity": poorer_destination,
        "source": forth.source,
        "destination": forth.destination,
        "text": forth.text,
        "fix": forth.fix,
    }


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        # What AWS leaves out is what it has by default.
        (
            described(
                TableClassSummary={"TableClass": "STANDARD"},
                DeletionProtectionEnabled=False,
                SSEDescription={"Status": "DISABLED"},
                StreamSpecification={"StreamEnabled": False},
                **maximum(-1, -1),
            ),
            described(),
        ),
        # A key belongs to its account: another one is no difference.
        (encrypted(), encrypted(f"{KEY_ARN}-other")),
        (described(SSEDescription={"Status": "ENABLED", "SSEType": "AES256"}), described()),
        # Attributes without order; definitions that no key uses.
        (with_index(includes("a", "b")), with_index(includes("b", "a"))),
        (described(), described(AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])),
        # Not reported by both sides: not comparable.
        (described(**warm(5, 5)), described()),
        ({"tags": [{"aws:cloudformation:stack": "a", "b": "1"}]}, {"tags": [{"b": "1"}]}),
        (
            {"recovery": {"PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": 35}},
            {"recovery": {"PointInTimeRecoveryStatus": "ENABLED"}},
        ),
    ],
)
def test_what_is_no_difference(source: Any, destination: Any) -> None:
    assert compare(source, destination) == []
    assert compare(destination, source) == []


def test_the_type_of_an_index_key_counts() -> None:
    other = with_index(index())
    other["AttributeDefinitions"] = [{"AttributeName": "day", "AttributeType": "N"}]
    found = one(with_index(index()), other)
    assert (found.aspect, found.severity) == ("global_index by-day: key", "data")
    assert found.destination == [{"name": "day", "type": "N", "role": "HASH"}]


def test_a_table_that_never_was_on_demand_does_not_say_so() -> None:
    silent = provisioned(5, 5)
    del silent["BillingModeSummary"]
    assert [finding.aspect for finding in compare(silent, provisioned(5, 5))] == []


def test_findings_come_by_severity_then_by_aspect() -> None:
    source = {"table": streaming("KEYS_ONLY"), "expires_by": "ttl", "tags": [{"a": "1"}]}
    destination = {
        "table": described(
            TableClassSummary={"TableClass": "STANDARD_INFREQUENT_ACCESS"},
            GlobalSecondaryIndexes=[index()],
        ),
    }
    assert [(finding.severity, finding.aspect) for finding in compare(source, destination)] == [
        ("data", "stream"),
        ("cost", "global_index by-day"),
        ("cost", "table_class"),
        ("cost", "time_to_live"),
        ("cosmetic", "tags"),
    ]


@pytest.mark.parametrize(
    ("source", "destination", "said", "fix"),
    [
        (provisioned(5, 5), provisioned(5, 4), "lower write units", "aws "),
        (provisioned(5, 6), provisioned(6, 5), "lower write and higher read units", "aws "),
        (provisioned(5, 5), provisioned(4, 4), "lower read and write units", "aws "),
        (provisioned(5, 5), provisioned(5, 4), "throttled", "aws "),
        (provisioned(5, 5), provisioned(5, 6), "higher write units provisioned", "aws "),
        (provisioned(5, 5), provisioned(5, 6), "charged whether used or not", "aws "),
        (described(), described(**maximum(5, 5)), "throttled", "aws "),
        (described(**maximum(5, 5)), described(), "limits the cost of on-demand requests", "aws "),
        (with_index(includes("a")), with_index(includes()), "lacks a.", "Delete the index"),
        (with_index(includes(), "Local"), with_index(includes("a b"), "Local"), '"a b"', "A local index"),
        (with_index(index()), with_index(includes("a")), "lacks all other attributes", "Delete the index"),
        (described(), with_index(index()), "are rejected.", "aws "),
        (described(), with_index(index(), "Local"), "beyond 10 GB with the same partition key", "A local"),
        (described(DeletionProtectionEnabled=True), described(), "is off on the destination", "aws "),
        (encrypted(), described(), "who can read", "Choose a customer managed key"),
        (encrypted(f"{KEY_ARN}-denied"), described(), "with a KMS key", "Choose a key like the source's"),
        (streaming("NEW_IMAGE"), streaming("OLD_IMAGE"), "miss images of NEW_IMAGE", "The view type"),
    ],
)
def test_texts_say_what_it_does_and_what_fixes_it(source: Any, destination: Any, said: str, fix: str) -> None:
    found = one(source, destination)
    assert said in found.text
    assert found.fix is not None
    assert found.fix.startswith(fix)


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnknownOperationException"])
@pytest.mark.parametrize(
    ("argument", "aspect", "permission"),
    [
        ("expires_by", "time_to_live", "dynamodb:DescribeTimeToLive"),
        ("recovery", "point_in_time_recovery", "dynamodb:DescribeContinuousBackups"),
        ("tags", "tags", "dynamodb:ListTagsOfResource"),
    ],
)
def test_what_may_not_be_read_is_unknown(argument: str, aspect: str, permission: str, code: str) -> None:
    known = {"expires_by": "ttl", "recovery": {"PointInTimeRecoveryStatus": "ENABLED"}, "tags": [{"a": "1"}]}
    values = {"expires_by": "ttl", "recovery": {"days": 35}, "tags": {"a": "1"}}
    found = one({**known, argument: error(code)}, known)
    assert (found.aspect, found.severity) == (aspect, "cosmetic")
    assert (found.source, found.destination) == ("unknown", values[argument])
    assert permission in found.text
    assert "source" in found.text
    denied = f"Allow {permission} on the source, then run verify again."
    assert found.fix == (denied if code == "AccessDeniedException" else None)
    both = one({**known, argument: error(code)}, {**known, argument: error(code)})
    assert (both.source, both.destination) == ("unknown", "unknown")
    assert both.text.count(permission) == 2


@pytest.mark.parametrize("key", [f"{KEY_ARN}-denied", f"{KEY_ARN}-unreachable", None])
def test_which_kind_of_kms_key_it_is_may_stay_unknown(key: str | None) -> None:
    found = one(encrypted(), encrypted(key))
    assert (found.aspect, found.severity) == ("encryption", "cosmetic")
    assert (found.source, found.destination) == ("customer", "kms")
    assert "kms:DescribeKey" in found.text
    denied = "Allow kms:DescribeKey on the destination, then run verify again."
    assert found.fix == (denied if key and key.endswith("denied") else None)


@pytest.mark.parametrize("argument", ["expires_by", "recovery", "tags"])
def test_other_errors_are_errors_and_name_the_side(argument: str) -> None:
    with pytest.raises(UserError, match=r"^source: .*ThrottlingException"):
        read("source", **{argument: error("ThrottlingException")})


def test_all_pages_of_tags_are_read() -> None:
    found = one({"tags": [{"a": "1"}, {}, {"b": "2"}]}, {"tags": [{"a": "1"}]})
    assert found.source == {"b": "2"}


def test_time_to_live_stays_off_until_the_cutover() -> None:
    found = one({"expires_by": "ttl"}, {})
    assert "until the cutover" in found.text
    assert found.fix == (
        "at the cutover: aws dynamodb update-time-to-live --table-name orders "
        "--time-to-live-specification Enabled=true,AttributeName=ttl --region eu-west-1"
    )
    off = one({}, {"expires_by": "ttl"}).fix
    assert parameters(off) == {"TimeToLiveSpecification": {"Enabled": False, "AttributeName": "ttl"}}


def test_warm_throughput_is_only_ever_raised() -> None:
    found = one(described(**warm(5, 6)), described(**warm(7, 5)))
    assert "provider 5.x cannot set it" in found.text
    assert found.fix == (
        "aws dynamodb update-table --table-name orders "
        "--warm-throughput ReadUnitsPerSecond=7,WriteUnitsPerSecond=6 --region eu-west-1"
    )
    assert one(described(**warm(5, 5)), described(**warm(7, 5))).fix is None


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        (
            with_index(includes("b", "a")),
            described(),
            {
                "AttributeDefinitions": [{"AttributeName": "day", "AttributeType": "S"}],
                "GlobalSecondaryIndexUpdates": [
                    {
                        "Create": {
                            "IndexName": "by-day",
                            "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
                            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["a", "b"]},
                        }
                    }
                ],
            },
        ),
        (
            described(),
            with_index(index()),
            {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by-day"}}]},
        ),
        (
            with_index(index(**maximum(5, -1))),
            with_index(index()),
            {"GlobalSecondaryIndexUpdates": [{"Update": {"IndexName": "by-day", **maximum(5, -1)}}]},
        ),
        (described(**maximum(5, 6)), described(), maximum(5, 6)),
        (described(), described(**maximum(5, 6)), maximum(-1, -1)),
        (provisioned(5, 6), provisioned(1, 1), throughput(5, 6)),
        (
            described(),
            described(TableClassSummary={"TableClass": "STANDARD_INFREQUENT_ACCESS"}),
            {"TableClass": "STANDARD"},
        ),
        (described(DeletionProtectionEnabled=True), described(), {"DeletionProtectionEnabled": True}),
        (
            encrypted(f"{KEY_ARN}-aws"),
            described(),
            {"SSESpecification": {"Enabled": True, "SSEType": "KMS"}},
        ),
        (
            streaming("KEYS_ONLY"),
            described(),
            {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}},
        ),
        (
            {"recovery": {"PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": 7}},
            {},
            {
                "PointInTimeRecoverySpecification": {
                    "PointInTimeRecoveryEnabled": True,
                    "RecoveryPeriodInDays": 7,
                }
            },
        ),
    ],
)
def test_commands_give_the_destination_what_the_source_has(
    source: Any, destination: Any, expected: dict[str, Any]
) -> None:
    assert parameters(one(source, destination).fix) == expected


def test_an_index_made_at_a_provisioned_table_gets_units() -> None:
    own = index(**throughput(1, 2))
    (create,) = parameters(one(provisioned(5, 5, GlobalSecondaryIndexes=[own]), provisioned(5, 5)).fix)[
        "GlobalSecondaryIndexUpdates"
    ]
    assert create["Create"]["ProvisionedThroughput"] == throughput(1, 2)["ProvisionedThroughput"]
    found = {finding.aspect: finding for finding in compare(with_index(index()), provisioned(5, 6))}
    (create,) = parameters(found["global_index by-day"].fix)["GlobalSecondaryIndexUpdates"]
    assert create["Create"]["ProvisionedThroughput"] == throughput(5, 6)["ProvisionedThroughput"]


def test_an_index_made_on_demand_gets_its_maximum() -> None:
    (create,) = parameters(one(with_index(index(**maximum(5, -1))), described()).fix)[
        "GlobalSecondaryIndexUpdates"
    ]
    assert create["Create"]["OnDemandThroughput"] == maximum(5, -1)["OnDemandThroughput"]


def test_provisioning_provisions_the_indexes_too() -> None:
    own, other = index(**throughput(1, 2)), index(IndexName="other")
    source = provisioned(5, 6, GlobalSecondaryIndexes=[own])
    destination = described(GlobalSecondaryIndexes=[index(), other])
    found = {finding.aspect: finding for finding in compare(source, destination)}
    assert parameters(found["billing_mode"].fix) == {
        "BillingMode": "PROVISIONED",
        **throughput(5, 6),
        "GlobalSecondaryIndexUpdates": [
            {"Update": {"IndexName": "by-day", **throughput(1, 2)}},
            {"Update": {"IndexName": "other", **throughput(5, 6)}},
        ],
    }
    assert parameters(one(described(), provisioned(5, 6)).fix) == {"BillingMode": "PAY_PER_REQUEST"}


SEVEN_DAYS = {"PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": 7}
RECOVERABLE = {"PointInTimeRecoveryStatus": "ENABLED"}


@pytest.mark.parametrize(
    ("source", "destination", "aspects"),
    [
        (described(), described(DeletionProtectionEnabled=True), []),
        ({"recovery": SEVEN_DAYS}, {"recovery": RECOVERABLE}, []),
        ({}, {"recovery": RECOVERABLE}, ["point_in_time_recovery"]),
        (described(), encrypted(), ["encryption"]),
        (described(), encrypted(f"{KEY_ARN}-aws"), ["encryption"]),
        (encrypted(f"{KEY_ARN}-aws"), encrypted(), ["encryption"]),
        (described(), streaming("NEW_IMAGE"), ["stream"]),
        (streaming("NEW_IMAGE"), streaming("NEW_AND_OLD_IMAGES"), ["stream"]),
        ({}, {"tags": [{"backup": "daily"}]}, ["tags: extra"]),
    ],
)
def test_nothing_that_protects_the_destination_is_taken_away(
    source: Any, destination: Any, aspects: list[str]
) -> None:
    """What it has beyond the source may be there on purpose, as the module's deletion protection is."""
    found = compare(source, destination)
    assert [finding.aspect for finding in found] == aspects
    assert [finding.fix for finding in found] == [None] * len(aspects)
    # The other way round it is missing, and there is a command to have it.
    assert all(finding.fix for finding in compare(destination, source))


def test_tags_are_set_and_never_taken_away() -> None:
    hostile = {"file:///etc/passwd": "it's; $(reboot)", "--x": "a,b=c"}
    set_them = one({"tags": [hostile]}, {}).fix
    _, method, found = request_of(set_them)
    assert method == "tag_resource"
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"]} == hostile
    assert found["ResourceArn"] == "arn:aws:dynamodb:eu-west-1:222222222222:table/orders"
    for key in hostile:
        extra = one({}, {"tags": [{key: "1"}]})
        assert (extra.aspect, extra.severity, extra.fix) == ("tags: extra", "cosmetic", None)


@pytest.mark.parametrize(
    "evil", ["\x1b[2J", "\x07", "\x9b31m", "\u202egnp.exe", "a\nb", "\x7f", "'; reboot #"]
)
def test_names_steer_neither_terminal_nor_shell(evil: str) -> None:
    expires = [one({}, {"expires_by": evil}), one({"expires_by": evil}, {})]
    off = parameters(expires[0].fix)
    assert off["TimeToLiveSpecification"]["AttributeName"] == evil
    tags = [one({"tags": [{evil: evil}]}, {}), one({}, {"tags": [{evil: evil}]})]
    named = with_index(index(IndexName=f"by-{evil}", KeySchema=[{"AttributeName": evil, "KeyType": "HASH"}]))
    named["AttributeDefinitions"] = [{"AttributeName": evil, "AttributeType": "S"}]
    indexes = [one(named, described()), one(described(), named)]
    created = parameters(indexes[0].fix)
    assert created["AttributeDefinitions"] == [{"AttributeName": evil, "AttributeType": "S"}]
    projections = compare(with_index(includes(evil)), with_index(includes("a")))
    for finding in [*expires, *tags, *indexes, *projections]:
        assert finding.aspect.isprintable()
        assert finding.text.isprintable()
        assert (finding.fix or "").isprintable()


def test_commands_lead_to_the_account_of_the_table() -> None:
    side = Side("destination", region="eu-central-1", profile="new one", endpoint_url="http://localhost:1")
    here, there = read("source", described(DeletionProtectionEnabled=True)), read("destination", side=side)
    (found,) = compare_definitions(here, there)
    assert found.fix == (
        "aws dynamodb update-table --table-name orders --deletion-protection-enabled "
        "--region eu-central-1 --profile 'new one' --endpoint-url http://localhost:1"
    )


def test_a_table_whose_name_begins_with_a_dash() -> None:
    there = dataclasses.replace(read("destination"), name="--x")
    (found,) = compare_definitions(read("source", described(DeletionProtectionEnabled=True)), there)
    assert found.fix is not None
    assert found.fix.startswith("aws dynamodb update-table --table-name=--x --deletion")


def test_real_tables_are_fixed_by_the_commands(moto_account: Callable[..., tuple[Any, Any]]) -> None:
    source, destination = (WithWhatMotoLacks(client) for client in moto_account())
    sides = (Side("source", "orders", "eu-west-1"), Side("destination", "orders", "eu-central-1"))

    def findings() -> list[Finding]:
        return compare_definitions(
            read_definition(source, sides[0], describe(source, sides[0])),
            read_definition(destination, sides[1], describe(destination, sides[1])),
        )

    found = findings()
    assert [(finding.severity, finding.aspect) for finding in found] == [
        ("data", "deletion_protection"),
        ("data", "encryption"),
        ("data", "global_index by-day"),
        ("data", "point_in_time_recovery"),
        ("data", "stream"),
        ("cost", "time_to_live"),
        ("cosmetic", "tags"),
    ]
    for finding in found:
        if finding.aspect == "encryption":
            continue
        assert finding.fix is not None
        _, method, request = request_of(finding.fix.removeprefix("at the cutover: "))
        getattr(destination, method)(**request)
    assert [finding.aspect for finding in findings()] == ["encryption"]
    assert found[1].destination == "aws_owned"
    assert found[1].source == "customer"


class WithWhatMotoLacks:
    """A client of moto's, and two calls that it has not implemented."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def describe_kinesis_streaming_destination(self, **request: Any) -> Any:
        return {"KinesisDataStreamDestinations": []}

    def describe_contributor_insights(self, **request: Any) -> Any:
        return {"ContributorInsightsStatus": "DISABLED"}


@pytest.fixture
def moto_account(aws: None) -> Callable[..., tuple[Any, Any]]:
    """A table with everything, and one of its name with nothing, in two regions."""

    def create() -> tuple[Any, Any]:
        source = boto3.client("dynamodb", region_name="eu-west-1")
        destination = boto3.client("dynamodb", region_name="eu-central-1")
        key = boto3.client("kms", region_name="eu-west-1").create_key()["KeyMetadata"]["Arn"]
        plain: Any = {
            "TableName": "orders",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        }
        destination.create_table(**plain)
        source.create_table(
            **{
                **plain,
                "AttributeDefinitions": [
                    *plain["AttributeDefinitions"],
                    {"AttributeName": "day", "AttributeType": "S"},
                ],
                "GlobalSecondaryIndexes": [index()],
                "DeletionProtectionEnabled": True,
                "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
                "SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
                # More than moto puts on a page.
                "Tags": [{"Key": f"tag {number:02}", "Value": "x,y"} for number in range(25)],
            }
        )
        source.update_time_to_live(
            TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
        )
        source.update_continuous_backups(
            TableName="orders",
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7},
        )
        return source, destination

    return create
