"""A table that verify reads: its description, pages of its scan, single items."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from tablecopy.dynamodb.description import Identity
from tablecopy.throughput.rate import TokenBucket
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.items import Item
from verify.scan.calls import Calls, Send, sender
from verify.scan.decode import BadPage, PageDecoder, batch
from verify.scan.identity import KeySchema, check_identity, describe
from verify.scan.pages import Page, Reader
from verify.settings.describe import Definition, read_definition

BATCH_KEYS = 100
"""Keys of one BatchGetItem call at most (DynamoDB API reference)."""

# A wrong region or endpoint shows in the first call; retrying that for a minute helps nobody.
_PROBE_ATTEMPTS = 3


@dataclass(frozen=True)
class Filter:
    """Restricts a scan, as the parameters of Scan with these names do.

    Parameters
    ----------
    expression
        ``FilterExpression``.
    names, values
        ``ExpressionAttributeNames`` and ``ExpressionAttributeValues``, the latter in DynamoDB JSON.
    """

    expression: str
    names: Mapping[str, str] | None = None
    values: Mapping[str, Any] | None = None

    def request(self) -> dict[str, Any]:
        """The parameters of Scan."""
        request: dict[str, Any] = {"FilterExpression": self.expression}
        if self.names:
            request["ExpressionAttributeNames"] = self.names
        if self.values:
            request["ExpressionAttributeValues"] = self.values
        return request


@dataclass(frozen=True)
class Found:
    """An item as it was read again.

    Parameters
    ----------
    text
        The item as JSON.
    digests
        In hexadecimal, those that a scan of this item may enter: see `Reader.digests`.
    """

    text: bytes
    digests: tuple[str, ...]

    @property
    def item(self) -> Item:
        """The item in DynamoDB JSON. Decoding it costs more than the digests, which nearly always suffice."""
        item: Item = json.loads(self.text)
        return item


class Table:
    """A table that can be read. Made by `connect`, or with a way to send calls of the caller's.

    Parameters
    ----------
    side
        Where the table is; errors name it.
    send
        Sends calls there.
    description
        ``Table`` of DescribeTable, as it was on the wire.
    definition
        Its settings, if they are compared.
    limit, stop
        As for `Calls`.
    """

    def __init__(
        self,
        side: Side,
        send: Send,
        description: Mapping[str, Any],
        definition: Definition | None = None,
        *,
        limit: TokenBucket | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self.side = side
        self.calls = Calls(side, send, limit, stop)
        self.description = description
        self.definition = definition
        self.arn: str = description["TableArn"]
        self.name = self.arn.rpartition("/")[2]
        # A table that was described by its ARN is read by its ARN. Its name would be a table of the caller's
        # own account.
        self.address: str = side.table_name or self.name
        self.keys = KeySchema.of(description)
        self._decoder = PageDecoder()

    @classmethod
    def connect(cls, side: Side) -> Table:
        """Sign in on a side and look the table up.

        Raises
        ------
        UserError
            The table does not exist or cannot be reached.
        """
        if side.table_name is None:
            raise UserError(f"There is no {side.name} table. Pass --{side.name} TABLE.", side.name)
        client = side.client("dynamodb", attempts=_PROBE_ATTEMPTS)
        description = describe(client, side)
        send, _ = sender(side)
        return cls(side, send, description, read_definition(client, side, description))

    @property
    def items(self) -> int:
        """DynamoDB's item count, which is updated about every six hours."""
        return int(self.description.get("ItemCount", 0))

    @property
    def size(self) -> int:
        """DynamoDB's size of the table in bytes, updated like `items`."""
        return int(self.description.get("TableSizeBytes", 0))

    @property
    def identity(self) -> Identity:
        """Which table it is."""
        return Identity.of(self.description)

    @property
    def expiry(self) -> str | None:
        """Name of the time to live attribute, while it is on."""
        found = self.definition.time_to_live if self.definition else None
        return found if isinstance(found, str) else None

    def bound(self, limit: TokenBucket | None, stop: threading.Event) -> Table:
        """Return the same table, read within ``limit`` until ``stop`` is set."""
        other = copy.copy(self)
        other.calls = self.calls.bound(limit, stop)
        return other

    def check_identity(self) -> None:
        """Check that the table is still the one that was described.

        Raises
        ------
        UserError
            It was deleted, or deleted and created again.
        """
        request = json.dumps({"TableName": self.address}).encode("ascii")
        now = self.calls.answer("DescribeTable", request, _described)
        check_identity(self.identity, now, self.side)

    def reader(self, ignored: Iterable[str] = (), expiry: str | None = None, seed: int = 0) -> Reader:
        """Return a reader of this table's pages, to be used by one thread; see `Reader`."""
        return Reader(self.keys, ignored, expiry, self._decoder, seed)

    def page(self, request: bytes, reader: Reader) -> Page:
        """Read one page of a scan.

        Parameters
        ----------
        request
            Body of the Scan call.
        reader
            Turns its answer into rows.
        """

        def read(body: bytes) -> tuple[Page, float]:
            page = reader.page(body)
            return page, page.units

        return self.calls.answer("Scan", request, read)

    def get(self, keys: Sequence[Item], reader: Reader) -> tuple[dict[str, Found], float]:
        """Read single items, strongly consistent.

        Parameters
        ----------
        keys
            At most `BATCH_KEYS`, no two of them equal.

        Returns
        -------
        tuple
            `KeySchema.identity` of the key to what is there, for the items there are; read capacity units.
        """
        found: dict[str, Found] = {}
        units = 0.0
        wanted = list(keys)
        read = partial(self._read_batch, reader)
        while wanted:
            request = {
                "RequestItems": {self.address: {"Keys": wanted, "ConsistentRead": True}},
                "ReturnConsumedCapacity": "TOTAL",
            }
            answer, consumed, wanted = self.calls.answer(
                "BatchGetItem", json.dumps(request).encode("ascii"), read
            )
            found |= answer
            units += consumed
        return found, units

    def _read_batch(
        self, reader: Reader, body: bytes
    ) -> tuple[tuple[dict[str, Found], float, list[Item]], float]:
        answer = batch(body)
        unprocessed = answer.UnprocessedKeys or {}
        names = {*answer.Responses, *unprocessed}
        name = next(iter(names), self.address)
        items = answer.Responses.get(name, [])
        left: list[Item] = [*unprocessed[name].Keys] if name in unprocessed else []
        units = sum((part.CapacityUnits for part in answer.ConsumedCapacity or ()), 0.0)
        if len(names) > 1 or name not in (self.address, self.name):
            # Items of another table, or under another name, must not count as missing items.
            raise BadPage(f"{self.address} was requested and {', '.join(sorted(names))} was returned")
        if left and not items:
            # DynamoDB returns unprocessed keys in a successful answer as long as it has read one key.
            raise ClientError(
                {"Error": {"Code": "ThrottlingException", "Message": "every key is unprocessed"}},
                "BatchGetItem",
            )
        found = {
            self.keys.identity_of_row(partition, sort): Found(bytes(item), digests)
            for item, (partition, sort, digests) in zip(items, reader.digests(items), strict=True)
        }
        return (found, units, left), units


def _described(body: bytes) -> tuple[dict[str, Any], float]:
    try:
        description = json.loads(body)["Table"]
        Identity.of(description)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise BadPage("the body is not that of DescribeTable") from error
    return description, 0.0
