"""Comparing tables in memory: any order, any number of segments, changes underway, failures."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tablecopy.clock import Clock
from tablecopy_cli.common.errors import UserError
from tests.unit.verify.pairs import TABLES, item
from tests.unit.verify.service import FakeTable
from verify import Comparison, Filter, Options, Progress, compare
from verify.comparison.dead_letters import DeadLetters

FINAL = Options(writes_stopped=True)


class Ticking(Clock):
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.time = 1_790_000_000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def found(comparison: Comparison) -> list[tuple[str, str, str]]:
    return [(d.kind, d.key["pk"]["S"], d.key["sk"]["N"]) for d in comparison.differences]


def cities(count: int) -> list[dict[str, Any]]:
    return [item("DE", n, name={"S": f"city {n}"}) for n in range(count)]


def compared(source: FakeTable, destination: FakeTable, options: Options = FINAL, **more: Any) -> Comparison:
    return compare(
        source.table("source"), destination.table("destination"), options, **{"clock": Ticking(), **more}
    )


def test_equal_tables(make_table: Any) -> None:
    result = compared(make_table(cities(10)), make_table(cities(10), "destination"))
    assert (result.verdict, result.source.items, result.destination.items) == ("equal", 10, 10)
    assert list(result.differences) == []
    assert sum(result.source.segments) == 10
    assert (result.source.units, result.destination.units) == (result.source.units, result.source.units)
    assert result.source.units > 0


def test_missing_different_and_extra_in_the_order_of_their_keys(make_table: Any) -> None:
    source, destination = TABLES["missing, changed and extra"]
    result = compared(make_table(source), make_table(destination, "destination"))
    assert found(result) == [
        ("missing", "a", "-1.5"),
        ("missing", "a", "9"),
        ("missing", "a", "10"),
        ("changed", "b", "1"),
        ("extra", "c", "5"),
    ]
    differences = list(result.differences)
    assert [path.path for path in differences[3].paths] == [("x",)]
    assert all(difference.checks == 1 and difference.standing for difference in differences)
    assert result.verdict == "different"
    assert dict(result.counts) == {"missing": 3, "changed": 1, "extra": 1}
    assert [record["type"] for record in result.records()] == ["difference"] * 5 + ["summary"]


def test_scans_that_diverge_report_nothing(make_table: Any) -> None:
    # Other diff tools walk both scans in step and report whatever comes after the first shift.
    items, shuffled = TABLES["another order"]
    destination = make_table(shuffled, "destination")
    assert compared(make_table(items), destination).verdict == "equal"
    assert destination.count("BatchGetItem") == 0


@pytest.mark.parametrize("spelling", [("10", "9", "1.0"), ("1E1", "9.00", "1")])
def test_numeric_keys_are_numbers(make_table: Any, spelling: tuple[str, str, str]) -> None:
    # As text "10" sorts before "9", and "1.0" is another key than "1".
    source = make_table([item("a", "9"), item("a", "10"), item("a", "1")])
    destination = make_table([item("a", number) for number in spelling], "destination")
    assert compared(source, destination).verdict == "equal"
    assert source.count("BatchGetItem") == 0


def test_reordered_sets_maps_and_attributes_are_equal_at_any_depth_in_one_scan(make_table: Any) -> None:
    source, destination = TABLES["sets, maps and attributes in another order"]
    tables = make_table(source), make_table(destination, "destination")
    assert compared(*tables).verdict == "equal"
    assert [table.count("BatchGetItem") for table in tables] == [0, 0]


def test_tables_without_a_common_key_are_compared_like_any_other(make_table: Any) -> None:
    source, destination = TABLES["no common key"]
    result = compared(make_table(source, page_size=50), make_table(destination, "destination", page_size=50))
    assert dict(result.counts) == {"missing": 250, "extra": 250}
    assert found(result) == [("missing", "a", str(n)) for n in range(250)] + [
        ("extra", "b", str(n)) for n in range(250)
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(
    st.dictionaries(st.integers(0, 30), st.integers(0, 2), max_size=20),
    st.dictionaries(st.integers(0, 30), st.integers(0, 2), max_size=20),
    st.integers(1, 5),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_exactly_what_differs_is_reported(
    make_table: Any,
    source: dict[int, int],
    destination: dict[int, int],
    segments: int,
    writes_stopped: bool,
    rng: random.Random,
) -> None:
    def table(content: dict[int, int], name: str) -> FakeTable:
        items = [item("k", key, v={"N": str(value)}) for key, value in content.items()]
        rng.shuffle(items)
        made: FakeTable = make_table(items, name)
        return made

    options = Options(writes_stopped=writes_stopped, segments=segments)
    result = compared(table(source, "source"), table(destination, "destination"), options)
    expected = []
    for key in sorted(source.keys() | destination.keys()):
        if key not in destination:
            expected.append(("missing", "k", str(key)))
        elif key not in source:
            expected.append(("extra", "k", str(key)))
        elif source[key] != destination[key]:
            expected.append(("changed", "k", str(key)))
    assert found(result) == expected
    assert (result.settled, result.unsettled) == (0, 0)


def test_reads_as_told(make_table: Any) -> None:
    source, destination = make_table(cities(7)), make_table(cities(7), "destination")
    compared(source, destination, Options(segments=2))
    requests = [request for operation, request in source.calls if operation == "Scan"]
    assert {(r["Segment"], r["TotalSegments"], r["ConsistentRead"]) for r in requests} == {
        (0, 2, False),
        (1, 2, False),
    }
    compared(source, destination, FINAL)
    assert [request for operation, request in source.calls if operation == "Scan"][-1][
        "ConsistentRead"
    ] is True


def test_each_side_is_scanned_once(make_table: Any) -> None:
    source, destination = make_table(cities(9)), make_table(cities(9)[1:], "destination")
    compared(source, destination, Options(writes_stopped=True, segments=1))
    assert (source.count("Scan"), destination.count("Scan")) == (3, 3)


def test_units_are_those_that_were_consumed(make_table: Any) -> None:
    source, destination = make_table(cities(9)), make_table(cities(8), "destination")
    result = compared(source, destination, Options(writes_stopped=True, segments=1))
    # Three pages of 0.5 units each, twice that as consistent reads, and a unit for the key read again.
    assert (result.source.units, result.destination.units) == (4.0, 4.0)


def test_ignored_attributes_do_not_count(make_table: Any) -> None:
    source = make_table([item("a", 1, seen={"N": "1"}, x={"S": "1"}), item("b", 1, seen={"N": "1"})])
    destination = make_table([item("a", 1, seen={"N": "2"}, x={"S": "2"}), item("b", 1)], "destination")
    options = Options(writes_stopped=True, ignored=("seen", "pk"))
    result = compared(source, destination, options)
    assert found(result) == [("changed", "a", "1")]
    assert [path.path for path in next(iter(result.differences)).paths] == [("x",)]
    assert result.ignored == ("seen", "pk")


def test_a_filter_restricts_what_is_compared(make_table: Any) -> None:
    source = make_table([item("a", 1, on={"BOOL": True}), item("b", 1, on={"BOOL": False})])
    destination = make_table(
        [item("a", 1, on={"BOOL": False}), item("c", 1, on={"BOOL": False})], "destination"
    )
    source.matches = destination.matches = lambda item: item["on"]["BOOL"]
    on = Filter("#on = :yes", {"#on": "on"}, {":yes": {"BOOL": True}})
    result = compared(source, destination, Options(writes_stopped=True, filter=on))
    # It holds for one side's item only, which is why the other was not seen: not missing, but different.
    assert found(result) == [("changed", "a", "1")]
    request = source.calls[0][1]
    assert request["FilterExpression"] == "#on = :yes"
    assert request["ExpressionAttributeNames"] == {"#on": "on"}
    assert request["ExpressionAttributeValues"] == {":yes": {"BOOL": True}}
    assert result.filter_expression == "#on = :yes"


def test_a_sample_is_never_equal(make_table: Any) -> None:
    source, destination = make_table(cities(400)), make_table(cities(400), "destination")
    result = compared(source, destination, Options(writes_stopped=True, sample=0.1))
    assert result.verdict == "sampled"
    assert result.sample is not None
    assert (result.sample.segments, result.sample.of) == (4, 40)
    assert 0 < result.source.items < 200
    assert result.summary()["sample"]["fraction"] == 0.1


def test_a_sample_finds_only_what_is_there(make_table: Any) -> None:
    # Segments of the two tables need not hold the same items: what the other scan has not seen is read.
    source, destination = make_table(cities(400)), make_table(cities(400), "destination")
    del destination._items[next(iter(destination._items))]
    destination.send, plain = (
        lambda operation, body: plain(operation, body.replace(b'"Segment": ', b'"Segment": 1')),
        destination.send,
    )
    for writes_stopped in (True, False):
        options = Options(writes_stopped=writes_stopped, sample=0.5, segments=10)
        result = compared(source, destination, options)
        assert result.count("extra") == result.count("changed") == result.settled == 0
        assert result.count("missing") <= 1


def test_an_item_of_one_side_whose_time_to_live_has_passed_is_expired(make_table: Any) -> None:
    clock = Ticking()
    began = int(clock.time)
    hours = 3600
    source = make_table(
        [
            item("gone", 1, until={"N": str(int(clock.time) - hours)}),
            item("live", 1, until={"N": str(int(clock.time) + hours)}),
            item("text", 1, until={"S": str(int(clock.time) - hours)}),
            # Not deleted any more, whatever the table is set to.
            item("ages", 1, until={"N": str(int(clock.time) - 6 * 366 * 24 * hours)}),
        ],
        expiry="until",
    )
    destination = make_table([item("extra", 1, until={"N": str(int(clock.time) - hours)})], "destination")
    for options in (FINAL, Options()):
        result = compared(source, destination, options, clock=clock)
        assert found(result) == [
            ("missing", "ages", "1"),
            ("expired", "extra", "1"),
            ("expired", "gone", "1"),
            ("missing", "live", "1"),
            ("missing", "text", "1"),
        ]
        assert {d.expires for d in result.differences if d.kind == "expired"} == {began - hours}
    only_expired = make_table([source.items[0]], expiry="until")
    assert compared(only_expired, make_table([], "destination"), clock=clock).verdict == "equal"


def test_of_many_the_scans_word_is_taken_once_nothing_writes(make_table: Any) -> None:
    clock = Ticking()
    source = make_table(
        [*cities(3), item("x", 1, v={"N": "1"}), item("y", 1, until={"N": str(int(clock.time) - 9)})],
        expiry="until",
    )
    destination = make_table([item("x", 1, v={"N": "2"}), item("z", 1)], "destination")
    result = compared(source, destination, Options(writes_stopped=True, reread=3), clock=clock)
    assert [(d.kind, d.checks) for d in result.differences] == [
        ("missing", 0),
        ("missing", 0),
        ("missing", 0),
        ("changed", 1),
        ("expired", 0),
        ("extra", 0),
    ]
    assert [len(r["RequestItems"]["cities"]["Keys"]) for o, r in source.calls if o == "BatchGetItem"] == [1]
    # A repair needs to know what it is to write over, and writes under way are seen.
    everything = compared(
        source, destination, Options(writes_stopped=True, reread=3, for_repair=True), clock=clock
    )
    assert {difference.checks for difference in everything.differences} == {1}
    assert all(d.source_digest or d.destination_digest for d in everything.differences)


def test_letters_stand_beside_the_item_they_concern(make_table: Any) -> None:
    mine = {
        "key": {"sk": {"N": "1.0"}, "pk": {"S": "a"}},
        "code": "ValidationException",
        "message": "too large",
    }
    other = {
        "key": {"sk": {"N": "2"}, "pk": {"S": "a"}},
        "code": "ValidationException",
        "message": "too large",
    }
    source = make_table([item("a", 1), item("a", 2)])
    destination = make_table([item("a", 2)], "destination")
    result = compared(source, destination, dead_letters=DeadLetters([mine, other]))
    assert [difference.dead_letter for difference in result.differences] == [mine]
    assert result.dead_letters == [other]


def test_unprocessed_keys_are_asked_for_again(make_table: Any) -> None:
    source, destination = make_table(cities(30)), make_table([], "destination")
    source.unprocessed = 3
    assert compared(source, destination).count("missing") == 30


def test_the_same_table_on_both_sides_is_refused(make_table: Any) -> None:
    table = make_table([])
    with pytest.raises(UserError, match="same table, arn:aws:dynamodb:eu-west-1:111111111111:table/cities"):
        compared(table, table)


@pytest.mark.parametrize("keys", [(("pk", "S"),), (("pk", "S"), ("sk", "S")), (("sk", "N"), ("pk", "S"))])
def test_another_primary_key_is_refused(make_table: Any, keys: Any) -> None:
    with pytest.raises(UserError, match=r"primary keys differ: pk \(S\), sk \(N\) in the source"):
        compared(make_table([]), make_table([], "destination", keys=keys))


def refuse(code: str = "AccessDeniedException", operation: str = "Scan") -> Any:
    def before(called: str) -> None:
        if called == operation:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)

    return before


def test_a_failing_segment_ends_the_others(make_table: Any) -> None:
    source, destination = make_table(cities(9)), make_table(cities(900), "destination", page_size=1)
    source.before = refuse()
    before = threading.active_count()
    with pytest.raises(
        UserError, match=r"source: Scan is not allowed \(AccessDeniedException: no\)"
    ) as caught:
        compared(source, destination)
    assert caught.value.side == "source"
    assert threading.active_count() == before
    assert destination.count("Scan") < 900


def test_a_failure_in_the_recheck_names_its_side(make_table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verify.scan.calls.ATTEMPTS", 1)
    source, destination = make_table(cities(3)), make_table([], "destination")

    def before(operation: str) -> None:
        if operation == "BatchGetItem":
            raise EndpointConnectionError(endpoint_url="https://dynamodb.eu-west-1.amazonaws.com/")

    destination.before = before
    with pytest.raises(UserError, match="destination: Could not connect"):
        compared(source, destination)


def test_an_interrupt_ends_every_thread(make_table: Any) -> None:
    source = make_table(cities(900), page_size=1)

    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        compared(source, make_table(cities(900), "destination", page_size=1), on_progress=interrupt)
    assert threading.active_count() == before


def test_progress_counts(make_table: Any) -> None:
    seen: list[Progress] = []
    source, destination = make_table(cities(20)), make_table(cities(18), "destination")
    compared(source, destination, Options(), on_progress=seen.append)
    assert {progress.stage for progress in seen} == {"scan", "match", "recheck", "wait"}
    assert (seen[-1].source_items, seen[-1].destination_items) == (20, 18)
    assert (seen[-1].candidates, seen[-1].rechecked) == (2, 2)
    assert (seen[-1].source_total, seen[-1].generation) == (20, 2)
