"""Applying a plan, against DynamoDB in process (moto)."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.items import to_json
from verify.repair.apply import Outcome, Repair
from verify.repair.live_table import LiveTable, digest_of
from verify.repair.plan import Action
from verify.scan.identity import describe

Stored = dict[str, Any]

TABLE = "cities"


class Spy:
    """A DynamoDB client that counts writes and lets a test come in between."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.writes: list[str] = []
        self.before_write: Callable[[dict[str, Any]], None] = lambda request: None
        self.after_write: Callable[[dict[str, Any]], None] = lambda request: None

    def get_item(self, **request: Any) -> Any:
        assert request["ConsistentRead"] is True
        return self.client.get_item(**request)

    def put_item(self, **request: Any) -> Any:
        return self._write("put_item", request)

    def delete_item(self, **request: Any) -> Any:
        return self._write("delete_item", request)

    def describe_table(self, **request: Any) -> Any:
        return self.client.describe_table(**request)

    def _write(self, operation: str, request: dict[str, Any]) -> Any:
        assert request["ConditionExpression"]
        self.before_write(request)
        response = getattr(self.client, operation)(**request)
        self.writes.append(operation)
        self.after_write(request)
        return response


class Tables:
    """A source and a destination."""

    def __init__(self) -> None:
        self.clients: list[Any] = []
        live = []
        for name, region in (("source", "eu-west-1"), ("destination", "eu-central-1")):
            client = boto3.client("dynamodb", region_name=region)
            client.create_table(
                TableName=TABLE,
                KeySchema=[
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                AttributeDefinitions=[
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "B"},
                ],
                BillingMode="PAY_PER_REQUEST",
            )
            self.clients.append(client)
            spy: Any = Spy(client)
            side = Side(name, TABLE, region)
            live.append(LiveTable(side, spy, describe(client, side)))
        self.source, self.destination = live
        self.spy: Spy = self.destination.client  # type: ignore[assignment]

    def put(self, *items: Stored, source: bool = False, destination: bool = False) -> None:
        for client, wanted in zip(self.clients, (source, destination), strict=True):
            for item in items if wanted else ():
                client.put_item(TableName=TABLE, Item=item)

    def all(self, side: int) -> dict[str, Stored]:
        found = self.clients[side].scan(TableName=TABLE, ConsistentRead=True)["Items"]
        return {item["pk"]["S"]: item for item in found}

    def repair(self, *actions: Action, write: bool = True, threads: int = 1) -> list[Outcome]:
        repair = Repair(self.source, self.destination, write=write, threads=threads)
        return list(repair.outcomes(actions))


@pytest.fixture
def tables(aws: None) -> Tables:
    return Tables()


def item(pk: str, **attributes: Any) -> Stored:
    return {"pk": {"S": pk}, "sk": {"B": b"\x00\xff"}, **attributes}


def key(pk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"B": "AP8="}}


def action(pk: str, source: Stored | None, destination: Stored | None) -> Action:
    name: Any = "put" if destination is None else "delete" if source is None else "replace"
    return Action(name, key(pk), digest_of(source), digest_of(destination))


OLD = item("a", n={"N": "1"}, tags={"SS": ["x", "y"]}, gone={"BS": [b"\x00"]}, deep={"M": {"l": {"L": []}}})
NEW = item("a", n={"N": "2"}, tags={"SS": ["x", "y"]}, come={"NULL": True}, deep={"M": {"l": {"L": []}}})
OTHER = item("a", n={"N": "3"})


@pytest.mark.parametrize(("source", "destination"), [(NEW, None), (NEW, OLD), (None, OLD)])
def test_what_the_plan_says_is_done_once(
    tables: Tables, source: Stored | None, destination: Stored | None
) -> None:
    if source:
        tables.put(source, source=True)
    if destination:
        tables.put(destination, destination=True)
    doing = action("a", source, destination)
    assert tables.repair(doing, write=False) == [Outcome(doing, "would")]
    assert tables.all(1) == ({"a": destination} if destination else {})
    assert tables.repair(doing) == [Outcome(doing, "done")]
    assert tables.all(1) == ({"a": source} if source else {})
    assert tables.repair(doing) == [Outcome(doing, "already")]
    assert tables.repair(doing, write=False) == [Outcome(doing, "already")]
    assert len(tables.spy.writes) == 1


@pytest.mark.parametrize(
    ("seen", "now", "reason"),
    [
        (NEW, OTHER, "the item was changed"),
        (NEW, None, "the item was deleted"),
        (None, NEW, "the item was created"),
    ],
)
@pytest.mark.parametrize("write", [True, False])
def test_what_has_changed_at_the_source_is_left_alone(
    tables: Tables, seen: Stored | None, now: Stored | None, reason: str, write: bool
) -> None:
    if now:
        tables.put(now, source=True)
    tables.put(OLD, destination=True)
    doing = action("a", seen, OLD)
    assert tables.repair(doing, write=write) == [Outcome(doing, "changed_at_source", reason)]
    assert tables.all(1) == {"a": OLD}
    assert tables.spy.writes == []


@pytest.mark.parametrize(
    ("source", "seen", "now", "reason"),
    [
        (NEW, OLD, OTHER, "the item was changed"),
        (NEW, OLD, None, "the item was deleted"),
        (NEW, None, OTHER, "the item was created"),
        (None, OLD, OTHER, "the item was changed"),
    ],
)
@pytest.mark.parametrize("write", [True, False])
def test_what_has_changed_at_the_destination_is_left_alone(
    tables: Tables, source: Stored | None, seen: Stored | None, now: Stored | None, reason: str, write: bool
) -> None:
    if source:
        tables.put(source, source=True)
    if now:
        tables.put(now, destination=True)
    doing = action("a", source, seen)
    assert tables.repair(doing, write=write) == [Outcome(doing, "changed_at_destination", reason)]
    assert tables.all(1) == ({"a": now} if now else {})
    assert tables.spy.writes == []


@pytest.mark.parametrize(("source", "destination"), [(NEW, None), (NEW, OLD), (None, OLD)])
@pytest.mark.parametrize(
    "meanwhile",
    [
        OTHER,
        {**OLD, "n": {"N": "1.5"}},
        {**OLD, "tags": {"SS": ["x"]}},
        {**OLD, "deep": {"M": {"l": {"L": [{"S": ""}]}}}},
        {**OLD, "come": {"S": "x"}},
        {**OLD, "unheard": {"S": "x"}},
    ],
)
def test_what_is_written_between_reading_and_writing_survives(
    tables: Tables, source: Stored | None, destination: Stored | None, meanwhile: Stored
) -> None:
    if source:
        tables.put(source, source=True)
    if destination:
        tables.put(destination, destination=True)

    def come_between(_: Any) -> None:
        tables.spy.before_write = lambda request: None
        tables.put(meanwhile, destination=True)

    tables.spy.before_write = come_between
    (outcome,) = tables.repair(action("a", source, destination))
    assert outcome.result == "changed_at_destination"
    assert "at the same time" in outcome.reason
    assert tables.all(1) == {"a": meanwhile}


@pytest.mark.parametrize("source", [NEW, None])
def test_what_is_deleted_between_reading_and_writing_stays_deleted(
    tables: Tables, source: Stored | None
) -> None:
    if source:
        tables.put(source, source=True)
    tables.put(OLD, destination=True)
    tables.spy.before_write = lambda request: tables.clients[1].delete_item(
        TableName=TABLE, Key={name: OLD[name] for name in ("pk", "sk")}
    )
    (outcome,) = tables.repair(action("a", source, OLD))
    assert outcome.result == ("changed_at_destination" if source else "already")
    assert tables.all(1) == {}
    assert tables.spy.writes == []


def test_what_cannot_be_put_back_is_told(tables: Tables) -> None:
    tables.put(NEW, source=True)
    tables.put(OLD, destination=True)
    tables.spy.before_write = lambda request: tables.put({**OLD, "more": {"S": "x"}}, destination=True)
    tables.spy.after_write = lambda request: tables.put(OTHER, destination=True)
    (outcome,) = tables.repair(action("a", NEW, OLD))
    assert outcome.result == "failed"
    assert outcome.reason == (
        "an attribute that was added at the same time was overwritten and could not be restored"
    )


def failing(code: str, message: str = "no\nway") -> Callable[[Any], None]:
    def fail(_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": message}}, "PutItem")

    return fail


@pytest.mark.parametrize(("source", "destination"), [(NEW, None), (NEW, OLD), (None, OLD)])
def test_a_write_whose_answer_was_lost_is_no_change(
    tables: Tables, source: Stored | None, destination: Stored | None
) -> None:
    if source:
        tables.put(source, source=True)
    if destination:
        tables.put(destination, destination=True)
    tables.spy.after_write = failing("ConditionalCheckFailedException")
    (outcome,) = tables.repair(action("a", source, destination))
    assert outcome.result == "already"
    assert tables.all(1) == ({"a": source} if source else {})


@pytest.mark.parametrize("code", ["TransactionConflictException", "ReplicatedWriteConflictException"])
def test_an_item_that_is_being_written_is_left_alone(tables: Tables, code: str) -> None:
    tables.put(NEW, source=True)
    tables.spy.before_write = failing(code)
    (outcome,) = tables.repair(action("a", NEW, None))
    assert outcome.result == "changed_at_destination"


@pytest.mark.parametrize("code", ["ValidationException", "ItemCollectionSizeLimitExceededException"])
def test_an_item_that_is_refused_fails_alone(tables: Tables, code: str) -> None:
    items = [item(name) for name in "abc"]
    tables.put(*items, source=True)

    def fail_b(request: dict[str, Any]) -> None:
        if request["Item"]["pk"] == {"S": "b"}:
            failing(code)(request)

    tables.spy.before_write = fail_b
    outcomes = tables.repair(*(action(each["pk"]["S"], each, None) for each in items))
    assert [outcome.result for outcome in outcomes] == ["done", "failed", "done"]
    assert outcomes[1].reason == f"destination: {code}: no way"
    assert set(tables.all(1)) == {"a", "c"}


def test_a_key_of_another_table_fails_alone(tables: Tables) -> None:
    tables.put(NEW, source=True)
    other = Action("put", {"id": {"S": "a"}}, "a" * 32, None)
    first, second = tables.repair(other, action("a", NEW, None))
    assert first.result == "failed"
    assert first.reason.startswith("source: ValidationException: ")
    assert second.result == "done"


@pytest.mark.parametrize("write", [True, False])
def test_an_item_that_is_too_wide_fails_alone(tables: Tables, write: bool) -> None:
    wide = item("a", **{f"a{n}": {"N": "1"} for n in range(150)})
    tables.put(wide, destination=True)
    (outcome,) = tables.repair(action("a", None, wide), write=write)
    assert outcome.result == "failed"
    assert "150 attributes" in outcome.reason
    assert tables.all(1) == {"a": wide}


def test_a_wide_item_that_is_missing_is_put(tables: Tables) -> None:
    wide = item("a", **{f"a{n}": {"N": "1"} for n in range(500)})
    tables.put(wide, source=True)
    (outcome,) = tables.repair(action("a", wide, None))
    assert outcome.result == "done"
    assert tables.all(1) == {"a": wide}


def test_the_widest_item_is_replaced(tables: Tables) -> None:
    old = item("a", **{f"a{n}": {"N": "1"} for n in range(149)})
    new = {**old, "a7": {"N": "2"}}
    tables.put(new, source=True)
    tables.put(old, destination=True)
    assert tables.repair(action("a", new, old))[0].result == "done"
    assert tables.all(1) == {"a": new}


def test_a_table_that_cannot_be_used_ends_the_repair(tables: Tables) -> None:
    items = [item(f"{n:03}") for n in range(80)]
    tables.put(*items, source=True)
    other_has_written, error_is_known = threading.Event(), threading.Event()

    def fail_at_the_first(request: dict[str, Any]) -> None:
        if request["Item"]["pk"]["S"] == "000":
            assert other_has_written.wait(30)
            failing("AccessDeniedException")(request)
        elif other_has_written.is_set():
            assert error_is_known.wait(30)

    tables.spy.before_write = fail_at_the_first
    tables.spy.after_write = lambda request: other_has_written.set()
    told = []

    def go() -> None:
        repair = Repair(tables.source, tables.destination, write=True, threads=2)
        for outcome in repair.outcomes(action(each["pk"]["S"], each, None) for each in items):
            told.append(outcome.action.key["pk"]["S"])
            error_is_known.set()

    with pytest.raises(UserError, match="destination: PutItem is not allowed"):
        go()
    # What the other thread has written is told, and nothing was begun after the error.
    assert set(told) == set(tables.all(1))
    assert 1 <= len(told) <= 3


def test_outcomes_come_in_the_order_of_the_plan(tables: Tables) -> None:
    items = [item(f"{n:03}") for n in range(70)]
    tables.put(*items, source=True)
    actions = [action(each["pk"]["S"], each, None) for each in items]
    outcomes = tables.repair(*actions, threads=8)
    assert [outcome.action for outcome in outcomes] == actions
    assert {outcome.result for outcome in outcomes} == {"done"}
    assert tables.all(1) == tables.all(0)


@pytest.mark.parametrize("survived", [0, 1, 7, 19])
def test_a_repair_that_was_killed_is_taken_up_again(tables: Tables, survived: int) -> None:
    actions = []
    for n in range(20):
        pk = f"{n:02}"
        source = None if n % 3 == 0 else item(pk, v={"S": "source"})
        destination = None if n % 3 == 1 else item(pk, v={"S": "destination"})
        if source:
            tables.put(source, source=True)
        if destination:
            tables.put(destination, destination=True)
        actions.append(action(pk, source, destination))

    def die(_: Any) -> None:
        if len(tables.spy.writes) > survived:
            # Written, but nobody will ever hear of it.
            raise KeyboardInterrupt

    tables.spy.after_write = die
    with pytest.raises(KeyboardInterrupt):
        tables.repair(*actions)
    tables.spy.after_write = lambda request: None
    outcomes = tables.repair(*actions)
    assert {outcome.result for outcome in outcomes} <= {"done", "already"}
    assert tables.all(1) == tables.all(0)
    assert len(tables.spy.writes) == 20
    assert {outcome.result for outcome in tables.repair(*actions)} == {"already"}
    assert len(tables.spy.writes) == 20


def test_what_has_changed_at_the_source_is_counted_without_writing(tables: Tables) -> None:
    tables.put(NEW, source=True)
    repair = Repair(tables.source, tables.destination, write=True)
    actions = [action("a", NEW, None), action("a", OTHER, OLD), action("b", None, item("b"))]
    assert list(repair.changed_at_source(actions)) == [False, True, False]
    assert tables.spy.writes == []


def random_value(rng: random.Random) -> dict[str, Any]:
    choices: list[Callable[[], dict[str, Any]]] = [
        lambda: {"S": rng.choice(["", "a", "\u00fc"])},
        lambda: {"N": str(rng.randrange(3))},
        lambda: {"B": rng.choice([b"", b"\x00", b"\xff\xfe"])},
        lambda: {"BOOL": rng.random() < 0.5},
        lambda: {"NULL": True},
        lambda: {"SS": sorted(rng.sample(["a", "b", "c"], 2))},
        lambda: {"L": [random_value(rng) for _ in range(rng.randrange(2))]},
        lambda: {"M": {name: random_value(rng) for name in rng.sample("xyz", rng.randrange(3))}},
    ]
    return rng.choice(choices)()


def random_item(rng: random.Random, pk: str) -> Stored | None:
    if rng.random() < 0.3:
        return None
    return item(pk, **{name: random_value(rng) for name in rng.sample("uvwx", rng.randrange(4))})


def replace_item(client: Any, pk: str, stored: Stored | None) -> None:
    if stored is None:
        client.delete_item(TableName=TABLE, Key=item(pk))
    else:
        client.put_item(TableName=TABLE, Item=stored)


@pytest.mark.parametrize("seed", [None, *range(10)])
def test_random_changes_between_plan_and_repair(tables: Tables, seed: int | None) -> None:
    seed = random.randrange(10**9) if seed is None else seed
    print(f"seed {seed}")
    rng = random.Random(seed)
    names = [f"{n:02}" for n in range(24)]
    seen: list[dict[str, Stored | None]] = [{}, {}]
    for side in (0, 1):
        for pk in names:
            seen[side][pk] = random_item(rng, pk)
            replace_item(tables.clients[side], pk, seen[side][pk])
    actions = [
        action(pk, seen[0][pk], seen[1][pk])
        for pk in names
        if digest_of(seen[0][pk]) != digest_of(seen[1][pk])
    ]

    # What others do before the repair reads, and what they do to the destination just before it writes.
    now = [dict(stored) for stored in seen]
    for side in (0, 1):
        for pk in rng.sample(names, 6):
            now[side][pk] = random_item(rng, pk)
            replace_item(tables.clients[side], pk, now[side][pk])
    between: set[str] = set()

    def come_between(request: dict[str, Any]) -> None:
        pk = request.get("Item", request.get("Key"))["pk"]["S"]
        if pk not in between and rng.random() < 0.3:
            between.add(pk)
            extra = {**now[1][pk], "new": {"S": "x"}} if now[1][pk] and rng.random() < 0.5 else None
            now[1][pk] = extra or random_item(rng, pk)
            replace_item(tables.clients[1], pk, now[1][pk])

    tables.spy.before_write = come_between
    results = {outcome.action.key["pk"]["S"]: outcome.result for outcome in tables.repair(*actions)}

    stands = tables.all(1)
    source = tables.all(0)
    for pk in names:
        untouched_source = digest_of(now[0][pk]) == digest_of(seen[0][pk])
        untouched_destination = digest_of(now[1][pk]) == digest_of(seen[1][pk])
        if results.get(pk) == "done":
            assert untouched_source
            assert untouched_destination
            assert digest_of(stands.get(pk)) == digest_of(source.get(pk))
        else:
            # Left as the others left it.
            assert digest_of(stands.get(pk)) == digest_of(now[1][pk])
        if pk in stands and now[1][pk] is None:
            assert pk in source, "an item came back that the source does not hold"
        if results.get(pk) == "already":
            assert digest_of(stands.get(pk)) == digest_of(source.get(pk))
        if pk in results and untouched_source and untouched_destination:
            assert results[pk] == "done"

    before = len(tables.spy.writes)
    again = {outcome.action.key["pk"]["S"]: outcome.result for outcome in tables.repair(*actions)}
    assert to_json(tables.all(1)) == to_json(stands)
    assert len(tables.spy.writes) == before
    assert all(again[pk] == "already" for pk, result in results.items() if result == "done")
