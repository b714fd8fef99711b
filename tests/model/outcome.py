"""What exploring a protocol comes to."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import NamedTuple

from tests.model.explorer import Model, S, explore

Recorder = Callable[[str, object], None]
"""Pytest's `record_property`."""


class Outcome(NamedTuple):
    """Which rule breaks first, the steps to there, the trace for people, and how much was looked at."""

    rule: str
    labels: tuple[str, ...]
    text: str
    size: str

    def assert_holds(self) -> None:
        """Assert that nothing breaks, and that the end can always be reached."""
        assert not self.rule, self.text

    def assert_fails(self, name: str, rule: str, step: str = "") -> str:
        """Assert that a rule breaks, by a shortest trace that has a step. Returns a line for the summary."""
        assert self.rule, f"{name} never breaks the rule: {rule}"
        assert self.rule == rule, self.text
        print(f"{name}: {self.text}\n")
        assert any(step in label for label in self.labels), self.text
        return f"{self.size}  wrong: {name}: {rule}, after {len(self.labels)} steps"


def outcome(
    model: Model[S], rules: Container[str], ended: Callable[[S], bool], helps: Callable[[str], bool]
) -> Outcome:
    """Return what breaks first, a rule or, if none does, the way to the end.

    Parameters
    ----------
    model
        The protocol within bounds.
    rules
        The names of the rules that count.
    ended
        Whether a state is an end.
    helps
        Whether a step with this label is one that a way to the end may rely on.
    """
    found = explore(model, rules, helps=helps)
    trace = found.counterexample or found.stuck(ended)
    size = f"{len(found.states):>9,} states {found.transitions:>10,} steps"
    if trace is None:
        return Outcome("", (), "", size)
    return Outcome(trace.rule, tuple(trace.labels), trace.text(str), size)
