"""Readers: invocations that read a part of the shards for the reconciler, where there are thousands of them.

A reader keeps nothing. It gets what the reconciler knows of its shards, reads them, follows the applied
batches, notes keys if they are tracked, and returns what is known then. The reconciler continues from an
answer, or from where it was if there is none. So it stays the only one that owns shards, decides and writes
their rows, and a reader that is slow, is invoked twice or never answers cannot do harm: it moves nothing, and
keys that it notes are noted again.

A reader measures time from the moment at which the reconciler sent the request, so all moments are those of
the reconciler's clock, or earlier by as long as the request took. See `Reader.late`.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from tablecopy.clock import Machine, ShiftedMachine
from tablecopy.comparison.items import Side
from tablecopy.control.stream.chain import Chain, Progress
from tablecopy.control.stream.notes import KeyNotes
from tablecopy.control.stream.reader import STATE_FORM, Reader
from tablecopy.control.stream.work import Workers
from tablecopy.dynamodb.client import DynamoDB, Json
from tablecopy.dynamodb.errors import NO_ANSWER
from tablecopy.dynamodb.streams import BETWEEN_READS_SECONDS, READERS, StreamClient, Unavailable
from tablecopy.journal.applied_batches import AppliedBatches
from tablecopy.journal.shards import Shard
from tablecopy.journal.store import Store
from tablecopy.journal.touched import TouchedKeys
from tablecopy.settings import reader_count

FEWEST_KEPT, MOST_KEPT = 25, 1_000
"""Records of one shard that are kept."""

# Records ahead of each shard that a reader returns. The others are read again. A payload of Lambda has 6 MB.
_RETURNED = 50

# The parts of a reader's time after which nothing is read, and after which no applied batch is looked up.
_READING, _FOLLOWING = 0.75, 0.9

# After all readers have failed, the reconciler reads alone for so long.
_ALONE_SECONDS = 30.0

# Shards are listed while readers are at work.
_LIST_EVERY_SECONDS = 0.25


@dataclass
class Look:
    """How long to read, and how; and what readers have found.

    Attributes
    ----------
    until, follow_until
        When to end the reading, and then the search for applied batches, in seconds since the epoch.
    covered_to, noting, counting
        See `Reader.look`.
    failed
        Whether to end the reading.
    found
        What was found to be applied in the shards that readers have read.
    """

    until: float
    follow_until: float
    covered_to: float
    noting: bool
    counting: bool
    failed: bool = False
    found: dict[Reader, Progress] = field(default_factory=dict)


class Parts:
    """Lets readers read, from the reconciler's side.

    Parameters
    ----------
    invoke
        Invokes a reader with an event and returns its answer. Raises ClientError or what has no answer.
    per_reader
        Shards of one reader.
    """

    def __init__(self, invoke: Callable[[Json], Json], machine: Machine, per_reader: int) -> None:
        self._invoke = invoke
        self._machine = machine
        self._per_reader = per_reader
        self._alone_until = 0.0

    def count(self, shards: int) -> int:
        """Return how many readers to invoke for so many shards."""
        return 0 if self._machine.now() < self._alone_until else reader_count(shards, self._per_reader)

    def read(
        self, readers: Sequence[Reader], look: Look, tracking_id: str, meanwhile: Callable[[], None]
    ) -> tuple[list[Reader], Exception | None]:
        """Let each of ``readers`` take over what an invocation has read.

        Parameters
        ----------
        readers
            Of the shards to read. They must have no keys that are not noted yet.
        tracking_id
            The tracking for which keys are noted; empty if there is none.
        meanwhile
            Is called now and then while the invocations run.

        Returns
        -------
        tuple
            The readers that were not read, and why a call failed; ``None`` if none did.
        """
        count = self.count(len(readers))
        left: list[Reader] = []
        failure: Exception | None = None
        failed = 0
        with self._machine.pool(count) as pool:
            running: list[tuple[Sequence[Reader], Future[tuple[Any, float]]]] = []
            for part in range(count):
                mine = readers[part::count]
                running.append((mine, pool.submit(self._ask, mine, look, tracking_id)))
            while not self._machine.wait([each for _, each in running], _LIST_EVERY_SECONDS):
                meanwhile()
        for mine, done in running:
            try:
                answer, received_at = done.result()
            except (ClientError, ReaderFailed, *NO_ANSWER) as error:
                failure, failed = error, failed + 1
                left += mine
                continue
            left += self._take(mine, answer, received_at, look)
            if answer["error"]:
                failure = Unavailable(answer["error"])
        if failed == count:
            self._alone_until = self._machine.now() + _ALONE_SECONDS
        return left, failure

    def _ask(self, readers: Sequence[Reader], look: Look, tracking_id: str) -> tuple[Any, float]:
        now = self._machine.now()
        request = {
            "form": STATE_FORM,
            "now": now,
            "seconds": look.follow_until - now,
            "covered_to": look.covered_to,
            "counting": look.counting,
            "tracking": tracking_id,
            "shards": [
                [reader.shard_id, reader.state(MOST_KEPT), reader.notes and reader.notes.place]
                for reader in readers
            ],
        }
        answer = self._invoke({"read": _packed(request)})
        if "read" not in answer:
            raise ReaderFailed("a reader of the reconciler has returned no shards")
        return _unpacked(answer["read"]), self._machine.now()

    def _take(self, readers: Sequence[Reader], answer: Any, received_at: float, look: Look) -> list[Reader]:
        """Take over an answer. Returns the readers that are not in it."""
        shards = {shard_id: found for shard_id, *found in answer["shards"]}
        left = []
        for reader in readers:
            if reader.shard_id not in shards:
                left.append(reader)
                continue
            state, progress, place = shards[reader.shard_id]
            reader.resume(state)
            reader.late = max(0.0, received_at - answer["now"])
            reader.tried_at = received_at
            reader.error = None
            if reader.notes is not None:
                reader.notes.advance(*place)
            look.found[reader] = Progress(*progress)
        return left


class ReaderFailed(Exception):
    """A reader has ended with an error, or has returned something else."""


class PartReader:
    """Reads a part of the shards: what a reader does. It keeps nothing between two invocations.

    Parameters
    ----------
    records_kept
        Records that all shards together keep.
    """

    def __init__(
        self, client: DynamoDB, stream_arn: str, store: Store, machine: Machine, records_kept: int
    ) -> None:
        self._machine = ShiftedMachine(machine)
        self._client = StreamClient(client, stream_arn, self._machine)
        self._batches = AppliedBatches(store, self._machine)
        self._store = store
        self._records_kept = records_kept

    def read(self, packed: str) -> str:
        """Read the shards of a request, and return the answer.

        Raises ValueError if the request is of another version of the function.
        """
        request = _unpacked(packed)
        if request["form"] != STATE_FORM:
            raise ValueError("the request is of another version of the function")
        self._machine.follow(request["now"])
        began, seconds = request["now"], request["seconds"]
        look = Look(
            began + _READING * seconds,
            began + _FOLLOWING * seconds,
            request["covered_to"],
            noting=False,
            counting=request["counting"],
        )
        keys = TouchedKeys(self._store, self._machine, request["tracking"])
        readers = [self._reader(each, keys, len(request["shards"])) for each in request["shards"]]
        errors: list[Exception] = []
        with Workers(self._machine, READERS) as workers:
            self._read_all(readers, look, workers)
            chain = Chain(self._batches, workers.executor, self._machine, look.covered_to)
            try:
                chain.follow(readers, look.follow_until, look.found)
            except (ClientError, *NO_ANSWER) as error:
                errors.append(error)
            pending = [reader.notes for reader in readers if reader.notes and reader.notes.is_pending]
            workers.work_off(pending, partial(_flush, errors), began + seconds)
        errors += [reader.error for reader in readers if reader.error]
        return _packed(
            {
                # A shard whose keys are not noted is read again.
                "shards": [
                    _answer(reader, look.found.get(reader))
                    for reader in readers
                    if not (reader.notes and reader.notes.is_pending)
                ],
                "error": str(errors[0]) if errors else "",
                "now": self._machine.now(),
            }
        )

    def _reader(self, shard: list[Any], keys: TouchedKeys, shards: int) -> Reader:
        shard_id, state, place = shard
        reader = Reader(self._client, Shard(shard_id), self._machine)
        reader.resume(state)
        reader.keep = max(FEWEST_KEPT, min(MOST_KEPT, self._records_kept // shards))
        if place:
            reader.notes = KeyNotes(keys, Side.SOURCE, shard_id, 0)
            reader.notes.advance(*place)
        return reader

    def _read_all(self, readers: Sequence[Reader], look: Look, workers: Workers) -> None:
        due = list(readers)
        while due:
            workers.work_off(due, partial(_read, look), look.until)
            due = [reader for reader in readers if reader.is_behind]
            if look.failed or self._machine.now() + BETWEEN_READS_SECONDS >= look.until:
                return
            if due:
                self._machine.sleep(BETWEEN_READS_SECONDS)


def _read(look: Look, reader: Reader) -> None:
    if look.failed:
        return
    reader.look(look.until, look.covered_to, noting=False, counting=look.counting)
    look.failed = look.failed or isinstance(reader.error, ClientError)


def _flush(errors: list[Exception], notes: KeyNotes) -> None:
    try:
        notes.flush()
    except (ClientError, *NO_ANSWER) as error:
        errors.append(error)


def _answer(reader: Reader, progress: Progress | None) -> list[Any]:
    found = progress or Progress()
    counts = found.records, found.puts, found.deletes, found.is_known
    return [reader.shard_id, reader.state(_RETURNED), counts, reader.notes and reader.notes.place]


def _packed(value: Any) -> str:
    # A number may be infinite, which JSON does not have, and most of the text repeats.
    return base64.b64encode(zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 1)).decode()


def _unpacked(packed: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(packed)))
