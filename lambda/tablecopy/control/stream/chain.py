"""The chain of applied batches: each batch of a shard begins where the previous one ended.

Lambda does not show the replicator from which shard a batch is. But the replicator records each batch under
the name of its first record, and every delivered batch begins at a recorded one or after all of them. So the
records of a shard lead from batch to batch by exact names, however many shards there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass

from tablecopy.clock import Clock
from tablecopy.control.stream.reader import Reader
from tablecopy.journal.applied_batches import AppliedBatches
from tablecopy.journal.shards import Shard


@dataclass
class Progress:
    """What one look has found to be applied in a shard.

    Attributes
    ----------
    records, puts, deletes
        Records that are applied, and the writes that they led to.
    is_known
        Whether the first record ahead is known not to be applied. Otherwise the time was up.
    """

    records: int = 0
    puts: int = 0
    deletes: int = 0
    is_known: bool = False


@dataclass(frozen=True)
class Chain:
    """Follows the applied batches of all shards.

    Parameters
    ----------
    pool
        Makes several calls to the journal at the same time; ``None`` for one after the other.
    covered_to
        Records created before this moment (seconds since the epoch) are from before the copy. They are
        dropped where a batch would begin with them.
    """

    batches: AppliedBatches
    pool: Executor | None
    clock: Clock
    covered_to: float

    def follow(self, readers: Iterable[Reader], until: float, found: dict[Reader, Progress]) -> None:
        """Follow the applied batches over the records ahead of ``readers``, and drop these records.

        All shards take a step at a time, so that a hundred of them share a call to the journal. The last step
        begins before ``until``, in seconds since the epoch, but one step is always taken.

        Parameters
        ----------
        found
            Receives what was found, for each reader that had records ahead. It also has what the steps before
            an error have found, because the readers have dropped these records.

        Raises
        ------
        botocore.exceptions.ClientError
            The journal cannot be read.
        """
        waiting = [reader for reader in readers if self._has_head(reader)]
        found.update((reader, Progress()) for reader in waiting)
        while waiting:
            heads = [reader.head for reader in waiting]
            known = self.batches.find(heads, self.pool)
            following = []
            for reader, head in zip(waiting, heads, strict=True):
                progress, batch = found[reader], known.get(head)
                if batch is None:
                    progress.is_known = True
                    continue
                progress.records += batch.records
                progress.puts += batch.puts
                progress.deletes += batch.deletes
                # A batch may reach beyond the records that were read.
                reader.pass_to(batch.last, batch.records)
                if self._has_head(reader):
                    following.append(reader)
            waiting = following
            if self.clock.now() >= until:
                break

    def _has_head(self, reader: Reader) -> bool:
        reader.pass_covered(self.covered_to)
        return reader.ahead_count > 0


def advanced(row: Shard, reader: Reader, progress: Progress | None) -> Shard:
    """Return a row with the reader's position, and with what is applied up to it."""
    found = progress or Progress()
    return row.changed(
        position=reader.position,
        iterator=reader.resume_iterator,
        empty_pages=reader.empty_pages,
        changed_at=max(row.changed_at, reader.newest),
        looked_at=max(row.looked_at, reader.read_at),
        noted_at=max(row.noted_at, reader.begun_at_end_at),
        skipped_to=reader.skipped_to,
        records=row.records + found.records,
        puts=row.puts + found.puts,
        deletes=row.deletes + found.deletes,
        counted_to=reader.counted_to,
        waiting=reader.beyond + reader.ahead_count if reader.beyond else 0,
    )
