"""Comparing tables in memory: any order, any number of segments, changes underway, failures."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sides import UserError
from verify import Comparison, Progress, compare


def item(pk: str, sk: int | str, **attributes: Any) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"N": str(sk)}, **attributes}


def found(comparison: Comparison) -> list[tuple[str, str, str]]:
    return [(d.kind, d.key["pk"]["S"], d.key["sk"]["N"]) for d in comparison.differences]


def cities(count: int) -> list[dict[str, Any]]:
    return [item("DE", n, name={"S": f"city {n}"}) for n in range(count)]


def test_equal_tables(make_table: Any) -> None:
    result = compare(make_table(cities(10)), make_table(cities(10), "destination"))
    assert (result.verdict, result.source_items, result.destination_items) == ("equal", 10, 10)
    assert list(result.differences) == []
    assert result.summary() == {
        "type": "summary",
        "verdict": "equal",
        "source": "arn:aws:dynamodb:eu-west-1:111111111111:table/cities",
        "destination": "arn:aws:dynamodb:eu-west-1:222222222222:table/cities",
        "source_items": 10,
        "destination_items": 10,
        "missing": 0,
        "different": 0,
        "extra": 0,
        "moving": 0,
        "settled": 0,
        "writes_stopped": False,
        "seconds": round(result.seconds, 3),
        "consumed_capacity": {"source": 2.0, "destination": 2.0},
    }


def test_missing_different_and_extra_in_the_order_of_their_keys(make_table: Any) -> None:
    source = [item("a", 10), item("a", 9), item("b", 1, x={"N": "1"}), item("same", 1)]
    destination = [item("same", 1), item("c", 5), item("b", 1, x={"S": "1"})]
    result = compare(make_table(source), make_table(destination, "destination"))
    assert found(result) == [
        ("missing", "a", "9"),
        ("missing", "a", "10"),
        ("different", "b", "1"),
        ("extra", "c", "5"),
    ]
    assert [path.path for path in result.differences[2].paths] == [("x",)]
    assert result.verdict == "different"
    assert (result.count("missing"), result.count("different"), result.count("extra")) == (2, 1, 1)
    assert [record["type"] for record in result.records()] == ["difference"] * 4 + ["summary"]


def test_scans_that_diverge_report_nothing(make_table: Any) -> None:
    # Other diff tools walk both scans in step and report whatever comes after the first shift.
    items = cities(50)
    shuffled = list(reversed(items[25:])) + items[:25]
    result = compare(make_table(items), make_table(shuffled, "destination"), segments=2)
    assert result.verdict == "equal"


def test_numeric_sort_keys_are_numbers(make_table: Any) -> None:
    # As text "10" sorts before "9", and "1.0" is another key than "1".
    source = [item("a", "9"), item("a", "10"), item("a", "1.0")]
    destination = [item("a", "10"), item("a", "1"), item("a", "9.00")]
    assert compare(make_table(source), make_table(destination, "destination")).verdict == "equal"


def test_reordered_sets_are_equal_at_any_depth(make_table: Any) -> None:
    source = item("a", 1, tags={"SS": ["x", "y"]}, deep={"L": [{"M": {"n": {"NS": ["1", "2.50"]}}}]})
    destination = item("a", 1, tags={"SS": ["y", "x"]}, deep={"L": [{"M": {"n": {"NS": ["2.5", "1"]}}}]})
    assert compare(make_table([source]), make_table([destination], "destination")).verdict == "equal"


def test_tables_without_a_common_key_are_compared_like_any_other(make_table: Any) -> None:
    source = [item("a", n) for n in range(250)]
    destination = [item("b", n) for n in range(250)]
    result = compare(make_table(source), make_table(destination, "destination"))
    assert (result.count("missing"), result.count("extra"), result.count("different")) == (250, 250, 0)
    assert found(result) == [("missing", "a", str(n)) for n in range(250)] + [
        ("extra", "b", str(n)) for n in range(250)
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.dictionaries(st.integers(0, 30), st.integers(0, 2), max_size=20),
    st.dictionaries(st.integers(0, 30), st.integers(0, 2), max_size=20),
    st.integers(1, 5),
    st.randoms(use_true_random=False),
)
def test_exactly_what_differs_is_reported(
    make_table: Any, source: dict[int, int], destination: dict[int, int], segments: int, rng: random.Random
) -> None:
    def table(content: dict[int, int], name: str) -> Any:
        items = [item("k", key, v={"N": str(value)}) for key, value in content.items()]
        rng.shuffle(items)
        return make_table(items, name)

    result = compare(table(source, "source"), table(destination, "destination"), segments=segments)
    expected = []
    for key in sorted(source.keys() | destination.keys()):
        if key not in destination:
            expected.append(("missing", "k", str(key)))
        elif key not in source:
            expected.append(("extra", "k", str(key)))
        elif source[key] != destination[key]:
            expected.append(("different", "k", str(key)))
    assert found(result) == expected
    assert result.settled == 0


def test_reads_as_told(make_table: Any) -> None:
    source, destination = make_table(cities(7)), make_table(cities(7), "destination")
    compare(source, destination, segments=2)
    assert {(s["Segment"], s["TotalSegments"], s["ConsistentRead"]) for s in source.client.scans} == {
        (0, 2, False),
        (1, 2, False),
    }
    compare(source, destination, writes_stopped=True)
    assert source.client.scans[-1]["ConsistentRead"] is True


def test_each_side_is_scanned_once(make_table: Any) -> None:
    source, destination = make_table(cities(9)), make_table(cities(9)[1:], "destination")
    compare(source, destination, segments=1)
    assert len(source.client.scans) == len(destination.client.scans) == 3


def test_a_difference_that_vanishes_is_not_reported(make_table: Any) -> None:
    source, destination = make_table(cities(5)), make_table(cities(4), "destination")
    source.client.before_get = lambda: setattr(destination.client, "stored", cities(5))
    result = compare(source, destination)
    assert (result.verdict, result.settled, list(result.differences)) == ("equal", 1, [])


def test_an_item_deleted_on_both_sides_meanwhile_is_settled(make_table: Any) -> None:
    source, destination = make_table(cities(5)), make_table(cities(4), "destination")
    source.client.before_get = lambda: setattr(source.client, "stored", cities(4))
    result = compare(source, destination)
    assert (result.verdict, result.settled) == ("equal", 1)


def test_a_difference_on_a_moving_item_is_unsettled(make_table: Any) -> None:
    source = make_table([item("a", 1, v={"N": "2"})])
    destination = make_table([item("a", 1, v={"N": "1"})], "destination")
    source.client.before_get = lambda: setattr(source.client, "stored", [item("a", 1, v={"N": "3"})])
    result = compare(source, destination)
    assert result.verdict == "unsettled"
    assert result.differences[0].moving
    assert result.summary()["moving"] == 1


def test_one_standing_difference_makes_it_different(make_table: Any) -> None:
    source = make_table([item("a", 1, v={"N": "2"}), item("b", 1)])
    destination = make_table([item("a", 1, v={"N": "1"})], "destination")
    source.client.before_get = lambda: setattr(
        source.client, "stored", [item("a", 1, v={"N": "3"}), item("b", 1)]
    )
    result = compare(source, destination)
    assert result.verdict == "different"
    assert [difference.moving for difference in result.differences] == [True, False]


def test_with_writes_stopped_nothing_has_the_benefit_of_the_doubt(make_table: Any) -> None:
    source = make_table([item("a", 1, v={"N": "2"})])
    destination = make_table([item("a", 1, v={"N": "1"})], "destination")
    source.client.before_get = lambda: setattr(source.client, "stored", [item("a", 1, v={"N": "3"})])
    assert compare(source, destination, writes_stopped=True).verdict == "different"
    # What settles meanwhile proves that something still writes.
    source.client.before_get = lambda: setattr(source.client, "stored", list(destination.client.stored))
    assert compare(source, destination, writes_stopped=True).verdict == "unsettled"


def test_a_change_of_kind_between_scan_and_recheck(make_table: Any) -> None:
    source = make_table([item("a", 1, v={"N": "2"})])
    destination = make_table([item("a", 1, v={"N": "1"})], "destination")
    source.client.before_get = lambda: setattr(source.client, "stored", [])
    result = compare(source, destination)
    assert found(result) == [("extra", "a", "1")]
    assert result.differences[0].moving


def test_unprocessed_keys_are_asked_for_again(make_table: Any) -> None:
    source, destination = make_table(cities(30)), make_table([], "destination")
    source.client.unprocessed_calls = 3
    assert compare(source, destination).count("missing") == 30


def test_the_same_table_on_both_sides_is_refused(make_table: Any) -> None:
    table = make_table([])
    with pytest.raises(UserError, match="same table, arn:aws:dynamodb:eu-west-1:111111111111:table/cities"):
        compare(table, table)


def test_the_same_name_on_two_local_aws_is_not_the_same_table(make_table: Any) -> None:
    source, destination = make_table([]), make_table([])
    destination.client.meta.endpoint_url = "http://127.0.0.1:4567"
    assert compare(source, destination).verdict == "equal"


@pytest.mark.parametrize("keys", [(("pk", "S"),), (("pk", "S"), ("sk", "S")), (("sk", "N"), ("pk", "S"))])
def test_another_primary_key_is_refused(make_table: Any, keys: Any) -> None:
    with pytest.raises(UserError, match=r"primary keys differ: pk \(S\), sk \(N\) at the source"):
        compare(make_table([]), make_table([], "destination", keys=keys))


def test_a_failing_segment_ends_the_others(make_table: Any) -> None:
    source, destination = make_table(cities(9)), make_table(cities(9), "destination")

    def failing(**request: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Scan")

    def endless(**request: Any) -> Any:
        # Always one more page: only the failure of the other side ends this scan.
        return {"Items": [], "LastEvaluatedKey": {"at": {"N": "0"}}}

    source.client.scan = failing
    destination.client.scan = endless
    before = threading.active_count()
    with pytest.raises(
        UserError, match=r"source: Scan is not allowed \(AccessDeniedException: no\)"
    ) as caught:
        compare(source, destination)
    assert caught.value.side == "source"
    assert threading.active_count() == before


def test_a_failure_in_the_recheck_names_its_side(make_table: Any) -> None:
    source, destination = make_table(cities(3)), make_table([], "destination")

    def failing(**request: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://dynamodb.eu-west-1.amazonaws.com/")

    destination.client.batch_get_item = failing
    with pytest.raises(UserError, match="destination: Could not connect"):
        compare(source, destination)


def test_an_interrupt_ends_every_thread(make_table: Any) -> None:
    source, destination = make_table([]), make_table([], "destination")

    def endless(**request: Any) -> Any:
        return {"Items": [], "LastEvaluatedKey": {"at": {"N": "0"}}}

    source.client.scan = destination.client.scan = endless

    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        compare(source, destination, on_progress=interrupt)
    assert threading.active_count() == before


def test_progress_counts(make_table: Any) -> None:
    seen: list[Progress] = []
    compare(make_table(cities(20)), make_table(cities(18), "destination"), on_progress=seen.append)
    assert {progress.stage for progress in seen} == {"scan", "recheck"}
    assert (seen[-1].source_items, seen[-1].destination_items) == (20, 18)
    assert (seen[-1].candidates, seen[-1].rechecked) == (2, 2)
