"""Write requests: what is to be put or deleted at the destination, and how requests make up a batch.

A request is the JSON that BatchWriteItem takes, ``{"PutRequest": {"Item": ...}}`` or ``{"DeleteRequest":
{"Key": ...}}``, as bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from tablecopy.dynamodb.client import Json, encode

# BatchWriteItem: 25 requests, 16 MB (API reference). The limit on size is kept in bytes of JSON, which are
# never fewer than DynamoDB counts, and leaves room for what surrounds the requests.
BATCH_REQUESTS = 25
BATCH_BYTES = 16 * 1024 * 1024 - 4096

_PUT = b'{"PutRequest":{"Item":'
_DELETE = b'{"DeleteRequest":{"Key":'
_CLOSE = b"}}"


def put(item: bytes) -> bytes:
    """The request that makes ``item``, in DynamoDB JSON, the destination's item."""
    return _PUT + item + _CLOSE


def delete(key: Json) -> bytes:
    """The request that removes the item with ``key``."""
    return _DELETE + encode(key) + _CLOSE


def item_of(request: bytes) -> str:
    """The item that a request puts, as JSON text; empty for a delete."""
    return request[len(_PUT) : -len(_CLOSE)].decode() if request.startswith(_PUT) else ""


def key_of(request: bytes, key_names: Sequence[str]) -> Json:
    """The key a request is about. This decodes the request: not for the way that every item takes."""
    document = json.loads(request)
    if "DeleteRequest" in document:
        key: Json = document["DeleteRequest"]["Key"]
        return key
    item = document["PutRequest"]["Item"]
    return {name: item[name] for name in key_names}


def key_token(key: Json) -> str:
    """A text that is the same for the same key, however its attributes are ordered."""
    return json.dumps(key, sort_keys=True, separators=(",", ":"))


def batches(requests: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Cut ``requests`` into batches that BatchWriteItem accepts: 25 requests, 16 MB.

    The requests are dealt out like cards. Items come from a scan in the order of their hash, those of one
    partition in a row; so each batch takes some of every stretch, and no partition is hit in a row.

    Each key may occur only once among the requests, as in a page, and in changes that were coalesced.
    """
    count = -(-len(requests) // BATCH_REQUESTS)
    for first in range(count):
        yield from _by_size(requests[first::count])


def _by_size(requests: Sequence[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for request in requests:
        if batch and size + len(request) > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(request)
        size += len(request) + 1
    yield batch
