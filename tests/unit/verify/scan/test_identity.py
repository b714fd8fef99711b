"""What was described is what is read and written, and one table is never compared with itself."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablecopy.dynamodb.description import Identity, are_replicas
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.errors import UserError
from tests.unit.verify.items import numbers
from tests.unit.verify.service import FakeTable, Served, serving
from tests.unit.verify.world import World, item, records
from verify.cli import main
from verify.comparison.options import Options
from verify.comparison.run import compare
from verify.repair.live_table import LiveTable, check_repairable
from verify.scan.identity import KeySchema, describe
from verify.scan.processes import Stopped
from verify.scan.table import Table

Captured = pytest.CaptureFixture[str]

ARN = "arn:aws:dynamodb:eu-west-1:111111111111:table/orders"
OTHER_ARN = "arn:aws:dynamodb:eu-west-1:222222222222:table/orders"


def identity(**changes: Any) -> Identity:
    return replace(Identity(ARN, "id-1", "1.5"), **changes)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (identity(), identity(), True),
        (identity(), identity(created=None), True),
        (identity(), identity(arn=OTHER_ARN), False),
        (identity(), identity(table_id="id-2"), False),
        (identity(table_id=None), identity(table_id=None), True),
        (identity(table_id=None), identity(table_id=None, created="2.5"), False),
        (identity(table_id=None, created=None), identity(table_id=None, created=None), True),
        (identity(table_id=None), identity(), True),
        (identity(table_id=None), identity(created="2.5"), False),
    ],
)
def test_arn_and_id_decide_and_in_doubt_it_is_one_table(one: Identity, other: Identity, same: bool) -> None:
    assert one.is_same_as(other) is same
    assert other.is_same_as(one) is same


class Accounts:
    """Two accounts with a table of one name each; the other account's can be reached by its ARN only."""

    def __init__(self, served: Served, mine: FakeTable, theirs: FakeTable, work: Path) -> None:
        self.served, self.mine, self.theirs, self.work = served, mine, theirs, work

    def run(self, source: str, destination: str, *more: str) -> int:
        found = ["--work-dir", str(self.work), "--format", "jsonl", "--writes-stopped"]
        for side, table in (("source", source), ("destination", destination)):
            found += [f"--{side}", table, f"--{side}-endpoint-url", self.served.url]
        return main([*found, *more])


@pytest.fixture
def accounts(world: World, tmp_path: Path) -> Iterator[Accounts]:
    mine = FakeTable([item("mine", n) for n in range(9)], name="orders")
    theirs = FakeTable(name="orders", account="222222222222")
    with serving(mine, theirs) as served:
        yield Accounts(served, mine, theirs, tmp_path)


@pytest.mark.parametrize("source", [ARN, "orders"])
def test_a_table_given_by_its_arn_is_read_by_its_arn(
    accounts: Accounts, source: str, capsys: Captured
) -> None:
    """By its name it would be the caller's own, which equals itself."""
    assert accounts.run(source, OTHER_ARN, "--source-region", "eu-west-1", "--processes", "2") == 1
    *_, summary = records(capsys.readouterr().out)
    assert (summary["missing"], summary["source"], summary["destination"]) == (9, ARN, OTHER_ARN)
    assert {"Scan", "BatchGetItem", "DescribeTable", "DescribeTimeToLive", "DescribeContinuousBackups"} <= {
        operation for operation, _ in accounts.theirs.calls
    }
    for _, request in accounts.theirs.calls:
        assert OTHER_ARN in (
            request.get("TableName"),
            request.get("ResourceArn"),
            *request.get("RequestItems", ()),
        )


def test_an_estimate_samples_the_table_that_the_arn_names(accounts: Accounts) -> None:
    flags = [
        word
        for side, arn in (("source", ARN), ("destination", OTHER_ARN))
        for word in (f"--{side}", arn, f"--{side}-endpoint-url", accounts.served.url)
    ]
    assert main(["estimate", *flags]) == 0
    for table, arn in ((accounts.mine, ARN), (accounts.theirs, OTHER_ARN)):
        scanned = [request["TableName"] for operation, request in table.calls if operation == "Scan"]
        assert scanned
        assert set(scanned) == {arn}


def test_the_region_is_that_of_the_arn(accounts: Accounts, capsys: Captured) -> None:
    assert accounts.run(ARN, OTHER_ARN) == 1
    assert accounts.run(ARN, OTHER_ARN, "--destination-region", "eu-west-2") == 2
    assert capsys.readouterr().err.endswith(
        '--destination-region is "eu-west-2", but the ARN of --destination is in "eu-west-1". '
        "Remove one of them\n"
    )


@pytest.mark.parametrize("arn", [f"{ARN}/index/by-day", f"{ARN}/stream/1", "arn:aws:s3:::orders", "arn:"])
def test_an_arn_of_something_else(accounts: Accounts, arn: str, capsys: Captured) -> None:
    assert accounts.run(arn, OTHER_ARN) == 2
    assert f'--source is "{arn}", which is not a table ARN' in capsys.readouterr().err


def test_an_endpoint_that_describes_another_table_than_was_asked_for(
    accounts: Accounts, capsys: Captured
) -> None:
    accounts.served.by_arn[OTHER_ARN] = accounts.mine
    assert accounts.run("orders", OTHER_ARN, "--source-region", "eu-west-1") == 2
    assert f"destination: asked for {OTHER_ARN}, and the endpoint describes {ARN}" in capsys.readouterr().err


def test_an_answer_for_another_table_is_no_answer(accounts: Accounts) -> None:
    """A table that is not named in the answer has not been shown to lack the keys asked for."""

    stop = threading.Event()

    def send(operation: str, body: bytes) -> bytes:
        stop.set()
        return json.dumps({"Responses": {"other": []}, "UnprocessedKeys": {}}).encode()

    table = Table(Side("source", "orders"), send, accounts.mine.description(), stop=stop)
    with pytest.raises(Stopped):
        table.get([item("mine", 1)], table.reader())


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_one_table_is_one_however_its_endpoint_is_spelled(
    world: World, host: str, slash: str, capsys: Captured
) -> None:
    world.fill(3)
    url = world.served.url.replace("127.0.0.1", host) + slash
    assert world.run("--destination", "cities", "--destination-endpoint-url", url) == 2
    assert "source and destination are the same table, arn:" in capsys.readouterr().err


def test_two_local_aws_may_have_tables_of_one_arn(world: World, tmp_path: Path) -> None:
    world.fill(3)
    other = FakeTable(world.source.items, name="cities")
    other.id = "another"
    with serving(other) as served:
        flags = ("--destination", "cities", "--destination-endpoint-url", served.url)
        assert world.run(*flags) == 0


@pytest.mark.parametrize("side", ["source", "destination"])
def test_a_table_that_is_created_again_while_it_is_read(world: World, side: str, capsys: Captured) -> None:
    world.fill(3)
    table = getattr(world, side)

    def replaced(operation: str) -> None:
        if operation == "Scan":
            table.id = "another"

    table.before = replaced
    assert world.run() == 2
    err = capsys.readouterr().err
    assert f"{side}: {table.arn} was deleted and created again while this run read it" in err
    table.before = lambda operation: None
    assert world.run("--resume") == 2
    assert "no interrupted comparison of these tables" in capsys.readouterr().err


def test_a_name_that_leads_to_another_account_in_the_end(accounts: Accounts) -> None:
    source, destination = accounts.mine.table(), accounts.theirs.table("destination")

    def moved(operation: str) -> None:
        if operation == "Scan":
            accounts.theirs.arn = ARN

    accounts.theirs.before = moved
    with pytest.raises(UserError, match=f"destination: orders is now {ARN}, and was {OTHER_ARN}"):
        compare(source, destination, Options(writes_stopped=True))


REPLICA = "arn:aws:dynamodb:us-east-1:111111111111:table/orders"


@pytest.mark.parametrize(
    ("source", "destination", "replicas"),
    [
        ({"TableArn": ARN}, {"TableArn": REPLICA}, False),
        ({"TableArn": ARN, "Replicas": [{"RegionName": "us-east-1"}]}, {"TableArn": REPLICA}, True),
        ({"TableArn": ARN}, {"TableArn": REPLICA, "Replicas": [{"RegionName": "eu-west-1"}]}, True),
        ({"TableArn": ARN, "Replicas": [{"RegionName": "us-east-2"}]}, {"TableArn": REPLICA}, False),
        ({"TableArn": ARN, "Replicas": [{"RegionName": "eu-west-1"}]}, {"TableArn": OTHER_ARN}, False),
        (
            {"TableArn": ARN, "Replicas": [{"RegionName": "eu-west-1", "ReplicaArn": OTHER_ARN}]},
            {"TableArn": OTHER_ARN},
            True,
        ),
    ],
)
def test_replicas_of_one_global_table_are_not_repaired(
    source: dict[str, Any], destination: dict[str, Any], replicas: bool
) -> None:
    assert are_replicas(source, destination) is replicas
    client: Any = None
    tables = (
        LiveTable(Side("source"), client, source),
        LiveTable(Side("destination"), client, destination),
    )
    if replicas:
        with pytest.raises(UserError, match="are replicas of one global table"):
            check_repairable(*tables)
    else:
        check_repairable(*tables)


def test_a_repair_of_a_table_by_itself(world: World, tmp_path: Path, capsys: Captured) -> None:
    world.fill(1, missing=1)
    plan = tmp_path / "plan.jsonl"
    assert world.run("--repair-plan", str(plan)) == 1
    flags = [str(plan), "--writes-stopped", "--apply"]
    for side in ("source", "destination"):
        flags += [f"--{side}", "cities", f"--{side}-region", "eu-west-1"]
        flags += [f"--{side}-endpoint-url", world.served.url]
    assert main(["repair", *flags]) == 2
    assert "source and destination are the same table, arn:" in capsys.readouterr().err


def test_members_that_botocore_does_not_know_are_kept(world: World) -> None:
    plain = world.source.description()
    answer = json.dumps({"Table": {**plain, "Triggers": {"On": ["put"]}}}).encode()
    world.served.instead = lambda operation, body: (200, answer)
    side = Side("source", "cities", "eu-west-1", endpoint_url=world.served.url)
    client = boto3.client("dynamodb", "eu-west-1", endpoint_url=world.served.url)
    for _ in range(2):
        assert describe(client, side) == {**plain, "Triggers": {"On": ["put"]}}


SCHEMA = KeySchema((("pk", "S"), ("sk", "N")))


def key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"N": sk}}


def test_numeric_keys_are_equal_by_value() -> None:
    assert (
        SCHEMA.identity(key("a", "1")) == SCHEMA.identity(key("a", "1.0")) == SCHEMA.identity(key("a", "1E0"))
    )
    assert SCHEMA.identity(key("a", "1")) != SCHEMA.identity(key("a", "10"))


def test_parts_of_a_key_do_not_run_together() -> None:
    schema = KeySchema((("pk", "S"), ("sk", "S")))
    one = {"pk": {"S": "aS1:b"}, "sk": {"S": "c"}}
    other = {"pk": {"S": "a"}, "sk": {"S": "bS1:c"}}
    assert schema.identity(one) != schema.identity(other)


def test_a_key_is_read_back_from_its_row() -> None:
    assert SCHEMA.of_row('"Z\\"\\u00fc\\n"', '"-1.5"') == key('Z"ü\n', "-1.5")
    assert KeySchema((("id", "B"),)).of_row('"AP8="', "-") == {"id": {"B": "AP8="}}


def test_keys_sort_by_value_not_by_spelling() -> None:
    keys = [key("b", "1"), key("a", "10"), key("a", "9"), key("a", "-3"), key("aa", "0"), key("a", "0")]
    assert sorted(keys, key=SCHEMA.order) == [
        key("a", "-3"),
        key("a", "0"),
        key("a", "9"),
        key("a", "10"),
        key("aa", "0"),
        key("b", "1"),
    ]


@given(numbers, numbers)
def test_numbers_sort_by_value(one: str, other: str) -> None:
    order = KeySchema((("id", "N"),)).order
    first, second = order({"id": {"N": one}}), order({"id": {"N": other}})
    assert (first < second) == (Decimal(one) < Decimal(other))
    assert (first == second) == (Decimal(one) == Decimal(other))


@given(*[st.tuples(st.binary(max_size=3), st.binary(max_size=3))] * 2)
def test_binary_keys_sort_by_their_bytes_part_by_part(
    one: tuple[bytes, bytes], other: tuple[bytes, bytes]
) -> None:
    schema = KeySchema((("pk", "B"), ("sk", "B")))

    def order(parts: tuple[bytes, bytes]) -> bytes:
        pk, sk = (b64encode(part).decode() for part in parts)
        return schema.order({"pk": {"B": pk}, "sk": {"B": sk}})

    assert (order(one) < order(other)) == (one < other)


def test_the_schema_is_read_from_the_table_description() -> None:
    description = {
        "KeySchema": [
            {"AttributeName": "sk", "KeyType": "RANGE"},
            {"AttributeName": "pk", "KeyType": "HASH"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "index", "AttributeType": "B"},
            {"AttributeName": "sk", "AttributeType": "N"},
            {"AttributeName": "pk", "AttributeType": "S"},
        ],
    }
    assert KeySchema.of(description) == SCHEMA
    assert str(SCHEMA) == "pk (S), sk (N)"


def test_an_item_gives_its_key() -> None:
    with pytest.raises(KeyError):
        SCHEMA.key_of({"pk": {"S": "a"}})
    assert SCHEMA.key_of({**key("a", "1.0"), "x": {"S": "y"}}) == key("a", "1.0")
