"""The requests of DynamoDB's operations, as far as they are simulated.

Items and keys stay JSON. A member that is missing here is an error of the simulation, not of the caller, so
it raises ``NotSimulated``.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from tools.simulation.attributes import Value
from tools.simulation.errors import ServiceError


class NotSimulated(Exception):
    """The simulation lacks an operation, or a member of a request."""


class Request(msgspec.Struct, rename="pascal", forbid_unknown_fields=True):
    """A request, or a part of one."""


class Expressions(Request, kw_only=True):
    """What requests with expressions have in common."""

    expression_attribute_names: dict[str, str] = {}
    expression_attribute_values: dict[str, Value] = {}
    return_consumed_capacity: str = "NONE"


class GetItem(Expressions):
    table_name: str
    key: Raw
    consistent_read: bool = False
    projection_expression: str = ""


class Keys(Request):
    keys: list[Raw]
    consistent_read: bool = False
    projection_expression: str = ""
    expression_attribute_names: dict[str, str] = {}


class BatchGetItem(Request):
    request_items: dict[str, Keys]
    return_consumed_capacity: str = "NONE"


class Page(Expressions, kw_only=True):
    """What Query and Scan have in common."""

    table_name: str
    consistent_read: bool = False
    exclusive_start_key: Raw = Raw(b"")
    filter_expression: str = ""
    limit: int | None = None
    projection_expression: str = ""
    select: str = ""


class Query(Page):
    key_condition_expression: str
    scan_index_forward: bool = True


class Scan(Page):
    segment: int | None = None
    total_segments: int | None = None


class Write(Expressions, kw_only=True):
    """What single writes have in common."""

    table_name: str
    condition_expression: str = ""
    return_values: str = "NONE"
    return_values_on_condition_check_failure: str = "NONE"


class PutItem(Write):
    item: Raw


class DeleteItem(Write):
    key: Raw


class UpdateItem(Write):
    key: Raw
    update_expression: str = ""


class PutRequest(Request):
    item: Raw


class DeleteRequest(Request):
    key: Raw


class WriteRequest(Request):
    put_request: PutRequest | None = None
    delete_request: DeleteRequest | None = None


class BatchWriteItem(Request):
    request_items: dict[str, list[WriteRequest]]
    return_consumed_capacity: str = "NONE"


class ConditionCheck(Write):
    key: Raw


class TransactWriteItem(Request):
    put: PutItem | None = None
    delete: DeleteItem | None = None
    update: UpdateItem | None = None
    condition_check: ConditionCheck | None = None


class TransactWriteItems(Request):
    transact_items: list[TransactWriteItem]
    client_request_token: str = ""
    return_consumed_capacity: str = "NONE"


class Describe(Request):
    table_name: str


class ShardFilter(Request):
    type: str
    shard_id: str


class DescribeStream(Request):
    stream_arn: str
    limit: int = 100
    exclusive_start_shard_id: str = ""
    shard_filter: ShardFilter | None = None


class GetShardIterator(Request):
    stream_arn: str
    shard_id: str
    shard_iterator_type: str
    sequence_number: str = ""


class GetRecords(Request):
    shard_iterator: str
    limit: int = 1_000


R = TypeVar("R", bound=Request)


class Reader:
    """Decodes requests of one type."""

    def __init__(self, kind: type[R]) -> None:
        self._kind = kind
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind)

    def read(self, body: bytes) -> Any:
        """Return the request.

        Raises
        ------
        ServiceError
            The body is not JSON, or a member is missing or of another type.
        NotSimulated
            It has a member that is not simulated.
        """
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            if "unknown field" in str(error):
                raise NotSimulated(f"{self._kind.__name__}: {error}") from None
            if "missing required field" in str(error):
                raise ServiceError("ValidationException", str(error)) from None
            raise ServiceError("SerializationException", str(error)) from None
        except msgspec.DecodeError as error:
            raise ServiceError("SerializationException", str(error)) from None
