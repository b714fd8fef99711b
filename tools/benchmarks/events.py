"""Stream records as Lambda hands them to a function: batches of inserts, changes and removals."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from tools.benchmarks import shapes
from tools.benchmarks.environment import STREAM_ARN

BATCH_RECORDS = 1000

# The key that a hot batch changes again and again.
HOT_NUMBER = 999_999_00000

_KINDS = ("INSERT", "MODIFY", "REMOVE")
_WEIGHTS = (40, 45, 15)

# Sequence numbers have 21 to 40 digits (Streams API reference).
_FIRST_SEQUENCE_NUMBER = 10**24


@dataclass(frozen=True)
class Batches:
    """Batches of one shard, numbered from 0, each of the same records whenever it is made.

    Attributes
    ----------
    hot
        How many records of a batch are changes of one key; every other record is of a key of its own, so
        that nothing is gained by coalescing.
    """

    shape: str
    seed: int
    records: int = BATCH_RECORDS
    hot: int = 0

    def event(self, number: int) -> dict[str, Any]:
        """The event of batch ``number``."""
        rng = random.Random(f"{self.seed} {self.shape} {number}")
        hot = set(rng.sample(range(self.records), self.hot))
        return {
            "Records": [
                self._record(rng, number, index, is_hot=index in hot) for index in range(self.records)
            ]
        }

    def _record(self, rng: random.Random, batch: int, index: int, *, is_hot: bool) -> dict[str, Any]:
        kind = "MODIFY" if is_hot else rng.choices(_KINDS, _WEIGHTS)[0]
        number, place = (HOT_NUMBER, 0) if is_hot else (batch * 100_000 + index, index)
        image = shapes.item(self.shape, rng, f"{number:015d}", place)
        change = {
            "ApproximateCreationDateTime": 1_767_225_600 + batch,
            "Keys": shapes.key(f"{number:015d}", place),
            "SequenceNumber": str(_FIRST_SEQUENCE_NUMBER + batch * self.records + index),
            "SizeBytes": shapes.SIZES[self.shape],
            "StreamViewType": "NEW_IMAGE",
        }
        return {
            "eventID": f"{batch:08x}{index:08x}",
            "eventName": kind,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "eu-west-1",
            "eventSourceARN": STREAM_ARN,
            "dynamodb": change if kind == "REMOVE" else {**change, "NewImage": image},
        }


def checksum(event: dict[str, Any], *, removals: bool) -> tuple[int, int]:
    """How many keys ``event`` changes, with or without those it removes, and the sum of their numbers."""
    numbers = {
        int(record["dynamodb"]["Keys"]["pk"]["S"][1:])
        for record in event["Records"]
        if removals or record["eventName"] != "REMOVE"
    }
    return len(numbers), sum(numbers)
