"""Explore every reachable state of a small model, breadth first.

A model is anything with initial states and a function from a state to its steps. States are immutable
and hashable. Nothing here knows what is being modelled.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Container, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

S = TypeVar("S", bound=Hashable)

STUCK = "no way to the end"


class Model(Protocol[S]):
    """What can be explored."""

    def initial(self) -> Iterable[S]:
        """Return the states a run may begin in."""

    def steps(self, state: S) -> Iterable[tuple[str, S, str]]:
        """Return all that may happen next: what it is, the state after it, and the rule it breaks (or "")."""

    def fault(self, state: S) -> str:
        """Return the rule this state breaks, or ""."""


@dataclass(frozen=True)
class Trace(Generic[S]):
    """A shortest way from an initial state to a broken rule, or to a state that is stuck."""

    rule: str
    states: Sequence[S]
    labels: Sequence[str]

    def text(self, describe: Callable[[S], str] = repr) -> str:
        """Return the trace for people: a line for each step, with the state it leads to."""
        width = max((len(label) for label in self.labels), default=0)
        lines = [
            f"{self.rule}, after {len(self.labels)} steps",
            f"     {'':<{width}}  {describe(self.states[0])}",
        ]
        for number, (label, state) in enumerate(zip(self.labels, self.states[1:], strict=True), 1):
            lines.append(f"{number:>3}. {label:<{width}}  {describe(state)}")
        return "\n".join(lines)


@dataclass
class Exploration(Generic[S]):
    """What was reached, and how: state number n was first reached from state ``origins[n]``."""

    states: list[S] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    predecessors: list[list[int]] = field(default_factory=list)
    """Of each state, those from which a step that helps leads to it."""
    transitions: int = 0
    counterexample: Trace[S] | None = None

    def trace_to(self, number: int, rule: str) -> Trace[S]:
        """Return the way on which a state was first reached."""
        states, labels = [self.states[number]], []
        while self.origins[number] >= 0:
            labels.append(self.labels[number])
            number = self.origins[number]
            states.append(self.states[number])
        return Trace(rule, states[::-1], labels[::-1])

    def stuck(self, goal: Callable[[S], bool]) -> Trace[S] | None:
        """Return the way to the nearest state from which steps that help reach no state that is a goal."""
        hopeful = [goal(state) for state in self.states]
        frontier = [number for number, hope in enumerate(hopeful) if hope]
        while frontier:
            for before in self.predecessors[frontier.pop()]:
                if not hopeful[before]:
                    hopeful[before] = True
                    frontier.append(before)
        return None if all(hopeful) else self.trace_to(hopeful.index(False), STUCK)


class TooManyStatesError(Exception):
    """The model is larger than it was meant to be."""


def explore(
    model: Model[S],
    rules: Container[str],
    *,
    helps: Callable[[str], bool] = lambda label: True,
    most: int = 2_000_000,
) -> Exploration[S]:
    """Visit every reachable state, or stop at the first that breaks one of the rules.

    Parameters
    ----------
    model
        What to explore.
    rules
        The names of the rules that count; breaches of others are passed over.
    helps
        Whether a step with this label is one that a way to the end may rely on.
    most
        How many states to visit before giving up.

    Returns
    -------
    Exploration
        With a shortest counterexample, or complete.
    """
    # Nothing here is garbage: looking for it among millions of states takes a sixth of the time.
    gc.disable()
    try:
        return _explore(model, rules, helps, most)
    finally:
        gc.enable()


def _explore(
    model: Model[S], rules: Container[str], helps: Callable[[str], bool], most: int
) -> Exploration[S]:
    found: Exploration[S] = Exploration()
    numbers: dict[S, int] = {}
    helpful = functools.cache(helps)

    def visit(state: S, origin: int, label: str) -> None:
        numbers[state] = len(found.states)
        found.states.append(state)
        found.origins.append(origin)
        found.labels.append(label)
        found.predecessors.append([origin] if origin >= 0 and helpful(label) else [])

    for state in model.initial():
        if state not in numbers:
            visit(state, -1, "")
    current = 0
    while current < len(found.states):
        if current >= most:
            raise TooManyStatesError(f"more than {most:,} states")
        state = found.states[current]
        rule = model.fault(state)
        if rule in rules:
            found.counterexample = found.trace_to(current, rule)
            return found
        for label, after, broken in model.steps(state):
            found.transitions += 1
            if broken in rules:
                before = found.trace_to(current, broken)
                found.counterexample = Trace(broken, [*before.states, after], [*before.labels, label])
                return found
            known = numbers.get(after)
            if known is None:
                visit(after, current, label)
            elif helpful(label):
                found.predecessors[known].append(current)
        current += 1
    return found
