"""Items of every kind, for tests that make them up."""

from __future__ import annotations

import base64

from hypothesis import strategies as st

from tablecopy.dynamodb.client import Json

# What JSON gives a meaning, and what it escapes, more often than chance would bring it.
texts = st.one_of(
    st.text(max_size=8),
    st.text(alphabet='"\\{}[],:/ \n\t\u0001\u00e9\u2028\U0001f30b', max_size=12),
)
numbers = st.one_of(
    st.integers(-(10**38) + 1, 10**38 - 1).map(str),
    st.sampled_from(["0", "-0", "1.50", "12e-7", "-3E+10", "0.1234567890123456789012345678901234567"]),
)
binaries = st.binary(max_size=8).map(lambda value: base64.b64encode(value).decode())
scalars = st.one_of(
    texts.map(lambda value: {"S": value}),
    numbers.map(lambda value: {"N": value}),
    binaries.map(lambda value: {"B": value}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
    st.lists(texts, min_size=1, unique=True, max_size=3).map(lambda value: {"SS": value}),
    st.lists(numbers, min_size=1, unique=True, max_size=3).map(lambda value: {"NS": value}),
    st.lists(binaries, min_size=1, unique=True, max_size=3).map(lambda value: {"BS": value}),
)
values: st.SearchStrategy[Json] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda value: {"L": value}),
        st.dictionaries(texts.filter(bool), inner, max_size=3).map(lambda value: {"M": value}),
    ),
    max_leaves=5,
)


def nested(depth: int, value: Json, in_lists: bool = False) -> Json:
    """``value`` inside ``depth`` maps, or lists."""
    for _ in range(depth):
        value = {"L": [value]} if in_lists else {"M": {'a"}': value}}
    return value


# DynamoDB nests up to 32 levels deep.
deep_values = st.builds(nested, st.integers(0, 32), scalars, st.booleans())
items: st.SearchStrategy[Json] = st.dictionaries(
    texts.filter(bool), st.one_of(values, deep_values), max_size=4
).map(lambda attributes: {**attributes, "pk": {"S": "key"}})
