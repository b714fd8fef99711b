"""Type expressions as Terraform has them."""

from __future__ import annotations

import pytest

from tools.docs_tables.types import Field, type_of


@pytest.mark.parametrize(
    ("expression", "short"),
    [
        ("string", "string"),
        ("list(string)", "list(string)"),
        ("map(list(number))", "map(list(number))"),
        ("any", "any"),
    ],
)
def test_types_without_fields(expression: str, short: str) -> None:
    assert type_of(expression) == (short, ())


def test_fields_with_and_without_defaults() -> None:
    short, fields = type_of(
        """object({
          name   = string
          , region = optional(string)
          , tries  = optional(number, 3)
        })"""
    )
    assert short == "object"
    assert fields == (
        Field("name", "string", None, ()),
        Field("region", "string", "null", ()),
        Field("tries", "number", "3", ()),
    )


def test_commas_and_brackets_inside_defaults_part_nothing() -> None:
    _, fields = type_of(r'object({a = optional(list(string), ["x", "y"]), b = optional(string, "({,\"")})')
    assert [(field.name, field.default) for field in fields] == [("a", '["x", "y"]'), ("b", r'"({,\""')]


def test_objects_inside_objects_and_collections() -> None:
    short, fields = type_of("map(object({indexes = optional(map(object({read = number})), {})}))")
    assert short == "map(object)"
    assert fields == (Field("indexes", "map(object)", "{}", (Field("read", "number", None, ()),)),)


def test_what_is_no_type_is_refused() -> None:
    with pytest.raises(ValueError, match="is no type expression"):
        type_of("object({")
