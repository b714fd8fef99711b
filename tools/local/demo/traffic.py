"""Writes to the source while it is copied: a steady mix of inserts, updates, deletes and re-inserts."""

from __future__ import annotations

import copy
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from tools.local.demo.cities import TABLE_NAME, Item, key_of, token_of

# A deleted city comes back after this many further changes, so that a key is often gone when the backfill
# comes by and there again afterwards, or the other way round.
_BACK_AFTER_CHANGES = 40


class Writer:
    """Changes the table in a thread of its own until it is stopped.

    ``ledger`` has the latest acknowledged write of each key that it has written, by `cities.token_of`: the
    item, or ``None`` if it is deleted.

    Parameters
    ----------
    client
        DynamoDB client of the source account.
    present
        Items that are in the table.
    reserve
        Items that are not, to be inserted.
    rate
        Changes per second.
    seed
        Makes the sequence of changes repeatable.
    """

    def __init__(self, client: Any, present: list[Item], reserve: list[Item], rate: float, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.ledger: dict[str, Item | None] = {}
        self._client = client
        # Changed in place, also by a write that fails.
        self._present = copy.deepcopy(present)
        self._reserve = list(reserve)
        self._deleted: deque[tuple[int, Item]] = deque()
        self._rate = rate
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    @property
    def is_writing(self) -> bool:
        """Whether it has not ended, by itself or by `stop`."""
        return self._thread.is_alive()

    @property
    def changes(self) -> int:
        """How many changes were made so far."""
        return self.counts.total()

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and raise what went wrong if anything did. Every change made by then is acknowledged."""
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            began = time.monotonic()
            while not self._stop.wait(max(0.0, began + self.changes / self._rate - time.monotonic())):
                self._change()
        except BaseException as error:
            self._error = error

    def _change(self) -> None:
        if self._deleted and self.changes - self._deleted[0][0] >= _BACK_AFTER_CHANGES:
            self._put("re-inserted", self._deleted.popleft()[1])
            return
        kind = self._random.choices([self._insert, self._update, self._replace, self._delete], [2, 4, 2, 3])[
            0
        ]
        kind()

    def _insert(self) -> None:
        self._put("inserted", self._reserve.pop() if self._reserve else self._pick())

    def _update(self) -> None:
        item = self._pick()
        people = {"N": str(self._random.randrange(10**7))}
        item["population"] = people
        self._client.update_item(
            TableName=TABLE_NAME,
            Key=key_of(item),
            UpdateExpression="SET population = :people",
            ExpressionAttributeValues={":people": people},
        )
        self._acknowledged("updated", item)

    def _replace(self) -> None:
        item = self._pick()
        item["names"] = {"SS": [f"{item['name']['S']} {self._random.randrange(1000)}", "Город", "城市"]}
        item["position"]["M"]["latitude"] = {"N": str(self._random.randrange(-90_000, 90_000) / 1000)}
        self._put("updated", item)

    def _delete(self) -> None:
        item = self._pick()
        self._client.delete_item(TableName=TABLE_NAME, Key=key_of(item))
        self.ledger[token_of(item)] = None
        self.counts["deleted"] += 1
        self._deleted.append((self.changes, item))

    def _put(self, what: str, item: Item) -> None:
        self._client.put_item(TableName=TABLE_NAME, Item=item)
        self._acknowledged(what, item)

    def _acknowledged(self, what: str, item: Item) -> None:
        self.ledger[token_of(item)] = copy.deepcopy(item)
        self.counts[what] += 1
        self._present.append(item)

    def _pick(self) -> Item:
        """Take any item that is in the table out of the list of those that are."""
        index = self._random.randrange(len(self._present))
        self._present[index], self._present[-1] = self._present[-1], self._present[index]
        return self._present.pop()


def fill(client: Any, items: list[Item], progress: Callable[[int], None]) -> None:
    """Put all items, telling ``progress`` how many are in."""
    for start in range(0, len(items), 25):
        requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        while requests:
            answer = client.batch_write_item(RequestItems={TABLE_NAME: requests})
            requests = answer["UnprocessedItems"].get(TABLE_NAME, [])
        progress(min(start + 25, len(items)))
