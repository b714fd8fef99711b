"""Records that go to a function together."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tools.local.mapping.record import Record

MB = 1024 * 1024
# What a synchronous invocation takes at most.
PAYLOAD_LIMIT = 6 * MB
ENVELOPE = ('{"Records":[', "]}")


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of records of one lane, in order.

    Attributes
    ----------
    records : tuple of Record
        Never empty.
    retries : int
        How often it has been retried, as ``MaximumRetryAttempts`` counts.
    invocations : int
        How often the function has been invoked with these records.
    """

    records: tuple[Record, ...]
    retries: int = 0
    invocations: int = 0

    def payload(self) -> bytes:
        """The event the function gets."""
        return (ENVELOPE[0] + ",".join(record.text for record in self.records) + ENVELOPE[1]).encode()

    def find(self, sequence_number: str) -> int | None:
        """The place of a record, or None if it is not in the batch."""
        for index, record in enumerate(self.records):
            if record.sequence_number == sequence_number:
                return index
        return None

    def starting_at(self, index: int) -> Batch:
        """What is left when the records before that place are done."""
        return replace(self, records=self.records[index:])

    def until(self, index: int) -> Batch:
        """The records before that place."""
        return replace(self, records=self.records[:index])

    def halves(self) -> list[Batch]:
        """Both halves, the earlier records first."""
        middle = len(self.records) // 2
        return [self.until(middle), self.starting_at(middle)]

    def retried(self) -> Batch:
        """The same records with one more retry counted."""
        return replace(self, retries=self.retries + 1)

    def invoked(self) -> Batch:
        """The same records with one more invocation counted."""
        return replace(self, invocations=self.invocations + 1)
