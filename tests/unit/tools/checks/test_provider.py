"""The code uses what the oldest and the newest supported provider know, and admits no broken version."""

from __future__ import annotations

from pathlib import Path

import hcl2
import pytest
from packaging.specifiers import SpecifierSet

from tools.checks.hcl import REPOSITORY, Use, files, uses
from tools.checks.provider import problems, read_record, unused
from tools.checks.provider_schemas import deprecations, from_cdktn, from_terraform, mark

TABLE = "resource aws_dynamodb_table"
RECORD = {
    "5.1.0": {TABLE: {"name": "argument", "arn": "attribute", "ttl": {"enabled": "argument"}}},
    "6.2.0": {TABLE: {"name": "deprecated argument", "arn": "attribute", "ttl": {"enabled": "argument"}}},
}


def use(*path: str, type_: str = TABLE, set_: bool = True) -> Use:
    return Use("a.tf", type_, path, set=set_)


def test_the_code_of_the_repository() -> None:
    used = [use for path in files() for use in uses(path)]
    assert len(used) > 100
    assert problems(used, read_record()) == []
    assert unused(used) == []


def test_the_record_is_of_the_oldest_and_of_a_newest_version() -> None:
    oldest, newest = sorted(read_record(), key=lambda version: [int(part) for part in version.split(".")])
    assert oldest == "5.100.0"
    assert newest.startswith("6.")


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (use("nmae"), "a.tf: resource aws_dynamodb_table.nmae does not exist in provider"),
        (use("ttl", "on"), "a.tf: resource aws_dynamodb_table.ttl.on does not exist in provider"),
        (use("arn"), "a.tf: resource aws_dynamodb_table.arn cannot be set in provider"),
        (use(type_="data aws_dynamodb_table"), "is not recorded"),
    ],
)
def test_what_a_version_does_not_know_is_told_for_each(found: Use, complaint: str) -> None:
    lines = problems([found], RECORD)
    assert [complaint in line for line in lines] == [True, True]


def test_what_one_version_deprecates_is_told_unless_it_is_accepted() -> None:
    name = use("name")
    assert problems([name], RECORD) == [
        "a.tf: resource aws_dynamodb_table.name is deprecated in provider 6.2.0"
    ]
    accepted = {(TABLE, "name"): "5.1 has nothing else"}
    assert problems([name], RECORD, accepted) == []
    assert unused([], accepted) == [
        "tools/checks/provider.py: resource aws_dynamodb_table.name is accepted, but not used"
    ]


def test_what_is_read_may_be_an_attribute_and_what_is_inside_of_a_map_is_the_users() -> None:
    assert problems([use("arn", set_=False), use("arn", "key", set_=False)], RECORD) == []


def test_blocks_dynamic_ones_and_references_are_found(tmp_path: Path) -> None:
    file = tmp_path / "a.tf"
    file.write_text(
        """
        # aws_dynamodb_table.comment.is_not_a_use
        provider "aws" {
          alias  = "source"
          region = "eu-west-1"
        }
        resource "aws_dynamodb_table" "this" {
          count = 1
          name  = data.aws_dynamodb_table.other[0].name
          ttl {
            enabled = true
          }
          dynamic "attribute" {
            for_each = [1]
            content {
              name = "aws_sqs_queue.quoted.is_no_use, ${aws_sqs_queue.q.arn}"
            }
          }
          lifecycle {
            ignore_changes = [tags]
          }
        }
        """
    )
    assert set(uses(file)) == {
        Use("a.tf", "provider aws", ("region",), set=True),
        Use("a.tf", TABLE, (), set=True),
        Use("a.tf", TABLE, ("name",), set=True),
        Use("a.tf", TABLE, ("ttl",), set=True),
        Use("a.tf", TABLE, ("ttl", "enabled"), set=True),
        Use("a.tf", TABLE, ("attribute",), set=True),
        Use("a.tf", TABLE, ("attribute", "name"), set=True),
        Use("a.tf", "data aws_dynamodb_table", ("name",), set=False),
        Use("a.tf", "resource aws_sqs_queue", ("arn",), set=False),
    }


def test_the_schema_that_terraform_writes() -> None:
    attributes = {
        "name": {"type": "string", "required": True},
        "old": {"type": "string", "optional": True, "deprecated": True},
        "arn": {"type": "string", "computed": True},
        "found": {"type": ["list", ["object", {"id": "string"}]], "computed": True},
    }
    nested = {"ttl": {"block": {"attributes": {"on": {"type": "bool", "optional": True}}}}}
    schema = {
        "provider_schemas": {
            "aws": {
                "provider": {"block": {"attributes": {"region": {"type": "string", "optional": True}}}},
                "resource_schemas": {
                    "aws_dynamodb_table": {"block": {"attributes": attributes, "block_types": nested}}
                },
                "data_source_schemas": {},
            }
        }
    }
    assert from_terraform(schema, [TABLE, "data aws_unknown"]) == {
        "provider aws": {"region": "argument"},
        TABLE: {
            "name": "argument",
            "old": "deprecated argument",
            "arn": "attribute",
            "found": {"id": "attribute"},
            "ttl": {"on": "argument"},
        },
    }


def test_the_schema_in_the_npm_package_and_its_deprecations() -> None:
    node = from_cdktn(
        """
class TableTtlOutputReference extends cdktn.ComplexObject {
    // hash_key - computed: false, optional: true, required: false
}
class TableTtlList extends cdktn.ComplexList {
}
class Table extends cdktn.TerraformResource {
    // arn - computed: true, optional: false, required: false
    // ttl - computed: false, optional: true, required: false
    _ttl = new TableTtlList(this, "ttl", false);
}
"""
    )
    assert node == {"arn": "attribute", "ttl": {"hash_key": "argument"}}
    pulumi = {
        "pulumi_aws/dynamodb/_inputs.py": (
            "class TableTtlArgs:\n"
            "    @property\n"
            "    @_utilities.deprecated('Use another one.')\n"
            "    def hash_key(self): ...\n"
        ).replace("\\\n", "\n")
    }
    mark(node, "Table", deprecations(pulumi.get, "dynamodb", "Table"))
    assert node == {"arn": "attribute", "ttl": {"hash_key": "deprecated argument"}}


def constraint(path: Path) -> str:
    [terraform] = hcl2.loads(path.read_text())["terraform"]
    [required] = terraform.get("required_providers", [{}])
    return str(required.get("aws", {}).get("version", "")).strip('"')


def test_all_modules_name_the_same_range_and_the_copy_excludes_what_is_broken() -> None:
    plain = {
        constraint(path)
        for path in REPOSITORY.glob("**/versions.tf")
        if ".terraform" not in path.parts
        and path.parent.name != "copy"
        and not path.parts[-2].startswith(".")
    }
    # An example may leave it to the module.
    [range_] = plain - {""}
    assert constraint(REPOSITORY / "modules" / "copy" / "versions.tf").startswith(f"{range_}, != ")


@pytest.mark.parametrize(
    ("version", "is_admitted"),
    [
        ("5.99.1", False),
        ("5.100.0", True),
        ("6.0.0", True),
        ("6.12.0", True),
        *((f"6.{minor}.0", False) for minor in range(13, 30)),
        ("6.14.1", False),
        ("6.22.1", False),
        ("6.30.0", True),
        ("6.66.0", True),
        ("7.0.0", False),
    ],
)
def test_versions_known_as_broken_are_not_admitted(version: str, is_admitted: bool) -> None:
    allowed = SpecifierSet(constraint(REPOSITORY / "modules" / "copy" / "versions.tf"))
    assert (version in allowed) == is_admitted
