"""Flags of a side."""

from __future__ import annotations

import argparse

import pytest

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.options import (
    add_output_options,
    add_side_options,
    add_terraform_option,
    side_from_options,
)

ROLE = "arn:aws:iam::111122223333:role/path/reader"


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_side_options(parser, "source", table=True)
    add_side_options(parser, "destination")
    add_terraform_option(parser)
    add_output_options(parser)
    return parser.parse_args(arguments)


def test_every_flag_reaches_its_field() -> None:
    options = parse(
        *("--source", "orders", "--source-region", "eu-west-1", "--source-profile", "old"),
        *("--source-role-arn", ROLE, "--source-external-id", "id", "--source-endpoint-url", "http://x"),
    )
    assert side_from_options(options, "source") == Side(
        "source", "orders", "eu-west-1", "old", ROLE, "id", "http://x"
    )
    assert side_from_options(options, "destination") == Side("destination")


def test_flags_win_over_what_is_known() -> None:
    known = Side("source", "orders", region="eu-west-1", profile="old")
    options = parse("--source-region", "eu-north-1")
    assert side_from_options(options, "source", known) == Side(
        "source", "orders", region="eu-north-1", profile="old"
    )


@pytest.mark.parametrize("arn", ["reader", "arn:aws:iam::111122223333:user/reader", f" {ROLE}"])
def test_a_role_is_named_by_its_arn(arn: str) -> None:
    with pytest.raises(
        UserError, match=r"--source-role-arn is .* is like arn:aws:iam::111122223333:role/name"
    ):
        side_from_options(parse("--source-role-arn", arn), "source")


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-iso-b", "aws-eusc", "aws2"])
def test_a_role_may_be_of_any_partition(partition: str) -> None:
    arn = f"arn:{partition}:iam::111122223333:role/reader"
    assert side_from_options(parse("--source-role-arn", arn), "source").role_arn == arn


def test_an_external_id_goes_with_a_role() -> None:
    options = parse("--destination-external-id", "x")
    with pytest.raises(UserError, match="give --destination-role-arn, too"):
        side_from_options(options, "destination")
    known = Side("destination", role_arn=ROLE)
    assert side_from_options(options, "destination", known).external_id == "x"


def test_a_side_without_a_table_takes_no_table() -> None:
    with pytest.raises(SystemExit):
        parse("--destination", "orders")


def test_common_flags() -> None:
    options = parse("--from-terraform", "infra", "--format", "jsonl", "--debug")
    assert (options.from_terraform, options.format, options.debug) == ("infra", "jsonl", True)
    assert (parse().from_terraform, parse().format, parse().debug) == (None, "text", False)
