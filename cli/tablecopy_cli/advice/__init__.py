"""The next step: one place that knows the run, the comparison and the repair, and prints what to do now.

``tablecopy`` and ``verify`` describe what they found as a `Situation` and print what `next_steps` returns.
docs/cutover.md has the same steps in the same order; a test compares them.
"""

from tablecopy_cli.advice.commands import Commands, Step, step_lines
from tablecopy_cli.advice.comparison import is_go_ahead
from tablecopy_cli.advice.cutover import CUTOVER, after_proof, cutover_steps
from tablecopy_cli.advice.parts import fix_dead_letters
from tablecopy_cli.advice.repair import proof_text
from tablecopy_cli.advice.situation import (
    Compared,
    Repaired,
    Situation,
    Unlisted,
    is_only_compared,
    phase_name,
    phase_text,
)
from tablecopy_cli.advice.steps import before_apply, next_steps

__all__ = [
    "CUTOVER",
    "Commands",
    "Compared",
    "Repaired",
    "Situation",
    "Step",
    "Unlisted",
    "after_proof",
    "before_apply",
    "cutover_steps",
    "fix_dead_letters",
    "is_go_ahead",
    "is_only_compared",
    "next_steps",
    "phase_name",
    "phase_text",
    "proof_text",
    "step_lines",
]
