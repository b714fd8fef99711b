"""Who else reads the stream, and how many shards take changes."""

from __future__ import annotations

from typing import Any, cast

import pytest
from mypy_boto3_dynamodbstreams.client import DynamoDBStreamsClient
from mypy_boto3_lambda.client import LambdaClient

from tablecopy.control.preflight import open_shards, reader_problems
from tests.unit.tablecopy.fakes import STREAM_ARN as STREAM
from tests.unit.tablecopy.fakes import FakeClock, FakeLambda


@pytest.fixture
def lambda_() -> FakeLambda:
    return FakeLambda()


def found(lambda_: FakeLambda, own: str | None = "mine") -> list[str]:
    return reader_problems(cast(LambdaClient, lambda_), STREAM, own)


def test_the_copys_own_mapping_is_no_other_reader(lambda_: FakeLambda) -> None:
    assert found(lambda_) == []
    assert len(found(lambda_, own=None)) == 1


@pytest.mark.parametrize(("state", "said"), [("Enabled", "enabled"), ("Disabled", "disabled")])
def test_every_other_mapping_counts(lambda_: FakeLambda, state: str, said: str) -> None:
    """Control is the second reader: there is no room for a third, now or once someone enables it."""
    lambda_.others = [
        {"UUID": "a", "FunctionArn": "fn-a", "State": state},
        {"UUID": "b", "FunctionArn": "fn-b", "State": "Deleting"},
    ]
    [problem] = found(lambda_)
    assert f"function fn-a (mapping {said})" in problem
    assert "aws lambda delete-event-source-mapping --uuid a" in problem


def test_three_copies_of_one_table_see_each_other(lambda_: FakeLambda) -> None:
    """Applied together, their mappings are still disabled when the first of them checks."""
    lambda_.others = [{"UUID": uuid, "FunctionArn": uuid, "State": "Disabled"} for uuid in ("two", "three")]
    assert len(found(lambda_)) == 2


class Shards:
    """A stream whose pages hold so many open and closed shards."""

    def __init__(self, *pages: tuple[int, int]) -> None:
        self.pages = pages

    def describe_stream(self, **request: str) -> dict[str, Any]:
        assert request.pop("StreamArn") == STREAM
        at = int(request.pop("ExclusiveStartShardId", "0"))
        still, closed = self.pages[at]
        shards = [{"SequenceNumberRange": {"StartingSequenceNumber": "1"}}] * still
        shards += [
            {"SequenceNumberRange": {"StartingSequenceNumber": "1", "EndingSequenceNumber": "2"}}
        ] * closed
        more = {"LastEvaluatedShardId": str(at + 1)} if at + 1 < len(self.pages) else {}
        return {"StreamDescription": {"Shards": shards, **more}}


@pytest.mark.parametrize(("pages", "count"), [([(0, 0)], 0), ([(1, 99), (0, 100), (15, 0)], 16)])
def test_open_shards_of_all_pages_count(pages: list[tuple[int, int]], count: int) -> None:
    clock = FakeClock()
    assert open_shards(cast(DynamoDBStreamsClient, Shards(*pages)), STREAM, clock) == count
    # All of an account's calls share a rate.
    assert clock.slept == [1.0] * (len(pages) - 1)
