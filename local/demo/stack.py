"""This repository's root module, applied to the local accounts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.accounts import REPOSITORY, LocalAws
from local.terraform import OutputLine, Terraform, terraform_environment

_ROOT_MODULE = ("main.tf", "providers.tf", "variables.tf", "outputs.tf", "versions.tf", "modules", "lambda")


def root_module(
    aws: LocalAws, directory: Path, variables: Mapping[str, Any], on_line: OutputLine | None = None
) -> Terraform:
    """The root module as it is, seen from ``directory``, which takes Terraform's state and plugins.

    ``variables`` are written beside it as a ``terraform.tfvars.json``, so that Terraform run there by hand
    sees them too.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name in _ROOT_MODULE:
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(REPOSITORY / name)
    environment = terraform_environment(aws.environment(), directory)
    return Terraform(directory, environment, variables, on_line)
