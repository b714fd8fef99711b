"""Keys and values for people and JSON: unambiguous, and nothing in them steers a terminal."""

from __future__ import annotations

from tablecopy_cli.common.items import key_text, to_json, value_text


def test_binary_values_become_base64_at_any_depth() -> None:
    value = {"M": {"a": {"L": [{"B": b"1"}, {"BS": [b"2"]}, {"BOOL": True}]}}}
    assert to_json(value) == {"M": {"a": {"L": [{"B": "MQ=="}, {"BS": ["Mg=="]}, {"BOOL": True}]}}}


def test_keys_are_unambiguous() -> None:
    key = {"a b": {"S": "é 1"}, "n": {"N": "1"}, "b": {"B": b"\x00"}}
    assert key_text(key) == '"a b"="é 1"  n=1  b=base64:AA=='


def test_binary_values_from_the_wire_stay_base64() -> None:
    assert value_text({"B": "AA=="}) == value_text({"B": b"\x00"}) == "base64:AA=="


def test_nothing_steers_a_terminal() -> None:
    evil = "\x1b[2J\u202e\n"
    for value in ({"S": evil}, {"N": evil}, {"B": evil}, {"M": {evil: {"S": evil}}}):
        text = key_text({evil: value})
        assert text.isprintable()
        assert evil not in text
