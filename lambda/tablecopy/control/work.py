"""What is left for the workers of a slice, and in which order they take it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tablecopy.journal.dead_letters import DEAD_LETTER_SEGMENT
from tablecopy.journal.run import Run
from tablecopy.journal.segments import Segment


@dataclass(frozen=True)
class RemainingWork:
    """What is left for the workers of a slice.

    Attributes
    ----------
    segments
        Numbers of the segments that are not done, in the order in which workers take them.
    dead_letters
        Whether the slice also retries the dead letters.
    copied
        Items copied so far, in all segments.
    """

    segments: tuple[int, ...]
    dead_letters: bool
    copied: int

    @classmethod
    def of(cls, run: Run, segments: Sequence[Segment]) -> RemainingWork:
        """Return what is left of ``segments``, with the dead letters if the latest slice retries them."""
        left = [segment.number for segment in segments if not segment.done]
        return cls(
            segments=tuple(interleaved(left, run.total_segments)),
            dead_letters=run.redrive and run.redrive_slice == run.slice,
            copied=sum(segment.items for segment in segments),
        )

    @property
    def parts(self) -> list[int | str]:
        """Return the inputs of the state machine, one for each worker."""
        return [*([DEAD_LETTER_SEGMENT] if self.dead_letters else []), *self.segments]

    def workers(self, concurrency: int) -> int:
        """Return how many workers run at the same time and share the capacity; at least 1."""
        return max(1, min(concurrency, len(self.parts)))


def interleaved(segments: Sequence[int], total: int) -> list[int]:
    """Return ``segments`` in an order in which consecutive ones are far apart in the key space.

    Segments divide the key space in their order. Workers that scan neighbours would write to few of the
    destination's partitions. Counting with reversed bits distributes any number of workers.
    """
    bits = max(1, (total - 1).bit_length())
    return sorted(segments, key=lambda segment: int(f"{segment:0{bits}b}"[::-1], 2))
