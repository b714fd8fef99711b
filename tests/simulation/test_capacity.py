"""What the simulated DynamoDB throttles, and how its errors say so."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.simulation.tables import Account, text
from tools.simulation.behavior import CapacityBehavior, TableBehavior
from tools.simulation.capacity import Capacity
from tools.simulation.errors import ServiceError
from tools.simulation.items import Index
from tools.simulation.table import Table

NO_BURST = CapacityBehavior(burst_seconds=0, saved_seconds=0, scaling=(60, 60), split_after=600)


def write(account: Account, units: float, keys: int = 1, size: int = 1) -> float:
    """Write to ``keys`` keys, in turn, until a write is throttled; return the units, at most ``units``."""
    written = 0.0
    body = text("x" * (1024 * size - 40))
    while written < units:
        try:
            account.put(f"{int(written) % keys}", x=body)
        except ServiceError:
            break
        written += size
    return written


def error(account: Account, pk: str = "0") -> ServiceError:
    return account.error("PutItem", TableName="orders", Item={"pk": text(pk)})


def reason(table: Table, limit: str) -> tuple[dict[str, str], ...]:
    return ({"reason": limit, "resource": table.arn},)


def test_a_provisioned_table_takes_its_units_a_second() -> None:
    account = Account()
    table = account.table(capacity=Capacity(write=10, read=5, behavior=NO_BURST))
    assert write(account, 100) == 10
    throttle = error(account)
    assert throttle.code == "ProvisionedThroughputExceededException"
    assert throttle.reasons == reason(table, "TableWriteProvisionedThroughputExceeded")
    account.wait(0.5)
    assert write(account, 100) == 5


def test_a_provisioned_table_keeps_five_minutes_of_unused_units() -> None:
    account = Account()
    account.table(capacity=Capacity(write=2, read=1, behavior=CapacityBehavior(saved_seconds=0)))
    account.wait(10_000)
    assert write(account, 10_000, keys=100) == 600


def test_an_item_may_cost_more_than_a_second_has() -> None:
    account = Account()
    account.table(capacity=Capacity(write=5, read=5, behavior=NO_BURST))
    assert write(account, 100, size=100) == 100
    account.wait(19)
    assert write(account, 100, size=100) == 0
    account.wait(2)
    assert write(account, 100, size=100) == 100


def test_a_partition_takes_a_thousand_writes_a_second_whatever_the_table_has() -> None:
    account = Account()
    table = account.table(capacity=Capacity(write=40_000, read=40_000))
    assert write(account, 3_000) == 1_000
    throttle = error(account)
    assert throttle.code == "ProvisionedThroughputExceededException"
    assert throttle.reasons == reason(table, "TableWriteKeyRangeThroughputExceeded")
    for number in range(1, 20):
        with suppress(ServiceError):
            account.put(f"other {number}")
    assert table.throughput.consumed_write > 1_000


def test_a_new_on_demand_table_takes_four_thousand_writes_a_second() -> None:
    account = Account()
    table = account.table(capacity=Capacity())
    assert table.throughput.partitions == 4
    throttles = []
    for first in range(0, 7_500, 25):
        try:
            account.batch(f"key {number}" for number in range(first, first + 25))
        except ServiceError as throttle:
            throttles.append(throttle)
    assert table.throughput.consumed_write == 4_000
    assert throttles[0].code == "ThrottlingException"
    assert throttles[0].reasons == reason(table, "TableWriteKeyRangeThroughputExceeded")


def test_an_on_demand_table_grows_to_twice_its_peak_after_a_while() -> None:
    account = Account()
    table = account.table(capacity=Capacity(behavior=NO_BURST))
    for second in range(61):
        write_evenly(account, 2_900, second)
        account.wait(1)
    assert table.throughput.partitions == 4
    account.wait(60)
    assert table.throughput.partitions == 6


def write_evenly(account: Account, units: int, second: int) -> None:
    """Consume units without operations, which would take too long."""
    throughput = account.dynamodb.tables["orders"].throughput
    for number in range(60):
        throughput.wrote((second * 60 + number) * 2654435761 % 2**32, units / 60)


def test_an_on_demand_table_may_have_a_maximum() -> None:
    account = Account()
    table = account.table(capacity=Capacity(most_write=100, behavior=NO_BURST))
    assert write(account, 1_000, keys=100) == 100
    assert error(account).reasons == reason(table, "TableWriteMaxOnDemandThroughputExceeded")


def test_the_account_limits_an_on_demand_table() -> None:
    account = Account()
    table = account.table(capacity=Capacity(account_write=100, behavior=NO_BURST))
    assert write(account, 1_000, keys=100) == 100
    throttle = error(account)
    assert throttle.code == "ThrottlingException"
    assert throttle.reasons == reason(table, "TableWriteAccountLimitExceeded")


def test_a_partition_that_stays_hot_is_split() -> None:
    account = Account()
    table = account.table(capacity=Capacity(behavior=CapacityBehavior(split_after=120)))
    for _ in range(4):
        assert write(account, 2_000) == 1_000
        error(account)
        account.wait(40)
    assert table.throughput.partitions == 5


def test_an_index_without_capacity_throttles_the_tables_writes() -> None:
    account = Account()
    index = Index("by-day", (("day", "S"),), capacity=Capacity(write=10, read=10, behavior=NO_BURST))
    table = account.table(capacity=Capacity(write=100, read=100, behavior=NO_BURST), indexes=(index,))
    for number in range(10):
        account.put(str(number), day=text("mon"))
    throttle = account.error("PutItem", TableName="orders", Item={"pk": text("x"), "day": text("mon")})
    assert throttle.reasons == (
        {
            "reason": "IndexWriteProvisionedThroughputExceeded",
            "resource": f"{table.arn}/index/by-day",
        },
    )
    # An item that is not in the index needs nothing of it.
    account.put("y")


def test_a_batch_comes_back_in_part_and_fails_only_if_nothing_is_written() -> None:
    account = Account()
    table = account.table(capacity=Capacity(write=10, read=10, behavior=NO_BURST))
    keys = [str(number) for number in range(25)]
    assert len(account.batch(keys)["UnprocessedItems"]["orders"]) == 15
    assert len(table) == 10
    with pytest.raises(ServiceError, match="ProvisionedThroughputExceededException"):
        account.batch(keys)


def test_a_batch_get_fails_only_if_nothing_is_read() -> None:
    account = Account()
    account.table(capacity=Capacity(write=100, read=5, behavior=NO_BURST))
    keys = [{"pk": text(str(number))} for number in range(10)]
    request = {"orders": {"Keys": keys, "ConsistentRead": True}}
    answer = account.call("BatchGetItem", RequestItems=request)
    assert len(answer["UnprocessedKeys"]["orders"]["Keys"]) == 5
    assert account.error("BatchGetItem", RequestItems=request).code == (
        "ProvisionedThroughputExceededException"
    )


def test_a_read_may_run_into_debt() -> None:
    account = Account()
    table = account.table(capacity=Capacity(write=10, read=5, behavior=NO_BURST))
    for number in range(20):
        table.put(b'{"pk":{"S":"%d"},"x":{"S":"%s"}}' % (number, b"x" * 4_000))
    page = account.call("Scan", TableName="orders", ConsistentRead=True, ReturnConsumedCapacity="TOTAL")
    assert page["ConsumedCapacity"]["CapacityUnits"] == 20
    throttle = account.error("Scan", TableName="orders", ConsistentRead=True)
    assert throttle.reasons == reason(table, "TableReadProvisionedThroughputExceeded")
    account.wait(2.9)
    account.error("Scan", TableName="orders", ConsistentRead=True)
    account.wait(0.2)
    account.call("Scan", TableName="orders", ConsistentRead=True)


def test_a_write_whose_condition_fails_costs_units() -> None:
    account = Account()
    table = account.table(capacity=Capacity(write=10, read=10, behavior=NO_BURST))
    account.put("a", x=text("x" * 3_000))
    request = {"TableName": "orders", "Item": {"pk": text("a")}}
    account.error("PutItem", **request, ConditionExpression="attribute_not_exists(pk)")
    assert table.throughput.consumed_write == 6


def test_throttles_may_come_without_a_cause() -> None:
    account = Account()
    account.table(behavior=TableBehavior(throttled=1.0))
    assert error(account).code == "ThrottlingException"
    with pytest.raises(ServiceError, match="ThrottlingException"):
        account.batch("ab")
