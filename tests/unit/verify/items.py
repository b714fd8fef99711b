"""Items in DynamoDB JSON for hypothesis, other spellings of them, and a judge of what they mean."""

from __future__ import annotations

import random
from base64 import b64encode
from decimal import Context, Decimal
from typing import Any

from hypothesis import strategies as st

EXACT = Context(prec=400)

texts = st.text(max_size=6) | st.sampled_from(
    ["", "1", "a\nb", "__x", "'", '"', "\\n", "é", "e\u0301", "\ud800"]
)
binaries = (st.binary(max_size=6) | st.sampled_from([b"1", b"a\n", b"\xff"])).map(
    lambda content: b64encode(content).decode("ascii")
)
numbers = st.one_of(
    st.integers(-100, 100).map(str),
    st.integers(-(10**38) + 1, 10**38 - 1).map(str),
    st.builds(
        lambda digits, exponent: f"{digits}E{exponent}",
        st.integers(-(10**38) + 1, 10**38 - 1),
        st.integers(-130, 80),
    ),
    st.sampled_from(["0", "-0", "0.0", "1", "1.0", "1E0", "0.1", "1e-1", "100", "1E2", "00", "+1"]),
)


def unique_by_value(spellings: list[str]) -> list[str]:
    return list({Decimal(spelling): spelling for spelling in spellings}.values())


scalars = st.one_of(
    texts.map(lambda v: {"S": v}),
    numbers.map(lambda v: {"N": v}),
    binaries.map(lambda v: {"B": v}),
    st.booleans().map(lambda v: {"BOOL": v}),
    st.just({"NULL": True}),
)
sets = st.one_of(
    st.lists(texts, min_size=1, max_size=4, unique=True).map(lambda v: {"SS": v}),
    st.lists(numbers, min_size=1, max_size=4).map(lambda v: {"NS": unique_by_value(v)}),
    st.lists(binaries, min_size=1, max_size=4, unique=True).map(lambda v: {"BS": v}),
)
values: st.SearchStrategy[dict[str, Any]] = st.recursive(
    scalars | sets,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda v: {"L": v}),
        st.dictionaries(texts, inner, max_size=4).map(lambda v: {"M": v}),
    ),
    max_leaves=12,
)
items = st.dictionaries(texts, values, max_size=5)


def meaning(value: dict[str, Any]) -> Any:
    """What a value means, in Python's own terms: the judge."""
    ((kind, content),) = value.items()
    if kind == "N":
        return kind, Decimal(content)
    if kind == "NS":
        return kind, frozenset(Decimal(element) for element in content)
    if kind in ("SS", "BS"):
        return kind, frozenset(content)
    if kind == "L":
        return kind, tuple(meaning(element) for element in content)
    if kind == "M":
        return kind, frozenset((name, meaning(element)) for name, element in content.items())
    return kind, content


def respelled_number(text: str, rng: random.Random) -> str:
    value = Decimal(text)
    if not value:
        return rng.choice(["0", "-0", "0.00", "0E5"])
    plain = format(value, "f")
    return rng.choice(
        [
            text,
            plain,
            f"{plain}00" if "." in plain else f"{plain}.00",
            f"{EXACT.scaleb(value, 5)}E-5" if "E" not in str(EXACT.scaleb(value, 5)) else text,
            f"{value:E}",
        ]
    )


def respelled(value: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """The same value, spelled another way."""
    ((kind, content),) = value.items()
    if kind == "N":
        return {kind: respelled_number(content, rng)}
    if kind == "L":
        return {kind: [respelled(element, rng) for element in content]}
    if kind == "M":
        names = list(content)
        rng.shuffle(names)
        return {kind: {name: respelled(content[name], rng) for name in names}}
    if kind in ("SS", "NS", "BS"):
        elements = [respelled_number(e, rng) for e in content] if kind == "NS" else list(content)
        rng.shuffle(elements)
        return {kind: elements}
    return dict(value)
