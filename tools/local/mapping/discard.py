"""Records that are given up, and the message that says so."""

from __future__ import annotations

import datetime
import json
import uuid
from dataclasses import dataclass

from tools.local.mapping.batch import Batch
from tools.local.mapping.outcome import Answer

RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
TOO_OLD = "RecordAgeExceeded"


@dataclass(frozen=True, slots=True)
class Discard:
    """A batch that no further attempt is made for.

    Attributes
    ----------
    condition : str
        Why, as the message to the failure destination words it.
    answer : Answer, optional
        The function's last answer; None if it was never invoked with these records.
    """

    batch: Batch
    condition: str
    answer: Answer | None

    def message(self, function_arn: str, stream_arn: str, shard_id: str, now: float) -> str:
        """The JSON document a mapping sends to its SQS queue or SNS topic.

        It tells where the records are in the stream; their content is not in it.
        """
        first, last = self.batch.records[0], self.batch.records[-1]
        document: dict[str, object] = {
            "requestContext": {
                "requestId": self.answer.request_id if self.answer else str(uuid.uuid4()),
                "functionArn": function_arn,
                "condition": self.condition,
                "approximateInvokeCount": self.batch.invocations,
            }
        }
        if self.answer:
            context: dict[str, object] = {
                "statusCode": self.answer.status_code,
                "executedVersion": self.answer.executed_version,
            }
            if self.answer.error:
                context["functionError"] = self.answer.error
            document["responseContext"] = context
        document["version"] = "1.0"
        document["timestamp"] = _iso(now, "milliseconds")
        document["DDBStreamBatchInfo"] = {
            "shardId": shard_id,
            "startSequenceNumber": first.sequence_number,
            "endSequenceNumber": last.sequence_number,
            "approximateArrivalOfFirstRecord": _iso(first.created, "seconds"),
            "approximateArrivalOfLastRecord": _iso(last.created, "seconds"),
            "batchSize": len(self.batch.records),
            "streamArn": stream_arn,
        }
        return json.dumps(document)


def _iso(seconds: float, timespec: str) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")
