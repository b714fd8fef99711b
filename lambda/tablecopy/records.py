"""Stream records, and what of them has to be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tablecopy.wire import Json
from tablecopy.writes import Write, delete, key_token, put


class UnusableRecord(Exception):
    """A record that says that an item changed but not to what."""


@dataclass(frozen=True)
class Change:
    """The last change of one key within a batch.

    ``first`` is the sequence number of the key's first record in the batch: as long as the change is not
    written, nothing from there on may count as applied.
    """

    write: Write
    first: str
    is_delete: bool


def coalesce(records: Sequence[Json]) -> list[Change]:
    """The last change of each key in ``records``, which are in the order of their shard.

    ``records`` are those of a Lambda event: ``eventName`` INSERT, MODIFY or REMOVE (by a person or by time
    to live alike) and ``dynamodb`` with ``Keys``, ``SequenceNumber`` and, unless removed, ``NewImage``.

    Raises
    ------
    UnusableRecord
        A record lacks its new image: the stream's view type is not NEW_IMAGE or NEW_AND_OLD_IMAGES.
    """
    changes: dict[str, Change] = {}
    for record in records:
        change = record["dynamodb"]
        keys = change["Keys"]
        token = key_token(keys)
        earlier = changes.get(token)
        first = earlier.first if earlier else change["SequenceNumber"]
        if record["eventName"] == "REMOVE":
            changes[token] = Change(delete(keys), first, is_delete=True)
        elif "NewImage" in change:
            changes[token] = Change(put(keys, change["NewImage"]), first, is_delete=False)
        else:
            raise UnusableRecord(
                f"record {change['SequenceNumber']} has no new image; the source's stream must have the view "
                "type NEW_IMAGE or NEW_AND_OLD_IMAGES"
            )
    return list(changes.values())
