"""Terraform for real: a copy of the tree to run it in, and two local accounts to run it against.

tftest removes ``.terraform``, the lock file and the state of the directory it is given, so that it never
gets the repository's own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tftest

from tools.local.accounts import SOURCE_ACCOUNT, LocalAws
from tools.local.terraform import terraform_environment, trust_installed_providers

REPOSITORY = Path(__file__).parents[2]
MakeStack = Callable[..., "Stack"]


def changes_of(plan: dict[str, Any]) -> dict[str, list[str]]:
    """What a plan would do, by address; resources it leaves alone are left out."""
    return {
        change["address"]: change["change"]["actions"]
        for change in plan.get("resource_changes", [])
        if change["mode"] == "managed" and change["change"]["actions"] != ["no-op"]
    }


class Stack:
    """A root module in a copy of the tree, with its variables.

    Parameters
    ----------
    directory : Path
        Of the root module.
    environment : dict
        What Terraform runs in; nothing else is in it.
    variables : dict
        Written as JSON: tftest passes ``True`` as an invalid bool and ``None`` as a string.
    """

    def __init__(self, directory: Path, environment: dict[str, str], variables: dict[str, Any]) -> None:
        self.directory = directory
        self.environment = environment
        self._terraform = tftest.TerraformTest(str(directory))
        self._terraform.env = {**environment, "TF_IN_AUTOMATION": "1"}
        self.set(**variables)
        self._terraform.init(input=False)
        trust_installed_providers(directory)

    def set(self, **variables: Any) -> None:
        """Give the variables these values, and no others any."""
        (self.directory / "terraform.tfvars.json").write_text(json.dumps(variables))

    def apply(self, *arguments: str) -> dict[str, Any]:
        """Apply, and return the outputs."""
        self._terraform.execute_command("apply", "-auto-approve", "-input=false", *arguments)
        return dict(self._terraform.output())

    def planned(self, *replace: str) -> dict[str, Any]:
        """A plan, as ``terraform show -json`` writes it."""
        arguments = [f"-replace={address}" for address in replace]
        self._terraform.execute_command("plan", "-input=false", "-out=changes.tfplan", *arguments)
        return dict(json.loads(self._terraform.execute_command("show", "-json", "changes.tfplan").out))

    def changes(self, *replace: str) -> dict[str, list[str]]:
        """What a plan would do, by address; resources it leaves alone are left out."""
        return changes_of(self.planned(*replace))

    def assert_unchanged(self) -> None:
        """A plan changes nothing, neither resources nor outputs."""
        done = subprocess.run(
            ["terraform", "plan", "-input=false", "-no-color", "-detailed-exitcode"],
            cwd=self.directory,
            env=self._terraform.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def plan(self) -> str:
        """What a plan prints, on one line."""
        printed = self._terraform.execute_command("plan", "-input=false", "-no-color").out
        return _on_one_line(printed)

    def refusal(self) -> str:
        """What the plan says when it is refused, on one line."""
        with pytest.raises(tftest.TerraformTestError) as refused:
            self._terraform.execute_command("plan", "-input=false", "-no-color")
        return _on_one_line(str(refused.value.cmd_error))

    def destroy_refused(self) -> str:
        """What a destroy says when it fails, on one line."""
        with pytest.raises(tftest.TerraformTestError) as refused:
            self._terraform.execute_command("destroy", "-auto-approve", "-input=false", "-no-color")
        return _on_one_line(str(refused.value.cmd_error))

    def destroy(self) -> None:
        self._terraform.destroy(auto_approve=True, input=False)


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Two accounts for the tests of a file: they look at everything in an account, and leave it as it is."""
    with LocalAws(tmp_path_factory.mktemp("accounts")) as accounts:
        yield accounts


@pytest.fixture(scope="session")
def offline_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment without any way to AWS."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment["AWS_EC2_METADATA_DISABLED"] = "true"
    return terraform_environment(environment, tmp_path_factory.mktemp("terraform"))


@pytest.fixture(scope="session")
def make_tree(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes a copy of everything Terraform reads."""

    def make() -> Path:
        tree = tmp_path_factory.mktemp("tree")
        for file in REPOSITORY.glob("*.tf"):
            shutil.copy(file, tree)
        ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*")
        for folder in ("modules", "examples", "lambda/dist"):
            shutil.copytree(REPOSITORY / folder, tree / folder, ignore=ignored)
        shutil.copytree(
            REPOSITORY / "tests",
            tree / "tests",
            ignore=shutil.ignore_patterns("*.py", "__pycache__", "unit", "e2e"),
        )
        return tree

    return make


@pytest.fixture(scope="module")
def make_stack(
    local_aws: LocalAws, make_tree: Callable[[], Path], tmp_path_factory: pytest.TempPathFactory
) -> MakeStack:
    """Makes a `Stack` of a root module, by its path in the repository, against the local accounts."""
    environment = terraform_environment(local_aws.environment(), tmp_path_factory.mktemp("terraform"))

    def make(path: str, **variables: Any) -> Stack:
        return Stack(make_tree() / path, environment, variables)

    return make


@pytest.fixture(scope="module")
def make_table(local_aws: LocalAws) -> Callable[..., str]:
    """Makes a source table with all that a definition has and, by default, a stream."""

    def make(
        name: str,
        stream: str | None = "NEW_AND_OLD_IMAGES",
        account: str = SOURCE_ACCOUNT,
        kms: bool = False,
    ) -> str:
        specification = (
            {"StreamEnabled": True, "StreamViewType": stream} if stream else {"StreamEnabled": False}
        )
        attributes = {"customer": "S", "number": "N", "state": "S", "digest": "B"}
        client = local_aws.session(account).client("dynamodb")
        client.create_table(
            TableName=name,
            AttributeDefinitions=[
                {"AttributeName": key, "AttributeType": kind} for key, kind in attributes.items()
            ],
            KeySchema=_key("customer", "number"),
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-state",
                    "KeySchema": _key("state"),
                    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["total", "currency"]},
                    "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
                }
            ],
            LocalSecondaryIndexes=[
                {
                    "IndexName": "by-digest",
                    "KeySchema": _key("customer", "digest"),
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            BillingMode="PROVISIONED",
            ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 6},
            StreamSpecification=specification,
            TableClass="STANDARD_INFREQUENT_ACCESS",
            Tags=[{"Key": "Owner", "Value": "orders"}],
            SSESpecification={"Enabled": True, "SSEType": "KMS"} if kms else {"Enabled": False},
        )
        client.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        client.update_time_to_live(
            TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
        )
        return name

    return make


def _on_one_line(printed: str) -> str:
    # Without the bars in front of warnings and errors.
    return " ".join(printed.replace("\u2502", " ").split())


def _key(partition: str, sort: str | None = None) -> list[dict[str, str]]:
    key = [{"AttributeName": partition, "KeyType": "HASH"}]
    return [*key, {"AttributeName": sort, "KeyType": "RANGE"}] if sort else key
