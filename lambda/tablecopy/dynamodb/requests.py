"""Write requests: puts and deletes for the destination, and how they form batches.

A request is the JSON that BatchWriteItem takes, ``{"PutRequest": {"Item": ...}}`` or ``{"DeleteRequest":
{"Key": ...}}``, as bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence

from tablecopy.dynamodb.client import Json, encode

# BatchWriteItem: 25 requests, 16 MB (API reference). Sizes are counted in bytes of JSON, of which there are
# never fewer than DynamoDB counts. The limit leaves room for the JSON around the requests.
BATCH_REQUESTS = 25
BATCH_BYTES = 16 * 1024 * 1024 - 4096

_PUT = b'{"PutRequest":{"Item":'
_DELETE = b'{"DeleteRequest":{"Key":'
_CLOSE = b"}}"


def put(item: bytes) -> bytes:
    """Return the request that writes ``item`` (DynamoDB JSON)."""
    return _PUT + item + _CLOSE


def delete(key: Json) -> bytes:
    """Return the request that deletes the item with ``key``."""
    return _DELETE + encode(key) + _CLOSE


def item_of(request: bytes) -> str:
    """Return the item that a request puts, as JSON text; empty for a delete."""
    if not request.startswith(_PUT):
        return ""
    # A lone surrogate becomes JSON's escape, as `encode` writes it.
    text = request[len(_PUT) : -len(_CLOSE)].decode("utf-8", "surrogatepass")
    return text.encode("utf-8", "backslashreplace").decode()


def key_of(request: bytes, key_names: Sequence[str]) -> Json:
    """Return the key of a request's item. This decodes the request, so it is too slow for every item."""
    document = json.loads(request)
    if "DeleteRequest" in document:
        key: Json = document["DeleteRequest"]["Key"]
        return key
    item = document["PutRequest"]["Item"]
    return {name: item[name] for name in key_names}


def key_token(key: Json) -> str:
    """Return a text that is the same for the same key in any order of its attributes."""
    return json.dumps(key, sort_keys=True, separators=(",", ":"))


def size_of(request: bytes) -> float:
    """Return the size of a request in KB, rounded up as for a write unit."""
    return 1.0 + (len(request) >> 10)


def total_size(requests: Sequence[bytes]) -> float:
    """Return about the sum of the requests' sizes in KB (see `size_of`). It is fast enough for every item."""
    return len(requests) + sum(map(len, requests)) / 1024


def batches(requests: Sequence[bytes], size: float = math.inf) -> Iterator[list[bytes]]:
    """Divide ``requests`` into batches that BatchWriteItem accepts: 25 requests, 16 MB.

    A batch is about as large as ``size`` (see `total_size`), or a single request.

    A scan returns items in the order of their hash, so neighbors are in one partition. Each batch takes
    requests from everywhere in the sequence, so that no partition gets many writes in a row.

    Each key may occur only once in ``requests``, as in a page and in coalesced changes.
    """
    count = -(-len(requests) // BATCH_REQUESTS)
    if size < math.inf:
        count = max(count, min(len(requests), math.ceil(total_size(requests) / size)))
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
