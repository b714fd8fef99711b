"""Writes: what is to be put or deleted at the destination, and how writes make up a batch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tablecopy.wire import Json, encode

# BatchWriteItem: 25 requests, 16 MB (API reference). The limit on size is kept in bytes of JSON, which are
# never fewer than DynamoDB counts, and leaves room for what surrounds the requests.
BATCH_REQUESTS = 25
BATCH_BYTES = 16 * 1024 * 1024 - 4096


@dataclass(frozen=True)
class Write:
    """One put or delete.

    Attributes
    ----------
    token
        Names the key: equal for equal keys of one table.
    body
        The write request as BatchWriteItem takes it, ``{"PutRequest": ...}`` or ``{"DeleteRequest": ...}``.
    """

    token: str
    body: bytes


def put(key_names: Iterable[str], item: Json) -> Write:
    """The write that makes ``item`` the destination's item."""
    key = {name: item[name] for name in key_names}
    return Write(key_token(key), encode({"PutRequest": {"Item": item}}))


def delete(key: Json) -> Write:
    """The write that removes the item with ``key``."""
    return Write(key_token(key), encode({"DeleteRequest": {"Key": key}}))


def key_token(key: Json) -> str:
    """A text that is the same for the same key, however its attributes are ordered."""
    return json.dumps(key, sort_keys=True, separators=(",", ":"))


def batches(writes: Iterable[Write]) -> Iterator[list[Write]]:
    """Cut ``writes``, in order, into batches that BatchWriteItem accepts: 25 requests, 16 MB, a key once."""
    batch: list[Write] = []
    size = 0
    tokens: set[str] = set()
    for write in writes:
        full = len(batch) == BATCH_REQUESTS or size + len(write.body) > BATCH_BYTES or write.token in tokens
        if batch and full:
            yield batch
            batch, size, tokens = [], 0, set()
        batch.append(write)
        size += len(write.body) + 1
        tokens.add(write.token)
    if batch:
        yield batch
