"""The source's stream as the test reads it: events for the replicator, as a mapping would send them."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.faults.stand import Stand
from tools.local.accounts import SOURCE_ACCOUNT
from tools.local.demo.cities import TABLE_NAME
from tools.local.mapping.clients import Clients
from tools.local.mapping.records import Record

Event = dict[str, Any]


def position(faults: Stand) -> str:
    """The sequence number up to which control has seen the stream applied."""
    [shard] = faults.journal_items("shard")
    return str(shard["position"]["S"])


def records_after(faults: Stand, sequence_number: str) -> list[Event]:
    """The records behind a place in the stream, in order; all there are if the place is empty.

    The local stream has one shard.
    """
    region = faults.copy.aws.regions[SOURCE_ACCOUNT]
    streams = Clients(faults.copy.aws.endpoint_url, SOURCE_ACCOUNT, region).streams
    [shard] = faults.journal_items("shard")
    arn = faults.source.describe_table(TableName=TABLE_NAME)["Table"]["LatestStreamArn"]
    place = (
        {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": sequence_number}
        if sequence_number
        else {"ShardIteratorType": "TRIM_HORIZON"}
    )
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["sk"]["S"], **place)["ShardIterator"]
    records: list[Event] = []
    while iterator:
        page = streams.get_records(ShardIterator=iterator, Limit=1000)
        records += [json.loads(Record.from_stream(raw, arn).text) for raw in page["Records"]]
        iterator = page.get("NextShardIterator")
        if not page["Records"]:
            break
    return records


def number_of(record: Event) -> str:
    """A record's sequence number."""
    return str(record["dynamodb"]["SequenceNumber"])
