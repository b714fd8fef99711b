"""Stream records, and what of them has to be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tablecopy.dynamodb.client import Json, encode
from tablecopy.dynamodb.requests import delete, key_token, put


class UnusableRecord(Exception):
    """A record that says that an item changed but not to what."""


@dataclass(frozen=True)
class Change:
    """The last change of one key within a batch.

    Attributes
    ----------
    token
        Names the key.
    request
        The write request for it (see writes).
    first
        Sequence number of the key's first record in the batch: as long as the change is not written, nothing
        from there on may count as applied.
    last
        Sequence number of the record that this change is.
    """

    token: str
    request: bytes
    first: str
    last: str
    is_delete: bool


def coalesce(records: Sequence[Json]) -> list[Change]:
    """The last change of each key in ``records``, which are in the order of their shard.

    ``records`` are those of a Lambda event: ``eventName`` INSERT, MODIFY or REMOVE (by a person or by time
    to live alike) and ``dynamodb`` with ``Keys``, ``SequenceNumber`` and, unless removed, ``NewImage``.

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
