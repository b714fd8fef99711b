"""Judges what an audit has noted: keys that were written since the seal, and keys that differed in the scans.

What a key held at the seal is known: what it held before its first record since then, or, without a record,
what the scan found. If it is not what the source holds, the tables were different at the seal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tablecopy.clock import Machine, OutOfTime
from tablecopy.comparison.canonical import digest
from tablecopy.comparison.differences import Difference
from tablecopy.dynamodb.client import Json
from tablecopy.journal.audits import BUCKETS, Written, bucket_of, order_of
from tablecopy.journal.verifications import Compared, State, Verification, Verifications
from tablecopy.text import count_text
from tablecopy.verifier.keys import KeyReader
from tablecopy.verifier.part import (
    JUDGE_MARGIN_SECONDS,
    MOST_UNSAVED,
    SAVE_SECONDS,
    UNIT_BYTES,
    NoProgress,
    Part,
    Result,
    Table,
    keys_at_once,
    no_progress,
)
from tablecopy.verifier.recheck import Judged, kind_of

MOST_KEYS_OF_A_BUCKET = 200_000
"""Keys of a bucket that are judged. They are held at the same time, in some hundred MB."""


class TooManyKeys(Exception):
    """More keys were written since the seal, or differ, than can be judged."""


class SegmentAudit(Part):
    """One invocation's part of judging: the buckets of a segment, one after the other.

    Bucket b belongs to segment b modulo the number of segments.
    """

    def __init__(
        self,
        verifications: Verifications,
        verification: Verification,
        compared: Compared,
        tables: tuple[Table, Table],
        machine: Machine,
    ) -> None:
        super().__init__(verifications, verification, compared, tables, machine)
        self._notes = verifications.notes(verification)
        table = tables[0]
        self._source = KeyReader(table.client, table.name, self._keys, table.capacity, table.usage, machine)
        self._began = self._saved_at = machine.now()
        self._found = Judged()

    def run(self, deadline: float) -> Result:
        """Judge the keys that this audit has not judged. Raises NoProgress if the time was too short."""
        until = deadline - JUDGE_MARGIN_SECONDS
        try:
            for bucket in range(self._base.number, BUCKETS, self._verification.total_segments):
                # Buckets are judged in this order, and the keys of one by their own.
                if self._saved.judged_to and bucket < bucket_of(self._saved.judged_to):
                    continue
                if not self._judge(bucket, until):
                    return Result.CONTINUE
        except OutOfTime:
            if self._saved is self._base:
                raise NoProgress(no_progress(self._machine.now() - self._began)) from None
            return Result.CONTINUE
        except TooManyKeys as many:
            self._fail(str(many))
            return Result.STOP
        ended = self._verifications.end_generation(self._verification.verification_id, self._saved)
        return Result.CONTINUE if ended is None else Result.DONE

    def _judge(self, bucket: int, until: float) -> bool:
        """Judge a bucket. Returns whether this worker may continue."""
        written, differing = self._load(bucket)
        left = sorted(order for order in written.keys() | differing.keys() if order > self._saved.judged_to)
        for at in range(0, len(left), most := keys_at_once(self._tables, UNIT_BYTES)):
            orders = left[at : at + most]
            self._found.add(self._judged(orders, written, differing, until))
            is_last = at + most >= len(left)
            is_due = self._machine.now() - self._saved_at >= SAVE_SECONDS
            if (is_last or is_due or len(self._found.standing) >= MOST_UNSAVED) and not self._save(
                orders[-1]
            ):
                return False
        return True

    def _load(self, bucket: int) -> tuple[dict[str, Written], dict[str, Difference]]:
        """Return what the keys of a bucket held at the seal, as far as they were written, and what differed.

        Raises
        ------
        TooManyKeys
            They are more than a worker can hold.
        """
        written: dict[str, Written] = {}
        differing: dict[str, Difference] = {}
        for each in self._notes.written(bucket):
            # The first one is what the key held at the seal.
            written.setdefault(order_of(self._keys.of(each.key)), each)
            self._check_size(written, differing)
        for difference in self._notes.differing(bucket):
            differing.setdefault(order_of(self._keys.of(difference.key)), difference)
            self._check_size(written, differing)
        return written, differing

    def _check_size(self, written: dict[str, Written], differing: dict[str, Difference]) -> None:
        if max(len(written), len(differing)) > MOST_KEYS_OF_A_BUCKET:
            raise TooManyKeys(
                f"more than {count_text(BUCKETS * MOST_KEYS_OF_A_BUCKET, 'key')} were written since the seal "
                "or differ, and an audit cannot judge so many. Stop the writers and run verify --in-account "
                "--writes-stopped"
            )

    def _judged(
        self,
        orders: Sequence[str],
        written: dict[str, Written],
        differing: dict[str, Difference],
        until: float,
    ) -> Judged:
        judged = Judged(standing=[differing[order] for order in orders if order not in written])
        held = [(order, written[order]) for order in orders if order in written]
        here = self._source.read([each.key for _, each in held], until)
        for order, each in held:
            source = here.get(self._keys.of(each.key))
            was_equal = order not in differing
            if each.digest == _digest(source):
                # The scans have not counted it.
                judged.equal += source is not None and not was_equal
            else:
                judged.standing.append(self._difference(each, source))
                judged.equal -= source is not None and was_equal
        return judged

    def _difference(self, was: Written, source: Json | None) -> Difference:
        now = self._machine.now()
        expiry = self._verification.expiry
        # Of the item there is only the digest, which has no paths.
        there: Json | None = None
        if was.digest:
            there = {expiry: {"N": was.expires}} if expiry and was.expires else {}
        kind, expires = kind_of(source, there, expiry, now)
        here = _digest(source) or None
        return Difference(kind, was.key, (), here, was.digest or None, now, now, 1, expires)

    def _save(self, judged_to: str) -> bool:
        self._saved_at = self._machine.now()
        found, self._found = self._found, Judged()
        units = self._base.source_units + self._source.units
        return self._write(replace(self._saved, judged_to=judged_to, source_units=units), found)

    def _fail(self, reason: str) -> None:
        """End the audit without a verdict, unless it has ended."""
        latest = self._verifications.read()
        if latest is not None and latest.verification_id == self._verification.verification_id:
            failed = replace(latest, state=State.FAILED, reason=reason, ended=self._machine.now())
            self._verifications.save(failed)


def _digest(item: Json | None) -> str:
    return "" if item is None else digest(item).hex()
