"""Condition, key condition, filter, update and projection expressions of DynamoDB.

Sources: Developer Guide, "Condition and filter expressions, operators, and functions", "Update expressions",
"Projection expressions" and "Reserved words in DynamoDB".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

from tools.simulation.attributes import Value, binary, comparable, invalid
from tools.simulation.expression_tokens import NAME, Tokens
from tools.simulation.operators import ORDER, SETS, add, append, calculate, compare, required, size, subtract

Document: TypeAlias = dict[str, Value]
"""An item in DynamoDB JSON, decoded."""

Step: TypeAlias = str | int
"""Part of a path: a name, a placeholder such as ``#name``, or an index of a list."""

AttributePath: TypeAlias = tuple[Step, ...]


@dataclass(slots=True)
class Scope:
    """What an expression is evaluated with: the item, and what its placeholders stand for."""

    item: Document
    names: Mapping[str, str]
    values: Mapping[str, Value]

    def find(self, path: AttributePath) -> Value | None:
        """Return the value at ``path``, or None."""
        found: Value | None = self.item.get(self.name(path[0]))
        for step in path[1:]:
            if found is None:
                return None
            if isinstance(step, int):
                elements = found.get("L", ())
                found = elements[step] if step < len(elements) else None
            else:
                found = found.get("M", {}).get(self.name(step))
        return found

    def name(self, step: Step) -> str:
        """Return the attribute name that a step of a path stands for."""
        assert isinstance(step, str)
        if step[0] != "#":
            return step
        if step not in self.names:
            raise invalid(f"An expression attribute name used in the document path is not defined: {step}")
        return self.names[step]

    def value(self, placeholder: str) -> Value:
        """Return the value of a placeholder such as ``:value``."""
        if placeholder not in self.values:
            raise invalid(f"An expression attribute value used in expression is not defined: {placeholder}")
        return self.values[placeholder]


Operand: TypeAlias = Callable[[Scope], Value | None]
Test: TypeAlias = Callable[[Scope], bool]
Change: TypeAlias = Callable[[Scope, Document], None]


@dataclass(frozen=True)
class Condition:
    """A parsed condition or filter expression, and the placeholders that it uses."""

    placeholders: frozenset[str]
    test: Test


@dataclass(frozen=True)
class Update:
    """A parsed update expression."""

    placeholders: frozenset[str]
    paths: tuple[AttributePath, ...]
    changes: tuple[Change, ...]

    def apply(self, scope: Scope, changed: Document) -> None:
        """Change ``changed``, a copy of the item from which all operands are read."""
        for change in self.changes:
            change(scope, changed)


@dataclass(frozen=True)
class KeyCondition:
    """A parsed key condition: each attribute's path, its operator and the operands.

    An operator is one of ``=``, ``<``, ``<=``, ``>``, ``>=``, ``BETWEEN`` and ``begins_with``.
    """

    placeholders: frozenset[str]
    parts: tuple[tuple[AttributePath, str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Projection:
    """A parsed projection expression."""

    placeholders: frozenset[str]
    paths: tuple[AttributePath, ...]

    def apply(self, scope: Scope) -> Document:
        """Return the part of the item at the paths. Only whole attributes are supported."""
        found = {}
        for path in self.paths:
            assert len(path) == 1, "a projection of a nested attribute is not simulated"
            value = scope.find(path)
            if value is not None:
                found[scope.name(path[0])] = value
        return found


@cache
def condition(text: str) -> Condition:
    """Return the parsed condition or filter expression. Raises ServiceError if it is not valid."""
    parser = _Parser(text, "ConditionExpression")
    test = parser.condition()
    parser.end()
    return Condition(frozenset(parser.placeholders), test)


@cache
def update(text: str) -> Update:
    """Return the parsed update expression. Raises ServiceError if it is not valid."""
    parser = _Parser(text, "UpdateExpression")
    changes = tuple(parser.clauses())
    paths = tuple(parser.changed)
    if len(frozenset(paths)) < len(paths):
        raise invalid("Invalid UpdateExpression: Two document paths overlap with each other")
    return Update(frozenset(parser.placeholders), paths, changes)


@cache
def key_condition(text: str) -> KeyCondition:
    """Return the parsed key condition. Raises ServiceError if it is not valid."""
    parser = _Parser(text, "KeyConditionExpression")
    parts = tuple(parser.key_parts())
    return KeyCondition(frozenset(parser.placeholders), parts)


@cache
def projection(text: str) -> Projection:
    """Return the parsed projection expression. Raises ServiceError if it is not valid."""
    parser = _Parser(text, "ProjectionExpression")
    paths = [parser.path()]
    while parser.tokens.skip(","):
        paths.append(parser.path())
    parser.end()
    return Projection(frozenset(parser.placeholders), tuple(paths))


def check_placeholders(
    used: Iterable[frozenset[str]], names: Mapping[str, str], values: Mapping[str, Value]
) -> None:
    """Check that a request's expressions use every placeholder that it defines."""
    unused = {*names, *values}.difference(*used)
    if unused:
        kind = "Names" if min(unused)[0] == "#" else "Values"
        raise invalid(
            f"Value provided in ExpressionAttribute{kind} unused in expressions: keys: {{{min(unused)}}}"
        )


@lru_cache(maxsize=1)
def reserved_words() -> frozenset[str]:
    """Return the words that cannot stand for an attribute in an expression."""
    return frozenset((Path(__file__).parent / "reserved_words.txt").read_text().split())


class _Parser:
    def __init__(self, text: str, kind: str) -> None:
        self.kind = kind
        self.tokens = Tokens(text, kind)
        self.placeholders: set[str] = set()
        self.changed: list[AttributePath] = []

    def end(self) -> None:
        if self.tokens.peek():
            raise self.tokens.error()

    # Conditions

    def condition(self) -> Test:
        found = [self._all_of()]
        while self.tokens.skip("OR"):
            found.append(self._all_of())
        return found[0] if len(found) == 1 else lambda scope: any(test(scope) for test in found)

    def _all_of(self) -> Test:
        found = [self._not()]
        while self.tokens.skip("AND"):
            found.append(self._not())
        return found[0] if len(found) == 1 else lambda scope: all(test(scope) for test in found)

    def _not(self) -> Test:
        if self.tokens.skip("NOT"):
            test = self._not()
            return lambda scope: not test(scope)
        if self.tokens.skip("("):
            test = self.condition()
            self.tokens.take(")")
            return test
        function = _TESTS.get(self.tokens.peek())
        if function is not None and self.tokens.peek(1) == "(":
            self.tokens.next()
            return function(self._arguments())
        return self._comparison()

    def _comparison(self) -> Test:
        left = self.operand()
        if self.tokens.skip("BETWEEN"):
            low = self.operand()
            self.tokens.take("AND")
            high = self.operand()
            return lambda scope: (
                compare(">=", left(scope), low(scope)) and compare("<=", left(scope), high(scope))
            )
        if self.tokens.skip("IN"):
            choices = self._arguments()
            return lambda scope: any(compare("=", left(scope), choice(scope)) for choice in choices)
        operator = self.tokens.next()
        if operator not in ORDER:
            raise self.tokens.error()
        right = self.operand()
        return lambda scope: compare(operator, left(scope), right(scope))

    def _arguments(self) -> list[Operand]:
        self.tokens.take("(")
        found = [self.operand()]
        while self.tokens.skip(","):
            found.append(self.operand())
        self.tokens.take(")")
        return found

    def operand(self) -> Operand:
        token = self.tokens.peek()
        if token.startswith(":"):
            self.tokens.next()
            self.placeholders.add(token)
            return lambda scope: scope.value(token)
        if token == "size" and self.tokens.peek(1) == "(":
            self.tokens.next()
            [argument] = self._arguments()
            return lambda scope: size(argument(scope))
        path = self.path()
        return lambda scope: scope.find(path)

    def path(self) -> AttributePath:
        steps: list[Step] = [self._name()]
        while True:
            if self.tokens.skip("."):
                steps.append(self._name())
            elif self.tokens.skip("["):
                steps.append(int(self.tokens.next()))
                self.tokens.take("]")
            else:
                return tuple(steps)

    def _name(self) -> str:
        token = self.tokens.next()
        if token.startswith("#"):
            self.placeholders.add(token)
        elif not NAME.fullmatch(token):
            raise self.tokens.error()
        elif token.upper() in reserved_words():
            raise invalid(
                f"Invalid {self.kind}: Attribute name is a reserved keyword; reserved keyword: {token}"
            )
        return token

    # Key conditions

    def key_parts(self) -> Iterable[tuple[AttributePath, str, tuple[str, ...]]]:
        yield self._key_part()
        while self.tokens.skip("AND"):
            yield self._key_part()
        self.end()

    def _key_part(self) -> tuple[AttributePath, str, tuple[str, ...]]:
        if self.tokens.skip("("):
            part = self._key_part()
            self.tokens.take(")")
            return part
        if self.tokens.peek() == "begins_with" and self.tokens.peek(1) == "(":
            self.tokens.next()
            self.tokens.take("(")
            path = self.path()
            self.tokens.take(",")
            prefix = self._value()
            self.tokens.take(")")
            return path, "begins_with", (prefix,)
        path = self.path()
        operator = self.tokens.next()
        if operator == "BETWEEN":
            low = self._value()
            self.tokens.take("AND")
            return path, operator, (low, self._value())
        if operator not in ORDER or operator == "<>":
            raise invalid(f"Invalid operator used in KeyConditionExpression: {operator}")
        return path, operator, (self._value(),)

    def _value(self) -> str:
        token = self.tokens.next()
        if not token.startswith(":"):
            raise self.tokens.error()
        self.placeholders.add(token)
        return token

    # Updates

    def clauses(self) -> Iterable[Change]:
        seen = []
        while self.tokens.peek():
            clause = self.tokens.next()
            if clause not in _CLAUSES or clause in seen:
                raise self.tokens.error()
            seen.append(clause)
            yield self._change(clause)
            while self.tokens.skip(","):
                yield self._change(clause)
        if not seen:
            raise self.tokens.error()

    def _change(self, clause: str) -> Change:
        path = self.path()
        self.changed.append(path)
        if clause == "REMOVE":
            return lambda scope, item: _put(scope, item, path, None)
        if clause == "SET":
            self.tokens.take("=")
            new = self._sum()
            return lambda scope, item: _put(scope, item, path, required(new(scope)))
        placeholder = self._value()
        combine = add if clause == "ADD" else subtract
        return lambda scope, item: _put(
            scope, item, path, combine(scope.find(path), scope.value(placeholder))
        )

    def _sum(self) -> Operand:
        left = self._set_operand()
        sign = self.tokens.peek()
        if sign not in {"+", "-"}:
            return left
        self.tokens.next()
        right = self._set_operand()
        return lambda scope: calculate(required(left(scope)), sign, required(right(scope)))

    def _set_operand(self) -> Operand:
        token = self.tokens.peek()
        if token in {"if_not_exists", "list_append"} and self.tokens.peek(1) == "(":
            self.tokens.next()
            self.tokens.take("(")
            first = self._set_operand()
            self.tokens.take(",")
            second = self._set_operand()
            self.tokens.take(")")
            if token == "if_not_exists":
                return lambda scope: first(scope) or second(scope)
            return lambda scope: append(required(first(scope)), required(second(scope)))
        return self.operand()


_CLAUSES = ("SET", "REMOVE", "ADD", "DELETE")


def _begins_with(arguments: list[Operand]) -> Test:
    whole, beginning = arguments

    def test(scope: Scope) -> bool:
        value, prefix = whole(scope), beginning(scope)
        if value is None or prefix is None:
            return False
        if "S" in value and "S" in prefix:
            return bool(value["S"].startswith(prefix["S"]))
        if "B" in value and "B" in prefix:
            return binary(value["B"]).startswith(binary(prefix["B"]))
        return False

    return test


def _contains(arguments: list[Operand]) -> Test:
    whole, part = arguments

    def test(scope: Scope) -> bool:
        value, wanted = whole(scope), part(scope)
        if value is None or wanted is None:
            return False
        [(kind, content)] = value.items()
        [(wanted_kind, wanted_content)] = wanted.items()
        if kind == wanted_kind == "S":
            return wanted_content in content
        if kind == "L":
            return any(comparable(each) == comparable(wanted) for each in content)
        if kind in SETS and kind[0] == wanted_kind:
            return any(comparable({wanted_kind: each}) == comparable(wanted) for each in content)
        return False

    return test


def _attribute_type(arguments: list[Operand]) -> Test:
    value, kind = arguments

    def test(scope: Scope) -> bool:
        found = value(scope)
        return found is not None and required(kind(scope)).get("S") in found

    return test


_TESTS: dict[str, Callable[[list[Operand]], Test]] = {
    "attribute_exists": lambda arguments: lambda scope: arguments[0](scope) is not None,
    "attribute_not_exists": lambda arguments: lambda scope: arguments[0](scope) is None,
    "attribute_type": _attribute_type,
    "begins_with": _begins_with,
    "contains": _contains,
}


def _put(scope: Scope, item: Document, path: AttributePath, value: Value | None) -> None:
    """Set or remove the value at ``path``."""
    at: Any = item
    for step, following in pairwise(path):
        inside = at[step] if isinstance(step, int) else at.get(scope.name(step))
        kind = "L" if isinstance(following, int) else "M"
        if inside is None or kind not in inside:
            if value is None:
                return
            raise invalid("The document path provided in the update expression is invalid for update")
        at = inside[kind]
    last = path[-1]
    if isinstance(last, int):
        if value is None:
            del at[last : last + 1]
        elif last < len(at):
            at[last] = value
        else:
            at.append(value)
    elif value is None:
        at.pop(scope.name(last), None)
    else:
        at[scope.name(last)] = value
