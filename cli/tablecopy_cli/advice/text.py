"""The next steps as people read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tablecopy_cli.advice.situation import Step
from tablecopy_cli.common.terminal import Style, printable
from tablecopy_cli.common.text import Verbatim


def step_lines(steps: Sequence[Step], style: Style) -> Iterator[str]:
    """The lines that list ``steps``: numbered if there are several, each command on a line of its own.

    Parameters
    ----------
    steps
        As `advice.next_steps` returns them.
    style
        Colours of the stream.
    """
    if not steps:
        return
    yield style.bold("Next:")
    for number, step in enumerate(steps, start=1):
        margin = f"  {number}. " if len(steps) > 1 else "  "
        yield margin + printable(step.text)
        if step.command is not None:
            yield Verbatim(" " * len(margin) + printable(step.command))
