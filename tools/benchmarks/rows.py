"""Files of rows, as a comparison has them of both tables: keys and digests in the order of two scans."""

from __future__ import annotations

import random
from hashlib import blake2b
from pathlib import Path

# One row in so many has another digest in the copy.
_APART = 10_000
_FIRST = _APART // 2

# Lines written at once.
_CHUNK = 10_000

DIGEST_BYTES = 16


def write_rows(path: Path, rows: int, seed: int, *, copy: bool) -> None:
    """Write ``rows`` lines of partition key, sort key and digest in hexadecimal, tabs between, in any order.

    The copy's first row is one that the source lacks, and it lacks the source's first.
    """
    numbers = list(range(copy, rows + copy))
    random.Random(f"{seed} {copy}").shuffle(numbers)
    with path.open("w") as file:
        for start in range(0, rows, _CHUNK):
            file.writelines(_line(number, copy) for number in numbers[start : start + _CHUNK])


def differing(rows: int) -> int:
    """How many keys both files of so many rows do not agree on."""
    return len(range(_FIRST, rows, _APART)) + 2


def _line(number: int, copy: bool) -> str:
    changed = copy and number % _APART == _FIRST
    digest = blake2b(f"{number} {changed}".encode(), digest_size=DIGEST_BYTES).hexdigest()
    return f'"k{number:015d}"\t"{number % 97}"\t{digest}\n'
