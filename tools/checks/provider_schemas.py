"""Records what two versions of the AWS provider know: ``python -m tools.checks.provider_schemas DIRECTORY``.

Writes ``tools/checks/provider.json``, with which `tools.checks.provider` compares the Terraform code. Run
it by hand when the code uses another kind of resource, or to check another version. It downloads 60 MB to
``DIRECTORY``.

* The oldest supported version: ``terraform providers schema -json`` of the provider that Terraform finds.
* The newest one: the npm package @cdktn/provider-aws, which is generated from the provider's schema and names
  the version. It leaves out deprecations. These are from the PyPI package pulumi-aws, which is generated from
  the same provider.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from tools.checks.hcl import DATA, PROVIDER, RESOURCE, used_types
from tools.checks.provider import RECORD, Node
from tools.local.terraform import terraform_environment

CDKTN = "@cdktn/provider-aws@25.7.0"
PULUMI = "pulumi-aws==7.51.1"
_ATTRIBUTE = re.compile(r"// (\w+) - computed: (true|false), optional: (true|false), required: (true|false)")
_NESTED = re.compile(r'= new (\w+?)(?:List|Map|OutputReference)\(this, "(\w+)"')
_CLASS = re.compile(r"^class (\w+) extends", re.MULTILINE)
# Module and name of each type in pulumi-aws. A type that is not listed gets no deprecations.
_PULUMI = {
    "aws_caller_identity": ("", "getCallerIdentity"),
    "aws_cloudwatch_dashboard": ("cloudwatch", "Dashboard"),
    "aws_cloudwatch_log_group": ("cloudwatch", "LogGroup"),
    "aws_cloudwatch_metric_alarm": ("cloudwatch", "MetricAlarm"),
    "aws_dynamodb_table": ("dynamodb", "Table"),
    "aws_dynamodb_tables": ("dynamodb", "getTables"),
    "aws_iam_policy_document": ("iam", "getPolicyDocument"),
    "aws_iam_role": ("iam", "Role"),
    "aws_iam_role_policy": ("iam", "RolePolicy"),
    "aws_kms_key": ("kms", "Key"),
    "aws_lambda_event_source_mapping": ("lambda_", "EventSourceMapping"),
    "aws_lambda_function": ("lambda_", "Function"),
    "aws_lambda_function_event_invoke_config": ("lambda_", "FunctionEventInvokeConfig"),
    "aws_partition": ("", "getPartition"),
    "aws_region": ("", "getRegion"),
    "aws_scheduler_schedule": ("scheduler", "Schedule"),
    "aws_service": ("", "getService"),
    "aws_sfn_state_machine": ("sfn", "StateMachine"),
    "aws_sns_topic": ("sns", "Topic"),
    "aws_sns_topic_policy": ("sns", "TopicPolicy"),
    "aws_sns_topic_subscription": ("sns", "TopicSubscription"),
    "aws_sqs_queue": ("sqs", "Queue"),
    "aws_sqs_queue_policy": ("sqs", "QueuePolicy"),
}


def from_terraform(schema: Mapping[str, Any], used: Iterable[str]) -> dict[str, Node]:
    """The types of ``used`` from what ``terraform providers schema -json`` writes."""
    [provider] = schema["provider_schemas"].values()
    kinds = {RESOURCE: provider["resource_schemas"], DATA: provider["data_source_schemas"]}
    found = {PROVIDER: _block(provider["provider"]["block"])}
    for name in used:
        kind, _, type_ = name.partition(" ")
        if type_ in kinds.get(kind, {}):
            found[name] = _block(kinds[kind][type_]["block"])
    return found


def _block(block: Mapping[str, Any]) -> Node:
    node: Node = {}
    for name, attribute in block.get("attributes", {}).items():
        settable = bool(attribute.get("optional") or attribute.get("required"))
        node[name] = _leaf(
            attribute.get("type"), settable=settable, deprecated=bool(attribute.get("deprecated"))
        )
    for name, nested in block.get("block_types", {}).items():
        node[name] = _block(nested["block"])
    return node


def _leaf(type_: Any, *, settable: bool, deprecated: bool) -> str | Node:
    if isinstance(type_, list) and isinstance(type_[-1], list) and type_[-1][0] == "object":
        return {
            name: _leaf(member, settable=settable, deprecated=deprecated)
            for name, member in type_[-1][1].items()
        }
    return f"{'deprecated ' if deprecated else ''}{'argument' if settable else 'attribute'}"


def from_cdktn(source: str) -> Node:
    """One type from its module in @cdktn/provider-aws, without deprecations."""
    parts = _CLASS.split(source)[1:]
    bodies = dict(zip(parts[::2], parts[1::2], strict=True))
    *_, main = bodies
    if "TerraformProvider" in bodies[main][:60]:
        main = "AwsProvider"

    def tree(name: str) -> Node:
        body = bodies[name]
        nested = {
            terraform_name: class_ if class_ in bodies else f"{class_}OutputReference"
            for class_, terraform_name in _NESTED.findall(body)
        }
        found: Node = {}
        for attribute, _, optional, required in _ATTRIBUTE.findall(body):
            settable = "true" in (optional, required)
            found[attribute] = "argument" if settable else "attribute"
        for attribute, class_ in nested.items():
            found[attribute] = tree(class_)
        return found

    return tree(main)


def deprecations(read: Callable[[str], str | None], module: str, name: str) -> set[tuple[str, ...]]:
    """Paths that pulumi-aws calls deprecated, as the names of its classes and the last name.

    ``read`` gets a path in the package and returns the file, None if it has none.
    """
    folder = f"pulumi_aws/{module}/" if module else "pulumi_aws/"
    file = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    found: set[tuple[str, ...]] = set()
    for path in (f"{folder}{file}.py", f"{folder}_inputs.py", f"{folder}outputs.py"):
        text = read(path)
        for class_ in ast.walk(ast.parse(text or "")):
            if isinstance(class_, ast.ClassDef):
                found |= {(class_.name, member) for member in _deprecated(class_)}
    return found


def _deprecated(class_: ast.ClassDef) -> Iterator[str]:
    for member in class_.body:
        if isinstance(member, ast.FunctionDef) and any(
            isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("deprecated")
            for decorator in member.decorator_list
        ):
            yield member.name


def mark(node: Node, name: str, deprecated: set[tuple[str, ...]]) -> None:
    """Mark what is deprecated in ``node``, whose class in pulumi-aws is ``name``."""
    classes = {name, f"{name}Args", f"{name}Result", f"{name[0].upper()}{name[1:]}Result"}
    for member, what in node.items():
        if isinstance(what, dict):
            mark(what, name.removesuffix("Result") + _pascal(member), deprecated)
        elif any((class_, member) in deprecated for class_ in classes):
            node[member] = f"deprecated {what}"


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _newest(directory: Path, used: Iterable[str]) -> tuple[str, dict[str, Node]]:
    """The newest version and its types, from the two packages."""
    subprocess.run(["npm", "pack", "--silent", CDKTN], cwd=directory, check=True, stdout=subprocess.DEVNULL)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", PULUMI]
    subprocess.run(pip, cwd=directory, check=True)
    [archive], [wheel] = directory.glob("cdktn-*.tgz"), directory.glob("pulumi_aws-*.whl")
    names = {f"package/lib/{_module(name)}/index.js": name for name in {*used, PROVIDER}}
    found = {}
    with tarfile.open(archive) as package:
        for member in package:
            file = package.extractfile(member) if member.name in names else None
            if file:
                found[names[member.name]] = from_cdktn(file.read().decode())
            if member.name == "package/package.json":
                about = json.load(cast(Any, package.extractfile(member)))
    with zipfile.ZipFile(wheel) as package_of_python:
        files = set(package_of_python.namelist())

        def read(path: str) -> str | None:
            return package_of_python.read(path).decode() if path in files else None

        for name, node in found.items():
            kind, _, type_ = name.partition(" ")
            module, class_ = _PULUMI.get(type_, ("", ""))
            if kind == DATA and class_ and not class_.startswith("get"):
                class_ = f"get{class_}"
            if class_:
                mark(node, class_, deprecations(read, module, class_))
    return about["cdktn"]["provider"]["version"], found


def _module(name: str) -> str:
    kind, _, type_ = name.partition(" ")
    if name == PROVIDER:
        return "provider"
    bare = type_.removeprefix("aws_").replace("_", "-")
    return bare if kind == RESOURCE else f"data-aws-{bare}"


def _oldest(directory: Path, used: Iterable[str]) -> tuple[str, dict[str, Node]]:
    """The version Terraform finds, and its types."""
    (directory / "main.tf").write_text(
        'terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws" }\n  }\n}\n'
    )
    environment = terraform_environment(os.environ, directory)
    for command in (["init", "-input=false"], ["providers", "schema", "-json"], ["version", "-json"]):
        done = subprocess.run(
            ["terraform", *command],
            cwd=directory,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        if command[0] == "providers":
            schema = json.loads(done.stdout)
    [version] = json.loads(done.stdout)["provider_selections"].values()
    return version, from_terraform(schema, used)


def main(arguments: list[str]) -> int:
    """Write the record."""
    directory = Path(arguments[0]).resolve()
    directory.mkdir(parents=True, exist_ok=True)
    used = used_types()
    record = {}
    for version, types in (_oldest(directory, used), _newest(directory, used)):
        missing = sorted({*used, PROVIDER} - types.keys())
        if missing:
            print(f"Version {version} does not know {', '.join(missing)}.", file=sys.stderr)
        record[version] = {name: types[name] for name in sorted(types)}
    RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    print(f"Wrote {RECORD}: {', '.join(record)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
