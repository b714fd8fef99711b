"""What is left for a slice to do, and how many workers do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tablecopy.journal.dead_letters import DEAD_LETTER_SEGMENT
from tablecopy.journal.run import Run
from tablecopy.journal.segments import Segment


@dataclass(frozen=True)
class Work:
    """What the workers of a slice are to do.

    Attributes
    ----------
    segments
        Numbers of the segments that are not done, in the order in which they are begun.
    letters
        Whether the dead letters are to be settled as well.
    copied
        Items copied so far, in all segments.
    """

    segments: tuple[int, ...]
    letters: bool
    copied: int

    @classmethod
    def left(cls, run: Run, segments: Sequence[Segment]) -> Work:
        """What is left of ``segments``, and of the letters if the run's latest slice is to settle them."""
        left = [segment.number for segment in segments if not segment.done]
        return cls(
            segments=tuple(spread(left, run.total_segments)),
            letters=run.redrive and run.redrive_slice == run.slice,
            copied=sum(segment.items for segment in segments),
        )

    @property
    def parts(self) -> list[int | str]:
        """What the state machine hands to one worker each."""
        return [*([DEAD_LETTER_SEGMENT] if self.letters else []), *self.segments]

    def workers(self, concurrency: int) -> int:
        """How many workers there are at the same time, and so share the budgets; at least 1."""
        return max(1, min(concurrency, len(self.parts)))


def spread(segments: Sequence[int], total: int) -> list[int]:
    """``segments`` in an order in which those that follow one another are far apart in the key space.

    Segments divide the key space in their order. Workers that scan neighbours write to neighbours, and so to
    few of the destination's partitions. Counting with the bits reversed spreads any number of them.
    """
    bits = max(1, (total - 1).bit_length())
    return sorted(segments, key=lambda segment: int(f"{segment:0{bits}b}"[::-1], 2))
