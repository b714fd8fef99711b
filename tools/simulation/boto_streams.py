"""The boto3-like client of DynamoDB Streams, for code that does not yet use `tablecopy.dynamodb`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from tablecopy.dynamodb import errors
from tools.simulation.network import SimDynamoDB

Json = dict[str, Any]


class SimStreams(SimDynamoDB):
    """Calls DynamoDB Streams in both ways."""

    class exceptions:  # noqa: N801
        """The exceptions that are caught by their class."""

        class ResourceNotFoundException(ClientError):
            """There is no such stream or shard."""

        class ExpiredIteratorException(ClientError):
            """The iterator is too old."""

        class TrimmedDataAccessException(ClientError):
            """The record has left the stream."""

    def _do(self, operation: str, request: Json) -> Json:
        try:
            return self.call(operation, request)
        except ClientError as error:
            kind = getattr(self.exceptions, errors.code(error), None)
            if kind:
                raise kind(error.response, operation) from None
            raise

    def describe_stream(self, **request: Any) -> Json:
        """Return the answer of DescribeStream."""
        return self._do("describe_stream", request)

    def get_shard_iterator(self, **request: Any) -> Json:
        """Return the answer of GetShardIterator."""
        return self._do("get_shard_iterator", request)

    def get_records(self, **request: Any) -> Json:
        """Return the answer of GetRecords, with times as objects."""
        page = self._do("get_records", request)
        for record in page["Records"]:
            change = record["dynamodb"]
            change["ApproximateCreationDateTime"] = datetime.fromtimestamp(
                change["ApproximateCreationDateTime"], UTC
            )
        return page
