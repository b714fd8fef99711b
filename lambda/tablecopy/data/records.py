"""Stream records, and the writes that they require."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tablecopy.dynamodb.client import Json, encode
from tablecopy.dynamodb.requests import delete, key_token, put


class UnusableRecord(Exception):
    """A record that an item changed, without the new item."""


@dataclass(frozen=True)
class Change:
    """The last change of one key within a batch.

    Attributes
    ----------
    token
        Text that identifies the key (see `requests.key_token`).
    request
        The write request (see `requests`).
    first
        Sequence number of the key's first record in the batch. Until the change is written, no record from
        there on may count as applied.
    last
        Sequence number of this change's record.
    """

    token: str
    request: bytes
    first: str
    last: str
    is_delete: bool


def coalesce(records: Sequence[Json]) -> list[Change]:
    """Return the last change of each key in ``records``, which are in the order of their shard.

    ``records`` are those of a Lambda event: ``eventName`` INSERT, MODIFY or REMOVE (by a caller
    or by TTL) and ``dynamodb`` with ``Keys``, ``SequenceNumber`` and, unless removed, ``NewImage``.

    Raises
    ------
    UnusableRecord
        The last record of a key lacks its new image: the stream's view type is not NEW_IMAGE or
        NEW_AND_OLD_IMAGES.
    """
    last: dict[str, Json] = {}
    firsts: dict[str, str] = {}
    for record in records:
        change = record["dynamodb"]
        token = key_token(change["Keys"])
        firsts.setdefault(token, change["SequenceNumber"])
        last[token] = record
    return [_change(token, firsts[token], record) for token, record in last.items()]


def _change(token: str, first: str, record: Json) -> Change:
    change = record["dynamodb"]
    number = change["SequenceNumber"]
    if record["eventName"] == "REMOVE":
        return Change(token, delete(change["Keys"]), first, number, is_delete=True)
    if "NewImage" not in change:
        raise UnusableRecord(
            f"record {number} has no new image; the source's stream must have the view type NEW_IMAGE or "
            "NEW_AND_OLD_IMAGES"
        )
    return Change(token, put(encode(change["NewImage"])), first, number, is_delete=False)
