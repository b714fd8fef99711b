"""This repository's root module, and its examples, applied to the local accounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tools.local.accounts import REPOSITORY, LocalAws
from tools.local.terraform import OutputLine, Terraform, terraform_environment

_ROOT_MODULE = ("main.tf", "providers.tf", "variables.tf", "outputs.tf", "versions.tf", "modules", "lambda")


def root_module(
    aws: LocalAws, directory: Path, variables: Mapping[str, Any], on_line: OutputLine | None = None
) -> Terraform:
    """The root module as it is, seen from ``directory``, which takes Terraform's state and plugins.

    ``variables`` are written beside it as a ``terraform.tfvars.json``, so that Terraform run there by hand
    sees them too.
    """
    _link(REPOSITORY, _ROOT_MODULE, directory)
    return Terraform(directory, terraform_environment(aws.environment(), directory), variables, on_line)


def example_module(aws: LocalAws, directory: Path, name: str, variables: Mapping[str, Any]) -> Terraform:
    """The example ``name``, in a tree of its own below ``directory``, beside the modules it calls."""
    _link(REPOSITORY, _ROOT_MODULE, directory)
    source = REPOSITORY / "examples" / name
    example = directory / "examples" / name
    _link(source, [file.name for file in source.glob("*.tf")], example)
    return Terraform(example, terraform_environment(aws.environment(), example), variables)


def _link(source: Path, names: Iterable[str], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(source / name)
