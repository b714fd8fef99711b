"""What the loopback server answers."""

import json
from typing import Any

import pytest

from benchmarks.pages import Pages
from benchmarks.service import DESTINATION, JOURNAL, SOURCE, Service


@pytest.fixture
def service() -> Service:
    return Service(Pages("medium", 100, seed=7), "medium", watched=2)


def ask(service: Service, operation: str, **request: Any) -> Any:
    status, answer = service.answer(operation, json.dumps(request).encode())
    assert status == 200, answer
    return json.loads(answer)


def puts(*numbers: int) -> dict[str, Any]:
    requests = [{"PutRequest": {"Item": {"pk": {"S": f"k{number:015d}"}}}} for number in numbers]
    return {"RequestItems": {DESTINATION: requests}}


def test_what_is_written_is_counted(service: Service) -> None:
    page = ask(service, "Scan", TableName=SOURCE, Limit=25)
    requests = [{"PutRequest": {"Item": item}} for item in page["Items"]]
    ask(service, "BatchWriteItem", RequestItems={DESTINATION: requests})
    stats = service.stats()
    assert stats["received"] == stats["served"] == {"items": 25, "sum": sum(range(25))}
    assert stats["watched_writes"] == 1


def test_a_single_write_and_a_delete_count_as_one_each(service: Service) -> None:
    key = {"pk": {"S": "k000000000000002"}, "sk": {"N": "2"}}
    ask(service, "PutItem", TableName=DESTINATION, Item=key)
    ask(service, "BatchWriteItem", RequestItems={DESTINATION: [{"DeleteRequest": {"Key": key}}]})
    assert service.stats()["received"] == {"items": 2, "sum": 4}
    assert service.stats()["watched_writes"] == 2


@pytest.mark.parametrize("numbers", [range(26), [1, 2, 1]])
def test_a_batch_that_dynamodb_refuses_is_refused(service: Service, numbers: Any) -> None:
    status, answer = service.answer("BatchWriteItem", json.dumps(puts(*numbers)).encode())
    assert (status, json.loads(answer)["__type"].rsplit("#", 1)[1]) == (400, "ValidationException")
    assert service.stats()["received"]["items"] == 0


def test_consumed_capacity_is_told_when_it_is_asked_for(service: Service) -> None:
    asked = {"ReturnConsumedCapacity": "TOTAL"}
    read = ask(service, "Scan", TableName=SOURCE, ConsistentRead=True, **asked)
    # 100 items of 360 bytes are 35.2 KB, which are nine units of 4 KB.
    assert read["ConsumedCapacity"] == {"TableName": SOURCE, "CapacityUnits": 9}
    assert ask(service, "Scan", TableName=SOURCE, **asked)["ConsumedCapacity"]["CapacityUnits"] == 4.5
    written = ask(service, "BatchWriteItem", **puts(1, 2, 3), **asked)
    assert written["ConsumedCapacity"] == [{"TableName": DESTINATION, "CapacityUnits": 3.0}]
    assert "ConsumedCapacity" not in ask(service, "Scan", TableName=SOURCE)
    assert "ConsumedCapacity" not in ask(service, "BatchWriteItem", **puts(1))
    none = {"ReturnConsumedCapacity": "NONE"}
    assert "ConsumedCapacity" not in ask(service, "BatchWriteItem", **puts(1), **none)


def test_writes_to_the_journal_are_not_counted_as_copied(service: Service) -> None:
    item = {"pk": {"S": "segment"}, "sk": {"S": "0"}, "checkpoint": {"S": "k000000000000002"}}
    ask(service, "PutItem", TableName=JOURNAL, Item=item)
    assert service.stats()["received"]["items"] == 0
    assert ask(service, "GetItem", TableName=JOURNAL, Key={"pk": item["pk"], "sk": item["sk"]}) == {
        "Item": item
    }


def test_what_it_does_not_know_is_an_error(service: Service) -> None:
    for table in (SOURCE, JOURNAL):
        status, answer = service.answer("ExportTable", json.dumps({"TableName": table}).encode())
        assert status == 400
        assert b"ExportTable" in answer


def test_a_request_without_an_operation_assumes_the_role(service: Service) -> None:
    status, answer = service.answer("", b"Action=AssumeRole&Version=2011-06-15")
    assert status == 200
    assert b"<AssumeRoleResult>" in answer
